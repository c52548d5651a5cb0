"""Makes tests/fixtures/gemma3: small Gemma 3 text models with features from transformers.

From: transformers' Gemma3TextModel with eager attention; features are `hidden_states[-2]`.
Run:  python tests/reference/gemma3.py

io.json lists the runs with their token ids; io.safetensors has, a run each, `run0.features` [1, L, D]
(and `run0.features_bf16` where the weights are bfloat16: the reference in bfloat16 throughout, while
`features` is float32 arithmetic on the rounded weights). The last layer and the final norm are in
the files and have no part in the features.
"""

import torch
from transformers import Gemma3TextConfig, Gemma3TextModel

from _shared import (
    FIXTURES,
    check_every_weight_matters,
    draw_weights,
    fan_in,
    generator,
    relative,
    shapes_of,
    write_case,
)

LENGTHS = [1, 3, 40]

# A setting whose change moves the features by less than this would not be tested.
LEAST_DIFFERENCE = 1e-3

CASES = {
    "flat_version_5": {
        "seed": 201,
        "prefix": "model.",
        "config": {
            "model_type": "gemma3_text",
            "vocab_size": 320,
            "hidden_size": 32,
            "intermediate_size": 56,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 12,
            "hidden_activation": "gelu_pytorch_tanh",
            "rms_norm_eps": 1e-5,
            "query_pre_attn_scalar": 24,
            "sliding_window": 6,
            "layer_types": [
                "sliding_attention",
                "full_attention",
                "sliding_attention",
                "full_attention",
            ],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 50000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
            },
            "attention_bias": False,
            "tie_word_embeddings": True,
        },
        "must_matter": {
            "query_pre_attn_scalar": 12,
            "sliding_window": 7,
            "layer_types": ["full_attention"] * 4,
            "rms_norm_eps": 3e-2,
        },
    },
    "nested_version_4": {
        "seed": 202,
        "prefix": "language_model.model.",
        "nested": True,
        "config": {
            "model_type": "gemma3_text",
            "vocab_size": 300,
            "hidden_size": 32,
            "intermediate_size": 56,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 20,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "rope_theta": 20000.0,
            "rope_local_base_freq": 300.0,
            "sliding_window": 9,
            "sliding_window_pattern": 3,
        },
        "must_matter": {
            "rope_scaling": None,
            "rope_theta": 200.0,
            "rope_local_base_freq": 10000.0,
            "sliding_window": 10,
            "sliding_window_pattern": 2,
            "query_pre_attn_scalar": 20,
        },
    },
    # Every sixth layer global, θ 1e6 and 1e4: by default.
    "nested_defaults_bf16": {
        "seed": 203,
        "prefix": "model.language_model.",
        "nested": True,
        "dtype": torch.bfloat16,
        "config": {
            "model_type": "gemma3_text",
            "vocab_size": 512,
            "hidden_size": 24,
            "intermediate_size": 48,
            "num_hidden_layers": 7,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "query_pre_attn_scalar": 16,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 8,
        },
        "must_matter": {"sliding_window_pattern": 7, "rope_scaling": None},
        "besides": {
            "lm_head.weight": (512, 24),
            "model.vision_tower.vision_model.post_layernorm.weight": (16,),
            "model.multi_modal_projector.mm_input_projection_weight": (16, 24),
        },
    },
    # The keys of the published 4B configuration (and the vocabulary): heads, head size and query
    # scale by default.
    "published_keys_bf16": {
        "seed": 204,
        "prefix": "language_model.model.",
        "nested": True,
        "dtype": torch.bfloat16,
        "config": {
            "model_type": "gemma3_text",
            "vocab_size": 300,
            "hidden_size": 8,
            "intermediate_size": 20,
            "num_hidden_layers": 2,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 16,
        },
        "must_matter": {"query_pre_attn_scalar": 128},
    },
}


def centre_and_spread(name, shape):
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return 0.8, 0.4  # peaked attention, as in trained models, so that positions matter
    if "norm" in name:
        return 0.0, 0.3
    if name == "embed_tokens.weight":
        return 0.0, 1.0 / shape[1] ** 0.5
    return 0.0, 1.0 / fan_in(shape) ** 0.5


def build(config):
    # Copies, because transformers changes nested dictionaries in place.
    config = Gemma3TextConfig(**{k: v.copy() if isinstance(v, dict) else v for k, v in config.items()})
    config._attn_implementation = "eager"
    return Gemma3TextModel(config).eval()


def evaluate(model, ids):
    with torch.no_grad():
        states = model(ids[None], output_hidden_states=True, use_cache=False).hidden_states
    assert len(states) == model.config.num_hidden_layers + 1
    return states[-2].float()


def make_case(name, case):
    config, dtype = case["config"], case.get("dtype", torch.float32)
    model = build(config)
    weights = draw_weights(shapes_of(model), case["seed"], centre_and_spread)
    weights = {k: v.to(dtype) for k, v in weights.items()}
    model.load_state_dict(weights)

    gen = generator(case["seed"] + 1000)
    tensors, runs, ids = {}, [], None
    for i, length in enumerate(LENGTHS):
        ids = torch.randint(0, config["vocab_size"], (length,), generator=gen)
        tensors[f"run{i}.features"] = evaluate(model, ids)
        if dtype == torch.bfloat16:
            half = build(config).to(dtype)
            half.load_state_dict(weights)
            tensors[f"run{i}.features_bf16"] = evaluate(half, ids)
        runs.append({"name": f"run{i}", "ids": ids.tolist()})

    longest = tensors[f"run{len(LENGTHS) - 1}.features"]

    def rerun(changed):
        model.load_state_dict(changed)
        return evaluate(model, ids)

    last = config["num_hidden_layers"] - 1
    check_every_weight_matters(weights, rerun, unused=(f"layers.{last}.", "norm."))
    for key, other in case["must_matter"].items():
        different = build(config | {key: other})
        different.load_state_dict(weights)
        moved = relative(evaluate(different, ids), longest)
        assert moved > LEAST_DIFFERENCE, f"{name}: {key} = {other} moves the features by only {moved}"

    stored = {case["prefix"] + k: v for k, v in weights.items()}
    for extra, shape in case.get("besides", {}).items():
        stored[extra] = torch.randn(shape, generator=gen).to(dtype)
    written = {"model_type": "gemma3", "text_config": config} if case.get("nested") else config
    write_case(FIXTURES / "gemma3" / name, written, stored, tensors, {"runs": runs})


if __name__ == "__main__":
    for case_name, settings in CASES.items():
        make_case(case_name, settings)
