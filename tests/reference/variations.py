"""Makes tests/fixtures/random/variations.json: noise between two seeds, and noise of another size.

From: torch.randn, mixed by the formulas of AUTOMATIC1111's modules/rng.py (`slerp`, `ImageRNG.first`),
      written here again.
Run:  python tests/reference/variations.py
"""

import torch

from _shared import FIXTURES, write_json

CASES = [
    {"name": "a little of another seed", "seed": 3, "shape": [4, 6, 5], "variation": 4, "strength": 0.2},
    {"name": "all of it", "seed": 3, "shape": [4, 6, 5], "variation": 4, "strength": 1.0},
    {"name": "nothing of it", "seed": 3, "shape": [4, 6, 5], "variation": 4, "strength": 0.0},
    {"name": "itself", "seed": 3, "shape": [2, 4, 4], "variation": 3, "strength": 0.5},
    {"name": "of a smaller size", "seed": 8, "shape": [2, 7, 9], "from": [4, 5]},
    {"name": "of a larger size", "seed": 8, "shape": [2, 4, 5], "from": [7, 9]},
    {"name": "of another shape, varied", "seed": 8, "shape": [2, 6, 4], "from": [3, 9], "variation": 9, "strength": 0.4},
]


def randn(seed, shape):
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def slerp(share, low, high):
    low_norm = low / torch.norm(low, dim=1, keepdim=True)
    high_norm = high / torch.norm(high, dim=1, keepdim=True)
    dot = (low_norm * high_norm).sum(1)
    if dot.mean() > 0.9995:
        return low * (1 - share) + high * share
    omega = torch.acos(dot)
    so = torch.sin(omega)
    return (torch.sin((1 - share) * omega) / so).unsqueeze(1) * low + (
        torch.sin(share * omega) / so
    ).unsqueeze(1) * high


def noise_of(case):
    shape = case["shape"]
    inner = [shape[0], *case.get("from", shape[1:])]
    noise = randn(case["seed"], inner)
    if case.get("strength"):
        noise = slerp(case["strength"], noise, randn(case["variation"], inner))
    if inner != shape:
        x = randn(case["seed"], shape)
        dx, dy = (shape[2] - inner[2]) // 2, (shape[1] - inner[1]) // 2
        w = inner[2] if dx >= 0 else inner[2] + 2 * dx
        h = inner[1] if dy >= 0 else inner[1] + 2 * dy
        tx, ty = max(dx, 0), max(dy, 0)
        dx, dy = max(-dx, 0), max(-dy, 0)
        x[:, ty : ty + h, tx : tx + w] = noise[:, dy : dy + h, dx : dx + w]
        noise = x
    return noise


if __name__ == "__main__":
    cases = [{**case, "noise": noise_of(case).flatten().tolist()} for case in CASES]
    write_json(FIXTURES / "random" / "variations.json", cases)
