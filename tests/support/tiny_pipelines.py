"""The real video pipelines of diffusers with tiny random weights, beside CogVideoX: see `tiny_cogvideox`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from PIL import Image

from . import tiny_cogvideox

diffusers: Any = import_module("diffusers")  # which annotates too little to be checked against

WIDTH, HEIGHT = 32, 32
WORDS, TEXT = 8, 32  # of a prompt, and how wide each is
STEPS = 2


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def _flow() -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0)


# ---- Wan ------------------------------------------------------------------------------------------------------------


def _wan(pipeline: str, channels: int = 16, packed: bool = False, **more: Any) -> Any:
    latent = 48 if packed else 16
    of_packed: dict[str, Any] = {
        "is_residual": True,
        "patch_size": 2,
        "in_channels": 12,
        "out_channels": 12,
        "scale_factor_spatial": 16,
        "latents_mean": [0.0] * 48,
        "latents_std": [1.0] * 48,
    }
    vae = diffusers.AutoencoderKLWan(
        base_dim=8,
        z_dim=latent,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        **(of_packed if packed else {}),
    )
    transformer = diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=latent if packed else channels,
        out_channels=latent,
        text_dim=TEXT,
        freq_dim=32,
        ffn_dim=32,
        num_layers=1,
        rope_max_seq_len=64,
    )
    parts = {"tokenizer": None, "text_encoder": None, "vae": vae, "transformer": transformer, "scheduler": _flow()}
    return getattr(diffusers, pipeline)(**{**parts, **more})


def _wan_image() -> Any:
    return _wan("WanImageToVideoPipeline", 36, image_encoder=None, image_processor=None)


def _wan_video() -> Any:
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    return _wan("WanVideoToVideoPipeline", scheduler=scheduler)


def _wan_ti2v() -> Any:
    return _wan("WanPipeline", packed=True, expand_timesteps=True)


# ---- others ---------------------------------------------------------------------------------------------------------


def _hunyuan() -> Any:
    vae = diffusers.AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4
    )
    transformer = diffusers.HunyuanVideoTransformer3DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=10,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        patch_size=1,
        text_embed_dim=TEXT,
        pooled_projection_dim=8,
        rope_axes_dim=(2, 4, 4),
    )
    return diffusers.HunyuanVideoPipeline(
        text_encoder=None,
        tokenizer=None,
        transformer=transformer,
        vae=vae,
        scheduler=_flow(),
        text_encoder_2=None,
        tokenizer_2=None,
    )


def _easyanimate() -> Any:
    temporal = ("SpatialTemporalDownBlock3D",) * 3, ("SpatialTemporalUpBlock3D",) * 3
    vae = diffusers.AutoencoderKLMagvit(
        latent_channels=4,
        down_block_types=("SpatialDownBlock3D", *temporal[0]),
        up_block_types=("SpatialUpBlock3D", *temporal[1]),
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=2,
        spatial_group_norm=False,
    )
    transformer = diffusers.EasyAnimateTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=TEXT,
        num_layers=1,
        sample_width=16,
        sample_height=16,
        patch_size=2,
    )
    return diffusers.EasyAnimatePipeline(
        vae=vae, text_encoder=None, tokenizer=None, transformer=transformer, scheduler=_flow()
    )


def _ltx() -> Any:
    vae = diffusers.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        patch_size=1,
    )
    vae.use_framewise_decoding = True
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=1,
        caption_channels=TEXT,
    )
    return diffusers.LTXPipeline(scheduler=_flow(), vae=vae, text_encoder=None, tokenizer=None, transformer=transformer)


def _mochi() -> Any:
    vae = diffusers.AutoencoderKLMochi(
        encoder_block_out_channels=(32,) * 4, decoder_block_out_channels=(32,) * 4, layers_per_block=(1,) * 5
    )
    vae.use_framewise_decoding = True
    transformer = diffusers.MochiTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=2,
        pooled_projection_dim=16,
        text_embed_dim=TEXT,
        time_embed_dim=4,
        max_sequence_length=16,
    )
    return diffusers.MochiPipeline(
        scheduler=_flow(), vae=vae, text_encoder=None, tokenizer=None, transformer=transformer
    )


def _stable_video_diffusion() -> Any:
    transformers: Any = import_module("transformers")
    unet = diffusers.UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=32,
        num_attention_heads=8,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
    )
    vae = diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2
    )
    of_image = transformers.CLIPVisionConfig(
        hidden_size=32,
        projection_dim=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=224,
        intermediate_size=37,
        patch_size=56,
    )
    return diffusers.StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=transformers.CLIPVisionModelWithProjection(of_image),
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler(
            prediction_type="v_prediction",
            timestep_type="continuous",
            sigma_min=0.002,
            sigma_max=700.0,
            use_karras_sigmas=True,
        ),
        feature_extractor=transformers.CLIPImageProcessor(),
    )


PIPELINES: dict[str, Callable[[], Any]] = {
    "cogvideox": lambda: tiny_cogvideox.tiny_pipeline("text"),
    "cogvideox 1.5": lambda: tiny_cogvideox.tiny_pipeline("text", "1.5"),
    "cogvideox from an image": lambda: tiny_cogvideox.tiny_pipeline("image"),
    "cogvideox from a video": lambda: tiny_cogvideox.tiny_pipeline("video"),
    "wan": lambda: _wan("WanPipeline"),
    "wan from an image": _wan_image,
    "wan from a video": _wan_video,
    "wan 2.2 ti2v": _wan_ti2v,
    "hunyuanvideo": _hunyuan,
    "easyanimate": _easyanimate,
    "ltx": _ltx,
    "mochi": _mochi,
    "stable video diffusion": _stable_video_diffusion,
}


def tiny(name: str) -> Any:
    """One of PIPELINES, with the same weights every time."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        pipe = PIPELINES[name]()
    pipe.set_progress_bar_config(disable=True)
    return pipe


