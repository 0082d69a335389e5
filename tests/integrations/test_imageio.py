"""imageio's functions with plugin="telecine": what they write and read is what telecine does."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import pytest
from imageio.config import known_plugins

import telecine
from telecine import FrameError, OptionError, TelecineWarning
from telecine.integrations.imageio import TelecinePlugin

from ..support.documents import blocks_of, run_python
from ..support.helpers import (
    ROOT,
    Asked,
    Clip,
    assert_frames,
    assert_kept,
    assert_untouched,
    encoding_threads,
    failing_at,
    greys,
)

iio: Any = imageio.v3  # whose types know its own plugins alone

CLIP = greys(7)
LOSSLESS = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")


@pytest.mark.parametrize("plugin", ["telecine", TelecinePlugin])
def test_a_file_is_the_one_that_telecine_exports(plugin: Any, path: Path) -> None:
    iio.imwrite(path, iter(CLIP), plugin=plugin, fps=23.976, metadata={"prompt": "a panda"})
    exported = telecine.export_bytes(CLIP, fps=23.976, metadata={"prompt": "a panda"})
    assert path.read_bytes() == exported
    assert iio.imwrite("<bytes>", CLIP, plugin=plugin, extension=".mp4", fps=24) == telecine.export_bytes(CLIP, fps=24)
    file = io.BytesIO()
    assert iio.imwrite(file, list(CLIP), plugin=plugin, extension=".gif") is None
    assert file.getvalue() == telecine.export_bytes(CLIP, format="gif")
    iio.imwrite(path.with_suffix(".bin"), CLIP, plugin=plugin, extension=".m4v", codec="h264")
    assert path.with_suffix(".bin").read_bytes() == telecine.export_bytes(CLIP)


@LOSSLESS
def test_the_pages_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks_of(ROOT / "docs" / "imageio.md"):
        names = run_python(block, {"frames": lambda: CLIP})
    assert names["mp4"] == (tmp_path / "clip.mp4").read_bytes() == telecine.export_bytes(CLIP, fps=16)
    assert telecine.probe(tmp_path / "clip.webm").frame_count == len(CLIP)


@pytest.mark.parametrize("given", [Path, str, Path.read_bytes, lambda path: io.BytesIO(path.read_bytes())])
def test_frames_are_read_by_the_videos_colour(given: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "a b %d ü.mp4"
    telecine.export_video(CLIP, path, metadata={"prompt": "a panda"}, fps=25)
    expected = np.stack(list(telecine.read_frames(path)))
    assert np.array_equal(iio.imread(given(path), plugin="telecine"), expected)
    assert np.array_equal(np.stack(list(iio.imiter(given(path), plugin="telecine"))), expected)
    assert np.array_equal(iio.imread(given(path), plugin="telecine", index=3), expected[3])
    assert iio.imread(given(path), plugin="telecine", alpha=True, index=0).shape == (48, 64, 4)
    floats = iio.imread(given(path), plugin="telecine", light="encoded")
    assert floats.dtype == np.float32
    assert np.abs(floats * 255 - expected).max() < 1
    properties = iio.improps(given(path), plugin="telecine")
    assert (properties.shape, properties.n_images, properties.is_batch) == ((7, 48, 64, 3), 7, True)
    assert properties.dtype == np.uint8
    one = iio.improps(given(path), plugin="telecine", index=6, alpha=True)
    assert (one.shape, one.n_images, one.is_batch) == ((48, 64, 4), None, False)
    facts = iio.immeta(given(path), plugin="telecine")
    assert {"prompt": "a panda", "codec": "h264", "fps": 25.0, "duration": 7 / 25}.items() <= facts.items()
    assert "rotation" not in facts
    assert iio.immeta(given(path), plugin="telecine", exclude_applied=False)["rotation"] == 0
    assert iio.immeta(given(path), plugin="telecine", index=5) == {"time": 0.2}


def test_frame_by_frame_it_is_one_video(path: Path) -> None:
    with iio.imopen(path, "w", plugin="telecine", fps=10) as file:
        for frame in CLIP[:3]:
            file.write(frame)
        file.write(CLIP[3:])
    assert path.read_bytes() == telecine.export_bytes(CLIP, fps=10)
    with iio.imopen(path, "w", plugin="telecine") as file:
        for frame in CLIP:
            file.write(frame, fps=12)
        with pytest.raises(OptionError, match="go with its first frames"):
            file.write(CLIP, fps=13)
    assert path.read_bytes() == telecine.export_bytes(CLIP, fps=12)
    plugin = iio.imopen(path, "w", plugin="telecine")
    plugin.write(CLIP)
    plugin.close()
    plugin.close()
    assert path.read_bytes() == telecine.export_bytes(CLIP)


@LOSSLESS
def test_one_in_an_archive(tmp_path: Path) -> None:
    place = tmp_path / "clips.zip" / "folder" / "a.mp4"
    iio.imwrite(place, CLIP, plugin="telecine", quality="lossless")
    assert np.array_equal(iio.imread(place, plugin="telecine"), CLIP)
    with pytest.raises(FrameError):
        iio.imwrite(tmp_path / "clips.zip" / "b.mp4", CLIP.astype(complex), plugin="telecine")
    with zipfile.ZipFile(tmp_path / "clips.zip") as archive:
        assert archive.namelist() == ["folder/a.mp4"]


def test_an_exception_leaves_the_path_as_it_was(path: Path) -> None:
    with pytest.raises(ValueError, match="the model failed") as caught:
        iio.imwrite(path, failing_at(4, CLIP, ValueError("the model failed")), plugin="telecine")
    assert_kept(path, caught.value)
    with pytest.raises(FrameError, match="no frames"):
        iio.imwrite(path, [], plugin="telecine")
    assert_untouched(path)
    with pytest.raises(ZeroDivisionError), iio.imopen(path, "w", plugin="telecine"):
        _ = 1 / 0
    assert_untouched(path)


def test_a_file_that_is_never_closed_is_told_of(path: Path) -> None:
    plugin = iio.imopen(path, "w", plugin="telecine")
    plugin.write(CLIP)
    with pytest.warns(TelecineWarning, match="was not closed"):
        del plugin
    assert_kept(path)


def test_what_does_not_fit_is_refused_before_a_frame_is_asked_for(path: Path) -> None:
    for error, said, options in (
        (OptionError, "fps=0", {"fps": 0}),
        (OptionError, "quality='best'", {"quality": "best"}),
        (TypeError, "unexpected keyword argument 'bitrte'", {"bitrte": 5}),
        (OSError, "can not handle the given uri", {"extension": ".png"}),
        (OSError, "can not handle the given uri", {"extension": ".xyz"}),
    ):
        asked = Asked(CLIP)
        with pytest.raises(error, match=said):
            iio.imwrite(path, asked, plugin="telecine", **options)
        assert asked.count == 0
        assert_untouched(path)
    with pytest.raises(OSError, match="can not handle the given uri"):
        iio.imwrite(io.BytesIO(), CLIP, plugin="telecine")
    with pytest.raises(OSError, match="can not handle the given uri") as caught:
        iio.imread(path, plugin="telecine")
    assert "can't be read as a video" in str(caught.value.__cause__)
    iio.imwrite(path, CLIP, plugin="telecine")
    for index in (-1, 7):
        for look in (iio.imread, iio.immeta, iio.improps):
            with pytest.raises(ValueError, match=f"index={index}: the video has frames 0 to 6"):
                look(path, plugin="telecine", index=index)
    assert encoding_threads() == []


def test_what_names_no_plugin_is_read_and_written_as_before(tmp_path: Path) -> None:
    """It comes last of all, and takes nothing that is not its own."""
    assert list(known_plugins)[-1] == "telecine"
    iio.imwrite(tmp_path / "a.png", CLIP[0])
    assert np.array_equal(iio.imread(tmp_path / "a.png"), CLIP[0])
    telecine.export_video(CLIP, tmp_path / "a.mp4")
    for mode in ("r", "w"):
        with iio.imopen(tmp_path / "a.mp4", mode) as file:
            assert not isinstance(file, TelecinePlugin)


def test_an_odd_size_and_one_frame(tmp_path: Path) -> None:
    odd: Clip = greys(3, 65, 49)
    iio.imwrite(tmp_path / "a.mp4", odd, plugin="telecine", crf=1)
    assert_frames(tmp_path / "a.mp4", odd)
    iio.imwrite(tmp_path / "b.webp", odd[0], plugin="telecine")
    assert iio.improps(tmp_path / "b.webp", plugin="telecine").shape == (1, 49, 65, 3)
