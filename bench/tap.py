"""A video that is written while a VAE decodes it: how soon it is there, what it holds in memory, what it costs.

The limits: after the last chunk is decoded, the file is published within what an export of that chunk alone takes;
200 MB are held above the import and the pipeline, whatever the length; decoding takes 1.03 times as long as without a
tap, where a chunk takes longer than its encoding.

The pipeline is diffusers' CogVideoX, with its class of VAE, its loop over latent frames and its processing of frames.
Two parts are stand-ins. The transformer predicts nothing. The decoder gives chunks of 9 and then 8 frames: of a clip,
after 1.5 times as long as they take to encode, while the processor is free, as where an accelerator decodes; or, where
memory is measured, of greys that take none, so that all that is held is what was made of them. Beside it is diffusers'
`export_to_video` of the PIL images that the pipeline gives. torch has one thread: two on two cores, which the encoder
has too, wait for one another.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import telecine

from .footprint import peak_while
from .frames import LARGE, Clip, Picture, large, small
from .measure import TURNS, Spread, in_a_process, ratio, seconds_of
from .report import Bar, Report, Table, alone
from .writers import DIFFUSERS, write

FPS = 16
PUBLISHED, MEGABYTES, DECODE = 1.0, 200, 1.03
LONGER = 1.5  # what a chunk takes to decode, of what it takes to encode
LENGTHS, PROCESSES = (49, 81, 161), 5
IN_TIME, CHUNK = 4, 8  # frames of a latent one but the first, and of a chunk of two
LATENT_CHANNELS, WORDS, WIDTH_OF_WORDS = 4, 16, 32
TAPPED = "telecine, tapped"


def run() -> Report:
    """Measure both."""
    torch.set_num_threads(1)
    bars: list[Bar] = []
    rows: list[tuple[str, ...]] = []
    for clip in (small(), large()):
        taken = turns(clip)
        bars.append(Bar(f"{clip}: wait / the last chunk's export", ratio(taken.waits, taken.last), PUBLISHED))
        bars.append(Bar(f"{clip}: decoding / without a tap", ratio(taken.tapped, taken.plain), DECODE))
        for name, decoding, wait in ((TAPPED, taken.tapped, taken.waits), (DIFFUSERS, taken.plain, taken.peers)):
            rows.append((str(clip), name, f"{Spread.of(decoding):.2f}", f"{Spread.of(wait):.2f}"))
    timed = Table(("clip", "what", "decoding, s", "from the last chunk to the file, s"), rows)
    held = {
        name: [Spread.of([in_a_process(megabytes, count, name) for _ in range(runs)]) for count in LENGTHS]
        for name, runs in ((TAPPED, PROCESSES), (DIFFUSERS, 1))
    }
    size = f"{LARGE[0]}x{LARGE[1]}"
    memory = Table(
        ("megabytes above the pipeline", *(f"{count} frames of {size}" for count in LENGTHS)),
        [(name, *(f"{each:.0f}" for each in found)) for name, found in held.items()],
    )
    bars.append(
        Bar(f"the most megabytes, of {size}", max(held[TAPPED], key=lambda each: each.median), MEGABYTES, form=".0f")
    )
    return Report("While it is decoded", __doc__ or "", [timed, memory], bars)


# ---- the pipeline ----------------------------------------------------------------------------------------------------


class Decoder(torch.nn.Module):
    """Stands for the VAE's: it gives frames by their numbers, chunk by chunk, and notes when."""

    def __init__(self, frames: Callable[[int, int], torch.Tensor], seconds: float = 0) -> None:
        super().__init__()
        self._frames, self._seconds, self._count = frames, seconds, 0
        self.begun, self.done = list[float](), list[float]()

    def forward(self, latents: torch.Tensor, conv_cache: object = None) -> tuple[torch.Tensor, None]:
        """Give the frames of latent ones."""
        self.begun.append(time.perf_counter())
        count = IN_TIME * latents.shape[2] - (0 if self._count else IN_TIME - 1)
        chunk = self._frames(self._count, self._count + count)
        self._count += count
        time.sleep(max(0.0, self.begun[-1] + self._seconds - time.perf_counter()))
        self.done.append(time.perf_counter())
        return chunk, None


