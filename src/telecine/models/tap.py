"""Frames of a diffusers pipeline while its VAE decodes them: each chunk goes to a writer, the pipeline keeps specks.

The pipeline runs its own decode. A hook on the VAE's decoder sees each chunk of frames that comes out of it, has the
pipeline's own processing make pixels of them, and hands a corner of one pixel on: what the pipeline joins and gives
back in the end is of no size. That corner is looked at then: it must be what was written.

A thread of its own writes a chunk while the decoder makes the next, which waits where it comes before that is done.
"""

from __future__ import annotations

import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from ..errors import EncodeError, OptionError
from ..support.in_order import InOrder
from ..support.notes import warn
from .decoders import DECODERS, Chunks, Tensor

Pipeline: TypeAlias = Any  # one of diffusers', which are not imported here
OnUnstreamable = Literal["whole", "error"]
_Videos = Sequence[tuple[int, Tensor]]  # frames of some videos by their numbers, (1, channels, frames, height, width)

# Those that give what their VAE decodes, frame for frame; each is tried on its class.
_PIPELINES = (
    "CogVideoXPipeline",
    "CogVideoXImageToVideoPipeline",
    "CogVideoXVideoToVideoPipeline",
    "WanPipeline",
    "WanImageToVideoPipeline",
    "WanVideoToVideoPipeline",
    "HunyuanVideoPipeline",
    "EasyAnimatePipeline",
    "LTXPipeline",
    "MochiPipeline",
    "StableVideoDiffusionPipeline",
)

_BAND = 96  # rows of a frame that are made pixels at a time: of a whole one malloc would hold several
_GRACE = 0.25  # seconds for what is decoded when a run ends amid it; the writer takes 1.7 at most, and Ctrl-C two


class FrameWriter(Protocol):
    """What takes frames, as `telecine.VideoWriter` does."""

    def write(self, frames: Any, /) -> None:
        """Take some."""


@dataclass(frozen=True)
class Streamable:
    """Whether a pipeline's frames can be taken while they are decoded, which is its truth, and why, in words."""

    is_streamable: bool
    reason: str

    def __bool__(self) -> bool:
        return self.is_streamable


def can_stream(pipe: object) -> Streamable:
    """Tell whether `tap` takes a pipeline's frames while they are decoded, and why.

    A subclass of one's own is not known: it may do more to its frames than its parent does.

    >>> class AnimateDiffPipeline: ...
    >>> found = can_stream(AnimateDiffPipeline())
    >>> bool(found), found.reason
    (False, 'AnimateDiffPipeline is none of those that are known to give the frames as their VAE decodes them')
    """
    name, vae = type(pipe).__name__, getattr(pipe, "vae", None)
    of_vae = type(vae).__name__
    if name not in _PIPELINES:
        return Streamable(False, f"{name} is none of those that are known to give the frames as their VAE decodes them")
    if (decoder := DECODERS.get(of_vae)) is None:
        return Streamable(False, f"its VAE is {of_vae}, none of {', '.join(DECODERS)}")
    if (processor := type(getattr(pipe, "video_processor", None)).__name__) != "VideoProcessor":
        return Streamable(False, f"its video_processor is {processor}, which may do more than pixel by pixel")
    if getattr(vae, "use_tiling", False):
        return Streamable(False, f"its {of_vae} decodes tiles of all frames: call vae.disable_tiling()")
    if decoder.unless_framewise and not getattr(vae, "use_framewise_decoding", False):
        return Streamable(False, f"its {of_vae} {decoder.unless_framewise}")
    return Streamable(True, f"its {of_vae} decodes a few frames at a time")


