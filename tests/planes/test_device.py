"""Tensors on an accelerator: the same bytes as on the host, and nothing but planes leaves the device.

The arithmetic is run on a CUDA device where torch finds one, else by the same code on tensors of the CPU; the way of a
tensor through an export on a device whose memory is the host's.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from av import VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import telecine
from telecine import FrameError, TelecineWarning
from telecine.color.color import BT601, BT709, Color
from telecine.frames.recognise import Recognizer
from telecine.planes import tensors
from telecine.planes.convert import Conversion
from telecine.planes.device import DeviceChunk
from telecine.planes.frame import Frame
from telecine.planes.pixel_formats import PIXEL_FORMATS

from ..support.fake_accelerator import Accelerator, Crossed, OnDevice, entered
from ..support.pixels import DTYPES, assert_codes_round, codes, components_in, converted, picture, planes_of_frame
from ..support.reference import over

FORMATS = list(PIXEL_FORMATS)
FULL_RANGE = Color(matrix=1, primaries=1, transfer=1, full_range=True)
BT2020 = Color(matrix=9, primaries=9, transfer=16)
STATISTICS = 12  # bytes that cross beside a frame's planes
WHERE = "cuda" if torch.cuda.is_available() else "cpu"


def frames_of(chunk: torch.Tensor) -> list[Frame]:
    """The frames of a (T, H, W, C) tensor, handled as one on a device, which it is where there is one."""
    dtype = str(chunk.dtype).removeprefix("torch.")
    return [Frame(pixels, dtype, "array", index) for index, pixels in enumerate(DeviceChunk(chunk.to(WHERE)))]


def there(frame: Any, name: str = "yuv420p", color: Color = BT709, **how: Any) -> tuple[list[Any], bool]:
    """The components that the accelerator's code makes of a (H, W, C) frame, and whether it was composited."""
    (recognized,) = frames_of(torch.as_tensor(frame)[None])
    planes, composited = planes_of_frame(recognized, name, color, **how)
    return components_in(planes), composited


def same(found: list[Any], expected: list[Any]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


# ---- the arithmetic, against the oracle and the kernel -------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_code_values_are_the_rounded_real_ones_and_the_kernels(name: str, dtype: str) -> None:
    for width, height in ((1, 1), (2, 2), (7, 3), (16, 5), (513, 3), (1026, 2)):
        frame, rgb = picture(dtype, height, width)
        for matrix, color in (("bt601", BT601), ("bt709", BT709)):
            found, _ = there(frame, name, color)
            assert_codes_round(found, rgb, matrix, name)
            assert same(found, codes(frame, name, color))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_alpha_is_kept_straight_where_the_format_holds_it_and_composited_elsewhere(name: str, dtype: str) -> None:
    background = (0.25, 0.5, 1.0)
    for width, height in ((5, 3), (516, 2)):
        frame, rgba = picture(dtype, height, width, channels=4)
        found, composited = there(frame, name, background=background)
        kept = PIXEL_FORMATS[name].alpha
        assert_codes_round(found, rgba if kept else over(rgba, background), "bt709", name)
        assert composited == (not kept)
        assert same(found, codes(frame, name, background=background))


@pytest.mark.parametrize("name", FORMATS)
def test_gray_and_black_and_white_are_shown_as_they_are(name: str) -> None:
    frame, gray = picture("float32", 9, 33, channels=1)
    assert_codes_round(there(frame, name)[0], np.broadcast_to(gray, (9, 33, 3)), "bt709", name)
    mask = np.random.default_rng(0).random((9, 33, 3)) > 0.5
    assert_codes_round(there(mask, name)[0], mask.astype(np.float64), "bt709", name)


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 255.0), (-3.5, 0.25)])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_what_overshoots_a_given_range_is_clamped(dtype: str, channels: int, value_range: tuple[float, float]) -> None:
    low, high = value_range
    values = np.random.default_rng(2).normal((low + high) / 2, high - low, (9, 35, channels))
    stored = torch.tensor(values).to(getattr(torch, dtype))
    clamped = np.clip((stored.double().numpy() - low) / (high - low), 0, 1)
    rgb = over(clamped, (0, 0, 0)) if channels == 4 else np.broadcast_to(clamped, (9, 35, 3))
    for name in ("yuv420p", "yuv422p10le", "gbrp16le"):
        found, _ = there(stored, name, value_range=value_range)
        assert_codes_round(found, rgb, "bt709", name)


