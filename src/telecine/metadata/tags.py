"""What a file says of itself: any JSON value under any key, as tags that others read, and once more exactly.

Tags are text, and every container, remux and player changes some of it: the case of names, control characters, what is
long. So one tag holds all of it as JSON, `{"telecine": {...}}`: `comment`, which a plain `ffmpeg -c copy` keeps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from ..errors import OptionError
from ..support.notes import Notes

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

# FFmpeg's Matroska demuxer takes no string of more than 16 MiB (libavformat/matroskadec.c, max_lengths).
MOST_BYTES = 15 << 20
_MARK = "telecine"
# Where the exact copy goes: the first that the metadata does not name itself. FFmpeg's MP4 muxer keeps each of them.
EXACT_COPY = "comment"
_CARRIERS = (EXACT_COPY, "description", "synopsis")
# ComfyUI's. They come first, for its reader stops after 2 MiB of a WebM (ComfyUI_frontend, metadata/ebml.ts).
_GRAPHS = ("prompt", "workflow")
_LONGEST_NAME = 255
_MUXER = "Lavf"  # with which FFmpeg's muxers name themselves
# What JSON may hold as it is and XML or UTF-8 may not, or what a terminal obeys: C1, surrogates, two non-characters.
_UNSAFE = "[\x7f-\x9f\ud800-\udfff\ufffe\uffff]"  # compiled at its first use, as start-up has none


@dataclass(frozen=True)
class Metadata:
    """What a file says of itself: its exact copy, and the same as dicts, lists and scalars, which nobody changes."""

    exact_copy: str
    values: Mapping[str, Json] = field(compare=False)

    @classmethod
    def of(cls, values: Mapping[str, Json]) -> Metadata:
        """Write the exact copy of some values."""
        return cls(exact_text(values), MappingProxyType(values))

    @classmethod
    def read(cls, exact_copy: str | None) -> Metadata | None:
        """Read an exact copy, as a container gives it back; None if the text is none."""
        values = read_exact(exact_copy)
        return None if values is None else cls.of(values)


def parse_metadata(given: Mapping[str, Json], notes: Notes | None = None) -> Metadata:
    """Give what a file will say. Tuples are lists from here on.

    NumPy's scalars and what else holds one number are that number. NaN and infinity, for which JSON has no number, are
    None, which is noted.

    >>> given = {"prompt": "a panda", "seed": np.int64(42), "size": (480, 720), "is_changed": [math.nan]}
    >>> dict(parse_metadata(given).values)
    {'prompt': 'a panda', 'seed': 42, 'size': [480, 720], 'is_changed': [None]}

    Raises:
        OptionError: it is no dict of JSON values by text keys, or too large.
    """
    if not isinstance(given, Mapping):
        raise OptionError(f"metadata={given!r} is no dict: give names and values, such as {{'prompt': 'a panda'}}")
    no_numbers: list[str] = []
    try:
        text = exact_text(_plain_dict(given, (), no_numbers))
        values = read_exact(text)
    except RecursionError:
        raise OptionError("metadata is nested too deeply, or in itself") from None
    except ValueError as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(f"metadata can't be JSON: {error}") from None  # an int of more than 4300 digits
    metadata = None if values is None else Metadata.of(values)
    if metadata is None or metadata.exact_copy != text:
        raise OptionError("metadata has a pair of surrogates in its text: give the character that they stand for")
    if (size := len(text.encode())) > MOST_BYTES:
        raise OptionError(f"metadata is {size:,} bytes of JSON: at most {MOST_BYTES:,} go into a file")
    if no_numbers and notes is not None:
        more = f", and {len(no_numbers) - 1} more such" if len(no_numbers) > 1 else ""
        notes.add(f"{no_numbers[0]}, which JSON has no number for: it is null{more}")
    return metadata


_At = tuple[str | int, ...]  # keys and indices that lead to a value


def _plain(value: object, at: _At, no_numbers: list[str]) -> Json:
    value = of_one(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            no_numbers.append(f"{_place(at)} is {value}")
            return None
        return value
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(each, (*at, index), no_numbers) for index, each in enumerate(value)]
    if isinstance(value, Mapping):
        return _plain_dict(value, at, no_numbers)
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    accepted = "text, numbers, True, False, None, lists and dicts"
    raise OptionError(f"{_place(at)} is a {kind}, which is no JSON value: give {accepted}")


def _plain_dict(given: Mapping[str, Json], at: _At, no_numbers: list[str]) -> dict[str, Json]:
    wrong = next((name for name in given if not isinstance(name, str)), None)
    if wrong is not None or None in given:
        raise OptionError(f"{_place(at)} has the key {wrong!r}: JSON's keys are text")
    return {name: _plain(each, (*at, name), no_numbers) for name, each in given.items()}


def of_one(value: object) -> object:
    """Give the number, or truth, in a scalar of NumPy, or in an array or tensor without axes; others as they are."""
    if getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    number = value.item()
    if isinstance(number, np.floating):  # longdouble, which is no Python number
        return float(number)
    return number if isinstance(number, (str, int, float)) else value


def _place(at: _At) -> str:
    return "metadata" + "".join(f"[{each!r}]" for each in at)


# ---- as text -------------------------------------------------------------------------------------------------------


def exact_text(values: Mapping[str, Json], ascii: bool = False) -> str:
    """Give the exact copy: JSON that XML, terminals and C strings leave as it is."""
    import json  # start-up: few files have metadata

    text = json.dumps({_MARK: dict(values)}, ensure_ascii=ascii, separators=(",", ":"))
    return re.sub(_UNSAFE, lambda found: f"\\u{ord(found[0]):04x}", text)


def read_exact(text: str | None) -> dict[str, Json] | None:
    """Read an exact copy; None if the text is none."""
    if text is None or not text.startswith(f'{{"{_MARK}":{{'):
        return None
    values = (_object(text) or {}).get(_MARK)
    return values if isinstance(values, dict) else None


def as_text(value: Json) -> str:
    """Give a value as a tag shows it: text as it is, anything else as JSON; without what no tag can hold."""
    import json  # start-up, as above

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def tags_of(metadata: Metadata) -> dict[str, str]:
    """Give the tags of a file: one for each key that can name one, and the exact copy.

    >>> tags_of(Metadata.of({"prompt": "a panda", "seed": 42}))
    {'prompt': 'a panda', 'comment': '{"telecine":{"prompt":"a panda","seed":42}}', 'seed': '42'}
    """
    named = {name: as_text(value) for name, value in metadata.values.items() if _names_a_tag(name)}
    tags = {name: named.pop(name) for name in _GRAPHS if name in named}
    taken = {name.casefold() for name in metadata.values}
    tags[next((name for name in _CARRIERS if name not in taken), _CARRIERS[-1])] = metadata.exact_copy
    known = {name.casefold() for name in tags}
    for name, text in named.items():
        if name.casefold() not in known:  # containers don't tell A from a
            tags[name] = text
            known.add(name.casefold())
    return tags


def graphs_in(tags: Mapping[str, str]) -> dict[str, str]:
    """Give those tags that ComfyUI loads."""
    return {name: tags[name] for name in _GRAPHS if tags.get(name, "").lstrip().startswith("{")}


def _names_a_tag(name: str) -> bool:
    return name.isprintable() and name.isascii() and 0 < len(name.strip()) == len(name) <= _LONGEST_NAME


# ---- read back -----------------------------------------------------------------------------------------------------


def read_tags(tags: Mapping[str, str], copies: Iterable[str] = ()) -> dict[str, Json]:
    """Give what a file's tags say: the exact copy in them, or among other `copies`, else the tags as they are.

    Of tags that others wrote, the values are text, but for ComfyUI's `prompt` and `workflow`, which are its graphs.
    """
    tags = {name.lower() if name.isupper() else name: text for name, text in tags.items()}  # as Matroska has them
    for text in (*(tags.get(name) for name in _CARRIERS), *copies):
        values = read_exact(text)
        if values is not None:
            # ComfyUI that saves our file again puts its graphs beside ours, which are older.
            newer = {name: tags[name] for name in _GRAPHS if name in tags and tags[name] != as_text(values.get(name))}
            return values | _graphs(newer)
    return {**_graphs_in_comment(tags.get("comment")), **tags, **_graphs(tags)}


def metadata_of_file(values: Mapping[str, Json]) -> Metadata | None:
    """Give what was read of a file for another one, without its muxer's name, which FFmpeg's adds by itself."""
    muxer = str(values.get("encoder", "")).startswith(_MUXER)
    said = {name: value for name, value in values.items() if not (muxer and name == "encoder")}
    return Metadata.of(said) if said else None


def _graphs(tags: Mapping[str, str]) -> dict[str, Json]:
    found = {name: _object(tags[name]) for name in _GRAPHS if name in tags}
    return {name: graph for name, graph in found.items() if graph is not None}


def _graphs_in_comment(comment: str | None) -> dict[str, Json]:
    """Read what older VideoHelperSuite wrote: both graphs in one JSON object, one of them as text."""
    both = _object(comment or "") or {}
    graphs = {name: both[name] for name in _GRAPHS if name in both}
    return {**graphs, **_graphs({name: each for name, each in graphs.items() if isinstance(each, str)})}


def _object(text: str) -> dict[str, Json] | None:
    if not text.lstrip().startswith("{"):
        return None
    import json  # start-up, as above

    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip())  # FFmpeg 9 may put more behind it
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
