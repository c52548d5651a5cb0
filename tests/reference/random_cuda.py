"""Makes tests/fixtures/random/cuda.json: what torch.randn gives with a CUDA generator.

From: torch 2.11 (requirements.txt) alone, on a machine with an NVIDIA GPU. The recorded values
depend on the GPU through its number of multiprocessors and of threads a multiprocessor holds, which
are recorded with them.

Run: python tests/reference/random_cuda.py tests/fixtures/random/cuda.json
"""

import sys

import torch

from random_cases import record_case, write

SEEDS = [0, 42, 2**40 + 3, -1]
SHAPES = [
    [7],
    [1, 16, 13, 7],
    [1, 16, 32, 32],
    [2, 16, 32, 32],
    [1, 16, 128, 128],
    [4, 16, 128, 128],
    [5, 16, 128, 128],
]
RUNS = [
    [[1, 16, 32, 32], [1, 16, 32, 32]],
    [[7], [5, 16, 128, 128], [1, 16, 13, 7], [4, 16, 128, 128], [7]],
]


def main(path):
    properties = torch.cuda.get_device_properties(0)
    origin = {
        "torch": torch.__version__,
        "gpu": properties.name,
        "multiProcessorCount": properties.multi_processor_count,
        "maxThreadsPerMultiProcessor": properties.max_threads_per_multi_processor,
    }
    cases = []
    for seed in SEEDS:
        for shapes in [[shape] for shape in SHAPES] + RUNS:
            cases.append(record_case("cuda", seed, shapes))
    write(path, origin, cases)


if __name__ == "__main__":
    main(sys.argv[1])