@contextmanager
def tap(
    pipe: Pipeline,
    writer: FrameWriter | Sequence[FrameWriter],
    *,
    keep_frames: bool = False,
    on_unstreamable: OnUnstreamable = "whole",
) -> Iterator[None]:
    """Have a diffusers pipeline's frames written while its VAE decodes them, as long as the `with`.

    The file is the one that `export_video` makes of `pipe(..., output_type="pt").frames`, byte for byte, and no more
    than two chunks of frames are in memory: one is written while the next is decoded. What the pipeline gives back has
    frames of a pixel or two.

    Args:
        pipe: The pipeline, which is called once in the `with`.
        writer: A `VideoWriter`; for a call that makes several videos one for each, in a list.
        keep_frames: Whether the pipeline gives its frames back too, as it does without this.
        on_unstreamable: What is done of a pipeline whose frames can't be had one chunk after the other, as `can_stream`
            tells: "whole" to write them when all are decoded, with a warning, or "error".

    Raises:
        OptionError: the pipeline can't be streamed, has no processing of videos to tap, or makes more of them than
            there are writers.
        EncodeError: the pipeline decoded nothing, or gave other frames than were written.
        TelecineError: as the writer raises it, amid the pipeline's call, at the chunk behind the one that it was given.
    """
    if on_unstreamable not in ("whole", "error"):
        raise OptionError(f"on_unstreamable={on_unstreamable!r} is not known: use 'whole' or 'error'")
    if not callable(getattr(getattr(pipe, "video_processor", None), "postprocess_video", None)):
        raise OptionError(f"{type(pipe).__name__} has no video_processor: give export_video the frames that it returns")
    writers = _Writers(pipe.video_processor.postprocess_video, [*writer] if isinstance(writer, Sequence) else [writer])
    found = can_stream(pipe)
    if not found and on_unstreamable == "error":
        raise OptionError(f"the frames can't be written while they are decoded: {found.reason}")
    if found:
        with writers.behind() as write, _Decoding(pipe, write, keep_frames).tapped():
            yield
    else:
        warn(f"the frames are written when all are decoded: {found.reason}")
        with _whole(pipe, writers):
            yield
    if not writers.count:
        raise EncodeError(
            "the pipeline decoded nothing that could be tapped: call it within the `with`, without "
            "output_type='latent'; a decoder that was compiled before has no hooks"
        )


class _Writers:
    """Has the pipeline's own processing make pixels of what is decoded, and gives them to the writer of each video."""

    def __init__(self, process: Callable[..., Any], writers: Sequence[FrameWriter]) -> None:
        self.process, self._writers = process, writers
        self._stop_at = math.inf
        self.count = 0

    def write(self, videos: _Videos, rows: int) -> None:
        """Write frames one by one, processed some rows at a time."""
        for video, decoded in videos:
            if video >= len(self._writers):
                most = len(self._writers)
                raise OptionError(f"the pipeline makes more videos than have a writer, {most}: give a list")
            for frame in decoded.unbind(2):
                if time.monotonic() >= self._stop_at:
                    return
                self._writers[video].write(self._pixels_of(frame, rows))
                self.count += 1

    def _pixels_of(self, frame: Tensor, rows: int) -> Tensor:
        """Make (1, H, W, C), which needs no layout, of (1, C, H, W)."""
        pixels = [self.process(band[:, :, None], output_type="pt")[0] for band in frame.split(rows, 2)]
        whole: Tensor = sys.modules["torch"].cat(pixels, 2)
        return whole.permute(0, 2, 3, 1)

    @contextmanager
    def behind(self) -> Iterator[Callable[[_Videos], None]]:
        """Give a `write` that returns when what it was given before is written, and raises what that has.

        What ends the `with` amid the decoding leaves a moment for the rest.
        """
        calls = InOrder(self._write_on, 1, "tap", most=1)

        def write(videos: _Videos) -> None:
            calls.call(_stream_of(videos), videos)

        try:
            yield write
            for _ in calls.rest():
                pass
        except BaseException:
            self._stop_at = time.monotonic() + _GRACE
            with suppress(Exception):
                for _ in calls.rest():
                    pass
            raise
        finally:
            calls.close()

    def _write_on(self, stream: AbstractContextManager[object], videos: _Videos) -> None:
        with stream:
            self.write(videos, _BAND)