@st.composite
def cases(draw: st.DrawFn) -> tuple[torch.Tensor, str, str, dict[str, Any]]:
    """A frame of any dtype, size, order of axes and values, its layout, and a conversion that takes it."""
    dtype = draw(st.sampled_from([*DTYPES, "bool"]))
    name = draw(st.sampled_from(FORMATS))
    height, width = st.integers(1, 12) | st.just(67), st.integers(1, 12) | st.sampled_from([64, 65, 513])
    sizes = {"H": draw(height), "W": draw(width), "C": draw(st.sampled_from([1, 3, 4]))}
    layout = "".join(draw(st.permutations("HWC")))
    how: dict[str, Any] = {
        "color": draw(st.sampled_from([BT601, BT709, BT2020, FULL_RANGE])),
        "background": draw(st.sampled_from([(0.0, 0.0, 0.0), (0.1, 0.7, 1.0)])),
        "dither": PIXEL_FORMATS[name].depth == 8 and draw(st.booleans()),
    }
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    values = torch.rand([sizes[axis] for axis in layout], generator=random, dtype=torch.float64)
    if dtype in ("uint8", "uint16"):
        frame = (values * np.iinfo(dtype).max).round().int().to(getattr(torch, dtype))
    elif dtype == "bool":
        frame = values > 0.5
    else:
        low, high = how["value_range"] = draw(st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.1, 0.3)]))
        spread = draw(st.sampled_from([0.0, 0.5]))  # how far beyond the range
        frame = (low + (values * (1 + 2 * spread) - spread) * (high - low)).to(getattr(torch, dtype))
    return frame, layout, name, how


@settings(max_examples=300, deadline=None)
@given(cases())
def test_any_frame_gives_the_bytes_that_it_gives_on_the_host(
    case: tuple[torch.Tensor, str, str, dict[str, Any]],
) -> None:
    frame, layout, name, how = case
    before = frame.clone()
    expected, composited = converted(frame, name, layout=layout, **how)
    found = there(frame.permute([layout.index(axis) for axis in "HWC"]), name, **how)
    assert same(found[0], components_in(expected))
    assert found[1] == composited
    assert torch.equal(frame, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_strided_and_broadcast_views_are_read_as_they_lie(dtype: str) -> None:
    frame, _ = picture(dtype, 40, 60)
    tensor = torch.as_tensor(frame)
    views = tensor[3:33:3, 5:50:2], tensor[1:, 1:], tensor[:1].expand(8, 60, 3), tensor.transpose(0, 1)
    for view in views:
        assert same(there(view)[0], codes(view))


def test_a_plane_of_another_size_is_refused() -> None:
    (frame,) = frames_of(torch.zeros(1, 10, 8, 3))
    with pytest.raises(ValueError, match="smaller than its picture"):
        Conversion(BT709).to_planes(frame, VideoFrame(8, 8, "gbrp16le"))


# ---- values that can't be shown ------------------------------------------------------------------------------------

BAD = {
    "nan": float("nan"), "inf": float("inf"), "-inf": -float("inf"), "over": 1.02, "under": -0.3, "bytes": 200.0,
}  # fmt: skip


@pytest.mark.parametrize("value_range", ["auto", (-1.0, 1.0)])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_error_is_the_hosts_and_names_the_frame(dtype: str, bad: str, channels: int, value_range: Any) -> None:
    frames = torch.full((5, 6, 34, channels), 0.25, dtype=getattr(torch, dtype))
    frames[3, 5, 33, channels - 1] = BAD[bad]
    for name in ("yuv420p", "gbrap12le"):
        assert said(frames_of(frames), name, value_range) == said(Recognizer("THWC").frames(frames), name, value_range)
        given_range = value_range != "auto" and np.isfinite(BAD[bad])
        assert (3 in said(frames_of(frames), name, value_range)) == (not given_range)


def said(frames: Any, name: str, value_range: Any) -> dict[int, str]:
    """What is said of each frame that is refused."""
    errors = {}
    for index in range(5):
        frame = next(frame for frame in frames if frame.index == index) if isinstance(frames, list) else next(frames)
        try:
            planes_of_frame(frame, name, value_range=value_range)
        except FrameError as error:
            errors[index] = str(error)
            assert f"frame {index} " in errors[index]
    return errors


def test_an_overshoot_of_a_hundredth_is_clamped() -> None:
    frame = torch.full((4, 6, 3), 0.5)
    frame[1, 2, 0], frame[3, 5, 2] = 1.008, -0.008
    assert_codes_round(there(frame)[0], np.clip(frame.double().numpy(), 0, 1))


# ---- slices --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "_SLICE_PIXELS", 3 * 48 * 64)


def clip(count: int, dtype: torch.dtype = torch.bfloat16, seed: int = 0) -> torch.Tensor:
    """Random frames of (T, 48, 64, 3)."""
    return torch.rand((count, 48, 64, 3), generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 11])
