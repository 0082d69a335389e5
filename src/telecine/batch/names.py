"""Names of outputs under their prefix: what a row says, or a template filled from the row. None leads out of it."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping

from ..errors import OptionError

_LONGEST_SLUG = 60  # characters: a prompt may be a page
_SLUG = "_slug"
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")  # controls, and what is a separator on Windows


class Names:
    """Gives each row's output its name."""

    def __init__(self, template: str | None) -> None:
        """Take a template, such as "{index:06d}-{prompt_slug}.mp4".

        Raises:
            OptionError: it can't be one.
        """
        self._template = template
        if template is None:
            return
        try:
            fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        except ValueError as error:
            raise OptionError(f"template={template!r} can't be read: {error}") from error
        for name in fields:
            if not name.isidentifier():
                raise OptionError(f"template={template!r} has the field {name!r}: use the name of a column, or index")

    def name(self, index: int | None, row: Mapping[str, object]) -> str:
        """Give the name of a row's output, with `/` between its parts. A row may have no index.

        >>> Names("{index:04d}-{prompt_slug}.mp4").name(7, {"prompt": "A panda, playing!"})
        '0007-a-panda-playing.mp4'

        Raises:
            OptionError: it has none, the template asks for what is not there, or it leads out of the prefix.
        """
        given = row.get("output")
        if given is None and self._template is None:
            raise OptionError("it has no output: name one, or give a template such as {index:06d}.mp4")
        name = str(given) if given is not None else self._filled(index, row)
        return _within(name)

    def _filled(self, index: int | None, row: Mapping[str, object]) -> str:
        assert self._template is not None
        metadata = row.get("metadata")
        facts = {**(metadata if isinstance(metadata, Mapping) else {}), **row}
        slugs = {f"{name}{_SLUG}": slug(str(value)) for name, value in facts.items()}
        try:
            return self._template.format_map({**slugs, **facts, **({} if index is None else {"index": index})})
        except KeyError as error:
            raise OptionError(f"the template asks for {error.args[0]!r}, which is no column of it") from error
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise OptionError(f"the template can't be filled: {error}") from error


def slug(text: str) -> str:
    """Give text as it can be in a name: letters and digits of ASCII, with a hyphen for what is between.

    >>> slug("Ein Bär, im Schnee?")
    'ein-bar-im-schnee'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].rstrip("-") or "untitled"


def _within(name: str) -> str:
    parts = name.split("/")
    if _FORBIDDEN.search(name) or re.match(r"[A-Za-z]:", name) or any(part in ("", ".", "..") for part in parts):
        raise OptionError(f"output={name!r} is no name under the prefix: use one such as a/b.mp4")
    if any(part.startswith(".") for part in parts):
        raise OptionError(f"output={name!r} is a hidden name: begin it with another character than a dot")
    return name
