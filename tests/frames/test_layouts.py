"""Every array that is accepted gives the very file of its plain twin, and each doubt is an error with its readings."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import telecine
from telecine import FrameError, OptionError
from telecine.frames.recognise import Recognizer

from ..support.pixels import DTYPES, assert_codes_round, codes
from .test_recognise import Exporter, OtherArray

Array = npt.NDArray[Any]

# ---- the same file -------------------------------------------------------------------------------------------------


def strided(array: Array) -> Array:
    """The same values, in every other place of a larger memory."""
    every_other = (slice(None, None, 2),) * array.ndim
    view = np.zeros([2 * length for length in array.shape], array.dtype)[every_other]
    view[...] = array
    return view


def flipped(array: Array) -> Array:
    """The same values, laid backwards in memory along every axis."""
    backwards = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[backwards])[backwards]


def read_only(array: Array) -> Array:
    array = array.copy()
    array.setflags(write=False)
    return array


# How an array lies in memory, and by which library's type it is given. NumPy has no bfloat16.
OF_TORCH: dict[str, Callable[[torch.Tensor], Any]] = {
    "torch": lambda tensor: tensor.contiguous(),
    "torch, as it was permuted": lambda tensor: tensor,
    "torch, strided": lambda tensor: tensor.repeat_interleave(2, dim=-1)[..., ::2],
    "torch, with a gradient": lambda tensor: tensor.clone().requires_grad_(tensor.is_floating_point()),
}
OF_NUMPY: dict[str, Callable[[Array], Any]] = {
    "numpy": np.ascontiguousarray,
    "numpy, Fortran order": np.asfortranarray,
    "numpy, strided": strided,
    "numpy, flipped": flipped,
    "numpy, read-only": read_only,
    "numpy, bytes of the other order": lambda array: array.astype(array.dtype.newbyteorder()),
    "dlpack": lambda array: Exporter(array.copy()),
    "__array__": lambda array: OtherArray(array.copy()),
}
# What of a dtype is exact in a plainer one.
TWINS: dict[str, Callable[[torch.Tensor], Array]] = {
    "bool": lambda values: 255 * values.numpy().astype(np.uint8),
    "float16": lambda values: values.float().numpy(),
    "bfloat16": lambda values: values.float().numpy(),
}


@dataclass(frozen=True)
class Given:
    """What an export is given, the options that it needs, and the (T, H, W, C) array that it is the same as."""

    frames: Any
    options: dict[str, str]
    twin: Array
    described: str


def values_of(dtype: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Random values of a dtype: floats in [0, 1], integers of their whole range."""
    random = np.random.default_rng(seed).random(shape)
    if dtype == "bool":
        return torch.from_numpy(random < 0.5)
    if dtype in ("uint8", "uint16"):
        return torch.from_numpy((random * np.iinfo(dtype).max).round().astype(dtype))
    return torch.from_numpy(random).to(getattr(torch, dtype))


def laid(values: torch.Tensor, layout: str) -> torch.Tensor:
    """(T, H, W, C) values with their axes in another order, those of length 1 that a layout leaves out taken away."""
    here = "THWC"
    for letter in "TC":
        if letter not in layout:
            values, here = values.select(here.index(letter), 0), here.replace(letter, "")
    if "B" in layout:
        values, here = values[None], "B" + here
    return values.permute([here.index(letter) for letter in layout])


def is_clear(layout: str, count: int, channels: int) -> bool:
    """Whether the layout of large enough frames is the only one that their shape can have."""
    in_order = layout in ("HW", "HWC", "THW", "THWC", "TCHW", "CTHW", "BTHWC", "BTCHW", "BCTHW")
    return in_order and (channels > 1 or "C" not in layout) and count not in (3, 4)


@st.composite
def accepted(draw: st.DrawFn) -> Given:
    """An array, a list of frames or a list of chunks of any layout, dtype, memory and library."""
    dtype = draw(st.sampled_from(["bool", *DTYPES]))
    form = draw(st.sampled_from([*OF_TORCH, *(OF_NUMPY if dtype != "bfloat16" else ())]))
    channels = draw(st.sampled_from([1, 3, 4]))
    letters = {"H", "W"} | draw(st.sampled_from([{"T"}, {"T", "B"}, set()]))
    letters |= {"C"} if channels > 1 else draw(st.sampled_from([{"C"}, set()]))
    layout = "".join(draw(st.permutations(sorted(letters))))
    count = draw(st.integers(1, 6))
    in_each = draw(st.integers(1, count)) if "T" in layout else 1
    options = {"background": "white"}
    if not (is_clear(layout, in_each, channels) and draw(st.booleans())):
        options["layout"] = layout

    shape = (count, draw(st.integers(5, 12)), draw(st.integers(5, 12)), channels)
    values = values_of(dtype, shape, draw(st.integers(0, 999)))
    pieces: list[Any] = [laid(values[at : at + in_each], layout) for at in range(0, count, in_each)]
    if form in OF_TORCH:
        pieces = [OF_TORCH[form](piece) for piece in pieces]
    else:
        pieces = [OF_NUMPY[form](piece.numpy()) for piece in pieces]
    twin = TWINS.get(dtype, torch.Tensor.numpy)(values)
    described = f"{form}, {dtype}, {layout}, {shape} in pieces of {in_each}, {options}"
    return Given(pieces[0] if len(pieces) == 1 else pieces, options, np.ascontiguousarray(twin), described)


