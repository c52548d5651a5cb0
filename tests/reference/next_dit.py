"""Makes tests/fixtures/next_dit: small NextDiT checkpoints with velocities from upstream's own model.

From: NewBieAI-Lab/NewBie-image-Exp0.1 at commit 709e9a4 (models/model.py).
Run:  python tests/reference/next_dit.py --upstream PATH_TO_CLONE

Each case has a few runs; the names in io.safetensors begin with `run0.`, `run1.` …:
`latents` [B, C, H, W], `caption_0` … [L, D] (one a sample, without padding; upstream gets them
padded to the longest, with a mask), `pooled` [B, P] where the model has the CLIP part, and
`velocity` [B, C, H, W]. io.json lists the runs with their timestep, the same for all samples.
bfloat16 cases have `velocity` (float32 arithmetic on the rounded weights) and `velocity_bf16`
(upstream in bfloat16 throughout).
"""

import argparse
import warnings

import torch

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
from _upstream import import_upstream

# Height and width in patches, caption lengths, timestep.
RUNS = [
    {"patches": (3, 5), "caption_lengths": [13], "timestep": 0.3},
    {"patches": (1, 1), "caption_lengths": [1], "timestep": 0.0},
    {"patches": (5, 2), "caption_lengths": [5, 13], "timestep": 1.0},
    {"patches": (3, 5), "caption_lengths": [5, 1], "timestep": 0.3},
]

CASES = {
    "clip_gqa": {
        "seed": 101,
        "run_count": 4,
        "config": {
            "patch_size": 2,
            "in_channels": 16,
            "dim": 36,
            "n_layers": 2,
            "n_refiner_layers": 1,
            "n_heads": 6,
            "n_kv_heads": 2,
            "multiple_of": 32,
            "ffn_dim_multiplier": 0.3,
            "norm_eps": 1e-5,
            "qk_norm": True,
            "cap_feat_dim": 40,
            "axes_dims": [2, 2, 2],
            "axes_lens": [32, 16, 16],
            "clip_text_dim": 24,
        },
    },
    "plain_without_qk_norm": {
        "seed": 102,
        "config": {
            "patch_size": 2,
            "in_channels": 16,
            "dim": 32,
            "n_layers": 2,
            "n_refiner_layers": 1,
            "n_heads": 4,
            "n_kv_heads": None,
            "multiple_of": 24,
            "ffn_dim_multiplier": 0.45,
            "norm_eps": 1e-4,
            "qk_norm": False,
            "cap_feat_dim": 56,
            "axes_dims": [4, 2, 2],
            "axes_lens": [32, 16, 16],
        },
    },
    "clip_bf16": {
        "seed": 103,
        "dtype": torch.bfloat16,
        "config": {
            "patch_size": 2,
            "in_channels": 16,
            "dim": 48,
            "n_layers": 2,
            "n_refiner_layers": 1,
            "n_heads": 6,
            "n_kv_heads": 2,
            "multiple_of": 32,
            "ffn_dim_multiplier": 0.5,
            "norm_eps": 1e-5,
            "qk_norm": True,
            "cap_feat_dim": 64,
            "axes_dims": [2, 2, 4],
            "axes_lens": [32, 16, 16],
            "clip_text_dim": 32,
        },
    },
    "large_patch_one_kv_head": {
        "seed": 104,
        "config": {
            "patch_size": 4,
            "in_channels": 4,
            "dim": 24,
            "n_layers": 2,
            "n_refiner_layers": 1,
            "n_heads": 2,
            "n_kv_heads": 1,
            "multiple_of": 20,
            "ffn_dim_multiplier": 0.6,
            "norm_eps": 1e-5,
            "qk_norm": True,
            "cap_feat_dim": 36,
            "axes_dims": [2, 4, 6],
            "axes_lens": [16, 8, 8],
        },
    },
    "patch_of_one": {
        "seed": 105,
        "config": {
            "patch_size": 1,
            "in_channels": 4,
            "dim": 24,
            "n_layers": 1,
            "n_refiner_layers": 1,
            "n_heads": 4,
            "n_kv_heads": 4,
            "multiple_of": 32,
            "qk_norm": True,
            "cap_feat_dim": 20,
            "axes_dims": [2, 2, 2],
            "axes_lens": [16, 8, 8],
            "clip_text_dim": 12,
        },
    },
    # The name supplies patch_size and axes_lens, the constructor n_refiner_layers, multiple_of,
    # ffn_dim_multiplier and norm_eps.
    "named_size": {
        "seed": 106,
        "dtype": torch.bfloat16,
        "config": {
            "_class_name": "NextDiT_3B_GQA_patch2_Adaln_Refiner_WHIT_CLIP",
            "in_channels": 16,
            "dim": 16,
            "n_layers": 1,
            "n_heads": 2,
            "n_kv_heads": 1,
            "qk_norm": True,
            "cap_feat_dim": 48,
            "axes_dims": [4, 2, 2],
            "clip_text_dim": 16,
        },
        "upstream_name_supplies": {"patch_size": 2, "axes_lens": [1024, 512, 512]},
    },
}