def frames_of(pipe: Any, count: int, videos: int = 1, output_type: str = "pt") -> Any:
    """The frames of a call, (videos, frames, 3, height, width) in [0, 1] of type "pt"; the same every time."""
    name = type(pipe).__name__
    size = (tiny_cogvideox.WIDTH, tiny_cogvideox.HEIGHT) if name.startswith("CogVideoX") else (WIDTH, HEIGHT)
    call: dict[str, Any] = {
        "num_frames": count,
        "num_inference_steps": STEPS,
        "width": size[0],
        "height": size[1],
        "generator": torch.Generator().manual_seed(0),
        "output_type": output_type,
    }
    picture, dtype = Image.new("RGB", size, (200, 80, 90)), pipe.dtype
    if name.startswith("StableVideoDiffusion"):
        return pipe(picture, num_videos_per_prompt=videos, decode_chunk_size=4, **call).frames
    width = tiny_cogvideox.PROMPT_WIDTH if name.startswith("CogVideoX") else TEXT
    words = tiny_cogvideox.PROMPT_TOKENS if name.startswith("CogVideoX") else WORDS
    call["prompt_embeds"] = _noise(videos, words, width).to(dtype)
    if name.startswith("HunyuanVideo"):
        call |= {
            "pooled_prompt_embeds": _noise(videos, 8).to(dtype),
            "prompt_attention_mask": torch.ones(videos, words, dtype=dtype),
        }
        return pipe(**call).frames
    call["negative_prompt_embeds"] = call["prompt_embeds"]
    if name.startswith("CogVideoX"):
        call["max_sequence_length"] = words
    if name.startswith(("EasyAnimate", "LTX", "Mochi")):
        mask = torch.ones(videos, words, dtype=torch.bool)
        call |= {"prompt_attention_mask": mask, "negative_prompt_attention_mask": mask}
    if "ImageToVideo" in name:
        call["image"] = picture
    if "VideoToVideo" in name:
        del call["num_frames"]
        call |= {"video": [picture] * count, "strength": 1.0}
    return pipe(**call).frames