def test_every_frame_of_a_chunk_is_its_own_whatever_slices_it_falls_into(count: int) -> None:
    frames = clip(count)
    found = [components_in(planes_of_frame(frame)[0]) for frame in frames_of(frames)]
    assert len(found) == count
    assert all(same(planes, codes(frame)) for planes, frame in zip(found, frames, strict=True))


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("order", [[6, 0, 0, 3, 4, 5, 6, 1], [2, 1, 0]])
def test_frames_may_be_asked_for_in_any_order_and_in_several_formats(order: list[int]) -> None:
    frames = clip(7)
    recognized = frames_of(frames)
    for name in ("yuv420p", "gbrp16le"):
        for index in order:
            found = components_in(planes_of_frame(recognized[index], name)[0])
            assert same(found, codes(frames[index], name))


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that the tensors made within it hold at a time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.most = 0
        self._known: set[int] = set()

    def know(self, tensor: torch.Tensor) -> bool:
        """Whether its memory is new."""
        address = tensor.untyped_storage().data_ptr()
        new = address not in self._known
        self._known.add(address)
        return new

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.numel() and self.know(tensor):
                storage = tensor.untyped_storage()
                self.live += storage.nbytes()
                self.most = max(self.most, self.live)
                weakref.finalize(storage, self._freed, storage.data_ptr(), storage.nbytes())
        return result

    def _freed(self, address: int, size_bytes: int) -> None:
        self._known.discard(address)
        self.live -= size_bytes


@pytest.mark.slow
@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("name", ["yuv420p", "yuva444p12le", "gbrp16le"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.uint8, torch.float32])
def test_memory_does_not_grow_with_the_chunk(dtype: torch.dtype, channels: int, name: str) -> None:
    most = []
    for count in (9, 60):
        chunk = torch.zeros((count, 48, 64, channels), dtype=dtype, device=WHERE)
        with LiveMemory() as memory:
            memory.know(chunk)
            for frame in frames_of(chunk):
                planes_of_frame(frame, name)
        most.append(memory.most)
    assert most[0] == most[1]
    two_buffers = 2 * 2 * 3 * (PIXEL_FORMATS[name].bytes_of(64, 48) + STATISTICS)  # on the device, and on the host
    assert 3 * 48 * 64 * 12 < most[0] < 3 * 48 * 64 * 52 + two_buffers


# ---- the whole way, on a device ------------------------------------------------------------------------------------

PLANE_BYTES = 48 * 64 * 3 // 2


