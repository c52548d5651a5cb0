"""Makes tests/fixtures/autoencoder_kl and autoencoder_tiny: small decoders with diffusers' pictures.

From: diffusers' AutoencoderKL and AutoencoderTiny; the original layouts (the FLUX file `ae.safetensors`
      and madebyollin's taesd files) are renamings of diffusers' weights. The FLUX one is read back
      by diffusers' own converter as a check.
Run:  python tests/reference/autoencoders.py

io.safetensors has, a run each, `run0.latents` [B, C, H, W] and `run0.image` [B, 3, 8H, 8W]
(`run0.image_bf16`: diffusers in bfloat16 throughout, for the first run alone). Latents are the diffusion model's: the KL
picture is decode(latents / scaling_factor + shift_factor), the tiny one decode(latents). Pictures
are not clamped.
"""

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

from _shared import (
    FIXTURES,
    check_every_weight_matters,
    draw_weights,
    fan_in,
    generator,
    normal,
    shapes_of,
    write_case,
)

# Batch, height, width.
RUNS = [(2, 4, 4), (1, 6, 10)]

FLUX_LIKE = {
    "_class_name": "AutoencoderKL",
    "act_fn": "silu",
    "block_out_channels": [8, 12, 16],
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "force_upcast": True,
    "in_channels": 3,
    "latent_channels": 16,
    "layers_per_block": 1,
    "mid_block_add_attention": True,
    "norm_num_groups": 4,
    "out_channels": 3,
    "sample_size": 64,
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "use_post_quant_conv": False,
    "use_quant_conv": False,
}

KL_CASES = {
    "flux_like": {"seed": 401, "config": FLUX_LIKE},
    # The same values as `flux_like` under the names of FLUX's ae.safetensors.
    "flux_original_names": {"seed": 401, "config": FLUX_LIKE, "names": "ldm"},
    # Four stages, two layers a block, as published; bfloat16.
    "four_stages_bf16": {
        "seed": 402,
        "dtype": torch.bfloat16,
        "config": FLUX_LIKE
        | {
            "block_out_channels": [6, 6, 12, 12],
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
            "layers_per_block": 2,
            "norm_num_groups": 3,
        },
    },
    # Stable Diffusion's: four channels, quant convolutions, no shift, the attention's first names.
    "quant_conv_first_attention_names": {
        "seed": 403,
        "config": {
            "_class_name": "AutoencoderKL",
            "block_out_channels": [8, 16],
            "down_block_types": ["DownEncoderBlock2D"] * 2,
            "latent_channels": 4,
            "layers_per_block": 2,
            "norm_num_groups": 2,
            "scaling_factor": 0.18215,
            "up_block_types": ["UpDecoderBlock2D"] * 2,
        },
        "names": "first_attention",
    },
}

TINY_LIKE = {
    "_class_name": "AutoencoderTiny",
    "act_fn": "relu",
    "in_channels": 3,
    "out_channels": 3,
    "upsampling_scaling_factor": 2,
    "latent_magnitude": 3,
    "latent_shift": 0.5,
    "force_upcast": False,
    "scaling_factor": 1.0,
}

TAESD_LIKE = TINY_LIKE | {
    "encoder_block_out_channels": [8, 8, 8, 8],
    "decoder_block_out_channels": [8, 8, 8, 8],
    "num_encoder_blocks": [1, 1, 1, 2],
    "num_decoder_blocks": [2, 1, 1, 1],
    "latent_channels": 4,
}

TINY_CASES = {
    "taesd_like": {"seed": 411, "config": TAESD_LIKE, "with_encoder": True},
    # The same values as `taesd_like` under the names of madebyollin's taesd_decoder.safetensors …
    "taesd_original_names": {"seed": 411, "config": TAESD_LIKE, "names": "taesd"},
    # … and of a single file with both halves, where they begin with `decoder.`.
    "taef1_like_bf16": {
        "seed": 412,
        "dtype": torch.bfloat16,
        "config": TINY_LIKE
        | {
            "encoder_block_out_channels": [6, 6, 6, 6],
            "decoder_block_out_channels": [10, 10, 10, 10],
            "num_encoder_blocks": [1, 1, 1, 1],
            "num_decoder_blocks": [3, 3, 3, 1],
            "latent_channels": 16,
        },
        "names": "taesd_both",
    },
    # Only what differs from diffusers' defaults is stated, as far as small sizes permit.
    "taef1_like": {
        "seed": 413,
        "config": {
            "_class_name": "AutoencoderTiny",
            "decoder_block_out_channels": [8, 8, 8, 8],
            "encoder_block_out_channels": [4, 4, 4, 4],
            "latent_channels": 16,
        },
    },
}


