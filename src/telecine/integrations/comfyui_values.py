"""What ComfyUI's nodes hand to each other, as telecine takes and gives it: IMAGE, VIDEO, AUDIO, MASK."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypedDict, cast, runtime_checkable

import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat

from ..errors import FrameError, MissingDependencyError, OptionError
from ..files.files import Source, is_place, name_of, source_of
from ..frames.recognise import Frames
from ..frames.sources import open_source
from ..output.options import ExportOptions
from ..planes.pixel_formats import has_alpha
from ..read.frames import read_frames, read_timestamps
from ..read.probe import VideoInfo
from ..sound.forms import Audio
from ..sound.recognise import AudioRecognizer
from ..support.notes import warn

if TYPE_CHECKING:
    import torch


class AudioDict(TypedDict):
    """ComfyUI's AUDIO: samples in [-1, 1] as (1, channels, samples), and how many there are a second."""

    waveform: torch.Tensor
    sample_rate: int


class Components(Protocol):
    """What ComfyUI's VideoInput gives of itself. `alpha`, of later versions, is (frames, height, width), 1 opaque."""

    images: torch.Tensor
    audio: AudioDict | None
    frame_rate: Fraction


@runtime_checkable
class VideoInput(Protocol):
    """ComfyUI's VIDEO. What later versions have beside this is looked for."""

    def get_components(self) -> Components:
        """Give the frames, all in memory, the sound and the rate."""

    def get_stream_source(self) -> str | io.BytesIO:
        """Give the file, by its path or open."""

    def get_dimensions(self) -> tuple[int, int]:
        """Give the width and the height."""

    def get_duration(self) -> float:
        """Give the seconds."""


ImageOrVideo: TypeAlias = "torch.Tensor | VideoInput"
Graph: TypeAlias = Mapping[str, Any]  # ComfyUI's PROMPT: nodes by their numbers


class Sound(NamedTuple):
    """Sound as a writer takes it, and of samples how many there are a second."""

    samples: Audio
    rate: int | None = None


@dataclass(frozen=True)
class Clip:
    """Frames, and what goes with them.

    `frames` are to be read once; `shown` are the same to be read again: a file, or frames with values in [0, 1].
    `reading` says how they are to be read. `fps` is None of a batch of images.
    """

    frames: Frames
    shown: Source | Iterable[torch.Tensor]
    size: tuple[int, int]
    count: int
    reading: ExportOptions = field(default_factory=ExportOptions)
    fps: Fraction | None = None
    timestamps: Sequence[Fraction] | None = None
    sound: Sound | None = None


