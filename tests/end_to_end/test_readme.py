"""The README's Python, run in its order as a reader would, with a tiny CogVideoX for its pipeline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.tensorboard.writer import SummaryWriter

import telecine

from ..support.helpers import ROOT
from ..support.tiny_cogvideox import FRAMES, generate, tiny_pipeline

pytestmark = pytest.mark.slow

README = ROOT / "README.md"


class Pipeline:
    """What the README calls `pipe`: takes a prompt, without the text encoder that would read it."""

    def __init__(self) -> None:
        self._pipe = tiny_pipeline("text")
        self.transformer, self.vae = self._pipe.transformer, self._pipe.vae
        self.video_processor = self._pipe.video_processor

    def __call__(self, prompt: str) -> Pipeline:
        self.frames = generate(self._pipe, "pil")
        return self


class CogVideoXPipeline(Pipeline):
    """By its name recommended_fps knows it."""


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
def test_every_line_of_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 13
    names: dict[str, Any] = {
        "pipe": CogVideoXPipeline(),
        "chunks": [torch.zeros(1, 3, 8, 48, 64)] * 2,
        "samples": np.zeros((2, 44_100), np.float32),
        "light": np.full((8, 48, 64, 3), 2, np.float32),
        "before": torch.zeros(8, 48, 64, 3),
        "after": torch.ones(8, 48, 64, 3),
        "run": SummaryWriter(tmp_path / "runs"),
        "times": [index * index / 10 for index in range(FRAMES)],
    }
    telecine.export_video(torch.zeros(8, 48, 64, 3), "phone.mp4", timestamps=range(8))
    telecine.export_video(torch.zeros(8, 48, 64, 3), "a.mp4")
    counts = []
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
        counts.append(telecine.probe("clip.mp4").frame_count)
    assert counts == [FRAMES, FRAMES, 16, FRAMES + 8, FRAMES, 8, *[FRAMES] * 7]
    assert len(list(Path("frames").iterdir())) == FRAMES
