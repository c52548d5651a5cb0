"""ComfyUI's schedule `simple` over its flow models' table, in plain Python.

Facts: `ModelSamplingDiscreteFlow` of comfy/model_sampling.py has 1000 sigmas, shift·t / (1 + (shift − 1)·t)
for t = 1/1000 … 1, in float32; `simple_scheduler` of comfy/samplers.py takes, for x = 0 … steps − 1, the
entry that is int(x · (1000 / steps)) from the end, and then 0.

    python tests/reference/comfyui_simple.py > tests/fixtures/schedulers/comfyui_simple.json
"""

import json
import struct


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def table(shift, count=1000):
    return [float32(shift * t / (1 + (shift - 1) * t)) for t in (k / count for k in range(1, count + 1))]


def simple(shift, steps):
    sigmas = table(shift)
    stride = len(sigmas) / steps
    return [sigmas[-(1 + int(x * stride))] for x in range(steps)] + [0.0]


if __name__ == "__main__":
    runs = [
        {"shift": shift, "steps": steps, "sigmas": simple(shift, steps)}
        for shift in (1.0, 3.0, 6.0)
        for steps in (1, 3, 7, 13, 18, 20, 28, 30, 333)
    ]
    print(json.dumps(runs))
