"""The example of SAT: what it writes, and what it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import telecine
from examples import sat

from ..support.helpers import names_in

pytestmark = pytest.mark.slow


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clouds of 64x48."""
    whole: Callable[..., Any] = sat.clouds
    monkeypatch.setattr(sat, "clouds", lambda: whole(48, 64))


def sat_batch(decoder: sat.SmallDecoder, latent: torch.Tensor) -> torch.Tensor:
    """What SAT's sampling has in the end, by its own loop: (B, T, C, H, W) in [0, 1]."""
    recons = []
    loop_num = (latent.shape[2] - 1) // 2
    for i in range(loop_num):
        start, end = (0, 3) if i == 0 else (2 * i + 1, 2 * i + 3)
        recons.append(decoder.decode(latent[:, :, start:end].contiguous(), clear_fake_cp_cache=i == loop_num - 1))
    samples = torch.cat(recons, dim=2).to(torch.float32).permute(0, 2, 1, 3, 4).contiguous()
    return torch.clamp((samples + 1.0) / 2.0, min=0.0, max=1.0)


@pytest.mark.usefixtures("small")
def test_sats_pieces_are_the_file_of_its_whole_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sat.main(tmp_path)
    torch.manual_seed(0)
    batch = sat_batch(sat.SmallDecoder(), sat.clouds())
    assert batch.shape == (1, 49, 3, 48, 64)
    telecine.export_video(batch, tmp_path / "whole.mp4", fps=8)
    assert (tmp_path / "sat.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert names_in(tmp_path) == ["sat.mp4", "whole.mp4"]
    said = " ".join(capsys.readouterr().out.split())
    assert "picture 64x48 frames 49 frame rate 8 fps duration 6.125 s" in said


@pytest.mark.parametrize("count", [3, 5, 13])
def test_the_stand_in_gives_the_same_in_pieces_and_begins_anew_after_the_last(count: int) -> None:
    torch.manual_seed(0)
    decoder, latent = sat.SmallDecoder(), sat.clouds(48, 64)[:, :, :count]
    whole = decoder.decode(latent, clear_fake_cp_cache=True)
    for _ in range(2):
        parts = [
            decoder.decode(latent[:, :, start:end], clear_fake_cp_cache=is_last)
            for start, end, is_last in sat.pieces(count)
        ]
        assert [part.shape[2] for part in parts] == [9, *[8] * (count // 2 - 1)]
        torch.testing.assert_close(torch.cat(parts, dim=2), whole)
