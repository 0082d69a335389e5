"""Frames of a diffusers pipeline while its VAE decodes them: each chunk goes to a writer, the pipeline keeps specks.

The pipeline runs its own decode. A hook on the VAE's decoder sees each chunk of frames that comes out of it, has the
pipeline's own processing make pixels of them, and hands a corner of one pixel on: what the pipeline joins and gives
back in the end is of no size. That corner is looked at then: it must be what was written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from ..errors import EncodeError, OptionError
from ..support.notes import warn
from .decoders import DECODERS, Chunks, Tensor

Pipeline: TypeAlias = Any  # one of diffusers', which are not imported here
OnUnstreamable = Literal["whole", "error"]

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
    than a chunk of frames is in memory. What the pipeline gives back has frames of a pixel or two.

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
        What the writer raises, amid the pipeline's call.
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
        with _Decoding(pipe, writers, keep_frames).tapped():
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
        self.count = 0

    def write(self, video: int, decoded: Tensor) -> None:
        """Write frames of a video, (1, channels, frames, height, width)."""
        if video >= len(self._writers):
            raise OptionError(f"the pipeline makes more videos than have a writer, {len(self._writers)}: give a list")
        for frame in decoded.unbind(2):  # of a whole chunk the processing would make several times its size
            (pixels,) = self.process(frame[:, :, None], output_type="pt")
            self._writers[video].write(pixels.permute(0, 2, 3, 1))  # (1, H, W, C), which needs no layout
            self.count += 1


@contextmanager
def _whole(pipe: Pipeline, writers: _Writers) -> Iterator[None]:
    """Take all frames, when the pipeline has them and makes of them what it gives back."""

    def postprocess_video(video: Tensor, *arguments: Any, **named: Any) -> Any:
        for number in range(len(video)):
            writers.write(number, video[number : number + 1])
        return writers.process(video, *arguments, **named)

    with _replaced(pipe.video_processor, "postprocess_video", postprocess_video):
        yield


class _Decoding:
    """Takes each chunk of frames as the decoder gives it: of a batch of videos, or of one after the other."""

    def __init__(self, pipe: Pipeline, writers: _Writers, keep_frames: bool) -> None:
        self._pipe, self._writers, self._keeps = pipe, writers, keep_frames
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
        for video, frames in self._chunks.add(chunk):
            self._writers.write(self._first + video, frames)
            self._corners[video].append(frames[0, ..., 0, 0].clone())
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
