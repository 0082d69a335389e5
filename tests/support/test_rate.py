"""A frame rate is an exact fraction, from whatever it is given as to what is in the file."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import telecine
from telecine import OptionError
from telecine.support.pyav import exact

FRAMES = np.zeros((5, 32, 48, 3), np.uint8)
NTSC = {nominal: Fraction(nominal * 1000, 1001) for nominal in (24, 30, 60, 120)}

EXACT: list[tuple[Any, Fraction]] = [
    # whole numbers
    (16, Fraction(16)),
    (1, Fraction(1)),
    (240, Fraction(240)),
    (np.int64(24), Fraction(24)),
    (np.uint8(8), Fraction(8)),
    (16.0, Fraction(16)),
    ("16", Fraction(16)),
    (" 16 ", Fraction(16)),
    ("16.0", Fraction(16)),
    # fractions
    (Fraction(24000, 1001), NTSC[24]),
    ("24000/1001", NTSC[24]),
    (Fraction(1, 3), Fraction(1, 3)),
    ("2/6", Fraction(1, 3)),
    ("16384/3", Fraction(16384, 3)),
    ("999983/1009", Fraction(999983, 1009)),
    # the short names of the 1001 fractions
    (23.976, NTSC[24]),
    ("23.976", NTSC[24]),
    (29.97, NTSC[30]),
    ("29.97", NTSC[30]),
    (Decimal("29.97"), NTSC[30]),
    (np.float32(29.97), NTSC[30]),
    (np.float64(29.97), NTSC[30]),
    (59.94, NTSC[60]),
    ("59.94", NTSC[60]),
    (119.88, NTSC[120]),
    ("119.88", NTSC[120]),
    # and their long ones, as arithmetic gives them
    (24000 / 1001, NTSC[24]),
    (30000 / 1001, NTSC[30]),
    (60000 / 1001, NTSC[60]),
    (120000 / 1001, NTSC[120]),
    (24 / 1.001, NTSC[24]),
    (30 / 1.001, NTSC[30]),
    ("23.976023976023978", NTSC[24]),
    # but a fraction that says something else is believed
    (Fraction("29.97"), Fraction(2997, 100)),
    ("2997/100", Fraction(2997, 100)),
    # decimals
    (12.5, Fraction(25, 2)),
    (0.1, Fraction(1, 10)),
    (np.float32(0.1), Fraction(1, 10)),
    (np.float16(0.5), Fraction(1, 2)),
    ("0.1", Fraction(1, 10)),
    (Decimal("0.1"), Fraction(1, 10)),
    (1 / 3, Fraction(1, 3)),
    (1 / 7, Fraction(1, 7)),
    (7.3, Fraction(73, 10)),
    (15.015, Fraction(15015, 1000)),
    (23.98, Fraction(2398, 100)),
    (3.14159265, Fraction(314159265, 10**8)),
    # the ends of what a file can count
    (10**6, Fraction(10**6)),
    (2**31 - 1, Fraction(2**31 - 1)),
    ("2147483647/2", Fraction(2**31 - 1, 2)),
    (1e-4, Fraction(1, 10**4)),
    (Fraction(1, 60_000), Fraction(1, 60_000)),  # the clock's ticks and B-frames together must fit 32 bits
    (Fraction(1, 10**6), Fraction(1, 10**6)),
    (Fraction(1, 2**26), Fraction(1, 2**26)),
]


@pytest.mark.parametrize(("fps", "rate"), EXACT, ids=[f"{type(fps).__name__} {fps}" for fps, _ in EXACT])
def test_the_file_holds_the_rate_exactly(tmp_path: Path, fps: Any, rate: Fraction) -> None:
    video = telecine.export_video(FRAMES, tmp_path / "clip.mp4", fps=fps)
    for facts in (video, telecine.probe(video)):
        assert isinstance(facts.fps, Fraction)
        assert facts.fps == rate
        assert isinstance(facts.duration, Fraction)
        assert facts.duration * facts.fps == facts.frame_count == len(FRAMES)
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        tick = exact(stream.time_base)
        assert tick is not None
        assert [(frame.pts or 0) * tick * rate for frame in container.decode(stream)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 2, 49])
@pytest.mark.parametrize("fps", [8, 29.97, 24000 / 1001, 12.5, 0.1, Fraction(10**7 + 7, 10**7)])
def test_the_duration_is_exact_for_every_number_of_frames(tmp_path: Path, fps: float | Fraction, count: int) -> None:
    video = telecine.export_video(np.zeros((count, 16, 16, 3), np.uint8), tmp_path / "clip.mp4", fps=fps)
    info = telecine.probe(video)
    assert (info.fps, info.frame_count) == (video.fps, count)
    assert info.duration == Fraction(count) / video.fps


def test_without_a_rate_it_is_16(tmp_path: Path) -> None:
    assert telecine.export_video(FRAMES, tmp_path / "clip.mp4").fps == 16


@pytest.mark.parametrize("fps", ["2147483648/3", Fraction(1, 2**29 + 1), 1e10, 1e-10])
def test_a_rate_that_a_file_can_not_count_is_refused(tmp_path: Path, fps: Any) -> None:
    with pytest.raises(OptionError, match="which an MP4's clock can't count: use a simpler"):
        telecine.export_video(FRAMES, tmp_path / "clip.mp4", fps=fps)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", ["1e5000", "1e-5000", Decimal("NaN"), Decimal("1e99999"), "inf", "1" * 9999])
def test_a_rate_beyond_every_number_is_refused_at_once(tmp_path: Path, fps: Any) -> None:
    with pytest.raises(OptionError, match=r"^fps="):
        telecine.export_video(FRAMES, tmp_path / "clip.mp4", fps=fps)