@contextmanager
def _whole(pipe: Pipeline, writers: _Writers) -> Iterator[None]:
    """Take all frames, when the pipeline has them and makes of them what it gives back."""

    def postprocess_video(video: Tensor, *arguments: Any, **named: Any) -> Any:
        writers.write([(number, video[number : number + 1]) for number in range(len(video))], video.shape[3])
        return writers.process(video, *arguments, **named)

    with _replaced(pipe.video_processor, "postprocess_video", postprocess_video):
        yield


class _Decoding:
    """Takes each chunk of frames as the decoder gives it: of a batch of videos, or of one after the other."""

    def __init__(self, pipe: Pipeline, write: Callable[[_Videos], None], keep_frames: bool) -> None:
        self._pipe, self._write, self._keeps = pipe, write, keep_frames
        self._chunks: Chunks | None = None  # while something is decoded
        self._first = 0  # number of the first video of what is decoded
        self._corners = defaultdict[int, list[Tensor]](list)

    @contextmanager
    def tapped(self) -> Iterator[None]:
        """Hold the hook, and the method that decodes."""
        vae = self._pipe.vae
        row = DECODERS[type(vae).__name__]
        owner = self._pipe if row.owner == "pipe" else vae
        decode = getattr(owner, row.method)

        def decode_latents(latents: Tensor, *arguments: Any, **named: Any) -> Any:
            self._corners.clear()
            self._chunks = row.chunks(vae, latents)
            decoded = decode(latents, *arguments, **named)
            self._check(decoded if row.owner == "pipe" else decoded[0])
            self._first += len(latents)
            return decoded

        with ExitStack() as tapped:
            tapped.callback(vae.decoder.register_forward_hook(self._take).remove)
            tapped.enter_context(_replaced(owner, row.method, decode_latents))
            yield

    def _take(self, decoder: object, arguments: object, output: Any) -> Any:
        """Write a chunk that the decoder gives, and give the pipeline a corner of it."""
        chunk, *others = output if isinstance(output, tuple) else (output,)
        assert self._chunks is not None
        videos = list(self._chunks.add(chunk))
        for video, frames in videos:
            self._corners[video].append(frames[0, ..., 0, 0].clone())
        self._write([(self._first + video, frames) for video, frames in videos])
        corner = chunk if self._keeps else chunk[..., :1, :1].clone()
        return (corner, *others) if isinstance(output, tuple) else corner

    def _check(self, decoded: Tensor) -> None:
        """Compare what diffusers made of the corners with what was written."""
        for video, frames in enumerate(decoded):
            corners, begin = self._corners[video], 0
            for corner in corners:
                end = begin + corner.shape[1]
                found = frames[:, begin:end, 0, 0]
                if found.shape != corner.shape or not bool((found == corner).all()):
                    raise EncodeError("the VAE changes frames behind its decoder otherwise than was known: not tapped")
                begin = end
            if begin != frames.shape[1]:
                raise EncodeError(f"the VAE gives {frames.shape[1]} frames, of which {begin} were written: not tapped")


def _stream_of(videos: _Videos) -> AbstractContextManager[object]:
    """What another thread is to be in, so that a device does its work on frames behind what made them."""
    for _, frames in videos:
        streams: Any = getattr(sys.modules["torch"], frames.device.type, None)
        if frames.device.type != "cpu" and hasattr(streams, "Stream"):
            found: AbstractContextManager[object] = streams.stream(streams.current_stream(frames.device))
            return found
    return nullcontext()


@contextmanager
def _replaced(thing: Any, name: str, value: object) -> Iterator[None]:
    """Have an object another method, as long as the `with`."""
    own = vars(thing).get(name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(thing, name)
        else:
            setattr(thing, name, own)
