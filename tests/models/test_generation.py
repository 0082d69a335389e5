"""What a pipeline was called with is known, and goes into its file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

import telecine
from telecine import OptionError

from ..support.tiny_cogvideox import generate, tiny_pipeline

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")


def test_the_facts_of_a_pipelines_call_go_into_its_file(tmp_path: Path) -> None:
    pipe = tiny_pipeline("text")
    generator = torch.Generator().manual_seed(1234)
    call: dict[str, Any] = {"prompt": "a panda", "negative_prompt": ["blurry"], "num_inference_steps": 2}
    frames = generate(pipe, "np")
    torch.randn(3, generator=generator)  # the seed stays known
    facts = telecine.generation_metadata(pipe, **call, generator=generator)
    software = str(facts.pop("software"))
    assert facts == {
        "prompt": "a panda",
        "negative_prompt": "blurry",
        "seed": 1234,
        "steps": 2,
        "guidance_scale": 6,  # the pipeline's default
        "fps": 8,  # CogVideoX 1.0
    }
    assert f"torch {torch.__version__.split('+')[0]}" in software
    assert software.startswith("telecine ")
    path = tmp_path / "clip.mp4"
    telecine.export_video(frames, path, metadata={**facts, "generated": True})
    assert telecine.probe(path).metadata == {**facts, "generated": True}


def test_a_model_is_named_by_its_repository_and_not_by_whose_folder_it_is_in() -> None:
    pipe = tiny_pipeline("text")
    pipe.register_to_config(_name_or_path="zai-org/CogVideoX-2b")
    assert telecine.generation_metadata(pipe)["model"] == "zai-org/CogVideoX-2b"
    pipe.register_to_config(_name_or_path=os.path.abspath("models/CogVideoX-2b/"))
    assert telecine.generation_metadata(pipe)["model"] == "CogVideoX-2b"


def test_several_prompts_and_seeds_are_lists_and_what_is_no_json_is_left_out() -> None:
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    facts = telecine.generation_metadata(
        tiny_pipeline("text"), prompt=["a", "b"], generator=generators, prompt_embeds=torch.zeros(2), fps="23.976"
    )
    assert (facts["prompt"], facts["seed"], facts["fps"]) == (["a", "b"], [1, 2], "24000/1001")
    assert facts.keys() == {"prompt", "seed", "steps", "guidance_scale", "fps", "software"}


def test_what_is_no_pipeline_is_refused() -> None:
    with pytest.raises(OptionError, match="'zai-org/CogVideoX-2b' is no pipeline"):
        telecine.generation_metadata("zai-org/CogVideoX-2b")
