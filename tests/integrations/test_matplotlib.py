"""Matplotlib's animations, saved by `TelecineWriter`: the file's frames are the figure's pixels."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.animation import FuncAnimation, PillowWriter, writers
from matplotlib.figure import Figure
from PIL import Image, ImageSequence

import telecine
from telecine import FrameError, OptionError
from telecine.integrations.matplotlib import TelecineWriter

from ..support.documents import blocks_of, run_python
from ..support.helpers import ROOT, Clip, assert_kept, assert_untouched, names_in

LOSSLESS = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")


class Drawing:
    """A figure of 65x49 pixels and its animation, which counts how often it is drawn."""

    def __init__(self, count: int = 5, interval: float = 40, fails_at: int | None = None) -> None:
        self.drawn = 0
        self.figure = Figure(figsize=(0.65, 0.49), dpi=100)
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._fails_at = fails_at
        self.animation = FuncAnimation(self.figure, self.draw, frames=count, interval=interval, init_func=list)

    def draw(self, index: int) -> list[Any]:
        if index == self._fails_at:
            raise RuntimeError("the model failed")
        self.drawn += 1
        self._axes.clear()
        self._axes.set_axis_off()
        return [self._axes.bar([0, 1, 2], [index + 1, 5 - index, 3], color=["#d04010", "#1040d0", "#10a040"])]

    def pixels(self, count: int = 5, **savefig: Any) -> Clip:
        """Draw frame by frame into PNG, which Pillow reads: (T, H, W, 4)."""
        found = []
        for index in range(count):
            self.draw(index)
            file = io.BytesIO()
            self.figure.savefig(file, format="png", **savefig)
            found.append(np.asarray(Image.open(file).convert("RGBA")))
        return np.stack(found)


@LOSSLESS
def test_the_frames_are_the_figures_pixels_bit_by_bit(tmp_path: Path) -> None:
    drawing, path = Drawing(), tmp_path / "a b %d ü.mp4"
    drawing.animation.save(path, writer=(writer := TelecineWriter(fps=25, quality="lossless")), dpi=200)
    given = drawing.pixels(dpi=200)[..., :3]
    assert given.shape == (5, 98, 130, 3)
    assert np.array_equal(np.stack(list(telecine.read_frames(path))), given)
    assert writer.video == telecine.export_video(given, path, fps=25, quality="lossless")


def test_by_its_name_it_has_the_animations_rate_and_plays_everywhere(tmp_path: Path) -> None:
    """An odd size is padded by the last row and column, as of any frames."""
    drawing, path = Drawing(interval=1001 / 24), tmp_path / "a.mp4"
    drawing.animation.save(path, writer="telecine", metadata={"title": "bars", "seed": "7"}, bitrate=800, codec="h264")
    info = telecine.probe(path)
    assert (info.fps, info.frame_count, info.width, info.height) == (Fraction(24000, 1001), 5, 66, 50)
    assert (info.codec, info.pixel_format, info.index_in_front) == ("h264", "yuv420p", True)
    assert {"title": "bars", "seed": "7"}.items() <= info.metadata.items()
    shown = telecine.export_bytes(drawing.pixels()[..., :3], fps="24000/1001", bitrate=800_000, metadata=info.metadata)
    assert list(map(np.ndarray.tobytes, telecine.read_frames(path))) == [
        each.tobytes() for each in telecine.read_frames(io.BytesIO(shown))
    ]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.apng", "a.avif"])
def test_images_that_move_keep_what_is_transparent(name: str, tmp_path: Path) -> None:
    drawing, path = Drawing(), tmp_path / name
    drawing.animation.save(path, writer="telecine", savefig_kwargs={"transparent": True})
    given = drawing.pixels(transparent=True)
    with Image.open(path) as image:
        found = np.stack([np.asarray(each.convert("RGBA")) for each in ImageSequence.Iterator(image)])
    assert found.shape == given.shape == (5, 49, 65, 4)
    is_clear, is_solid = given[..., 3] == 0, given[..., 3] == 255
    assert is_clear.any()
    assert found[is_clear][:, 3].mean() < 3  # AVIF's is not lossless
    assert found[is_solid][:, 3].mean() > 252


@LOSSLESS
@pytest.mark.parametrize("pixel_format", ["bgra", None])
def test_a_video_is_on_white_unless_its_pixels_have_alpha(pixel_format: Any, tmp_path: Path) -> None:
    drawing, path = Drawing(), tmp_path / "a.mkv"
    writer = TelecineWriter(codec="ffv1", pixel_format=pixel_format)
    drawing.animation.save(path, writer=writer, savefig_kwargs={"transparent": True})
    given = drawing.pixels(transparent=bool(pixel_format))
    assert np.array_equal(np.stack(list(telecine.read_frames(path, alpha=True))), given)
    assert (given[0, 0, 0] == (255, 255, 255, 0 if pixel_format else 255)).all()


@LOSSLESS
def test_savefigs_arguments_are_those_of_each_frame(tmp_path: Path) -> None:
    drawing, path = Drawing(), tmp_path / "a.mp4"
    drawing.animation.save(path, TelecineWriter(quality="lossless"), savefig_kwargs={"facecolor": "#20408080"})
    given = drawing.pixels(facecolor=(0.5 + 0x20 / 510, 0.5 + 0x40 / 510, 0.5 + 0x80 / 510))[..., :3].astype(int)
    assert np.abs(np.stack(list(telecine.read_frames(path))) - given).max() <= 1  # half transparent on white
    assert tuple(given[0, 0, 0]) == (144, 160, 192)


def test_without_an_animation_it_saves_what_is_grabbed(tmp_path: Path) -> None:
    """Of a size that stays, whatever happens to the figure and Matplotlib's settings; a second time too."""
    drawing, writer = Drawing(), TelecineWriter(10)
    for path in (tmp_path / "new" / "a.mp4", tmp_path / "b.mp4"):
        with mpl.rc_context({"savefig.bbox": "tight"}), writer.saving(drawing.figure, path, 100):
            for index in range(3):
                drawing.draw(index)
                writer.grab_frame()
                drawing.figure.set_size_inches(1 + index, 2)
        assert (writer.video.width, writer.video.height, writer.video.frame_count) == (66, 50, 3)
        assert writer.video.fps == 10
        drawing.figure.set_size_inches(0.65, 0.49)
    with TelecineWriter(format="mp4").saving(drawing.figure, file := io.BytesIO(), None) as other:
        other.grab_frame()
    assert telecine.probe(file).frame_count == 1


