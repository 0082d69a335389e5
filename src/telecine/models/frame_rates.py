"""The frame rates that models were trained for, by name and by diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..errors import OptionError

FRAME_RATES = {
    "cogvideox-1.0": 8,
    "cogvideox-1.5": 16,
    "cogvideox-diffusers": 16,
    "cogvideox-sat": 8,
    "consisid": 8,
    "wan-2.1": 16,
    "wan-2.2": 16,
    "wan-2.2-ti2v-5b": 24,
    "wan-animate": 30,
    "hunyuanvideo": 24,
    "framepack": 30,
    "ltx-video": 25,
    "ltx-2": 24,
    "mochi": 30,
    "stable-video-diffusion": 7,
    "animatediff": 8,
    "allegro": 15,
    "cosmos-predict2": 16,
    "easyanimate-5": 8,
}


def _cogvideox(pipe: object) -> str:
    transformer = getattr(pipe, "transformer", None)
    if transformer is None:
        raise OptionError(f"a {type(pipe).__name__} without its transformer can be CogVideoX 1.0 or 1.5: pass fps=")
    # 1.5 packs two latent frames into a patch; 1.0 has no such setting (diffusers, cogvideox_transformer_3d.py).
    return "cogvideox-1.0" if _config(transformer, "patch_size_t") is None else "cogvideox-1.5"


def _wan(pipe: object) -> str:
    return "wan-2.2-ti2v-5b" if _config(pipe, "expand_timesteps") else "wan-2.2"


# By the beginning of a pipeline's class name; the first that fits.
_PIPELINES: tuple[tuple[str, Callable[[object], str]], ...] = (
    ("CogVideoX", _cogvideox),
    ("WanAnimate", lambda pipe: "wan-animate"),
    ("Wan", _wan),
    ("ConsisID", lambda pipe: "consisid"),
    ("HunyuanVideoFramepack", lambda pipe: "framepack"),
    ("HunyuanVideo", lambda pipe: "hunyuanvideo"),
    ("LTX2", lambda pipe: "ltx-2"),
    ("LTX", lambda pipe: "ltx-video"),
    ("Mochi", lambda pipe: "mochi"),
    ("StableVideoDiffusion", lambda pipe: "stable-video-diffusion"),
    ("AnimateDiff", lambda pipe: "animatediff"),
    ("Allegro", lambda pipe: "allegro"),
    ("Cosmos2", lambda pipe: "cosmos-predict2"),
    ("EasyAnimate", lambda pipe: "easyanimate-5"),
)


def recommended_fps(pipe_or_name: object) -> Fraction:
    """Give the frame rate that a model's clips are meant to play at.

    Args:
        pipe_or_name: One of the names below, or a diffusers pipeline. CogVideoX 1.0 and 1.5 share their pipelines and
            are told apart by `transformer.config.patch_size_t`, Wan 2.2 TI2V-5B by `config.expand_timesteps`.

    ======================  ===  ====================================================================================
    name                    fps  source
    ======================  ===  ====================================================================================
    cogvideox-1.0             8  zai-org/CogVideo inference/cli_demo.py ("49 frames for 6 seconds at 8 fps")
    cogvideox-1.5            16  the same ("81 or 161 frames … at 16 fps")
    cogvideox-diffusers      16  the same, `--fps` default
    cogvideox-sat             8  zai-org/CogVideo sat/arguments.py, `--sampling-fps` default
    consisid                  8  diffusers pipeline_consisid.py, its example
    wan-2.1, wan-2.2         16  Wan-Video/Wan2.2 wan/configs/shared_config.py, `sample_fps`
    wan-2.2-ti2v-5b          24  Wan-Video/Wan2.2 wan/configs/wan_ti2v_5B.py, `sample_fps`
    wan-animate              30  Wan-Video/Wan2.2 wan/configs/wan_animate_14B.py, `sample_fps`
    hunyuanvideo             24  Tencent-Hunyuan/HunyuanVideo sample_video.py (diffusers' example has 15)
    framepack                30  diffusers pipeline_hunyuan_video_framepack.py, its example
    ltx-video                25  diffusers pipeline_ltx.py, `frame_rate` default: what the model is told, so pass yours
    ltx-2                    24  Lightricks/LTX-2 ltx_pipelines/utils/constants.py, `frame_rate`
    mochi                    30  genmoai/mochi src/genmo/lib/utils.py, `save_video`
    stable-video-diffusion    7  diffusers pipeline_stable_video_diffusion.py, `fps` default: what the model is told
    animatediff               8  guoyww/AnimateDiff animatediff/utils/util.py, `save_videos_grid`
    allegro                  15  rhymes-ai/Allegro single_inference.py
    cosmos-predict2          16  nvidia-cosmos/cosmos-predict2 documentations/inference_video2world.md, `--fps` default
    easyanimate-5             8  aigc-apps/EasyAnimate predict_t2v.py
    ======================  ===  ====================================================================================

    Raises:
        OptionError: the name or the pipeline is not known.

    >>> recommended_fps("cogvideox-sat")
    Fraction(8, 1)
    """
    name = pipe_or_name if isinstance(pipe_or_name, str) else _name_of(pipe_or_name)
    if name not in FRAME_RATES:
        way_out = "pass fps=, or export={'fps': …} to generate_video; recommended_fps also takes"
        raise OptionError(f"no frame rate is known for {name!r}: {way_out} {', '.join(FRAME_RATES)}", page="models")
    return Fraction(FRAME_RATES[name])


def _name_of(pipe: object) -> str:
    for kind in type(pipe).__mro__:  # a subclass of one's own is known by its parent
        for beginning, name in _PIPELINES:
            if kind.__name__.startswith(beginning) and kind.__name__.endswith("Pipeline"):  # no mixin
                return name(pipe)
    return pipe.__name__ + ", a class," if isinstance(pipe, type) else type(pipe).__name__


def _config(part: object, name: str) -> object:
    """Read a setting of a diffusers model or pipeline, whose config is a dict that also has attributes."""
    return getattr(getattr(part, "config", None), name, None)
