"""Gymnasium's environments, recorded: the files that its own wrapper would make, of the same frames."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo as Original
from gymnasium.wrappers import RenderCollection

import telecine
from telecine import FrameError, OptionError, TelecineError, TelecineWarning
from telecine.integrations.gymnasium import RecordVideo

from ..support.documents import blocks_of, run_python
from ..support.helpers import ROOT, Clip, assert_frames, encoding_threads, names_in

Recorder = Callable[..., Any]


class Counting(gymnasium.Env[int, int]):
    """Shows how many frames it has rendered, as a grey of its own; an episode ends after so many steps."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 12}  # noqa: RUF012  # Gymnasium's
    observation_space: Any = gymnasium.spaces.Discrete(1)
    action_space: Any = gymnasium.spaces.Discrete(1)

    def __init__(self, render_mode: str | None = "rgb_array", length: int = 5) -> None:
        self.render_mode, self.length = render_mode, length
        self.rendered: list[weakref.ref[Any]] = []
        self.next: Any = None  # what is shown in place of the next frame
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self._steps = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        return 0, 0.0, self._steps >= self.length, False, {}

    def render(self) -> Any:
        if self.next is not None:
            return self.next
        frame = np.full((48, 64, 3), 20 + 7 * len(self.rendered), np.uint8)
        self.rendered.append(weakref.ref(frame))
        return frame


gymnasium.register("Counting-v0", Counting)  # type: ignore[arg-type]


def episodes(env: Any, count: int) -> None:
    for _ in range(count):
        env.reset(seed=1)
        is_over = False
        while not is_over:
            _, _, is_over, _, _ = env.step(0)


@pytest.fixture
def moviepy(monkeypatch: pytest.MonkeyPatch) -> dict[str, Clip]:
    """What Gymnasium's wrapper gives to MoviePy, by the names of files: it wants an older Pillow than is here."""
    given: dict[str, Clip] = {}

    class ImageSequenceClip:
        def __init__(self, frames: list[Any], fps: float) -> None:
            self._frames = np.stack(frames)

        def write_videofile(self, path: str, logger: str | None) -> None:
            given[Path(path).name] = self._frames

    names = ["moviepy", "moviepy.video", "moviepy.video.io", "moviepy.video.io.ImageSequenceClip"]
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules[names[-1]], "ImageSequenceClip", ImageSequenceClip, raising=False)
    return given


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"episode_trigger": lambda episode: episode % 2 == 1, "name_prefix": "a b %d ü"},
        {"step_trigger": lambda step: step % 7 == 3},
        {"step_trigger": lambda step: step == 2, "episode_trigger": lambda episode: episode == 1},
        {"step_trigger": lambda step: step % 4 == 0, "video_length": 8},
        {"episode_trigger": lambda episode: True, "video_length": 3},
        {"episode_trigger": lambda episode: True, "video_length": 13},
        {"episode_trigger": lambda episode: False},
    ],
)
@pytest.mark.parametrize("collects", [False, True])
def test_it_has_the_frames_and_names_of_gymnasiums_own(
    options: dict[str, Any], collects: bool, moviepy: dict[str, Clip], tmp_path: Path
) -> None:
    def recorded(wrapper: Recorder, folder: Path) -> None:
        env = Counting()
        wrapped = wrapper(RenderCollection(env) if collects else env, str(folder), **options)
        episodes(wrapped, 3)
        wrapped.close()

    recorded(Original, tmp_path / "original")
    recorded(RecordVideo, tmp_path / "own")
    assert names_in(tmp_path / "own") == sorted(moviepy)
    for name, frames in moviepy.items():
        assert_frames(tmp_path / "own" / name, frames)
        assert telecine.probe(tmp_path / "own" / name).fps == 12
    assert encoding_threads() == []


def test_a_list_of_frames_has_all_since_the_last_call_or_reset(tmp_path: Path) -> None:
    env: Any = RecordVideo(RenderCollection(Counting()), str(tmp_path / "a"), lambda episode: True)
    plain: Any = RenderCollection(Counting())
    shown: list[list[int]] = []
    expected: list[list[int]] = []
    for each, found in ((env, shown), (plain, expected)):
        for _ in range(2):
            each.reset()
            each.step(0)
            found.append([int(frame[0, 0, 0]) for frame in each.render()])
            each.step(0)
            each.step(0)
            found.append([int(frame[0, 0, 0]) for frame in each.render()])
            each.step(0)
    env.close()
    assert shown == expected
    assert telecine.probe(tmp_path / "a" / "rl-video-episode-0.mp4").frame_count == 5


