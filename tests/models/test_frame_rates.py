"""A pipeline's name or configuration tells its frame rate."""

from __future__ import annotations

import inspect
import re
from fractions import Fraction
from typing import Any

import pytest
import torch

import telecine
from telecine import OptionError
from telecine.models.frame_rates import FRAME_RATES

from ..support.helpers import ROOT
from ..support.tiny_cogvideox import PIPELINES, diffusers, tiny_pipeline

# What the documentation says, with where it is from: whoever changes a rate looks it up there again.
ROWS = re.findall(
    r"^([a-z][\w.-]+(?:, [\w.-]+)*) +(\d+)  \S", inspect.getdoc(telecine.recommended_fps) or "", re.MULTILINE
)
NAMES = {name: int(fps) for names, fps in ROWS for name in names.split(", ")}

FAMILIES = {
    "WanPipeline": 16,
    "WanImageToVideoPipeline": 16,
    "WanVideoToVideoPipeline": 16,
    "WanVACEPipeline": 16,
    "WanAnimatePipeline": 30,
    "HunyuanVideoPipeline": 24,
    "HunyuanVideoImageToVideoPipeline": 24,
    "LTXPipeline": 25,
    "LTXImageToVideoPipeline": 25,
    "LTXConditionPipeline": 25,
    "LTX2Pipeline": 24,
    "LTX2ImageToVideoPipeline": 24,
    "MochiPipeline": 30,
    "StableVideoDiffusionPipeline": 7,
    "AnimateDiffPipeline": 8,
    "AnimateDiffSDXLPipeline": 8,
    "AnimateDiffVideoToVideoPipeline": 8,
    "AllegroPipeline": 15,
    "Cosmos2VideoToWorldPipeline": 16,
    "EasyAnimatePipeline": 8,
    "EasyAnimateInpaintPipeline": 8,
}


# The guide's rows: the rate, the names, the pipelines that have it without a look at their configuration.
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
GUIDE = [
    (int(fps), re.findall(r'`"([\w.-]+)"`', names), [] if "CogVideoX" in model else re.findall(r"`(\w+)`", pipelines))
    for model, fps, names, pipelines in re.findall(r"^\| ([^|]+) \| (\d+) \| ([^|]+) \|([^|]*)\|", PAGE, re.MULTILINE)
]


def without_components(kind: Any, **given: Any) -> Any:
    """A real pipeline of diffusers whose required components are all None but those given."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return kind(**{each.name: None for each in parameters if each.default is each.empty} | given)


def pipeline_class(name: str) -> Any:
    if not hasattr(diffusers, name):
        pytest.skip(f"diffusers {diffusers.__version__} has no {name}")
    return getattr(diffusers, name)


@pytest.mark.parametrize(("name", "fps"), NAMES.items())
def test_a_name_has_its_rate_as_a_fraction(name: str, fps: int) -> None:
    rate = telecine.recommended_fps(name)
    assert isinstance(rate, Fraction)
    assert rate == fps


def test_the_documentation_lists_every_name() -> None:
    assert list(NAMES) == list(FRAME_RATES)


def test_the_guide_lists_every_name_with_its_rate() -> None:
    assert {name: fps for fps, names, _ in GUIDE for name in names} == FRAME_RATES


def test_the_guide_lists_every_family_with_its_rate() -> None:
    known = {**FAMILIES, "ConsisIDPipeline": 8, "HunyuanVideoFramepackPipeline": 30}
    assert {name: fps for fps, _, pipelines in GUIDE for name in pipelines if name.endswith("Pipeline")} == known


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.parametrize(("version", "fps"), [("1.0", 8), ("1.5", 16)])
def test_cogvideox_1_0_and_1_5_are_told_apart_by_their_config(kind: str, version: str, fps: int) -> None:
    pipe = tiny_pipeline(kind, version)
    assert pipe.transformer.config.patch_size_t == {"1.0": None, "1.5": 2}[version]
    assert telecine.recommended_fps(pipe) == fps


@pytest.mark.parametrize(("name", "fps"), FAMILIES.items())
def test_a_pipeline_has_the_rate_of_its_family(name: str, fps: int) -> None:
    # Without its own checker, Cosmos asks for a package.
    given = {"safety_checker": torch.nn.Identity()} if name.startswith("Cosmos") else {}
    assert telecine.recommended_fps(without_components(pipeline_class(name), **given)) == fps


def test_wan_2_2_of_5b_is_told_apart_by_its_config() -> None:
    assert telecine.recommended_fps(without_components(diffusers.WanPipeline, expand_timesteps=True)) == 24


@pytest.mark.parametrize(("version", "fps"), [("1.0", 8), ("1.5", 16)])
def test_a_control_pipeline_of_cogvideox_is_told_apart_too(version: str, fps: int) -> None:
    pipe = pipeline_class("CogVideoXFunControlPipeline")(**tiny_pipeline("text", version).components)
    assert telecine.recommended_fps(pipe) == fps


def test_framepack_has_its_own_rate() -> None:
    # lllyasviel/FramePack demo_gradio.py, `save_bcthw_as_mp4(..., fps=30)`, and diffusers' example
    assert telecine.recommended_fps(without_components(pipeline_class("HunyuanVideoFramepackPipeline"))) == 30


def test_a_pipeline_that_only_shares_a_mixin_with_a_family_is_not_of_it() -> None:
    with pytest.raises(OptionError, match="LucyEditPipeline"):  # its clips are of 24 fps, Wan's of 16
        telecine.recommended_fps(without_components(pipeline_class("LucyEditPipeline")))


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_a_subclass_has_the_rate_of_its_parent(version: str) -> None:
    class MyPipeline(diffusers.CogVideoXPipeline):  # type: ignore[misc]
        pass

    pipe = MyPipeline(**tiny_pipeline("text", version).components)
    assert telecine.recommended_fps(pipe) == NAMES[f"cogvideox-{version}"]


@pytest.mark.parametrize(
    ("unknown", "called"),
    [
        ("sora", "'sora'"),
        ("CogVideoX-1.5", "'CogVideoX-1.5'"),
        ("", "''"),
        (object(), "'object'"),
        (None, "'NoneType'"),
    ],
)
def test_what_is_not_known_is_refused_with_the_names_that_are(unknown: object, called: str) -> None:
    with pytest.raises(OptionError) as raised:
        telecine.recommended_fps(unknown)
    assert called in str(raised.value)
    assert "pass fps=" in str(raised.value)
    for name in NAMES:
        assert name in str(raised.value)


def test_a_pipeline_of_images_has_no_rate() -> None:
    pipe = without_components(diffusers.HunyuanDiTPipeline)
    with pytest.raises(OptionError, match="no frame rate is known for 'HunyuanDiTPipeline'"):
        telecine.recommended_fps(pipe)