@pytest.fixture(params=["late", "early", "without streams"])
def device(request: pytest.FixtureRequest) -> Iterator[Accelerator]:
    tensors._copying_stream.cache_clear()
    with entered(Accelerator(request.param == "late", request.param != "without streams")) as entered_device:
        yield entered_device
    tensors._copying_stream.cache_clear()


FORMS: dict[str, Callable[[torch.Tensor], Any]] = {
    "THWC": OnDevice,
    "CTHW": lambda frames: OnDevice(frames.permute(3, 0, 1, 2)),
    "BTCHW": lambda frames: OnDevice(frames.permute(0, 3, 1, 2)[None]),
    "list of frames": lambda frames: [OnDevice(frame) for frame in frames],
    "iterator of chunks": lambda frames: (OnDevice(frames[at : at + 4]) for at in range(0, len(frames), 4)),
    "with a gradient": lambda frames: OnDevice(frames.clone().requires_grad_()),
    "on the host from the fourth": lambda frames: [OnDevice(frames[:3]), frames[3:]],
}


@pytest.mark.slow
@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("form", FORMS)
def test_a_tensor_on_a_device_gives_the_file_that_it_gives_on_the_host(
    tmp_path: Path, device: Accelerator, form: str
) -> None:
    frames = clip(11)
    video = telecine.export_video(FORMS[form](frames), tmp_path / "there.mp4")
    host = telecine.export_video(frames, tmp_path / "host.mp4")
    assert video.frame_count == 11
    assert Path(video).read_bytes() == Path(host).read_bytes()


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("form", ["THWC", "CTHW", "BTCHW", "list of frames", "iterator of chunks", "with a gradient"])
def test_only_planes_leave_the_device_each_once_to_pinned_memory(
    tmp_path: Path, device: Accelerator, form: str
) -> None:
    telecine.export_video(FORMS[form](clip(11)), tmp_path / "a.mp4")
    assert {crossed.dtype for crossed in device.crossed} == {torch.uint8}
    assert sum(crossed.size_bytes for crossed in device.crossed) == 11 * (PLANE_BYTES + STATISTICS)
    assert max(crossed.size_bytes for crossed in device.crossed) <= max(device.pinned)
    assert {crossed.blocking for crossed in device.crossed} == {not hasattr(device.module, "Stream")}


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize(("count", "buffers"), [(2, 1), (3, 1), (4, 2), (30, 2)])
def test_a_chunk_has_two_buffers_at_most(device: Accelerator, count: int, buffers: int) -> None:
    for frame in Recognizer("THWC").frames(OnDevice(clip(count))):
        planes_of_frame(frame)
    assert device.pinned == [min(count, 3) * (PLANE_BYTES + STATISTICS)] * buffers


@pytest.mark.usefixtures("small_slices")
def test_the_next_slice_crosses_while_the_frames_of_one_are_handed_out(device: Accelerator) -> None:
    copies = []
    for frame in Recognizer("THWC").frames(OnDevice(clip(10))):
        planes_of_frame(frame)
        copies.append(len(device.crossed))
    assert copies == [2, 2, 2, 3, 3, 3, 4, 4, 4, 4]


def test_a_frame_that_is_refused_is_looked_at_on_the_host_and_no_other(tmp_path: Path, device: Accelerator) -> None:
    frames = clip(5)
    frames[2, 7, 7, 1] = float("nan")
    with pytest.raises(FrameError, match="frame 2 has 1 NaN or infinite values of 9216"):
        telecine.export_video(OnDevice(frames), tmp_path / "a.mp4")
    assert [crossed for crossed in device.crossed if crossed.dtype != torch.uint8] == [
        Crossed(torch.bfloat16, 48 * 64 * 3 * 2, blocking=True)
    ]


