"""Light as the native module encodes it, against the formulas of BT.2100."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from telecine.color.bt2100 import SYSTEMS
from telecine.color.hdr import LightMeter
from telecine.frames.recognise import Recognizer
from telecine.planes.device import DeviceChunk
from telecine.planes.frame import Frame
from telecine.planes.light import Light, Signal, parse_light

from ..support.bt2100 import SIGNALS, TO_BT2020, WHITE, hlg_ootf, pq, pq_ootf
from ..support.pixels import DTYPES
from ..support.reference import Real

PQ, HLG = SYSTEMS["pq"], SYSTEMS["hlg"]

NEAR = 1e-6  # of the signal: 0.0009 of a code in 10 bit

# ---- the native module -----------------------------------------------------------------------------------------------


def signal_of(frame: Any, light: Light, layout: str = "HWC", low: float = 0, high: float = 1) -> Signal:
    (recognized,) = Recognizer(layout).frames(frame)
    return light.encode(recognized, low, high, (1, 1, 1))


def encoded(frame: Any, light: Light, layout: str = "HWC", low: float = 0, high: float = 1) -> tuple[Real, bool]:
    signal = signal_of(frame, light, layout, low, high)
    return signal.pixels.astype(np.float64), signal.composited


def levels(height: int, width: int, channels: int = 3, stops: float = 40) -> Real:
    """Random light, of all of a system's signal and some beyond."""
    rng = np.random.default_rng(width)
    found: Real = 60 * 2 ** (-stops * rng.random((height, width, channels)))
    return found


def light_of(color: str, light: str, primaries: str | None = None) -> Light:
    found = parse_light(color, light, primaries)
    assert found is not None
    return found


@pytest.mark.parametrize("dtype", [name for name in DTYPES if "float" in name])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 511), (3, 1025)])
@pytest.mark.parametrize(("color", "light"), SIGNALS)
def test_the_signal_is_that_of_the_formulas(color: str, light: str, height: int, width: int, dtype: str) -> None:
    frame = torch.tensor(levels(height, width)).to(getattr(torch, dtype))
    signal, composited = encoded(frame, light_of(color, light, "bt2020"))
    expected = SIGNALS[color, light](np.maximum(frame.double().numpy(), 1e-15))
    assert np.abs(signal - np.minimum(expected, 1)).max() < NEAR
    assert not composited


@pytest.mark.parametrize(("color", "light"), SIGNALS)
def test_light_where_two_curves_meet_is_on_the_right_one(color: str, light: str) -> None:
    """BT.709's curve has a small step at 0.0003024, HLG's a change of slope at 1 / 12."""
    corner = {"pq": 0.0003024, "hlg": 1 / 12}[color] / WHITE[color]
    if light == "display-linear":
        corner = {"pq": 1.0, "hlg": (1 / 12) ** 1.2 * 1000 / 203}[color]
    grey = corner * (1 + np.linspace(-1e-3, 1e-3, 100))  # none of them within float32 of the step
    frame = np.repeat(grey[None, :, None], 3, axis=2)
    signal, _ = encoded(frame, light_of(color, light, "bt2020"))
    assert np.abs(signal - SIGNALS[color, light](frame)).max() < NEAR


def test_layouts_and_ranges_and_grey() -> None:
    rgb = levels(6, 520, stops=4)
    light = light_of("pq", "display-linear", "p3-d65")
    expected = np.minimum(SIGNALS["pq", "display-linear"](np.maximum(rgb @ TO_BT2020["p3-d65"].T, 1e-15)), 1)
    for frame, layout in ((rgb, "HWC"), (rgb.transpose(2, 0, 1).copy(), "CHW"), (rgb[:, ::-1].copy()[:, ::-1], "HWC")):
        assert np.abs(encoded(frame, light, layout)[0] - expected).max() < 2e-5  # of five digits in the matrix
    assert np.abs(encoded(2 * rgb - 1, light, low=-1, high=1)[0] - expected).max() < 2e-5
    grey = rgb[:, :, :1]
    assert np.abs(encoded(grey, light)[0] - pq(203 * grey)).max() < NEAR


@pytest.mark.parametrize("light", ["scene-linear", "display-linear", "encoded"])
@pytest.mark.parametrize("color", ["pq", "hlg"])
def test_alpha_is_mixed_before_the_curve_or_with_the_signal(color: str, light: str) -> None:
    rgba = np.random.default_rng(5).random((5, 600, 4))
    signal, composited = encoded(rgba.astype(np.float32), light_of(color, light, "bt2020"))
    rgb, alpha = rgba[:, :, :3], rgba[:, :, 3:]
    white = float(SIGNALS[color, "scene-linear"](np.ones(1))[0]) if light == "encoded" else 1.0
    mixed = white + alpha * (rgb - white)
    expected = mixed if light == "encoded" else SIGNALS[color, light](mixed)
    assert np.abs(signal - expected).max() < 2e-6
    assert composited


@pytest.mark.parametrize("light", ["scene-linear", "display-linear", "encoded"])
@pytest.mark.parametrize("color", ["pq", "hlg"])
def test_levels_are_of_the_light_on_the_display(color: str, light: str) -> None:
    """CTA-861.3 annex A: the largest of a pixel's channels; the mean of the frame that has the largest mean."""
    frames = [levels(40, 70, stops=6) / scale for scale in (15, 60, 20)]
    meter = LightMeter()
    shown = []
    for frame in frames:
        if light == "encoded":
            frame = np.minimum(frame / 4, 1)
            inverse = PQ.eotf if color == "pq" else HLG.eotf  # held against the recommendations' points above
            shown.append(inverse(frame).max(axis=2))
        elif light == "display-linear":
            shown.append((203 * frame).max(axis=2))
        else:
            scene = WHITE[color] * frame
            shown.append((pq_ootf(scene) if color == "pq" else hlg_ootf(scene)).max(axis=2))
        meter.add(signal_of(frame.astype(np.float32), light_of(color, light, "bt2020")).light)
    peak = {"pq": 10000, "hlg": 1000}[color]
    found = meter.content_light
    assert found.max_cll == pytest.approx(min(peak, max(each.max() for each in shown)), abs=0.51)
    assert found.max_fall == pytest.approx(max(np.minimum(each, peak).mean() for each in shown), abs=0.51)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_light_of_a_tensor_on_an_accelerator_is_encoded_on_the_host(dtype: str) -> None:
    chunk = torch.tensor(levels(20, 30, stops=8))[None].to(getattr(torch, dtype))
    (pixels,) = DeviceChunk(chunk)
    light = light_of("hlg", "scene-linear")
    there = light.encode(Frame(pixels, dtype, "array", 0), 0, 1, (0, 0, 0))
    assert np.array_equal(there.pixels, encoded(chunk[0], light)[0])


def test_a_value_that_is_not_finite_is_never_lost() -> None:
    for value in (np.nan, np.inf, -np.inf):
        for channel in range(4):
            frame = np.full((3, 600, 4), 0.5)
            frame[1, 599, channel] = value
            for light in ("scene-linear", "encoded"):
                assert not np.isfinite(signal_of(frame, light_of("hlg", light)).deviation)
