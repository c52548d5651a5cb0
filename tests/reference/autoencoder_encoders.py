"""Makes tests/fixtures/autoencoder_kl_encoder and autoencoder_tiny_encoder: small autoencoders, both
halves, with the latents that diffusers makes of pictures.

From: diffusers' AutoencoderKL and AutoencoderTiny. The original layouts are renamings of diffusers'
      weights; the FLUX one is read back by diffusers' own converter as a check.
Run:  python tests/reference/autoencoder_encoders.py

io.safetensors has, a run each, `run0.image` [B, 3, H, W] in -1…1 and `run0.latents` [B, C, H/f, W/f]:
the mode of the distribution, (latents - shift_factor) · scaling_factor, as diffusers' image to image
pipelines take it.
"""

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

from _shared import (
    FIXTURES,
    check_every_weight_matters,
    draw_weights,
    generator,
    shapes_of,
    write_case,
)
from autoencoders import FLUX_LIKE, TINY_LIKE, centre_and_spread, ldm_names

# Batch, height and width in latents.
RUNS = [(2, 3, 5), (1, 6, 4)]

KL_CASES = {
    # Widths that grow and shrink, so that shortcuts are on both sides; two layers a block.
    "flux_like": {
        "seed": 451,
        "config": FLUX_LIKE | {"block_out_channels": [8, 12, 8], "layers_per_block": 2},
    },
    "flux_original_names": {
        "seed": 452,
        "config": FLUX_LIKE | {"block_out_channels": [6, 9, 9], "norm_num_groups": 3},
        "names": "ldm",
    },
    # Four stages as published, no attention; bfloat16.
    "four_stages_bf16": {
        "seed": 453,
        "dtype": torch.bfloat16,
        "config": FLUX_LIKE
        | {
            "block_out_channels": [4, 4, 8, 8],
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
            "mid_block_add_attention": False,
            "norm_num_groups": 2,
        },
    },
    # Stable Diffusion's: four channels, quant convolutions, no shift, another activation.
    "quant_conv": {
        "seed": 454,
        "config": {
            "_class_name": "AutoencoderKL",
            "act_fn": "gelu",
            "block_out_channels": [8, 12],
            "down_block_types": ["DownEncoderBlock2D"] * 2,
            "latent_channels": 4,
            "layers_per_block": 1,
            "norm_num_groups": 4,
            "scaling_factor": 0.18215,
            "up_block_types": ["UpDecoderBlock2D"] * 2,
        },
    },
}

TINY_CASES = {
    "taesd_like": {
        "seed": 461,
        "config": TINY_LIKE
        | {
            "encoder_block_out_channels": [6, 6, 6, 6],
            "decoder_block_out_channels": [4, 4, 4, 4],
            "num_encoder_blocks": [1, 2, 0, 1],
            "num_decoder_blocks": [1, 1, 1, 1],
            "latent_channels": 4,
            "scaling_factor": 0.7,
            "shift_factor": 0.2,
        },
    },
    # Under the names of a single file of madebyollin's with both halves; bfloat16, two halvings.
    "original_names_bf16": {
        "seed": 462,
        "dtype": torch.bfloat16,
        "config": TINY_LIKE
        | {
            "act_fn": "gelu",
            "encoder_block_out_channels": [6, 6, 6],
            "decoder_block_out_channels": [4, 4, 4],
            "num_encoder_blocks": [1, 1, 2],
            "num_decoder_blocks": [1, 1, 1],
            "latent_channels": 16,
        },
        "names": "taesd_both",
    },
}


def taesd_both(weights):
    """The decoder's Sequential begins with the clamp, so its numbers are one higher."""
    renamed = {}
    for name, value in weights.items():
        half, number, rest = name.replace(".layers", "").split(".", 2)
        renamed[f"{half}.{int(number) + (half == 'decoder')}.{rest}"] = value
    return renamed


def ldm_both(weights, config):
    renamed = ldm_names(weights, len(config["block_out_channels"]))
    for old, new in (("down_blocks.", "down."), ("downsamplers.0", "downsample"), ("resnets.", "block.")):
        renamed = {name.replace(old, new): value for name, value in renamed.items()}
    back = convert_ldm_vae_checkpoint(dict(renamed), config)
    assert back.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(back[name], value), f"{name} is not what diffusers reads back"
    return renamed


def encode(model, image):
    with torch.no_grad():
        encoded = model.encode(image)
    latents = encoded.latent_dist.mode() if isinstance(model, AutoencoderKL) else encoded.latents
    shift = getattr(model.config, "shift_factor", None) or 0.0
    return (latents - shift) * model.config.scaling_factor


def make_case(kind, room, name, case):
    config, dtype = case["config"], case.get("dtype", torch.float32)
    # diffusers' AutoencoderTiny knows no shift of its own; its pipelines read the key.
    model = kind.from_config(config).eval()
    weights = draw_weights(shapes_of(model), case["seed"], centre_and_spread)
    weights = {k: v.to(dtype) for k, v in weights.items()}
    model.load_state_dict(weights)
    gen = generator(case["seed"] + 1000)
    factor = 2 ** (len(config.get("block_out_channels", config.get("num_encoder_blocks"))) - 1)
    tensors, runs = {}, []
    for i, (batch, height, width) in enumerate(RUNS):
        image = 2 * torch.rand((batch, 3, height * factor, width * factor), generator=gen) - 1
        tensors[f"run{i}.image"] = image
        tensors[f"run{i}.latents"] = encode(model, image)
        runs.append({"name": f"run{i}"})

    def rerun(changed):
        model.load_state_dict(weights | changed)
        return encode(model, image)

    mine = {k: v for k, v in weights.items() if k.startswith(("encoder.", "quant_conv."))}
    check_every_weight_matters(mine, rerun, cancelling=("to_k.bias",))
    kinds = {"ldm": lambda: ldm_both(weights, config), "taesd_both": lambda: taesd_both(weights)}
    stored = kinds.get(case.get("names"), lambda: weights)()
    write_case(FIXTURES / room / name, config, stored, tensors, {"runs": runs})


if __name__ == "__main__":
    diffusers.logging.set_verbosity_error()
    for case_name, settings in KL_CASES.items():
        make_case(AutoencoderKL, "autoencoder_kl_encoder", case_name, settings)
    for case_name, settings in TINY_CASES.items():
        make_case(AutoencoderTiny, "autoencoder_tiny_encoder", case_name, settings)
