"""Writes small checkpoints with Python's safetensors, and what they hold, for tests/safetensors.

Makes, in tests/fixtures/safetensors:
  weights.safetensors  float32, float16 and bfloat16 tensors, among them a scalar, empty tensors,
                       names beyond ASCII, and tables of special values; written by safetensors.torch
  weights.json         dtype, shape and the float32 bits of each of those tensors, widened by torch
  opaque.safetensors   one weight beside a tensor of every other dtype that torch can write
  opaque.json          dtype, shape and bytes of those tensors
  sharded/             the tensors of weights.safetensors in shards with an index, written by
                       huggingface_hub (the writer that transformers and diffusers use)

A run repeats to the byte, but for the order of the two keys of __metadata__, which safetensors draws.

Run from the repository's root, with the versions of tests/reference/requirements.txt:
  python tests/reference/safetensors_files.py
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import save_file

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "safetensors"
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def every_exponent(exponent_bits: int, mantissas: list[int], mantissa_bits: int) -> np.ndarray:
    """Bit patterns of 16-bit floats: both signs, every exponent, some mantissas; one exponent a row."""
    patterns = [
        [sign << 15 | exponent << mantissa_bits | mantissa for sign in (0, 1) for mantissa in mantissas]
        for exponent in range(1 << exponent_bits)
    ]
    return np.array(patterns, dtype=np.uint16)


def from_bits(bits: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(bits.view(np.int16).copy()).view(dtype)


def float32_bits(tensor: torch.Tensor) -> list[int]:
    return tensor.float().contiguous().numpy().reshape(-1).view(np.uint32).tolist()


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    special = [0.0, -0.0, 1e-45, -1e-40, 3.4028234e38, float("inf"), float("-inf"), float("nan")]
    return {
        "table.f32": random(11, 3),
        "table.f16": random(7, 5).half(),
        "table.bf16": random(9, 4).bfloat16(),
        "special.f32": torch.tensor(special).reshape(4, 2),
        "special.f16": from_bits(every_exponent(5, [0, 1, 0x155, 0x200, 0x3FF], 10), torch.float16),
        "special.bf16": from_bits(every_exponent(8, [0, 1, 0x2A, 0x7F], 7), torch.bfloat16),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "empty.inside": torch.zeros(3, 0, 2, dtype=torch.float16),
        "vector": random(6).bfloat16(),
        "cube": random(2, 3, 4),
        "名前.é.\"quoted\"\\\n🍀": random(2, 2).bfloat16(),
        "__proto__": random(1, 2),
    }


def opaque() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(8)
    raw = torch.randint(0, 2, (2, 3, 8), dtype=torch.uint8, generator=generator)
    dtypes = {
        "BOOL": torch.bool,
        "U8": torch.uint8,
        "I8": torch.int8,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
        "F8_E5M2": torch.float8_e5m2,
        "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
        "F8_E8M0": torch.float8_e8m0fnu,
        "I16": torch.int16,
        "U16": torch.uint16,
        "I32": torch.int32,
        "U32": torch.uint32,
        "I64": torch.int64,
        "U64": torch.uint64,
        "F64": torch.float64,
        "C64": torch.complex64,
    }
    return {f"opaque.{name}": raw.clone().view(dtype) for name, dtype in dtypes.items()}


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)

    tensors = weights()
    save_file(tensors, FIXTURES / "weights.safetensors", metadata={"format": "pt", "名": "値 🍀"})
    expected = {
        name: {"dtype": NAMES[t.dtype], "shape": list(t.shape), "float32Bits": float32_bits(t)}
        for name, t in tensors.items()
    }
    # A list of pairs: as a member of an object, "__proto__" would be lost on the way.
    (FIXTURES / "weights.json").write_text(json.dumps(list(expected.items())) + "\n")

    others = opaque()
    save_file({"weight": torch.arange(4.0), **others}, FIXTURES / "opaque.safetensors")
    expected = {
        name: {
            "dtype": name.removeprefix("opaque."),
            "shape": list(t.shape),
            "bytes": t.contiguous().view(torch.uint8).reshape(-1).tolist(),
        }
        for name, t in others.items()
    }
    (FIXTURES / "opaque.json").write_text(json.dumps(list(expected.items())) + "\n")

    sharded = FIXTURES / "sharded"
    shutil.rmtree(sharded, ignore_errors=True)
    sharded.mkdir()
    save_torch_state_dict(tensors, sharded, max_shard_size=1000)


if __name__ == "__main__":
    main()
