"""Makes tests/fixtures/random/cpu.json: what torch.randn gives with a CPU generator.

From: torch 2.11 (requirements.txt) alone, on an x86-64 machine with AVX2 (ATen's AVX2 and AVX-512
builds give the same bits; its build without either rounds some logarithms, sines and cosines
otherwise and is refused here).

Run: python tests/reference/random_cpu.py tests/fixtures/random/cpu.json
"""

import sys

import torch

from random_cases import record_case, write

SEEDS = [0, 42, 2**32 - 1, 2**32 + 5, 2**63 - 1, 2**64 - 1, -1, -5, -(2**63)]
SMALL_SHAPES = [[1], [2], [15], [16], [17], [31], [100], [3, 5, 7], [2, 2, 2], [1, 16, 13, 7]]
LARGE_SHAPES = [[1, 16, 32, 32], [1, 16, 128, 128]]
LARGE_SEEDS = [0, 42]
RUNS = [
    [[3], [16], [3], [17], [1], [1]],
    [[1, 16, 32, 32], [1, 16, 32, 32]],
    [[700], [5], [625], [2]],
]


def main(path):
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in ("AVX2", "AVX512"):
        raise SystemExit(f"ATen runs as {capability} here, but its AVX2 code is the one recorded.")
    cases = []
    for seed in SEEDS:
        shapes = SMALL_SHAPES + (LARGE_SHAPES if seed in LARGE_SEEDS else [])
        for run in [[shape] for shape in shapes] + RUNS:
            cases.append(record_case("cpu", seed, run))
    write(path, {"torch": torch.__version__, "capability": capability}, cases)


if __name__ == "__main__":
    main(sys.argv[1])