def centre_and_spread(name, shape):
    """Realistic sizes: nothing at zero or one, gates wide enough for each block to contribute."""
    if "norm" in name or name in ("cap_embedder.0.weight", "clip_text_pooled_proj.0.weight"):
        return 1.0, 0.3
    if name.endswith(".bias"):
        return 0.0, 0.4 if "adaLN" in name else 0.2
    if "adaLN" in name:
        return 0.0, 1.5 / fan_in(shape) ** 0.5
    if name.startswith(("t_embedder", "time_text_embed")):
        return 0.0, 2.0 / fan_in(shape) ** 0.5
    return 0.0, 1.0 / fan_in(shape) ** 0.5


def build(upstream, config, extra):
    arguments = {k: v for k, v in config.items() if k != "_class_name"} | extra
    kind = upstream.NextDiT_CLIP if "clip_text_dim" in arguments else upstream.NextDiT
    return kind(**arguments).eval()


def make_inputs(config, patch, run, gen):
    batch = len(run["caption_lengths"])
    height, width = (extent * patch for extent in run["patches"])
    inputs = {"latents": normal(gen, (batch, config["in_channels"], height, width))}
    for i, length in enumerate(run["caption_lengths"]):
        inputs[f"caption_{i}"] = normal(gen, (length, config["cap_feat_dim"]), 3.0)
    if "clip_text_dim" in config:
        inputs["pooled"] = normal(gen, (batch, config["clip_text_dim"]), 0.8)
    return inputs


def evaluate(model, inputs, run, dtype):
    lengths = run["caption_lengths"]
    # What stands in the padding must not matter, so it is far from zero.
    captions = torch.full((len(lengths), max(lengths), inputs["caption_0"].shape[-1]), 7.0)
    mask = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for i, length in enumerate(lengths):
        captions[i, :length] = inputs[f"caption_{i}"]
        mask[i, :length] = 1
    timestep = torch.full((len(lengths),), run["timestep"])
    clip = {"clip_text_pooled": inputs["pooled"].to(dtype)} if "pooled" in inputs else {}
    with torch.no_grad():
        return model(inputs["latents"].to(dtype), timestep, captions.to(dtype), mask, **clip).float()


def make_case(upstream, name, case):
    config, dtype = case["config"], case.get("dtype", torch.float32)
    extra = case.get("upstream_name_supplies", {})
    model = build(upstream, config, extra)
    weights = draw_weights(shapes_of(model), case["seed"], centre_and_spread)
    weights = {k: v.to(dtype) for k, v in weights.items()}
    model.load_state_dict(weights)
    gen = generator(case["seed"] + 1000)
    patch = (config | extra)["patch_size"]
    tensors, facts = {}, []
    for i, run in enumerate(RUNS[: case.get("run_count", 3)]):
        inputs = make_inputs(config, patch, run, gen)
        outputs = {"velocity": evaluate(model, inputs, run, torch.float32)}
        if dtype == torch.bfloat16:
            half = build(upstream, config, extra).to(dtype)
            half.load_state_dict(weights)
            outputs["velocity_bf16"] = evaluate(half, inputs, run, dtype)
        tensors |= {f"run{i}.{key}": value for key, value in (inputs | outputs).items()}
        facts.append(
            {
                "name": f"run{i}",
                "timestep": run["timestep"],
                "captionLengths": run["caption_lengths"],
            }
        )
        if i == 2:

            def rerun(changed, inputs=inputs, run=run):
                model.load_state_dict(changed)
                out = evaluate(model, inputs, run, torch.float32)
                model.load_state_dict(weights)
                return out

            check_every_weight_matters(weights, rerun, unused=("norm_final.",))
    write_case(FIXTURES / "next_dit" / name, config, weights, tensors, {"runs": facts})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream", required=True, help="clone of NewBie-image-Exp0.1")
    upstream, _ = import_upstream(parser.parse_args().upstream)
    for name, case in CASES.items():
        make_case(upstream, name, case)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Cannot import apex")
    main()
