"""`generate_video`: one line from a pipeline to a file, with the model's frame rate and the facts of the call."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import telecine
from telecine import OptionError

from .support.tiny_pipelines import frames_of, tiny

pytestmark = pytest.mark.slow


class Prompted:
    """A pipeline that takes a prompt, without the text encoder that would read it."""

    def __init__(self) -> None:
        self.pipe = tiny("wan")
        self.vae, self.video_processor, self.config = self.pipe.vae, self.pipe.video_processor, self.pipe.config
        self.calls = 0

    def __call__(self, prompt: Any, num_frames: int = 9, num_inference_steps: int = 2, **more: Any) -> Any:
        self.calls += 1
        return frames_of(self.pipe, num_frames)


class WanPipeline(Prompted):
    """By its name it is known."""


def test_the_video_has_the_models_rate_and_says_what_it_was_made_of(tmp_path: Path) -> None:
    pipe = WanPipeline()
    video = telecine.generate_video(pipe, tmp_path / "clip.mp4", prompt="a panda", num_frames=13)
    assert video.frame_count == 13
    assert video.fps == Fraction(16)
    said = telecine.probe(video).metadata
    assert (said["prompt"], said["steps"], said["fps"]) == ("a panda", 2, 16)
    telecine.export_video(frames_of(tiny("wan"), 13)[0], tmp_path / "whole.mp4", layout="TCHW", metadata=said)
    assert video.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_what_is_given_is_taken_in_place_of_what_is_known(tmp_path: Path) -> None:
    options: Any = {"fps": "24000/1001", "metadata": None, "quality": "draft"}
    video = telecine.generate_video(WanPipeline(), tmp_path / "clip.mp4", export=options, prompt="a panda")
    assert video.fps == Fraction(24000, 1001)
    assert "prompt" not in telecine.probe(video).metadata


@pytest.mark.parametrize(
    ("call", "export", "said"),
    [
        ({"prompt": ["a panda", "a tree"]}, {}, "the call is for 2 videos: call telecine.tap"),
        ({"prompt": "a panda", "num_videos_per_prompt": 3}, {}, "the call is for 3 videos"),
        ({"prompt": "a panda"}, {"quality": "best"}, "quality='best'"),
    ],
)
def test_what_would_fail_is_refused_before_the_pipeline_is_called(
    tmp_path: Path, call: dict[str, Any], export: Any, said: str
) -> None:
    pipe = WanPipeline()
    with pytest.raises(OptionError, match=said):
        telecine.generate_video(pipe, tmp_path / "clip.mp4", export=export, **call)
    assert pipe.calls == 0


class StrictPipeline(WanPipeline):
    """It takes what it names, as those of diffusers do."""

    def __call__(self, prompt: Any, height: int = 32) -> Any:  # type: ignore[override]
        return super().__call__(prompt)


def test_an_option_of_the_file_among_those_of_the_call_is_told_its_place(tmp_path: Path) -> None:
    pipe = StrictPipeline()
    said = r"StrictPipeline takes no fps and no quality: for the file, pass export=\{'fps': 12, 'quality': 'draft'\}"
    with pytest.raises(OptionError, match=said):
        telecine.generate_video(pipe, tmp_path / "clip.mp4", prompt="a panda", height=32, fps=12, quality="draft")
    assert pipe.calls == 0


def test_a_pipeline_whose_rate_is_not_known_is_asked_for_it_before_it_is_called(tmp_path: Path) -> None:
    pipe = Prompted()
    with pytest.raises(OptionError, match="no frame rate is known for 'Prompted': pass fps="):
        telecine.generate_video(pipe, tmp_path / "clip.mp4", prompt="a panda")
    assert pipe.calls == 0