def comfyui(module: str) -> Any:
    """Give a module of ComfyUI's, in which the nodes run.

    Raises:
        MissingDependencyError: this is not ComfyUI.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"{module} is not there: the nodes run in ComfyUI, from a folder in its custom_nodes"
        ) from error


# ---- what comes in -------------------------------------------------------------------------------------------------


def clip_of(given: ImageOrVideo) -> Clip:
    """Recognise an IMAGE or a VIDEO. Of a video that is a whole file the file is read, frame by frame.

    Raises:
        FrameError: it is neither, or has no frames.
        InputError: its file can't be read.
    """
    if not isinstance(given, VideoInput):
        return _of_images(given)
    if _is_file(given):
        source = open_source(place := given.get_stream_source())
        if source.video is not None and not _is_edited(given, source.video):
            return _of_file(source_of(place), source.video)
    parts = given.get_components()
    clip = _of_images(parts.images, getattr(parts, "alpha", None))
    color = _COLORS.get(getattr(given, "get_color_space", str)())
    reading: ExportOptions = {**clip.reading, **_hdr(color)} if color else clip.reading
    sound = sound_of(parts.audio)
    return replace(clip, reading=reading, fps=Fraction(parts.frame_rate), sound=sound)


def sound_of(audio: AudioDict | None) -> Sound | None:
    """Recognise an AUDIO. Raises OptionError."""
    if audio is None:
        return None
    try:
        return Sound(audio["waveform"], int(audio["sample_rate"]))
    except (TypeError, KeyError, ValueError):
        said = f"audio is a {type(audio).__name__}: an AUDIO has a 'waveform' and a 'sample_rate'"
        raise OptionError(said) from None


# ComfyUI's names of what HDR frames are: a signal, in BT.2020's primaries, as `light="encoded"` takes it.
_COLORS = {"HDR": "hlg", "HDR PQ": "pq"}
_FLOATS = ExportOptions(value_range=(0.0, 1.0))  # what goes beyond is clipped, as ComfyUI's own nodes do


def _hdr(color: str) -> ExportOptions:
    return ExportOptions(color=color, light="encoded")  # type: ignore[typeddict-item]


class _Batch:
    """An IMAGE, frame by frame, of float32 in [0, 1], with the alpha of a VIDEO."""

    def __init__(self, images: torch.Tensor, alpha: torch.Tensor | None) -> None:
        self._images, self._alpha = images, alpha

    def __iter__(self) -> Iterator[torch.Tensor]:
        import torch

        for index, image in enumerate(self._images):
            if self._alpha is not None:
                opaque = self._alpha[index].reshape(*image.shape[:2], 1)
                image = torch.cat((image[..., :3], opaque.to(image)), dim=-1)
            yield image.float().clamp(0, 1)


def _of_images(images: torch.Tensor, alpha: torch.Tensor | None = None) -> Clip:
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or 0 in shape:
        what = f"of shape {shape}" if hasattr(images, "shape") else f"a {type(images).__name__}"
        raise FrameError(f"the frames are {what}: an IMAGE, (frames, height, width, 3 or 4), or a VIDEO is accepted")
    batch, (count, height, width, _) = _Batch(images, alpha), shape
    if alpha is not None:
        return Clip(batch, batch, (width, height), count, _FLOATS)
    return Clip(images, batch, (width, height), count, {**_FLOATS, "layout": "THWC"})


def _is_file(video: VideoInput) -> bool:
    """Tell whether a VIDEO has a file, in place of one that ComfyUI's base class would encode for us."""
    owner = next(each for each in type(video).__mro__ if "get_stream_source" in vars(each))
    return owner.__name__ != "VideoInput"


def _is_edited(video: VideoInput, info: VideoInfo) -> bool:
    """Tell whether a VIDEO is another than its file: cut, cropped or scaled, which later versions of ComfyUI can."""
    if getattr(video, "has_pending_frame_edits", bool)():
        return True
    coded = (info.height, info.width) if info.rotation % 180 else (info.width, info.height)
    half_a_frame = float(info.duration) / info.frame_count / 2
    return video.get_dimensions() != coded or video.get_duration() < float(info.duration) - half_a_frame


def _of_file(source: Source, info: VideoInfo) -> Clip:
    return Clip(
        frames=frames_of_file(source, info),
        shown=source,
        size=(info.width, info.height),
        count=info.frame_count,
        reading=_hdr(info.color.hdr) if info.color.hdr else _FLOATS if _is_deep(info) else ExportOptions(),
        fps=info.fps,
        timestamps=None if info.constant_rate else read_timestamps(source),
        sound=Sound(source) if info.audio else None,
    )


def frames_of_file(source: Source, info: VideoInfo) -> Iterator[npt.NDArray[Any]]:
    """Read a video's frames, as uint8 RGB, RGBA where it has alpha, or float32 RGB where it is of more than 8 bit."""
    if _is_deep(info):
        return read_frames(source, light="encoded")
    return read_frames(source, alpha=has_alpha(info.pixel_format))


def _is_deep(info: VideoInfo) -> bool:
    deep = any(component.bits > 8 for component in VideoFormat(info.pixel_format).components)
    if deep and has_alpha(info.pixel_format):
        warn(f"{name_of(info.path)!r} has alpha, with which it is read in 8 bit")
        return False
    return deep


