"""How near clips are to others, frame by frame: which frames are, and what is said of the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import telecine
from telecine.frames.recognise import Recognizer
from telecine.look.measure import Curve, Side, measure
from telecine.planes.frame import Frame
from telecine.read.fidelity import Fidelity
from telecine.read.frames import decoded_frames

from ..support.helpers import Clip, waves

FPS = Fraction(16)
FRAMES = np.round(255 * waves(6, 48, 64)).astype(np.uint8)


def sides(frames: Clip) -> Iterator[Frame]:
    return Recognizer("THWC", "RGB").frames(frames)


def test_each_clip_is_measured_against_the_reference(tmp_path: Path) -> None:
    coarse, fine = (telecine.export_video(FRAMES, tmp_path / f"{crf}.mp4", crf=crf).path for crf in (40, 15))
    clips: dict[str, Iterator[Side]] = {
        "A": decoded_frames(coarse),
        "B": decoded_frames(fine),
        "the reference": sides(FRAMES),
    }
    found = measure(clips, [("A", "the reference"), ("B", "the reference")], FPS)
    assert [(curve.name, len(curve.frames)) for curve in found.curves] == [("A", 6), ("B", 6)]
    assert found.note == ""
    for metric in ("psnr", "ssim", "xpsnr"):
        one, other = (getattr(curve.whole, metric) for curve in found.curves)
        assert one < other
    assert found.curves[0].whole.psnr == pytest.approx(telecine.verify(coarse, FRAMES).psnr, abs=0.01)


def test_all_frames_together_are_the_mean_error() -> None:
    curve = Curve("A", [Fidelity(0, 1, math.inf), Fidelity(2, 0.9, 40)])
    assert curve.whole.mean_squared_error == 1
    assert curve.whole.ssim == pytest.approx(0.95)
    assert curve.whole.xpsnr == pytest.approx(40 + 20 * math.log10(2))  # of the root, which is halved
    assert Curve("A", [Fidelity(0, 1, math.inf)]).whole.xpsnr == math.inf


@pytest.mark.parametrize(
    ("second", "count", "note"),
    [
        (FRAMES[:4], 4, "Measured are the first 4 frames: B ends there"),
        (FRAMES[:, :40], 0, "There is no curve: B is 64x40, A 64x48"),
        (FRAMES[:, :47, :63], 6, ""),  # an odd side grows
    ],
)
def test_what_has_no_partner_is_not_measured(second: Clip, count: int, note: str) -> None:
    found = measure({"A": sides(FRAMES), "B": sides(second)}, [("B", "A")], FPS)
    assert ([len(curve.frames) for curve in found.curves], found.note) == ([count], note)


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
def test_an_hdr_clip_is_not_measured_against_another(tmp_path: Path) -> None:
    frames = (FRAMES / 510).astype(np.float32)
    options = {"codec": "hevc", "bit_depth": 10, "light": "encoded"}
    video = telecine.export_video(frames, tmp_path / "a.mp4", color="pq", **options).path  # type: ignore[arg-type]
    found = measure({"A": decoded_frames(video), "B": sides(FRAMES)}, [("B", "A")], FPS)
    assert found.note == "There is no curve: B is SDR, A PQ"
    same = measure({"A": decoded_frames(video), "B": decoded_frames(video)}, [("B", "A")], FPS)
    assert same.curves[0].whole.psnr == math.inf
