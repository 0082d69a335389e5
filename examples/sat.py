"""Writes a clip while CogVideoX's own code, SAT, decodes it: the loop of its sat/sample_video.py, with a writer in it.

Run as: python -m examples.sat FOLDER. In place of SAT's first stage model is a small one that takes the same call.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch

import telecine
from telecine.cli.tables import facts_of_export, facts_of_file
from telecine.cli.terminal import print_facts

HEIGHT, WIDTH, LATENT_FRAMES, CHANNELS, FPS = 480, 720, 13, 16, 8  # of CogVideoX: 49 frames, SAT's --sampling-fps


class FirstStageModel(Protocol):
    """What SAT decodes with: (1, channels, frames, height, width) to pictures in [-1, 1], and a bit beyond."""

    def decode(self, latent: torch.Tensor, *, clear_fake_cp_cache: bool) -> torch.Tensor:
        """Decode a piece, and keep what the next one needs of it unless that is to be cleared."""


def write_clip(first_stage_model: FirstStageModel, latent: torch.Tensor, path: Path) -> telecine.Video:
    """Decode latent frames piece by piece, and write each."""
    with telecine.VideoWriter(path, fps=FPS, layout="BCTHW") as writer:
        for start, end, is_last in pieces(latent.shape[2]):
            piece = latent[:, :, start:end].contiguous()
            recon = first_stage_model.decode(piece, clear_fake_cp_cache=is_last).to(torch.float32)
            writer.write(torch.clamp((recon + 1.0) / 2.0, min=0.0, max=1.0))
    return writer.video


def pieces(count: int) -> Iterator[tuple[int, int, bool]]:
    """Give where each piece begins and ends, and whether it is the last: three latent frames, then two at a time."""
    yield 0, 3, count <= 3
    for start in range(3, count, 2):
        yield start, start + 2, start + 2 >= count


class SmallDecoder(torch.nn.Module):
    """Stands for SAT's: eight times the size, and four frames of each latent one but the first, which depend on two
    before it. Of a piece it keeps its last two.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.nn.Conv3d(CHANNELS, 3, 3, padding=(0, 1, 1))
        self.grow = torch.nn.Upsample(scale_factor=(1, 8, 8), mode="trilinear")
        self._before: torch.Tensor | None = None

    @torch.no_grad()
    def decode(self, latent: torch.Tensor, *, clear_fake_cp_cache: bool) -> torch.Tensor:
        """Decode a piece."""
        is_first = self._before is None
        before = latent[:, :, :1].expand(-1, -1, 2, -1, -1) if self._before is None else self._before
        known = torch.cat([before, latent], dim=2)
        self._before = None if clear_fake_cp_cache else known[:, :, -2:]
        pictures: torch.Tensor = self.grow(self.mix(known)).repeat_interleave(4, dim=2)
        return pictures[:, :, 3:] if is_first else pictures


def clouds(height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    """Soft noise in place of what a transformer denoised: (1, CHANNELS, LATENT_FRAMES, height / 8, width / 8)."""
    coarse = torch.randn(1, CHANNELS, 4, 6, 9, generator=torch.Generator().manual_seed(0))
    size = LATENT_FRAMES, height // 8, width // 8
    return 2 * torch.nn.functional.interpolate(coarse, size, mode="trilinear")


def main(folder: Path) -> None:
    """Write a clip, and look at it."""
    torch.manual_seed(0)
    video = write_clip(SmallDecoder(), clouds(), folder / "sat.mp4")
    print_facts([*(dict(facts_of_file(telecine.probe(video))) | dict(facts_of_export(video))).items()])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
