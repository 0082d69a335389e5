"""The real CogVideoX pipelines of diffusers with tiny random weights: a clip in a fraction of a second on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from PIL import Image

diffusers: Any = import_module("diffusers")  # which annotates too little to be checked against

WIDTH, HEIGHT, FRAMES = 64, 48, 9
LATENT_CHANNELS, LATENT_FRAMES = 4, 3  # of FRAMES: the first, and one for every four after it
PROMPT_TOKENS, PROMPT_WIDTH = 16, 32

PIPELINES = {
    "text": diffusers.CogVideoXPipeline,
    "image": diffusers.CogVideoXImageToVideoPipeline,
    "video": diffusers.CogVideoXVideoToVideoPipeline,
}


def tiny_pipeline(kind: str, version: str = "1.0", dtype: torch.dtype = torch.float32) -> Any:
    """One of PIPELINES with the architecture of CogVideoX 1.0 or 1.5; the same weights every time."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        pipe = PIPELINES[kind](
            tokenizer=None,
            text_encoder=None,
            vae=_vae(),
            transformer=_transformer(takes_image=kind == "image", version=version),
            scheduler=diffusers.CogVideoXDDIMScheduler(),
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(dtype)


def _vae() -> Any:
    vae = diffusers.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=2,
        # Untrained, the transformer leaves latents too large for the decoder. This brings what is decoded to where a
        # trained one's is: about [-1, 1], with some overshoot.
        scaling_factor=10.0,
    )
    with torch.no_grad():  # and the encoder is as unsure as it is sure: its second half is the log of a variance
        vae.encoder.conv_out.conv.bias[LATENT_CHANNELS:] = -8
    return vae


def _transformer(takes_image: bool, version: str) -> Any:
    # As in the config.json of zai-org/CogVideoX-2b, CogVideoX-5b-I2V, CogVideoX1.5-5B and CogVideoX1.5-5B-I2V.
    newer = version == "1.5"
    return diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=LATENT_CHANNELS * (1 + takes_image),
        out_channels=LATENT_CHANNELS,
        time_embed_dim=2,
        ofs_embed_dim=2 if newer and takes_image else None,
        text_embed_dim=PROMPT_WIDTH,
        num_layers=1,
        sample_width=WIDTH // 8,
        sample_height=HEIGHT // 8,
        sample_frames=FRAMES,
        patch_size_t=2 if newer else None,
        patch_bias=not newer,
        max_text_seq_length=PROMPT_TOKENS,
        use_rotary_positional_embeddings=newer or takes_image,
        use_learned_positional_embeddings=takes_image and not newer,
    )


def generate(pipe: Any, output_type: str, *, videos: int = 1, source: Sequence[Image.Image] = ()) -> Any:
    """The frames of `pipe(output_type=...)`, or for "raw" what its VAE decodes: (B, C, T, H, W), about [-1, 1].

    The same seed every time. `source` is a video for video-to-video; image-to-video begins at its first frame.
    """
    randomness = torch.Generator().manual_seed(0)
    prompt, negative = torch.randn(2, videos, PROMPT_TOKENS, PROMPT_WIDTH, generator=randomness).to(pipe.dtype)
    inputs: dict[str, Any] = {"num_frames": FRAMES, "num_inference_steps": 2}
    if isinstance(pipe, PIPELINES["image"]):
        inputs["image"] = source[0]
    elif isinstance(pipe, PIPELINES["video"]):
        # All of two steps begin in the middle of the schedule, where a third of what is denoised is the source.
        inputs = {"video": list(source), "num_inference_steps": 2, "strength": 1.0}
    frames = pipe(
        **inputs,
        width=WIDTH,
        height=HEIGHT,
        prompt_embeds=prompt,
        negative_prompt_embeds=negative,
        max_sequence_length=PROMPT_TOKENS,
        generator=randomness,
        output_type="latent" if output_type == "raw" else output_type,
    ).frames
    if output_type != "raw":
        return frames
    with torch.no_grad():
        return pipe.decode_latents(frames[:, -LATENT_FRAMES:])  # 1.5 pads in front, and the pipeline drops that too
