"""A small Gemma 3 in GGUF as llama.cpp's converter writes it, and its features by transformers.

    python tests/reference/gguf_gemma3.py

Needs gguf 0.17 or later. Names are those of gguf-py's map for MODEL_ARCH.GEMMA3, keys those of its
writer, and norms have 1 added, as in llama.cpp's convert_hf_to_gguf.py. Values are gguf-py's own
dequantisation, put into transformers' Gemma3TextModel; `features` are hidden_states[-2] in float64.
Blocks of the K types are random bytes with small scales, since gguf-py can only read those. There are
vectors of a vision tower's projector beside, which nothing may ask for.
"""

import json
from pathlib import Path

import numpy as np
import torch
from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFWriter, RopeScalingType
from gguf import constants, get_tensor_name_map, quants
from safetensors.numpy import save_file
from transformers import Gemma3TextConfig, Gemma3TextModel

FOLDER = Path(__file__).parent.parent / "fixtures" / "gguf_gemma3"
VOCABULARY, WIDTH, INNER, LAYERS, HEADS, KV_HEADS, HEAD, WINDOW = 96, 64, 256, 8, 2, 1, 32, 8
# Rows of 64 values are whole blocks of these, rows of 256 of the K types, too.
SMALL = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "F16", "BF16", "F32"]
LARGE = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
SCALES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
LENGTHS = [1, 7, 30]


def stored(random, shape, name, size):
    """A matrix as its type stores it, and what that stands for."""
    kind = GGMLQuantizationType[name]
    if name in SCALES:
        values, length = constants.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (np.prod(shape) // values, length), dtype=np.uint8)
        for factor in (1e-2, None):
            spread = quants.dequantize(blocks, kind).std() if factor is None else 0
            for place in SCALES[name]:
                scales = random.random((len(blocks), 1)) * factor if factor is not None else (
                    blocks[:, place:place + 2].copy().view(np.float16) * (size / spread))
                blocks[:, place:place + 2] = scales.astype(np.float16).view(np.uint8)
        data = blocks.reshape(shape[0], -1)
    else:
        data = quants.quantize((random.standard_normal(shape) * size).astype(np.float32), kind)
    return kind, data, quants.dequantize(data, kind).astype(np.float32).reshape(shape)


def main():
    FOLDER.mkdir(exist_ok=True)
    random = np.random.default_rng(29)
    config = Gemma3TextConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD,
        query_pre_attn_scalar=HEAD, sliding_window=WINDOW, rms_norm_eps=1e-6,
        attn_implementation="eager", rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        })
    model = Gemma3TextModel(config).double().eval()

    writer = GGUFWriter(FOLDER / "model.gguf", "gemma3")
    writer.add_context_length(32768)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(WINDOW)
    writer.add_rope_scaling_type(RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(8.0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"token {index}" for index in range(VOCABULARY)])
    names = get_tensor_name_map(MODEL_ARCH.GEMMA3, LAYERS)
    values = {}
    matrices = 0
    for name, parameter in model.state_dict().items():
        shape = tuple(parameter.shape)
        in_file = names.get_name(f"model.{name}", try_suffixes=(".weight",))
        if name.endswith("norm.weight"):
            norm = (random.standard_normal(shape) * 0.2 + 1).astype(np.float32)
            writer.add_tensor(in_file, norm)
            values[name] = torch.from_numpy(norm).double() - 1
            continue
        types = LARGE if shape[-1] == INNER else SMALL
        kind, data, meant = stored(random, shape, types[matrices % len(types)],
                                   0.5 if "embed" in name else 0.1)
        matrices += 1
        writer.add_tensor(in_file, data, raw_dtype=kind)
        values[name] = torch.from_numpy(meant).double()
    writer.add_tensor("mm.soft_emb_norm.weight", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    model.load_state_dict(values)
    runs, outputs = [], {}
    for index, length in enumerate(LENGTHS):
        ids = random.integers(0, VOCABULARY, length)
        with torch.no_grad():
            states = model(torch.from_numpy(ids)[None], output_hidden_states=True).hidden_states
        runs.append({"name": f"run{index}", "ids": ids.tolist()})
        outputs[f"run{index}.features"] = states[-2].float().contiguous().numpy()
    save_file(outputs, FOLDER / "io.safetensors")
    (FOLDER / "io.json").write_text(json.dumps({"runs": runs}, indent=1) + "\n")


main()
