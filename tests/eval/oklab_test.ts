/**
 * Expected values: OKLab of sRGB's primaries as CSS Color 4's conversions give them, to three digits.
 */
import assert from "node:assert/strict";
import { distance, labOf, toLab } from "../../bench/eval/oklab.ts";

const KNOWN: readonly (readonly [rgb: number, lab: readonly [number, number, number]])[] = [
  [0xffffff, [1, 0, 0]],
  [0x000000, [0, 0, 0]],
  [0xff0000, [0.628, 0.225, 0.126]],
  [0x00ff00, [0.866, -0.234, 0.179]],
  [0x0000ff, [0.452, -0.032, -0.312]],
];

Deno.test("OKLab of sRGB's primaries is as published", () => {
  for (const [rgb, expected] of KNOWN) {
    labOf(rgb).forEach((value, index) => {
      assert(Math.abs(value - expected[index]!) < 6e-4, `${rgb.toString(16)} ${value}`);
    });
  }
});

Deno.test("black and white are one apart, and pictures convert pixel by pixel", () => {
  assert(Math.abs(distance(labOf(0), labOf(0xffffff)) - 1) < 1e-6);
  const image = toLab({ data: Uint8ClampedArray.of(255, 0, 0, 0, 0, 255), width: 2, height: 1 });
  assert.deepEqual([image.L[1], image.a[1], image.b[1]], labOf(0x0000ff).map(Math.fround));
});
