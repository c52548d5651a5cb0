"""Weights of 8 bits as ComfyUI's files have them, and what PyTorch says they stand for.

    python tests/reference/byte_weights.py tests/fixtures/weights

Every file holds one layer, `model.diffusion_model.layer`; `expected.safetensors` has its matrix in
float32 under the file's name. The rotation is that of leejet/stable-diffusion.cpp
(docs/int8_convrot.md).
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

LAYER = "model.diffusion_model.layer"
ROWS, COLUMNS = 24, 64
GROUP = 16


def marker(**values):
    return torch.tensor(list(json.dumps(values).encode()), dtype=torch.uint8)


def hadamard(size):
    h4 = torch.tensor([[1.0, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]]) / 2
    matrix = torch.ones(1, 1)
    while matrix.shape[0] < size:
        matrix = torch.kron(matrix, h4)
    return matrix


def rotated(weight):
    return (weight.reshape(ROWS, -1, GROUP) @ hadamard(GROUP)).reshape(ROWS, COLUMNS)


def int8(weight, scale):
    return (weight / scale).round().clamp(-127, 127).to(torch.int8)


def main(folder):
    torch.manual_seed(7)
    weight = torch.randn(ROWS, COLUMNS) * torch.rand(ROWS, 1)
    weight[3, 5] = 0
    by_row = weight.abs().amax(1, keepdim=True)
    expected = {}

    def write(name, tensors, value, metadata=None):
        named = {f"{LAYER}.{key}" if key != "scaled_fp8" else "model.diffusion_model.scaled_fp8": t
                 for key, t in tensors.items()}
        save_file(named, folder / f"{name}.safetensors", metadata)
        expected[name] = value.to(torch.float32).clone()

    for name, dtype in [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)]:
        largest = torch.finfo(dtype).max
        plain = weight.to(dtype)
        write(f"{name}_plain", {"weight": plain}, plain.float())
        scale = weight.abs().max() / largest
        scaled = (weight / scale).to(dtype)
        # The marker's dtype says which one; two values say that products are to be exact.
        write(f"{name}_scale_weight",
              {"weight": scaled, "scale_weight": scale.reshape(1), "scale_input": torch.ones(1),
               "scaled_fp8": torch.zeros(2, dtype=dtype)}, scaled.float() * scale)
        format_name = "float8_e4m3fn" if name == "e4m3" else "float8_e5m2"
        write(f"{name}_comfy_quant",
              {"weight": scaled, "weight_scale": scale, "input_scale": torch.tensor(0.5),
               "comfy_quant": marker(format=format_name)}, scaled.float() * scale)
        # In files of old, the bytes of float8 stand as U8.
        write(f"{name}_as_bytes",
              {"weight": scaled.view(torch.uint8), "weight_scale": scale,
               "comfy_quant": marker(format=format_name)}, scaled.float() * scale)
        rows = (by_row / largest).to(torch.bfloat16)
        scaled = (weight / rows.float()).clamp(-largest, largest).to(dtype)
        write(f"{name}_by_row_metadata", {"weight": scaled, "weight_scale": rows},
              scaled.float() * rows.float(),
              # Named without what stands before all names.
              {"_quantization_metadata": json.dumps({"layers": {"layer": {"format": format_name}}})})
    scale = weight.abs().max() / 127
    stored = int8(weight, scale)
    write("int8_tensor", {"weight": stored, "weight_scale": scale,
                          "comfy_quant": marker(format="int8_tensorwise")}, stored.float() * scale)
    scale = by_row / 127
    stored = int8(weight, scale)
    write("int8_by_row", {"weight": stored, "weight_scale": scale,
                          "comfy_quant": marker(format="int8_tensorwise", per_row=True)},
          stored.float() * scale)
    turned = rotated(weight)
    scale = turned.abs().amax(1, keepdim=True) / 127
    stored = int8(turned, scale)
    value = rotated(stored.float() * scale)
    write("int8_rotated", {"weight": stored, "weight_scale": scale,
                           "comfy_quant": marker(format="int8_tensorwise", convrot=True,
                                                 convrot_groupsize=GROUP)}, value)
    write("int8_rotated_nested", {"weight": stored, "weight_scale": scale.reshape(-1)}, value,
          {"_quantization_metadata": json.dumps({"layers": {LAYER: {
              "format": "int8_tensorwise",
              "params": {"convrot": True, "convrot_groupsize": GROUP}}}})})
    # Every byte of each dtype.
    for name, dtype in [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)]:
        stored = torch.arange(256, dtype=torch.uint8).view(dtype).reshape(16, 16)
        write(f"{name}_bytes", {"weight": stored}, stored.float())
    save_file(expected, folder / "expected.safetensors")


main(Path(sys.argv[1]))
