"""How a text from a file, a name or a library is shown: in one line, with nothing in it that a terminal obeys."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Mapping

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LINE_BREAKS = re.compile(r"\s*[\n\r]\s*")


def shown(text: str) -> str:
    r"""Give a text with escapes for what is no mark on the screen: what controls, formats, turns or breaks a line.

    Those are the characters of Unicode's categories C (controls of ASCII and C1, directions and other formats, lone
    surrogates, private and unassigned ones) and the separators of lines and paragraphs. Spaces of all kinds stay, and
    so does a backslash: what was shown once may be shown again.

    >>> print(shown("a\x1b[2Jpanda\n\u202e4pm."))
    a\u001b[2Jpanda\n\u202e4pm.
    """
    return text if text.isprintable() else "".join(map(_character, text))


def _character(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    code = ord(character)
    return _SHORT.get(character) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def one_line(message: str) -> str:
    """Give a message as one line: where a library breaks its own is of no use in ours. Names in it are quoted ones."""
    return shown(_LINE_BREAKS.sub(" ", message.strip()))


def shell_word(path: str) -> str:
    r"""Give a path as a shell hands it to a command, and as a terminal may show it.

    >>> print(shell_word("my clip.mp4"), shell_word("-v.mp4"), shell_word("a\x1b[2J.mp4"))
    'my clip.mp4' ./-v.mp4 $'a\033[2J.mp4'
    """
    path = f"./{path}" if path.startswith("-") else path  # no option
    if path == shown(path):
        return shlex.quote(path)
    return "$'" + "".join(map(_quoted, path)) + "'"  # POSIX.1-2024 2.2.4; bash, zsh, ksh and busybox had it before


def _quoted(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character == shown(character):
        return character
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


def differences(promised: Mapping[str, tuple[object, object]], verb: str) -> str:
    """Say which of what was found, the first of each pair, is not what was wanted."""
    return "; ".join(
        f"{what} {verb} {found}, not {wanted}" for what, (found, wanted) in promised.items() if found != wanted
    )


def quoted_value(path: str) -> str:
    """Give a path as FFmpeg reads it in an option's value (ffmpeg-utils, Quoting).

    >>> quoted_value("C:/it's")
    "C\\\\:/it\\\\'s"
    """
    return re.sub(r"([\\':])", r"\\\1", path)
