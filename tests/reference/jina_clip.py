"""Makes tests/fixtures/jina_clip: small Jina CLIP v2 text towers with their mean-pooled output.

From: ComfyUI's comfy/text_encoders/jina_clip_2.py (commit 4130be2), whose output is compared with
      transformers' JinaEmbeddingsV3Model, the same architecture written independently.
Run:  python tests/reference/jina_clip.py --comfyui-file PATH_TO/jina_clip_2.py

io.json lists the runs with their token ids; io.safetensors has, a run each, `run0.pooled` [1, hidden]
(float32 arithmetic) and, where the weights are bfloat16, `run0.pooled_bf16`.

The official checkpoint carries a low-rank adapter for the task `retrieval.query`, and the official
model applies it to every text unless told otherwise (jina-clip-implementation, hf_model.py: the
default task's adapter is taken when no other is asked for; upstream's demo asks for none). So in the
case `official_names` `pooled` has the adapter merged: W + B·A·alpha/rank for linear layers,
W + A·B·alpha/rank for embeddings. `pooled_without_adapter` has it left out. Repacked files have it
merged already.
"""

import argparse
import importlib.util
import sys
import types

import torch
import torch.nn.functional as F
from torch import nn
from transformers import JinaEmbeddingsV3Config, JinaEmbeddingsV3Model

from _shared import (
    FIXTURES,
    check_every_weight_matters,
    draw_weights,
    fan_in,
    generator,
    normal,
    relative,
    shapes_of,
    write_case,
)

LENGTHS = [2, 7, 33]
START, END, FIRST_ORDINARY = 0, 2, 3  # XLM-RoBERTa's <s>, </s> and the id after its special ones

CASES = {
    "repacked": {
        "seed": 301,
        "config": {
            "vocab_size": 300,
            "type_vocab_size": 1,
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 80,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-5,
            "rotary_emb_base": 3000.0,
            "position_embedding_type": "rotary",
        },
    },
    # Nested as in jinaai/jina-clip-v2's config.json; there the sizes come from the model it names,
    # here they stand among the arguments, which take precedence. The rotary base is the default.
    "official_names": {
        "seed": 302,
        "adapter": {"rank": 4, "alpha": 4},
        "config": {
            "vocab_size": 260,
            "hidden_size": 40,
            "num_hidden_layers": 3,
            "num_attention_heads": 5,
            "intermediate_size": 56,
        },
    },
    "official_names_merged_bf16": {
        "seed": 303,
        "dtype": torch.bfloat16,
        "prefix": "text_model.transformer.roberta.",
        "config": {
            "vocab_size": 310,
            "type_vocab_size": 1,
            "hidden_size": 36,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "intermediate_size": 100,
            "layer_norm_eps": 1e-3,
            "rotary_emb_base": 20000.0,
        },
    },
}


def published_config(sizes, adapter):
    return {
        "add_projections": False,
        "architectures": ["JinaCLIPModel"],
        "model_type": "jina_clip",
        "projection_dim": sizes["hidden_size"],
        "text_config": {
            "default_instruction_task": None,
            "default_lora_task": "retrieval.query",
            "embed_dim": sizes["hidden_size"],
            "hf_model_config_kwargs": {
                "load_trained_adapters": False,
                "lora_adaptations": ["retrieval.query"],
                "lora_alpha": adapter["alpha"],
                "lora_dropout_p": 0.0,
                "lora_main_params_trainable": False,
                "lora_rank": adapter["rank"],
                "task_instructions": {
                    "retrieval.query": "Represent the query for retrieving evidence documents: "
                },
                "use_flash_attn": True,
                **sizes,
            },
            "hf_model_name_or_path": "jinaai/jina-embeddings-v3",
            "model_type": "jina_clip_text",
            "pooler_type": "mean_pooler",
            "proj_bias": False,
            "proj_type": None,
        },
    }


def import_comfyui(path):
    """Loads ComfyUI's file alone; what it takes from the rest of ComfyUI is replaced by PyTorch's
    own layers and attention."""

    def attention(q, k, v, heads, mask, skip_reshape):
        assert skip_reshape
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return out.transpose(1, 2).flatten(2)

    def module(name, **contents):
        made = types.ModuleType(name)
        made.__dict__.update(contents)
        sys.modules[name] = made
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, made)

    names = ("SDTokenizer", "SD1Tokenizer", "SDClipModel", "SD1ClipModel")
    module("comfy")
    module("comfy.ops")
    module("comfy.model_management")
    module("comfy.sd1_clip", **{name: object for name in names})
    module("comfy.ldm")
    module("comfy.ldm.modules")
    module("comfy.ldm.modules.attention", optimized_attention_for_device=lambda *_, **__: attention)
    module("comfy.text_encoders", __path__=[])
    module("comfy.text_encoders.spiece_tokenizer", SPieceTokenizer=object)
    name = "comfy.text_encoders.jina_clip_2"
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def build(comfyui, config, dtype=torch.float32):
    known = comfyui.XLMRobertaConfig.__dataclass_fields__
    layers = types.SimpleNamespace(Embedding=nn.Embedding, Linear=nn.Linear, LayerNorm=nn.LayerNorm)
    arguments = {key: value for key, value in config.items() if key in known}
    return comfyui.XLMRobertaModel(arguments, dtype, "cpu", layers).eval()


def evaluate(model, ids):
    with torch.no_grad():
        _, _, pooled = model(ids[None], attention_mask=torch.ones(1, len(ids), dtype=torch.int64))
    return pooled.float()


