"""The command's options: those of several commands, and those made of the record that the functions have theirs of."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import typer

from ..errors import OptionError
from ..formats.encoders import ENCODERS
from ..frames.options import Option, options_of, type_of
from ..metadata.tags import Json
from ..provenance.seal import Provenance
from ..rates.size import parse_bytes

Function = TypeVar("Function", bound=Callable[..., Any])

DebugOption = Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no table.")]
TrustOption = Annotated[
    Path | None, typer.Option(metavar="ANCHORS", help="Certificates in PEM that stand for signers.")
]

_MEMBERS = {str, int, float, bool, type(None)}


def _range(text: str) -> tuple[str, ...]:
    return tuple(text.strip("[]() ").split(","))


def _fraction(text: str) -> tuple[int, int]:
    try:
        number, count = map(int, text.split("/"))
    except ValueError as error:
        raise OptionError(f"--shard {text!r} is none: write I/N, such as 0/8") from error
    return number, count


@dataclass(frozen=True)
class Form:
    """How the command takes an option that is typed in another form: its type there, and how it is read."""

    type: Any = None
    text: str | None = None
    metavar: str | None = None
    read: Callable[[str], object] | None = None

    @property
    def is_unset_without(self) -> bool:
        """Whether None stands for the default, in place of the default itself."""
        return self.type is not None


_TEXT = str | None
_FORMS = {
    "fps": Form(_TEXT, "Frames per second, such as 29.97 or 24000/1001; without, a video's own timing, or 16."),
    "target": Form(_TEXT, "How near to the frames it is to be, such as vmaf:95 or xpsnr:42.", "METRIC:NUMBER"),
    "max_bytes": Form(_TEXT, "The most that the file may take, such as 10MB or 9.5MiB.", "SIZE", parse_bytes),
    "value_range": Form(_TEXT, "The range of float values, such as -1,1; [0, 1] without.", "LOW,HIGH", _range),
    "height": Form(metavar="PIXELS"),
    "width": Form(metavar="PIXELS"),
    "every": Form(metavar="N"),
    "fps_from": Form(_TEXT, metavar="RATE"),
    "hold": Form(float | None, metavar="SECONDS"),
    "repeat": Form(metavar="N"),
    "last_frame": Form(_TEXT, metavar="FILE"),
    "loops": Form(metavar="N"),
    "audio": Form(_TEXT, "A file with the sound: any that FFmpeg reads.", "FILE"),
    "ledger": Form(_TEXT, "Where it is noted what is done; telecine-ledger.sqlite in the folder without.", "FILE"),
    "memory": Form(_TEXT, "What the processes may have together, such as 8GB.", "SIZE", parse_bytes),
    "report": Form(_TEXT, "A page of HTML on what was done.", "FILE"),
    "shard_bytes": Form(_TEXT, "How much a file of a training set holds at most, such as 500MB.", "SIZE", parse_bytes),
    "shard": Form(_TEXT, "Of N runs number I, from 0 on.", "I/N", _fraction),
}
_NAMES = {"encoder": [*ENCODERS, "auto"]}  # where the type is text
# What can't be typed is None; the others are said by options of other names.
_ELSEWHERE = {
    "timestamps": None,
    "encoder_options": None,
    "mastering_display": None,
    "storage_options": None,
    "also_to": None,
    "before_encode": None,
    "audio_rate": None,
    "progress": "--quiet",
    "metadata": "--metadata NAME=TEXT, --metadata-json FILE",
    "provenance": "--provenance-certificate, --provenance-…",
    "listener": None,
    "resources": None,
}


def flag_of(name: str) -> str | None:
    """Give what is typed for an option; None where it can't be.

    >>> flag_of("value_range"), flag_of("timestamps")
    ('--value-range', None)
    """
    return _ELSEWHERE.get(name, f"--{name.replace('_', '-')}")


def with_options(record: type) -> Callable[[Function], Function]:
    """Give a command that takes `**options` those of a record, behind its own that have no default."""

    def decorate(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        own = [
            each.replace(annotation=hints[each.name], kind=each.KEYWORD_ONLY)
            for each in inspect.signature(function).parameters.values()
            if each.kind is not each.VAR_KEYWORD
        ]
        made = list(_parameters(record))
        needed = [each for each in own if each.default is each.empty]
        signature = inspect.Signature([*needed, *made, *(each for each in own if each not in needed)])
        function.__signature__ = signature  # type: ignore[attr-defined]
        function.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        return function

    return decorate


def _parameters(record: type) -> Iterator[inspect.Parameter]:
    for name, option in options_of(record).items():
        if name not in _ELSEWHERE:
            form = _FORMS.get(name, Form())
            kind = form.type or _typed(type_of(record, name))
            default = None if form.is_unset_without else option.default
            flag = [f"--{name.replace('_', '-')}"] if default is False else []
            names = completing(_NAMES.get(name, choices_of(type_of(record, name))))
            text = form.text or _of_command(option)
            said = typer.Option(*flag, help=text, metavar=form.metavar, autocompletion=names)
            yield inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, said]
            )


def completing(names: Iterable[str]) -> Callable[[], list[str]] | None:
    """Give what a shell completes a value by; None where there are no names, and files may be meant."""
    every = list(names)
    return (lambda: every) if every else None


def choices_of(kind: Any) -> list[str]:
    """Give the names that a type has of its values.

    >>> choices_of(Literal["a", "b"] | None)
    ['a', 'b']
    """
    if get_origin(kind) is Literal:
        return [str(each) for each in get_args(kind)]
    return [name for each in get_args(kind) if get_origin(kind) in (Union, UnionType) for name in choices_of(each)]


def _typed(kind: Any) -> Any:
    """Give the part of a type that can be typed: of literals their own type, which `export_video` checks."""
    if get_origin(kind) is Literal:
        return type(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return reduce(or_, filter(None, map(_typed, get_args(kind))))
    return kind if kind in _MEMBERS else None


def _of_command(option: Option) -> str:
    """Say of an option of Python's what the command says."""
    return option.line.replace('"', "")


def given_options(record: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read what was typed, and leave out what was not."""
    given: dict[str, Any] = {}
    for name in options_of(record):
        if name in options:
            form, typed = _FORMS.get(name, Form()), options[name]
            if typed is not None or not form.is_unset_without:
                given[name] = form.read(typed) if form.read else typed
    return given


def read_metadata(pairs: list[str], path: Path | None) -> dict[str, Json] | None:
    """Read what the command line says of the file; None if nothing.

    Raises:
        OptionError: a pair has no "=", or the file holds no JSON object.
    """
    if not pairs and path is None:
        return None
    values: Any = {}
    if path is not None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise OptionError(f"--metadata-json {str(path)!r} can't be read as JSON: {error}") from error
        if not isinstance(values, dict):
            raise OptionError(f"--metadata-json {str(path)!r} is no JSON object: write {{...}}")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise OptionError(f"--metadata {pair!r} has no '=': write NAME=TEXT")
        values[name] = text
    return dict(values)


def read_provenance_options(certificate: Path | None, given: Mapping[str, Any]) -> Provenance | None:
    """Read what signs the file, and what the manifest says; None without a certificate.

    Raises:
        OptionError: something is said, and there is no certificate.
    """
    if certificate is not None:
        return Provenance(certificate=certificate, **given)
    if any(given[name] for name in given if name != "digital_source_type"):
        raise OptionError("a manifest takes --provenance-certificate and --provenance-key", page="provenance")
    return None
