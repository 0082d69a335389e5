"""How the VAEs of diffusers decode: what each makes of the chunks of frames that its decoder gives, as they come.

Each repeats what diffusers does behind the decoder. `tap` compares the two at a corner of every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

Tensor: TypeAlias = Any  # torch's, which is not imported here
VAE: TypeAlias = Any  # diffusers', likewise


class Chunks:
    """Chunks that follow one another as they are, each (videos, channels, frames, height, width)."""

    def __init__(self, vae: VAE, latents: Tensor) -> None:
        self.vae, self.videos = vae, len(latents)

    def add(self, chunk: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Take a chunk, and give the frames that are done by it, of each video: its number, and (1, C, T, H, W)."""
        frames = self.join(chunk)
        return ((video, frames[video : video + 1]) for video in range(len(frames)))

    def join(self, chunk: Tensor) -> Tensor:
        """Give the frames of all videos that are done."""
        return chunk


class WanChunks(Chunks):
    """Those of `AutoencoderKLWan`, whose pixels are clamped, and of 2.2 TI2V packed into channels."""

    def join(self, chunk: Tensor) -> Tensor:
        """Unpack a chunk, as diffusers' `unpatchify` does, and clamp it."""
        if (patch := self.vae.config.patch_size) is not None:
            batch, channels, count, height, width = chunk.shape
            chunk = chunk.view(batch, channels // patch**2, patch, patch, count, height, width)
            chunk = chunk.permute(0, 1, 4, 5, 3, 6, 2).reshape(batch, -1, count, height * patch, width * patch)
        return chunk.clamp(-1.0, 1.0)


class MochiChunks(Chunks):
    """Those of `AutoencoderKLMochi`, which drops frames in front: its decoder makes as many of the first latent one."""

    def __init__(self, vae: VAE, latents: Tensor) -> None:
        super().__init__(vae, latents)
        self._dropped = vae.temporal_compression_ratio - 1 if vae.drop_last_temporal_frames else 0

    def join(self, chunk: Tensor) -> Tensor:
        """Drop those."""
        kept = chunk[:, :, self._dropped :]
        self._dropped = max(0, self._dropped - chunk.shape[2])
        return kept


class TileChunks(Chunks):
    """Tiles in time, which overlap and are blended there. All but the first have a frame too many, first or last.

    Few frames are one tile, which is whole.
    """

    def __init__(self, vae: VAE, latents: Tensor, kept: slice) -> None:
        super().__init__(vae, latents)
        count, ratio = latents.shape[2], vae.temporal_compression_ratio
        self._is_tiled = vae.use_framewise_decoding and count > vae.tile_sample_min_num_frames // ratio
        self._kept, self._left = kept, (count - 1) * ratio + 1
        self._before: Tensor | None = None

    def join(self, chunk: Tensor) -> Tensor:
        """Blend a tile with the one before it, and give the frames that the next does not touch."""
        if not self._is_tiled:
            return chunk
        stride = self.vae.tile_sample_stride_num_frames
        if self._before is None:
            tile, done = chunk.clone(), stride + 1
        else:
            overlap = self.vae.tile_sample_min_num_frames - stride
            tile, done = self.vae.blend_t(self._before, chunk[:, :, self._kept].clone(), overlap), stride
        self._before = tile
        frames = tile[:, :, : min(done, self._left)]
        self._left -= frames.shape[2]
        return frames


class FlatChunks(Chunks):
    """Those of Stable Video Diffusion: frames of one video after the other, (frames, channels, height, width)."""

    def __init__(self, vae: VAE, latents: Tensor) -> None:
        super().__init__(vae, latents)
        self._of_each, self._count = latents.shape[1], 0

    def add(self, chunk: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Give the frames of a chunk by the videos that they are of, in float32 as the pipeline has them."""
        frames = chunk.float().permute(1, 0, 2, 3)[None]
        while count := min(frames.shape[2], self._of_each - self._count % self._of_each):
            yield self._count // self._of_each, frames[:, :, :count]
            self._count += count
            frames = frames[:, :, count:]


class Decoder(NamedTuple):
    """What joins a VAE's chunks; why it gives none, unless it is set to; and the method that decodes, and of what."""

    chunks: Callable[[VAE, Tensor], Chunks]
    unless_framewise: str = ""
    owner: str = "vae"
    method: str = "_decode"


_AT_ONCE = "decodes all frames at once: set vae.use_framewise_decoding = True"

# By the VAE's class.
DECODERS = {
    "AutoencoderKLCogVideoX": Decoder(Chunks),
    "AutoencoderKLWan": Decoder(WanChunks),
    "AutoencoderKLMagvit": Decoder(Chunks),
    "AutoencoderKLHunyuanVideo": Decoder(partial(TileChunks, kept=slice(1, None)), _AT_ONCE),
    "AutoencoderKLLTXVideo": Decoder(partial(TileChunks, kept=slice(None, -1)), _AT_ONCE),
    "AutoencoderKLMochi": Decoder(MochiChunks, _AT_ONCE),
    "AutoencoderKLTemporalDecoder": Decoder(FlatChunks, owner="pipe", method="decode_latents"),
}
