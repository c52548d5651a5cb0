"""Small GGUF files of every block type that can be read, and the values that gguf-py gives them.

    python tests/reference/gguf_files.py tests/fixtures/gguf

Needs gguf 0.17 or later. Where gguf-py can quantise, it does; blocks of the K and IQ4 types are random
bytes with small scales, since it can only read those.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, constants, quants
from safetensors.numpy import save_file

ROWS, COLUMNS = 12, 256
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",
         "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]
# Where the float16 scales of blocks lie that gguf-py cannot make.
SCALES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,),
          "IQ4_NL": (0,), "IQ4_XS": (0,)}


def main(folder):
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(11)
    values = random.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    values[:, :32] *= 20
    values[5, 64:96] = 0
    writer = GGUFWriter(folder / "types.gguf", "lumina2")
    writer.add_string("general.name", "every type that can be read")
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("words", [f"word {index}" for index in range(300)])
    expected = {}
    for name in TYPES:
        kind = Type[name]
        if name in SCALES:
            size, length = constants.GGML_QUANT_SIZES[kind]
            blocks = random.integers(0, 256, (ROWS * COLUMNS // size, length), dtype=np.uint8)
            for place in SCALES[name]:
                scales = (random.random((len(blocks), 1)) * 0.05).astype(np.float16)
                blocks[:, place:place + 2] = scales.view(np.uint8)
            stored = blocks.reshape(ROWS, -1)
        else:
            stored = quants.quantize(values, kind)
        writer.add_tensor(name, stored, raw_dtype=kind)
        expected[name] = quants.dequantize(stored, kind).astype(np.float32).reshape(ROWS, COLUMNS)
    # Not a row of blocks, but stored so: ComfyUI-GGUF notes the shape beside it.
    stored = quants.quantize(values.reshape(-1, 32), Type.Q8_0)
    writer.add_tensor("reshaped", stored, raw_dtype=Type.Q8_0)
    writer.add_array("comfy.gguf.orig_shape.reshaped", [ROWS, 16, 4, 4])
    expected["reshaped"] = quants.dequantize(stored, Type.Q8_0).reshape(ROWS, 16, 4, 4)
    # Types that cannot be read do no harm.
    writer.add_tensor("IQ2_XXS", np.zeros((1, 66), np.uint8), raw_dtype=Type.IQ2_XXS)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, folder / "expected.safetensors")


main(Path(sys.argv[1]))