def floats_of(clip: Clip) -> Iterator[npt.NDArray[np.float32]]:
    """Give the frames that a clip shows, one by one, as float32 in [0, 1]."""
    if is_place(clip.shown):
        for frame in read_frames(clip.shown):
            yield np.divide(frame, 255, dtype=np.float32)
    else:
        for image in cast("Iterable[torch.Tensor]", clip.shown):
            yield image.cpu().numpy()


# ---- what goes out -------------------------------------------------------------------------------------------------


def check_memory(info: VideoInfo, count: int, name: str) -> None:
    """Refuse more frames than memory is free for, which the system would end ComfyUI for."""
    import torch

    of_frame = info.width * info.height * (4 if has_alpha(info.pixel_format) else 3) * 4
    free = comfyui("comfy.model_management").get_free_memory(torch.device("cpu"))
    if of_frame * count > free:
        needed, most = f"{of_frame * count / 2**30:.1f} GiB", max(1, int(free // of_frame))
        raise OptionError(
            f"{count} frames of {name!r} take {needed}, and {free / 2**30:.1f} GiB are free: set max_frames to {most} "
            "or less, or every_nth to more"
        )


def held(frames: Iterator[npt.NDArray[Any]], wanted: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Hold frames as an IMAGE, float32 in [0, 1], and as a MASK what is transparent: a frame of zeros if nothing is."""
    import torch

    management, bar = comfyui("comfy.model_management"), comfyui("comfy.utils").ProgressBar(len(wanted))
    images, mask = torch.empty(0), torch.empty(0)
    for at, frame in enumerate(islice(frames, wanted.start, wanted.stop, wanted.step)):
        height, width, channels = frame.shape
        if at == 0:
            images = torch.empty((len(wanted), height, width, 3))
            mask = torch.zeros((len(wanted) if channels == 4 else 1, height, width))
        scaled = np.divide(frame, 255, dtype=np.float32) if frame.dtype == np.uint8 else frame.clip(0, 1)
        images[at] = torch.from_numpy(scaled[..., :3])
        if channels == 4:
            mask[at] = torch.from_numpy(1 - scaled[..., 3])
        bar.update_absolute(at + 1)
        management.throw_exception_if_processing_interrupted()
    return images, mask


def times_of(wanted: range, path: str, info: VideoInfo) -> tuple[Fraction, Fraction | None]:
    """Give when the wanted frames begin and end, in seconds; None where they go to the end of the video."""
    times = None if info.constant_rate else read_timestamps(path)
    start, end = (at / info.fps if times is None else times[min(at, len(times) - 1)] for at in (wanted[0], wanted.stop))
    return start, end if wanted.stop < info.frame_count else None


def audio_of(source: Source, start: Fraction, end: Fraction | None) -> AudioDict:
    """Read the sound of a file, from one time to another or to its end, in seconds. Raises InputError."""
    import torch

    recognizer = AudioRecognizer()
    kept, at = [], 0
    for piece in recognizer.pieces(source):
        assert recognizer.format is not None
        rate = recognizer.format.rate
        first, last = round(start * rate), len(piece) + at if end is None else round(end * rate)
        kept.append(_as_floats(piece[max(0, first - at) : max(0, last - at)]))
        at += len(piece)
    return AudioDict(waveform=torch.from_numpy(np.concatenate(kept).T[None].copy()), sample_rate=rate)


def _as_floats(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    full_scale = -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    return (samples / full_scale).astype(np.float32)


def video_of(source: str | io.BytesIO) -> object:
    """Give the VIDEO of a file."""
    return comfyui("comfy_api.latest").InputImpl.VideoFromFile(source)


def video_of_frames(images: torch.Tensor, audio: AudioDict | None, fps: Fraction) -> object:
    """Give the VIDEO of frames that are held."""
    api = comfyui("comfy_api.latest")
    parts = api.Types.VideoComponents(images=images, audio=audio, frame_rate=fps)
    return api.InputImpl.VideoFromComponents(parts)