def test_a_frame_is_forgotten_once_it_is_written(tmp_path: Path) -> None:
    env = Counting(length=30)
    recorder = RecordVideo(env, str(tmp_path))
    recorder.reset()
    for _ in range(30):
        recorder.step(0)
        assert sum(each() is not None for each in env.rendered) <= 1
    recorder.close()
    assert telecine.probe(tmp_path / "rl-video-episode-0.mp4").frame_count == len(env.rendered) == 31


def test_a_real_environment(tmp_path: Path) -> None:
    pytest.importorskip("pygame")
    recorder = RecordVideo(gymnasium.make("CartPole-v1", render_mode="rgb_array"), str(tmp_path), fps=25, crf=1)
    twin = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    frames: list[Any] = []
    for env in (recorder, twin):
        env.reset(seed=3)
        for action in (0, 1, 1, 0, 1, 1, 1):
            env.step(action)
            if env is twin:
                frames.append(env.render())
        env.close()
    info = telecine.probe(tmp_path / "rl-video-episode-0.mp4")
    assert (info.width, info.height, info.frame_count) == (600, 400, 8)
    assert info.fps == 25
    found = list(telecine.read_frames(info.path))[1:]
    assert np.abs(np.stack(found).astype(int) - np.stack(frames)).mean() < 1


def test_the_pages_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    monkeypatch.chdir(tmp_path)
    for block in blocks_of(ROOT / "docs" / "gymnasium.md"):
        run_python(block, {})
    assert names_in(tmp_path / "videos") == ["rl-video-episode-0.mp4"]


def test_it_is_made_again_of_its_specification(tmp_path: Path) -> None:
    made = gymnasium.make("Counting-v0", render_mode="rgb_array", disable_env_checker=True)
    env = RecordVideo(made, str(tmp_path), name_prefix="a", fps=10, quality="draft", format="gif")
    env.close()
    assert env.spec is not None
    again = gymnasium.make(env.spec)
    assert isinstance(again, RecordVideo)
    again.reset()
    again.step(0)
    again.close()
    assert names_in(tmp_path) == ["a-episode-0.gif"]
    info = telecine.probe(tmp_path / "a-episode-0.gif")
    assert info.frame_count == 2
    assert info.fps == 10


def test_what_does_not_fit_is_refused_before_an_episode(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for said, mode, options in (
        ("quality='best'", "rgb_array", {"quality": "best"}),
        ("fps=0", "rgb_array", {"fps": 0}),
        ("crf=3 does not go with gif", "rgb_array", {"format": "gif", "crf": 3}),
        ("no name of a file", "rgb_array", {"name_prefix": "../a"}),
        ("render_mode=None gives no pictures", None, {}),
        ("render_mode='human'", "human", {}),
    ):
        with pytest.raises(OptionError, match=said):
            RecordVideo(Counting(mode), str(folder), **options)
        assert not folder.exists() or names_in(folder) == []
    with pytest.raises(TypeError, match=r"RecordVideo\(\) got an unexpected keyword argument 'lenght'"):
        RecordVideo(Counting(), str(folder), lenght=3)  # type: ignore[call-arg]


def test_a_recording_is_whole_or_not_there(tmp_path: Path) -> None:
    """A frame of another size ends it, and what it has is kept; the environment goes on."""
    env = Counting()
    recorder = RecordVideo(env, str(tmp_path), lambda episode: True, overwrite=False)
    recorder.reset()
    recorder.step(0)
    assert [name for name in names_in(tmp_path) if not name.startswith(".")] == []
    env.next = np.zeros((50, 64, 3), np.uint8)
    with pytest.raises(FrameError, match="2 of 2 frames are kept: telecine recover"):
        recorder.step(0)
    assert not recorder.recording
    assert telecine.recover(tmp_path / "rl-video-episode-0.mp4").frame_count == 2
    env.next = None
    recorder.reset()
    recorder.close()
    assert names_in(tmp_path) == ["rl-video-episode-0.mp4", "rl-video-episode-1.mp4"]
    with pytest.raises(TelecineError, match="there is no recording"):
        recorder.stop_recording()


def test_one_that_is_never_closed_is_told_of(tmp_path: Path) -> None:
    recorder = RecordVideo(Counting(), str(tmp_path))
    recorder.reset()
    with pytest.warns(TelecineWarning, match="was not closed"):
        del recorder
    assert telecine.recover(tmp_path / "rl-video-episode-0.mp4").frame_count == 1


@pytest.mark.filterwarnings("ignore:.*a recording of no frames was dropped")
def test_a_recording_without_a_frame_is_none(tmp_path: Path) -> None:
    recorder = RecordVideo(Counting(), str(tmp_path), lambda episode: False)
    recorder.start_recording("a")
    recorder.close()
    assert names_in(tmp_path) == []
    assert encoding_threads() == []
