"""Options, each written once: its name, type, default, text, and the outputs that take it. Here those of frames.

The functions take `**options: Unpack[…]` of a record, and `with_options` gives them the signature and the text; the
command's options and `docs/options.md` are made from the same fields. Annotations are evaluated here, not kept as
text: those in quotes name what is not imported at run time.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict, TypeVar, cast

from ..formats.choices import ChannelOrder, LightName, PrimariesName

if TYPE_CHECKING:
    from ..support.rate import FrameRate
    from .before_encode import BeforeEncode

Kind = Literal["video", "moving image", "folder of images"]
Record = TypeVar("Record")
Target = TypeVar("Target", bound=Callable[..., Any])

VIDEO: tuple[Kind, ...] = ("video",)
MOVING: tuple[Kind, ...] = ("video", "moving image")
ALL: tuple[Kind, ...] = ("video", "moving image", "folder of images")


class Option(NamedTuple):
    """What stands beside an option's type: its default, its text, and the kinds of output that take it."""

    default: object
    text: str
    takes: tuple[Kind, ...] = ALL

    @property
    def line(self) -> str:
        """The text in one line."""
        return " ".join(self.text.split())


class ArrayOptions(TypedDict, total=False):
    """How arrays are read as frames."""

    layout: Annotated[
        str,
        Option(
            "auto",
            """"auto" or the letters of an array's axes, in any order: T time, H height, W width, C channels, B batch.
            "WHC" is that of pygame's surfaces.""",
        ),
    ]
    channels: Annotated[
        ChannelOrder,
        Option(
            "RGB",
            """"RGB", or "BGR" for OpenCV's arrays: the order of an array's colours, alpha being the fourth.
            Images and files know theirs.""",
        ),
    ]
    value_range: Annotated[
        tuple[float, float] | Literal["auto"],
        Option("auto", """"auto" (integers: full scale, floats: [0, 1]) or (low, high), such as (-1, 1) for floats."""),
    ]


class FrameOptions(ArrayOptions, total=False):
    """How the values of frames are read."""

    background: Annotated[
        str | tuple[float, float, float] | None,
        Option(
            None,
            """What transparent pixels are composited on: a colour's name, "#rrggbb" or (r, g, b) in [0, 1], all sRGB.
            Without one, formats with alpha keep it, and others get black, with a warning. Encoded values are mixed as
            they are, as browsers do: half transparent white on black is 128 of 255. Linear light is mixed as light.""",
        ),
    ]
    light: Annotated[
        LightName | None,
        Option(
            None,
            """What the values of HDR frames are: "scene-linear" or "display-linear" light in floats, where 1.0 is
            reference white, 203 cd/m2, and brighter is more; or "encoded", PQ or HLG already. For OpenEXR
            "scene-linear", in place of sRGB.""",
            VIDEO,
        ),
    ]
    primaries: Annotated[
        PrimariesName | None,
        Option(None, """Those of linear light: "bt709" unless it is "p3-d65" or "bt2020".""", VIDEO),
    ]


class ChangeOptions(FrameOptions, total=False):
    """How the values of frames are read, and what is done to the frames before they are encoded."""

    height: Annotated[
        int | None,
        Option(
            None,
            """The height in pixels to which frames are scaled, by Lanczos. Without a width the shape stays, and the
            width is rounded to the nearest pixel. Without either, no frame is scaled.""",
        ),
    ]
    width: Annotated[
        int | None,
        Option(
            None,
            """The width in pixels to which frames are scaled; of both sides each is as given, and the shape may
            change.""",
        ),
    ]
    every: Annotated[
        int,
        Option(
            1,
            """Which frames are written: 2 for every other one, n for frames 0, n, 2n and so on. `fps` is the file's
            rate: what it was divided by n keeps the clip as long.""",
        ),
    ]
    fps_from: Annotated[
        "FrameRate | None",
        Option(
            None,
            """How many frames a second are given. Where the file has another rate, `fps`, frames are dropped or
            repeated, so that the clip lasts as long as before, within half a frame.""",
        ),
    ]
    before_encode: Annotated[
        "BeforeEncode | None",
        Option(
            None,
            """A function that gives what is encoded in place of a frame, such as one with a watermark. It is called in
            order, in the thread that writes, once for each frame that is written, with a copy that it may change: an
            array (height, width, channels), RGB, in the frames' own dtype, and of tensors a tensor where they are.
            It gives one of the same shape and dtype.""",
        ),
    ]


@cache
def options_of(record: Any) -> dict[str, Option]:
    """Give a record's options by name: its own first, then those of frames."""
    fields = {name: annotation.__metadata__[0] for name, annotation in record.__annotations__.items()}
    return {name: fields[name] for name in sorted(fields, key=ChangeOptions.__annotations__.__contains__)}


def type_of(record: type, name: str) -> Any:
    """Give an option's type: what its annotation evaluates to, or its text where that is in quotes."""
    kind = record.__annotations__[name].__origin__
    return getattr(kind, "__forward_arg__", kind)


def with_options(record: type) -> Callable[[Target], Target]:
    """Give a function that takes a record's `**options`, or a class whose `__init__` does, the signature and text."""

    def decorate(target: Target) -> Target:
        function: Any = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        function.__signature__ = signature.replace(parameters=[*own, *_parameters(record)])
        target.__doc__ = "\n".join([inspect.cleandoc(target.__doc__ or ""), "", "Options:", *_described(record)])
        return target

    return decorate


def _parameters(record: type) -> Iterator[inspect.Parameter]:
    for name, option in options_of(record).items():
        kind, of_type = inspect.Parameter.KEYWORD_ONLY, type_of(record, name)
        yield inspect.Parameter(name, kind, default=option.default, annotation=of_type)


def _described(record: type) -> Iterator[str]:
    for name, option in options_of(record).items():
        first, *more = option.text.split("\n")
        yield f"    {name}: {first}"
        yield from (f"        {line.strip()}" for line in more)
        yield f"        Default: {option.default!r}."


def complete(record: Callable[..., Record], given: Record, function: str) -> Record:
    """Give options with the defaults of those that are not given.

    Raises:
        TypeError: a name is none of them, as of any function's argument.
    """
    names, known = cast("Mapping[str, object]", given), options_of(record)
    for name in names:
        if name not in known:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    return cast(Record, {name: names.get(name, option.default) for name, option in known.items()})


def part(record: Callable[..., Record], options: Mapping[str, Any]) -> Record:
    """Give those of the options that are a record's."""
    return cast(Record, {name: options[name] for name in options_of(record)})