def evaluate_with_transformers(comfyui_config, weights, ids):
    """The second opinion: the same weights under transformers' names."""
    config = JinaEmbeddingsV3Config(
        vocab_size=comfyui_config.vocab_size,
        hidden_size=comfyui_config.hidden_size,
        num_hidden_layers=comfyui_config.num_hidden_layers,
        num_attention_heads=comfyui_config.num_attention_heads,
        intermediate_size=comfyui_config.intermediate_size,
        layer_norm_eps=comfyui_config.layer_norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": comfyui_config.rotary_emb_base},
    )
    renamed = {}
    for name, value in weights.items():
        name = name.removeprefix("model.")
        name = name.replace("emb_ln", "embeddings.LayerNorm").replace("encoder.layers", "layers")
        name = name.replace("norm1", "post_attention_layernorm").replace("norm2", "post_mlp_layernorm")
        name = name.replace("mixer.out_proj", "self_attn.o_proj")
        if "mixer.Wqkv" in name:
            for letter, part in zip("qkv", value.chunk(3)):
                renamed[name.replace("mixer.Wqkv", f"self_attn.{letter}_proj")] = part
        else:
            renamed[name] = value
    config._attn_implementation = "eager"
    model = JinaEmbeddingsV3Model(config, add_pooling_layer=False).eval()
    model.load_state_dict(renamed, strict=True)
    with torch.no_grad():
        return model(ids[None]).last_hidden_state.mean(dim=1)


def centre_and_spread(name, shape):
    if name.endswith("_ln.weight") or "norm" in name and name.endswith(".weight"):
        return 1.0, 0.3
    if name.endswith(".bias"):
        return 0.0, 0.2
    if "embeddings" in name:
        return 0.0, 0.7
    if "Wqkv" in name:
        return 0.0, 1.6 / fan_in(shape) ** 0.5  # peaked attention, so that positions matter
    return 0.0, 1.0 / fan_in(shape) ** 0.5


def is_adapted(name):
    return name.endswith(".weight") and "norm" not in name and "emb_ln" not in name


def draw_adapter(name, shape, rank, gen):
    """One task's adapter, in the shapes of the official checkpoint, a fifth of the weight's size."""
    rows, columns = shape
    scale = 0.2 * (centre_and_spread(name, shape)[1] / rank**0.5) ** 0.5
    if "embeddings" in name:
        return normal(gen, (1, rows, rank), scale), normal(gen, (1, rank, columns), scale)
    return normal(gen, (1, rank, columns), scale), normal(gen, (1, rows, rank), scale)


def merge(name, weight, lora_a, lora_b, adapter):
    product = lora_a[0] @ lora_b[0] if "embeddings" in name else lora_b[0] @ lora_a[0]
    return weight + product * (adapter["alpha"] / adapter["rank"])


def official_files(weights, adapter, gen):
    """The checkpoint under official names, and the weights that the official model ends up with."""
    stored, merged = {}, {}
    for name, value in weights.items():
        bare = "text_model.transformer.roberta." + name.removeprefix("model.")
        merged[name] = value
        if not is_adapted(name):
            stored[bare] = value
            continue
        lora_a, lora_b = draw_adapter(name, value.shape, adapter["rank"], gen)
        merged[name] = merge(name, value, lora_a, lora_b, adapter)
        wrapped = bare.removesuffix(".weight") + ".parametrizations.weight"
        stored[wrapped + ".original"] = value
        stored[wrapped + ".0.lora_A"] = lora_a
        stored[wrapped + ".0.lora_B"] = lora_b
    stored["logit_scale"] = torch.tensor(2.6592)
    stored["vision_model.patch_embed.proj.weight"] = normal(gen, (8, 3, 2, 2))
    return stored, merged


def make_case(comfyui, name, case):
    config, dtype = case["config"], case.get("dtype", torch.float32)
    model = build(comfyui, config)
    weights = draw_weights(shapes_of(model), case["seed"], centre_and_spread)
    weights = {k: v.to(dtype) for k, v in weights.items()}
    gen = generator(case["seed"] + 1000)

    adapter = case.get("adapter")
    if adapter:
        stored, effective = official_files(weights, adapter, gen)
        written = published_config(config, adapter)
    else:
        prefix = case.get("prefix", "model.")
        stored = {prefix + k.removeprefix("model."): v for k, v in weights.items()}
        effective, written = weights, config

    def run(changed, ids):
        model.load_state_dict(changed)
        return evaluate(model, ids)

    tensors, runs = {}, []
    for i, length in enumerate(LENGTHS):
        ids = torch.randint(FIRST_ORDINARY, config["vocab_size"], (length,), generator=gen)
        ids[0], ids[-1] = START, END
        pooled = run(effective, ids)
        second = evaluate_with_transformers(model.config, effective, ids)
        assert relative(second, pooled) < 1e-6, f"the two references differ: {relative(second, pooled)}"
        tensors[f"run{i}.pooled"] = pooled
        if adapter:
            tensors[f"run{i}.pooled_without_adapter"] = run(weights, ids)
        if dtype == torch.bfloat16:
            half = build(comfyui, config, dtype)
            half.load_state_dict(weights)
            tensors[f"run{i}.pooled_bf16"] = evaluate(half, ids)
        runs.append({"name": f"run{i}", "ids": ids.tolist()})
    check_every_weight_matters(effective, lambda changed: run(changed, ids))
    write_case(FIXTURES / "jina_clip" / name, written, stored, tensors, {"runs": runs})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--comfyui-file", required=True, help="ComfyUI's jina_clip_2.py")
    comfyui = import_comfyui(parser.parse_args().comfyui_file)
    for name, case in CASES.items():
        make_case(comfyui, name, case)


if __name__ == "__main__":
    main()