def centre_and_spread(name, shape):
    if name.endswith("norm.weight") or "norm1.weight" in name or "norm2.weight" in name:
        return 1.0, 0.3
    if "norm_out.weight" in name:
        return 1.0, 0.3
    if name.endswith(".bias"):
        return 0.0, 0.2
    return 0.0, 1.2 / fan_in(shape) ** 0.5


def ldm_names(weights, stages):
    """diffusers' names and shapes → those of the original latent diffusion code, for the decoder."""
    renamed = {}
    for name, value in weights.items():
        name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
        name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_norm_out", "norm_out")
        for i in range(stages):
            name = name.replace(f"up_blocks.{i}.resnets", f"up.{stages - 1 - i}.block")
            name = name.replace(f"up_blocks.{i}.upsamplers.0", f"up.{stages - 1 - i}.upsample")
        name = name.replace("conv_shortcut", "nin_shortcut")
        if "attn_1" in name:
            name = name.replace("group_norm", "norm").replace("to_out.0", "proj_out")
            for letter in "qkv":
                name = name.replace(f"to_{letter}", letter)
            if value.dim() == 2:
                value = value[:, :, None, None]  # there a convolution of 1 × 1
        renamed[name] = value
    return renamed


def first_attention_names(weights):
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for name, value in weights.items():
        for new, first in old.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{first}.")
        renamed[name] = value
    return renamed


def taesd_names(weights, prefix):
    """The original is one Sequential that begins with the clamp, so every number is one higher."""
    renamed = {}
    for name, value in weights.items():
        number, rest = name.removeprefix("decoder.layers.").split(".", 1)
        renamed[f"{prefix}{int(number) + 1}.{rest}"] = value
    return renamed


def decoder_only(weights):
    return {k: v for k, v in weights.items() if k.startswith(("decoder.", "post_quant_conv."))}


def with_names(case, weights, gen):
    kind = case.get("names")
    if kind is None:
        return weights if case.get("with_encoder") else decoder_only(weights)
    if kind == "first_attention":
        return first_attention_names(decoder_only(weights))
    if kind == "taesd":
        return taesd_names(decoder_only(weights), "")
    if kind == "taesd_both":
        encoder = {"encoder.0.weight": normal(gen, (6, 3, 3, 3)), "encoder.0.bias": normal(gen, (6,))}
        encoder = {k: v.to(case["dtype"]) for k, v in encoder.items()}
        return taesd_names(decoder_only(weights), "decoder.") | encoder
    renamed = ldm_names(decoder_only(weights), len(case["config"]["block_out_channels"]))
    back = convert_ldm_vae_checkpoint(renamed, case["config"])
    for name, value in decoder_only(weights).items():
        assert torch.equal(back[name], value), f"{name} is not what diffusers reads back"
    return renamed


def decode(model, latents, dtype):
    if isinstance(model, AutoencoderKL):
        shift = model.config.shift_factor or 0.0
        latents = latents / model.config.scaling_factor + shift
    with torch.no_grad():
        return model.decode(latents.to(dtype)).sample.float()


def make_case(kind, room, name, case):
    config, dtype = case["config"], case.get("dtype", torch.float32)
    model = kind.from_config(config).eval()
    weights = draw_weights(shapes_of(model), case["seed"], centre_and_spread)
    weights = {k: v.to(dtype) for k, v in weights.items()}
    model.load_state_dict(weights)
    gen = generator(case["seed"] + 1000)
    tensors, runs, latents = {}, [], None
    # Other names for the same weights need no more than one picture.
    sizes = RUNS[:1] if case.get("names") in ("ldm", "taesd") else RUNS
    for i, (batch, height, width) in enumerate(sizes):
        latents = normal(gen, (batch, config["latent_channels"], height, width))
        tensors[f"run{i}.latents"] = latents
        tensors[f"run{i}.image"] = decode(model, latents, torch.float32)
        if dtype == torch.bfloat16 and i == 0:
            half = kind.from_config(config).eval().to(dtype)
            half.load_state_dict(weights)
            tensors[f"run{i}.image_bf16"] = decode(half, latents, dtype)
        runs.append({"name": f"run{i}"})

    def rerun(changed):
        model.load_state_dict(weights | changed)
        return decode(model, latents, torch.float32)

    check_every_weight_matters(decoder_only(weights), rerun, cancelling=("to_k.bias",))
    stored = with_names(case, weights, gen)
    write_case(FIXTURES / room / name, config, stored, tensors, {"runs": runs})


if __name__ == "__main__":
    diffusers.logging.set_verbosity_error()
    for case_name, settings in KL_CASES.items():
        make_case(AutoencoderKL, "autoencoder_kl", case_name, settings)
    for case_name, settings in TINY_CASES.items():
        make_case(AutoencoderTiny, "autoencoder_tiny", case_name, settings)