def test_an_animation_that_fails_leaves_the_path_as_it_was(path: Path) -> None:
    drawing = Drawing(fails_at=3)
    with pytest.raises(RuntimeError, match="the model failed") as caught:
        drawing.animation.save(path, writer="telecine")
    assert_kept(path, caught.value)
    with pytest.raises(FrameError, match="no frames"):
        Drawing(count=0).animation.save(path, writer="telecine")
    assert_untouched(path)


def test_what_does_not_fit_is_refused_before_a_frame_is_drawn(path: Path) -> None:
    drawing = Drawing()
    save: Callable[..., None] = drawing.animation.save
    for said, options in (
        ("extra_args= are for the ffmpeg program: use encoder_options", {"extra_args": ["-crf", "18"]}),
        ("codec='mpeg4' is not known", {"codec": "mpeg4"}),
        ("fps=0", {"fps": 0}),
        ("bitrate=-5000", {"bitrate": -5}),
        ("savefig's format= is not accepted", {"savefig_kwargs": {"format": "png"}}),
        ("savefig's dpi= is not accepted", {"savefig_kwargs": {"dpi": 50}}),
    ):
        with pytest.raises(OptionError, match=said):
            save(path, writer="telecine", **options)
        assert_untouched(path)
    drawing.drawn = 0
    with pytest.raises(OptionError, match=r"the extension '\.xyz'"):
        save(path.with_suffix(".xyz"), writer="telecine")
    with pytest.raises(TypeError, match=r"TelecineWriter\(\) got an unexpected keyword argument 'qualty'"):
        TelecineWriter(qualty="high")  # type: ignore[call-arg]
    assert drawing.drawn == 0
    assert names_in(path.parent) == [path.name]


def test_a_notebook_shows_it_in_a_page(tmp_path: Path) -> None:
    drawing = Drawing()
    with mpl.rc_context({"animation.writer": "telecine"}):
        page = drawing.animation.to_html5_video()
    data = re.search(r"base64,([^\"]+)\"", page)
    assert data is not None
    info = telecine.probe(io.BytesIO(base64.b64decode(data[1])))
    assert (info.codec, info.pixel_format, info.frame_count) == ("h264", "yuv420p", 5)
    assert info.fps == 25
    assert 'width="65" height="49"' in page


@LOSSLESS
def test_the_pages_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawing = Drawing(count=48)
    file: Any = io.BytesIO()
    drawing.animation.save(file, TelecineWriter(format="gif"))  # or Matplotlib warns that nothing was drawn
    inputs = {"animation": drawing.animation, "draw": lambda index: drawing.draw(index % 5), "figure": drawing.figure}
    for block in blocks_of(ROOT / "docs" / "matplotlib.md"):
        run_python(block, {name: partial(lambda value: value, value) for name, value in inputs.items()})
    assert names_in(tmp_path) == ["by-hand.mp4", "waves.gif", "waves.mov", "waves.mp4"]
    assert {telecine.probe(path).frame_count for path in tmp_path.iterdir()} == {48}


def test_matplotlibs_own_writers_stay_what_they_were() -> None:
    assert writers["telecine"] is TelecineWriter
    assert writers["pillow"] is PillowWriter
    assert mpl.rcParamsDefault["animation.writer"] == "ffmpeg"