def exported(frames: Any, **options: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        telecine.export_video(frames, path, quality="draft", preset="ultrafast", **options)
        return path.read_bytes()


@pytest.mark.slow
@given(accepted())
@settings(deadline=None, max_examples=80)
def test_an_array_of_any_layout_and_dtype_gives_the_file_of_its_twin(given: Given) -> None:
    expected = exported(given.twin, **given.options | {"layout": "THWC"})
    assert exported(given.frames, **given.options) == expected, given.described


def test_the_file_tells_one_value_from_the_next() -> None:
    """Else the test above would pass whatever the export reads."""
    frames = np.zeros((2, 8, 10, 3), np.uint8)
    other = frames.copy()
    other[1, 7, 9] = 2
    assert exported(frames, layout="THWC") != exported(other, layout="THWC")


# ---- layouts in doubt ----------------------------------------------------------------------------------------------

ORDERS = ["HW", "HWC", "CHW", "THW", "THWC", "TCHW", "CTHW", "BTHWC", "BTCHW", "BCTHW"]


def possible_orders(shape: tuple[int, ...]) -> list[str]:
    """The layouts of as many axes with a number of channels that there is; 2, gray with alpha, come last."""
    fitting = [order for order in ORDERS if len(order) == len(shape)]
    axes = {order: dict(zip(order, shape, strict=True)) for order in fitting}
    return [
        order
        for order in fitting
        if axes[order].get("C", 3) in (1, 3, 4) or (axes[order]["C"] == 2 and order.endswith("C"))
    ]


def readings_of(shape: tuple[int, ...]) -> list[str]:
    """What a shape can be, as the README says it: colour and large enough, else large enough, else of sides of 4."""
    possible = possible_orders(shape)
    axes = {order: dict(zip(order, shape, strict=True)) for order in possible}
    large = [order for order in possible if axes[order]["H"] >= 5 and axes[order]["W"] >= 5]
    colored = [order for order in large if axes[order].get("C", 3) >= 3]
    with_alpha = [order for order in large if axes[order].get("C", 3) >= 2]
    fours = [order for order in possible if axes[order]["H"] >= 4 and axes[order]["W"] >= 4]
    return colored or with_alpha or large or fours


def frames_by(array: Array, order: str) -> list[Any]:
    """The frames of an order, as what can be compared: shape and values."""
    return [(frame.shape, frame.tobytes()) for frame in laid_back(array, order)]


SHAPES = st.lists(st.sampled_from([1, 2, 3, 4, 5, 6, 48]), min_size=2, max_size=5).map(tuple)


@pytest.mark.slow
@given(SHAPES)
@example((3, 48, 64))
@example((1, 3, 4, 48, 64))
@example((3, 3, 3, 3))
@settings(deadline=None, max_examples=500)
def test_a_shape_is_read_in_its_only_way_or_refused_with_each_of_its_ways(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    readings = readings_of(shape)
    if readings and all(frames_by(array, order) == frames_by(array, readings[0]) for order in readings):
        axes = {"B": 1, "T": 1} | dict(zip(readings[0], shape, strict=True))
        if axes["B"] == 1:
            found = list(Recognizer().frames(array))
            assert {frame.size for frame in found} == {(axes["W"], axes["H"])}
            assert len(found) == axes["T"]
            return
    with pytest.raises(FrameError) as raised:
        list(Recognizer().frames(array))
    message = str(raised.value)
    assert f"shape {shape}" in message
    assert "\n" not in message
    if readings and dict(zip(readings[0], shape, strict=True)).get("B", 1) > 1:
        assert f"holds {shape[0]} videos ({readings[0]}): export frames[i] one by one" in message or len(readings) > 1
    elif named := readings or possible_orders(shape):
        assert re.findall(r"layout='(\w+)'", message) == named
        assert all(f"{reading} (" in message for reading in named)
        assert ("can only be" in message) == (not readings)
    else:
        assert "has no layout of" in message
        assert "pass layout=" in message


@given(SHAPES, st.data())
@settings(deadline=None, max_examples=200)
def test_each_way_that_an_error_names_is_accepted_when_it_is_asked_for(
    shape: tuple[int, ...], data: st.DataObject
) -> None:
    readings = possible_orders(shape)
    if not readings:
        return
    layout = data.draw(st.sampled_from(readings))
    axes = {"B": 1, "T": 1, "C": 1} | dict(zip(layout, shape, strict=True))
    if axes["B"] > 1:
        return
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = list(Recognizer(layout).frames(array))
    values = laid_back(array, layout)
    assert len(found) == axes["T"]
    for frame, expected in zip(found, values, strict=True):
        assert isinstance(frame.pixels, np.ndarray)
        if axes["C"] == 2:
            assert np.array_equal(frame.pixels, expected[..., [0, 0, 0, 1]])
            continue
        assert np.array_equal(frame.pixels, expected)
        assert np.shares_memory(frame.pixels, array)


def laid_back(array: Array, layout: str) -> Array:
    """(T, H, W, C) values of an array of a layout."""
    missing = [letter for letter in "THWC" if letter not in layout]
    if "B" in layout:
        array, layout = array[0], layout[1:]
    for _ in missing:
        array = array[..., None]
    values: Array = np.einsum(f"{layout}{''.join(missing)}->THWC", array)
    return values


@pytest.mark.parametrize("dtype", ["bool", *DTYPES])
@pytest.mark.parametrize("shape", [(48, 64, 2), (5, 48, 64, 2), (1, 5, 48, 64, 2)], ids=str)
def test_two_channels_that_come_last_are_gray_with_alpha_or_refused_where_they_may_be_motion(
    shape: tuple[int, ...], dtype: str
) -> None:
    values = values_of(dtype, shape, 0)
    layout = "BTHWC"[-len(shape) :]
    if dtype in ("bool", "uint8", "uint16"):
        found = [frame.values for frame in Recognizer().frames(values)]
    else:
        with pytest.raises(FrameError, match=rf"shape {re.escape(str(shape))} and {dtype} .*layout='{layout}'"):
            list(Recognizer().frames(values))
        found = [frame.values for frame in Recognizer(layout).frames(values)]
    plain = values.float().numpy() if dtype == "bfloat16" else values.numpy()
    assert np.array_equal(np.stack(found), plain.reshape(-1, 48, 64, 2)[..., [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "shape",
    [(2, 48), (48, 2), (48, 3), (1, 1), (48, 64, 0), (0, 48, 64, 3), (3, 48, 2), (2, 48, 3), (48, 2, 3), (5, 2, 2, 3),
     (16, 2, 48, 64), (16, 5, 48, 64), (5, 48, 3, 2), (1, 1, 1), (1, 1, 1, 3), (3, 1, 2, 2), (1, 5, 3, 2, 64)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("form", ["alone", "list"])
def test_a_layout_that_would_be_absurd_is_refused_with_the_shape(shape: tuple[int, ...], form: str) -> None:
    array = np.zeros(shape, np.uint8)
    with pytest.raises(FrameError) as raised:
        list(Recognizer().frames([array] if form == "list" else array))
    assert f"shape {shape}" in str(raised.value)
    assert "layout=" in str(raised.value) or 0 in shape


def test_readings_that_are_the_same_frames_are_no_doubt_and_settle_nothing() -> None:
    recognizer = Recognizer()
    assert len(list(recognizer.frames(np.zeros((1, 1, 48, 64), np.uint8)))) == 1
    assert len(list(recognizer.frames(np.zeros((5, 1, 48, 64), np.uint8)))) == 5  # TCHW
    assert len(list(Recognizer().frames(np.zeros((1, 1, 1, 48, 64), np.uint8)))) == 1


# ---- the order of channels -----------------------------------------------------------------------------------------


@given(accepted(), st.sampled_from(["RGB", "BGR"]))
@settings(deadline=None, max_examples=40)
def test_channels_tell_the_order_of_an_arrays_colours(given: Given, channels: str) -> None:
    swapped = given.twin[..., [2, 1, 0, 3][: given.twin.shape[3]] if given.twin.shape[3] > 1 else [0]]
    expected = exported(swapped if channels == "BGR" else given.twin, **given.options | {"layout": "THWC"})
    assert exported(given.frames, channels=channels, **given.options) == expected, given.described


@pytest.mark.parametrize("channels", ["bgr", "RGBA", "BRG", "", None, 3])
def test_other_channels_are_refused(channels: Any) -> None:
    with pytest.raises(OptionError, match=re.escape(f"channels={channels!r} is not known: use 'RGB', or 'BGR'")):
        Recognizer(channels=channels)
    with pytest.raises(OptionError, match="is not known: use 'RGB', or 'BGR'"):
        telecine.export_video([], channels=channels)


# ---- dtypes and ranges in doubt ------------------------------------------------------------------------------------

REFUSED = [
    "int8",
    "int16",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "longdouble",
    "S3",
    "object",
]


@pytest.mark.parametrize("dtype", REFUSED)
def test_a_dtype_of_no_certain_range_is_refused_with_those_that_are_accepted(dtype: str) -> None:
    with pytest.raises(FrameError) as raised:
        list(Recognizer().frames(np.zeros((2, 8, 10, 3), dtype)))
    message = str(raised.value)
    assert f"frame 0 has dtype {np.dtype(dtype).name}: " in message
    assert all(accepted in message for accepted in ("bool", *DTYPES))


FLOATS = st.sampled_from(["float16", "float32", "float64"])
RANGES = [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5), (2.0, 6.0)]


@given(FLOATS, st.sampled_from(RANGES), st.integers(0, 999))
@settings(deadline=None, max_examples=100)
def test_floats_of_a_range_that_is_given_are_the_codes_of_the_same_in_0_to_1(
    dtype: str, value_range: tuple[float, float], seed: int
) -> None:
    low, high = value_range
    stored = (np.random.default_rng(seed).random((8, 10, 3)) * (high - low) + low).astype(dtype)
    real = (stored.astype(np.float64) - low) / (high - low)
    assert_codes_round(codes(stored, value_range=value_range), real.clip(0, 1))


@given(
    FLOATS,
    st.floats(-300, 300, width=16).filter(lambda value: not (-0.02 <= value <= 0 or 1 <= value <= 1.02)),
    st.integers(0, 8 * 10 * 3 - 1),
)
@settings(deadline=None, max_examples=200)
def test_a_float_outside_0_to_1_is_refused_with_the_range_that_it_looks_like(dtype: str, value: float, at: int) -> None:
    frame = np.full((8, 10, 3), 0.5, dtype)
    frame.flat[at] = value
    if 0 <= value <= 1:
        assert_codes_round(codes(frame), frame.astype(np.float64))
        return
    if -0.25 <= value <= 4:  # nearly all values are within [0, 1]
        looks_like: Any = (0, 1)
    else:
        looks_like = (-1, 1) if -2 <= value < 0 else (0, 255) if 4 < value <= 320 else "(low, high)"
    with pytest.raises(FrameError, match=re.escape(f"pass value_range={looks_like}")):
        codes(frame)


def ramp(low: float, high: float) -> Array:
    return np.linspace(low, high, 240, dtype=np.float32).reshape(8, 10, 3)


@pytest.mark.parametrize(
    ("frame", "advised"),
    [
        (ramp(0, 1.02), "(0, 1)"),
        (ramp(-0.02, 1.02), "(0, 1)"),
        (ramp(-0.12, 1.1), "(0, 1)"),
        (ramp(0, 1.6), "(0, 1)"),
        (ramp(-1, 1), "(-1, 1)"),
        (ramp(-1.05, 1.04), "(-1, 1)"),
        (ramp(-1, 0), "(-1, 1)"),
        (ramp(0, 1) ** 0.1 * 2 - 1, "(-1, 1)"),  # bright: most of it is within [0, 1]
        (ramp(0, 1) ** 9 * 2 - 1, "(-1, 1)"),  # dark
        (ramp(0, 255), "(0, 255)"),
        (ramp(-4, 262), "(0, 255)"),
        (ramp(0, 1) ** 40 * 90, "(0, 255)"),  # nearly all of it black
        (ramp(1.2, 1.9), "(low, high)"),
        (ramp(-3, 3), "(low, high)"),
        (ramp(0, 1023), "(low, high)"),
        (ramp(0, 65535), "(low, high)"),
        (ramp(-200, 200), "(low, high)"),
    ],
    ids=lambda each: each if isinstance(each, str) else f"{each.min():.3g} to {each.max():.3g}",
)
def test_the_range_that_an_error_names_shows_the_frame(frame: Array, advised: str) -> None:
    with pytest.raises(FrameError, match=re.escape(f"pass value_range={advised}")):
        codes(frame)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16"])
@given(st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0), (0.0, 65535.0), (16.0, 235.0)]))
@settings(deadline=None, max_examples=10)
def test_integers_have_no_range_but_their_own(dtype: str, value_range: tuple[float, float]) -> None:
    frame = values_of(dtype, (8, 10, 3), 0).numpy()
    full_scale = 1 if dtype == "bool" else np.iinfo(dtype).max
    if value_range == (0, full_scale):
        own = codes(frame)
        assert all(np.array_equal(*planes) for planes in zip(codes(frame, value_range=value_range), own, strict=True))
        return
    with pytest.raises(FrameError, match=rf"frame 0 is {dtype}, whose range is \(0, {full_scale}\)"):
        codes(frame, value_range=value_range)
