"""What random_cpu.py and random_cuda.py share: a case is a seed and a run of torch.randn calls.

Not run by itself. A call is recorded as its shape, the SHA-256 of all its bytes (little-endian
float32) and the bytes of its first and last 64 values in hexadecimal, so that a wrong value can be
found as well as noticed.
"""

import hashlib
import json
import math

import torch

EDGE_VALUES = 64


def record_call(values, shape):
    data = values.cpu().numpy().astype("<f4").tobytes()
    call = {
        "shape": list(shape),
        "sha256": hashlib.sha256(data).hexdigest(),
        "first": data[: 4 * EDGE_VALUES].hex(),
    }
    if math.prod(shape) > EDGE_VALUES:
        call["last"] = data[-4 * EDGE_VALUES :].hex()
    return call


def record_case(device, seed, shapes):
    """Draws the shapes one after another from a single generator."""
    generator = torch.Generator(device).manual_seed(seed)
    calls = []
    for shape in shapes:
        values = torch.randn(shape, dtype=torch.float32, device=device, generator=generator)
        calls.append(record_call(values, shape))
    return {"seed": str(seed), "calls": calls}


def write(path, origin, cases):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"origin": origin, "cases": cases}, file, indent=2)
        file.write("\n")
