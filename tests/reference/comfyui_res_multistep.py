"""ComfyUI's sampler `res_multistep` with its schedule `simple`, in plain Python with 64 bits.

Facts: `res_multistep` of comfy/k_diffusion/sampling.py without ancestral noise, in t = -log(sigma), with
phi1(t) = expm1(t) / t and phi2(t) = (phi1(t) - 1) / t; its first step, and one to sigma 0, is Euler's.

    python tests/reference/comfyui_res_multistep.py > tests/fixtures/schedulers/comfyui_res_multistep.json
"""

import json
import math

from comfyui_simple import simple

SHIFT = 6.0
NOISE = [0.3 * i - 0.5 for i in range(5)]


def velocity(x, time):
    """A flow that is no line in any of its variables; tests/schedulers/res_multistep_test.ts has it too."""
    return [math.sin(3 * time + i) * 0.7 - 0.4 * v + 0.2 * math.cos(2 * v) for i, v in enumerate(x)]


def phi1(t):
    return math.expm1(t) / t


def phi2(t):
    return (phi1(t) - 1) / t


def res_multistep(x, sigmas):
    before = None
    for i, (sigma, after) in enumerate(zip(sigmas, sigmas[1:])):
        image = [v + sigma * slope for v, slope in zip(x, velocity(x, 1 - sigma))]
        if after == 0 or before is None:
            x = [v + (after - sigma) * (v - d) / sigma for v, d in zip(x, image)]
        else:
            h = math.log(sigma / after)
            c2 = math.log(sigma / sigmas[i - 1]) / h
            b1, b2 = phi1(-h) - phi2(-h) / c2, phi2(-h) / c2
            x = [math.exp(-h) * v + h * (b1 * d + b2 * o) for v, d, o in zip(x, image, before)]
        before = image
    return x


if __name__ == "__main__":
    runs = [{"steps": steps, "result": res_multistep(NOISE, simple(SHIFT, steps))} for steps in (7, 18, 20, 28)]
    print(json.dumps({"shift": SHIFT, "noise": NOISE, "runs": runs}))
