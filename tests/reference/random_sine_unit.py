"""Measures the sine unit of an NVIDIA GPU and solves for the numbers in src/random/_sine_table.ts.

From: torch 2.11 (requirements.txt) and numpy, on a machine with an NVIDIA GPU. CUDA's __sinf
multiplies its argument by float32(1 / 2π), truncating, and hands it to the special function unit,
which cuts it to 25 fractional bits of a turn. The unit's structure is public (Oberman and Siu, "A
High-Performance Area-Efficient Multifunction Interpolator", 2005; the envytools project described
the Tesla generation's datapath bit by bit): a quarter turn is 64 segments, each a quadratic
A + B·x + C·x² in fixed point over 17 bits of x, with a square that drops low bits, and a result
that is truncated. Here every one of the 2^23 arguments of the first quarter is measured, and for
each segment all integer triples near the Taylor coefficients are tried; those that reproduce all
2^17 measured values to the bit are printed. Where several do, any of them is right, and the
smallest |C|, then B, then A is taken (on an H100, one triple fits each segment).

The table is printed; the SHA-256 of the measured sines (little-endian float32, in the order of
the arguments) goes to tests/fixtures/random/sine_unit.json.

Run: python tests/reference/random_sine_unit.py tests/fixtures/random/sine_unit.json
"""

import hashlib
import json
import math
import sys

import numpy as np

SEGMENTS = 64
SEGMENT_BITS = 17
SEGMENT_SIZE = 1 << SEGMENT_BITS
QUARTER = SEGMENTS * SEGMENT_SIZE
TURN = 4 * QUARTER
CONSTANT_SHIFT = 11
RESULT_BITS = 37
SIGNIFICAND_BITS = 24
INVERSE_TWO_PI = float(np.float32(1 / (2 * math.pi)))
SLOPES_TRIED = range(-3, 4)
CURVATURES_TRIED = range(-24, 25)
KERNEL = """
extern "C" __global__ void fast_sine(const float* angle, float* sine, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) sine[i] = __sinf(angle[i]);
}
"""


def unit_argument(angle):
    """The turn fraction, in units of 2^-25, that the unit sees for a float32 angle."""
    product = angle.astype(np.float64) * INVERSE_TWO_PI  # exact: 24 + 24 bits
    significand, exponent = np.frexp(product)
    kept = np.floor(np.ldexp(significand, SIGNIFICAND_BITS))
    return np.floor(np.ldexp(kept, exponent - SIGNIFICAND_BITS) * TURN).astype(np.int64)


def angles_for_every_argument():
    """For each unit argument of the first quarter, a float32 angle that leads to it."""
    wanted = np.arange(QUARTER)
    angle = ((wanted + 0.5) / TURN / INVERSE_TWO_PI).astype(np.float32)
    assert np.array_equal(unit_argument(angle), wanted)
    return angle


def measure():
    import torch

    kernel = torch.cuda._compile_kernel(KERNEL, "fast_sine")
    angle = torch.from_numpy(angles_for_every_argument()).cuda()
    sine = torch.empty_like(angle)
    threads = 256
    kernel(((QUARTER + threads - 1) // threads, 1, 1), (threads, 1, 1), (angle, sine, QUARTER))
    torch.cuda.synchronize()
    return sine.cpu().numpy(), torch.cuda.get_device_name(0)


def truncated_square(x):
    total = np.zeros_like(x)
    for bit in range(SEGMENT_BITS):
        total += np.where((x >> bit) & 1, x >> (SEGMENT_BITS + 1 - bit), 0)
    return total >> 1


X = np.arange(SEGMENT_SIZE, dtype=np.int64)
X_SQUARED = truncated_square(X)


def bounds(sine):
    """The least and the greatest fixed-point results that truncate to each measured float."""
    value = sine.astype(np.float64)
    least = np.ldexp(value, RESULT_BITS).astype(np.int64)
    _, exponent = np.frexp(value)
    dropped = np.maximum(exponent + RESULT_BITS - SIGNIFICAND_BITS, 0)
    width = np.where(value > 0, np.int64(1) << dropped, 1)
    return least, least + width - 1


def constants_that_fit(low, high, slope, curvature):
    """The range of A for which every value of the segment comes out right; None if empty."""
    rest = slope * X + curvature * X_SQUARED
    least = int((low - rest).max())
    greatest = int((high - rest).min())
    first = -(-least >> CONSTANT_SHIFT)
    last = greatest >> CONSTANT_SHIFT
    return (first, last) if first <= last else None


def solve_segment(sine, segment):
    low, high = bounds(sine)
    angle = segment / SEGMENTS * math.pi / 2
    per_segment = math.pi / 2 / SEGMENTS
    scale = 2.0**RESULT_BITS
    slope_guess = round(math.cos(angle) * per_segment * scale / SEGMENT_SIZE)
    # The square of 17 bits loses 17 + 2 low ones, so its unit is 2^19 of x².
    square_unit = SEGMENT_SIZE**2 / float(1 << (SEGMENT_BITS + 2))
    curvature_guess = round(-math.sin(angle) / 2 * per_segment**2 * scale / square_unit)
    found = []
    for curvature in CURVATURES_TRIED:
        for slope in SLOPES_TRIED:
            b, c = slope_guess + slope, curvature_guess + curvature
            fit = constants_that_fit(low, high, b, c)
            if fit is not None:
                found += [(a, b, c) for a in range(fit[0], fit[1] + 1)]
    return found


def main(path):
    sine, gpu = measure()
    for segment in range(SEGMENTS):
        values = sine[segment * SEGMENT_SIZE : (segment + 1) * SEGMENT_SIZE]
        found = solve_segment(values, segment)
        if not found:
            raise SystemExit(f"No triple reproduces segment {segment}.")
        a, b, c = min(found, key=lambda triple: (abs(triple[2]), triple[1], triple[0]))
        print(f"  [0x{a:07x}, 0x{b:04x}, {c}],")
    digest = hashlib.sha256(sine.astype("<f4").tobytes()).hexdigest()
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"gpu": gpu, "arguments": QUARTER, "sha256": digest}, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