@pytest.mark.usefixtures("device")
def test_transparency_there_gives_the_same_warning(tmp_path: Path) -> None:
    frames = torch.cat((clip(3), torch.full((3, 48, 64, 1), 0.5, dtype=torch.bfloat16)), 3)
    with pytest.warns(TelecineWarning, match="transparent pixels are shown on black"):
        telecine.export_video(OnDevice(frames), tmp_path / "a.mp4")


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", [*DTYPES, "bool"])
def test_the_values_of_a_frame_can_still_be_had(dtype: str) -> None:
    frames = torch.rand(2, 6, 5, 3) > 0.5 if dtype == "bool" else torch.as_tensor(picture(dtype, 6, 5)[0])[None]
    (*_, frame) = Recognizer("THWC").frames(OnDevice(frames))
    assert frame.dtype == dtype
    assert frame.size == (5, 6)
    expected = frames[-1].float().numpy() if dtype == "bfloat16" else frames[-1].numpy()
    assert frame.values.dtype == expected.dtype
    assert np.array_equal(frame.values, expected)


@pytest.mark.usefixtures("device")
def test_frames_there_are_verified_and_laid_out_in_a_grid(tmp_path: Path) -> None:
    frames = torch.full((4, 48, 64, 3), 0.25)
    assert telecine.verify(telecine.export_video(OnDevice(frames), tmp_path / "a.mp4"), OnDevice(frames)).ok
    (first, *_) = telecine.grid([OnDevice(frames), frames])
    assert first.shape == (48, 128, 3)
    assert (first == 0.25).all()


@pytest.mark.usefixtures("device")
def test_a_moving_image_of_frames_there_is_that_of_frames_on_the_host(tmp_path: Path) -> None:
    frames = clip(3)
    images = [
        telecine.export_video(given, tmp_path / "a.apng").path.read_bytes() for given in (OnDevice(frames), frames)
    ]
    assert images[0] == images[1]


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("shape", "layout"),
    [((5, 48, 64, 2), "auto"), ((3, 4, 48), "auto"), ((4, 48, 64), "THWC"), ((2, 3, 3, 48, 64), "auto")],
)
def test_a_shape_is_refused_in_the_same_words(shape: tuple[int, ...], layout: str) -> None:
    words = []
    for tensor in (torch.zeros(shape), OnDevice(torch.zeros(shape))):
        with pytest.raises(FrameError) as refused:
            list(Recognizer(layout).frames(tensor))
        words.append(str(refused.value))
    assert words[0] == words[1]


@pytest.mark.usefixtures("device")
def test_frames_there_must_agree_with_the_first() -> None:
    for second, words in (
        (torch.zeros(1, 48, 62, 3), "frame 1 is 62x48, frame 0 is 64x48"),
        (torch.zeros(1, 48, 64, 3, dtype=torch.float16), "frame 1 is float16 and frame 0 is float32"),
        (torch.zeros(1, 48, 64, 4), "frame 1 has 4 channels and frame 0 has 3"),
    ):
        with pytest.raises(FrameError, match=words):
            list(Recognizer("THWC").frames([OnDevice(torch.zeros(1, 48, 64, 3)), OnDevice(second)]))


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, torch.float8_e5m2])
def test_a_dtype_that_means_no_colour_is_refused_there_too(dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(FrameError, match=f"frame 0 has dtype {name}: bool, uint8, .* are accepted"):
        list(Recognizer("THWC").frames(OnDevice(torch.zeros(1, 48, 64, 3).to(dtype))))


@pytest.mark.usefixtures("device")
def test_a_writer_that_is_open_holds_no_memory_of_a_chunk(tmp_path: Path) -> None:
    with telecine.VideoWriter(tmp_path / "a.mp4") as writer:
        tensor = OnDevice(clip(4))
        gone = weakref.ref(tensor.held.untyped_storage())
        writer.write(tensor)
        del tensor
        assert gone() is None


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_other_orders_of_channels_are_put_right_there(channels: int, order: str) -> None:
    frames = torch.rand(2, 6, 5, channels)
    right = {2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    expected = frames[..., right] if channels == 2 or order == "BGR" else frames
    found = list(Recognizer("THWC", order).frames(OnDevice(frames)))
    assert [frame.size for frame in found] == [(5, 6)] * 2
    assert np.array_equal(np.stack([frame.values for frame in found]), expected.numpy())