def pipeline(decoder: Decoder) -> Any:
    """CogVideoX of diffusers with that decoder, and with a transformer that predicts nothing."""
    diffusers: Any = import_module("diffusers")  # which annotates too little to be checked against
    vae = diffusers.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8,) * 4,
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=2,
    )
    vae.decoder = decoder
    transformer = diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=1,
        attention_head_dim=16,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        time_embed_dim=2,
        text_embed_dim=WIDTH_OF_WORDS,
        num_layers=1,
        max_text_seq_length=WORDS,
    )
    transformer.forward = lambda hidden_states, **_: (hidden_states,)
    parts = {"tokenizer": None, "text_encoder": None, "scheduler": diffusers.CogVideoXDDIMScheduler()}
    pipe = diffusers.CogVideoXPipeline(vae=vae, transformer=transformer, **parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def whole_call(pipe: Any, width: int, height: int, count: int) -> Any:
    """Call it for a video."""
    words = torch.zeros(1, WORDS, WIDTH_OF_WORDS)
    return pipe(
        prompt_embeds=words,
        negative_prompt_embeds=words,
        max_sequence_length=WORDS,
        width=width,
        height=height,
        num_frames=count,
        num_inference_steps=1,
    ).frames


def decode(pipe: Any, width: int, height: int, count: int) -> Any:
    """Do what it does behind its denoising, whose memory is not an export's."""
    latents = torch.zeros(()).expand(1, (count - 1) // IN_TIME + 1, LATENT_CHANNELS, height // 8, width // 8)
    return pipe.video_processor.postprocess_video(pipe.decode_latents(latents), "pil")


def written(pipe: Any, call: Callable[[], Any], path: Path, name: str) -> None:
    """Have the video of a call at a path."""
    if name == TAPPED:
        with telecine.VideoWriter(path, fps=FPS) as writer, telecine.tap(pipe, writer):
            call()
    else:
        write(name, call()[0], path, FPS)


# ---- time ------------------------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """Seconds, turn by turn: decoding with a tap and without, the waits after it, an export of the last chunk."""

    tapped: list[float]
    plain: list[float]
    waits: list[float]
    peers: list[float]
    last: list[float]


def turns(clip: Clip) -> Taken:
    """Take turns, of which one that comes first is not counted."""
    taken = Taken([], [], [], [], [])
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder, "clip.mp4")
        whole = min(seconds_of(partial(telecine.export_video, clip.pictures, path, fps=FPS)) for _ in range(3))
        each = LONGER * whole * CHUNK / len(clip.pictures)
        frames = floats(clip.pictures)
        for _ in range(1 + TURNS):
            for name, spans, waits in ((TAPPED, taken.tapped, taken.waits), (DIFFUSERS, taken.plain, taken.peers)):
                span, wait = decoded(frames, each, path, name)
                spans.append(span)
                waits.append(wait)
            taken.last.append(seconds_of(partial(telecine.export_video, clip.pictures[-CHUNK:], path, fps=FPS)))
    return Taken(*(seconds[1:] for seconds in taken))


def decoded(frames: torch.Tensor, seconds: float, path: Path, name: str) -> tuple[float, float]:
    """The seconds from the first chunk's begin to the last one's end, and from there to the file."""
    _, _, count, height, width = frames.shape
    decoder = Decoder(lambda begin, end: frames[:, :, begin:end], seconds)
    pipe = pipeline(decoder)
    written(pipe, partial(whole_call, pipe, width, height, count), path, name)
    return decoder.done[-1] - decoder.begun[0], time.perf_counter() - decoder.done[-1]


def floats(pictures: Sequence[Picture]) -> torch.Tensor:
    """Pictures as a VAE decodes them: (1, 3, T, H, W) in [-1, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(3, 0, 1, 2)[None].contiguous().float().div_(127.5).sub_(1)


# ---- memory ----------------------------------------------------------------------------------------------------------


def megabytes(count: int, name: str) -> float:
    """The most that a call takes above the import and the pipeline."""
    with tempfile.TemporaryDirectory() as folder:
        path, pipe = Path(folder, "clip.mp4"), pipeline(Decoder(partial(greys, 48, 64)))
        written(pipe, partial(decode, pipe, 64, 48, 9), path, name)  # what is imported at first use
        width, height, _ = LARGE
        pipe = pipeline(Decoder(partial(greys, height, width)))
        return peak_while(partial(written, pipe, partial(decode, pipe, width, height, count), path, name))


def greys(height: int, width: int, begin: int, end: int) -> torch.Tensor:
    """Frames, each of one grey, all of whose pixels are one number in memory."""
    levels = torch.linspace(-1, 1, 256)[torch.arange(begin, end) % 256]
    return levels[None, None, :, None, None].expand(1, 3, -1, height, width)


if __name__ == "__main__":
    alone(run)
