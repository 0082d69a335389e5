"""The facts of a diffusers pipeline's call, under the names that files of any origin share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from ..errors import OptionError
from ..metadata.tags import Json, of_one
from ..support.rate import parse_fps
from .frame_rates import recommended_fps

_SOFTWARE = ("diffusers", "transformers", "torch")


def generation_metadata(pipe: object, **call: object) -> dict[str, Json]:
    """Give what a file should say of a pipeline's call, for `metadata=`: the facts below, as far as they are known.

    Args:
        pipe: The diffusers pipeline.
        call: The arguments that it is called with. Those that are not given have the pipeline's defaults. `fps` is the
            rate of the file, if it is not the model's.

    ===================  =============================================================================================
    `prompt`             text, or a list where there are several
    `negative_prompt`    the same
    `seed`               what the generator was seeded with, or a list
    `model`              what the pipeline was loaded from; of a path its last part
    `steps`              `num_inference_steps`
    `guidance_scale`     a number
    `fps`                frames per second, the model's own if nothing says another; a number, or text "24000/1001"
    `software`           telecine, diffusers, transformers and torch with their versions
    ===================  =============================================================================================

    Arguments that are no JSON, such as prompts as embeddings, are left out.

    >>> class Pipeline:
    ...     name_or_path = "zai-org/CogVideoX-2b"
    ...     def __call__(self, prompt, num_inference_steps=50, guidance_scale=6.0): ...
    >>> facts = generation_metadata(Pipeline(), prompt="a panda")
    >>> facts["prompt"], facts["model"], facts["steps"], facts["guidance_scale"]
    ('a panda', 'zai-org/CogVideoX-2b', 50, 6.0)

    Raises:
        OptionError: it is no pipeline, or the frame rate is none.
    """
    import inspect  # which takes as long to import as the rest of this package's writer

    if not callable(pipe) or isinstance(pipe, type):
        raise OptionError(f"{pipe!r} is no pipeline: give the one that is called")
    defaults = {
        each.name: each.default
        for each in inspect.signature(pipe).parameters.values()
        if each.default is not inspect.Parameter.empty
    }
    arguments = {**defaults, **call}
    facts = {
        "prompt": _texts(arguments.get("prompt")),
        "negative_prompt": _texts(arguments.get("negative_prompt")),
        "seed": _seeds(arguments.get("generator")),
        "model": _model(pipe),
        "steps": _number(arguments.get("num_inference_steps")),
        "guidance_scale": _number(arguments.get("guidance_scale")),
        "fps": _fps(pipe, arguments),
        "software": _software(),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _texts(value: object) -> Json:
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return value[0] if len(value) == 1 else list(value)
    return value if isinstance(value, str) else None


def _number(value: object) -> Json:
    number = of_one(value)
    return number if isinstance(number, (int, float)) and not isinstance(number, bool) else None


def _seeds(generator: object) -> Json:
    several = generator if isinstance(generator, Sequence) else [generator]
    seeds = [int(each.initial_seed()) for each in several if hasattr(each, "initial_seed")]
    if not seeds or len(seeds) < len(several):
        return None
    return seeds[0] if len(seeds) == 1 else seeds


def _model(pipe: object) -> str | None:
    parts = (pipe, getattr(pipe, "transformer", None), getattr(pipe, "unet", None))
    names = (getattr(part, "name_or_path", None) or _from_config(part) for part in parts)
    name = next((name for name in names if isinstance(name, str) and name), None)
    # Whose folders these are is no fact of the model.
    return os.path.basename(name.rstrip("/\\")) if name is not None and os.path.isabs(name) else name


def _from_config(part: object) -> object:
    config = getattr(part, "config", None)
    return config.get("_name_or_path") if isinstance(config, Mapping) else None


def _fps(pipe: object, arguments: Mapping[str, object]) -> Json:
    fps = next((arguments[name] for name in ("fps", "frame_rate") if arguments.get(name) is not None), None)
    try:
        rate = recommended_fps(pipe) if fps is None else parse_fps(fps)  # type: ignore[arg-type]
    except OptionError:
        if fps is None:
            return None
        raise
    return rate.numerator if rate.denominator == 1 else str(rate)


def _software() -> str:
    from importlib.metadata import version  # start-up: it takes longer than telecine itself

    loaded = [name for name in _SOFTWARE if name in sys.modules]
    return ", ".join(f"{name} {version(name)}" for name in ("telecine", *loaded))
