/** The parts that generators are made of, against published and exactly computed values. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fusedMultiplyAdd } from "../../src/random/_float32.ts";
import { MersenneTwister } from "../../src/random/_mersenne_twister.ts";
import { philox } from "../../src/random/_philox.ts";
import { unitArgument, unitCosine, unitSine } from "../../src/random/_sine_unit.ts";
import { readFixture, sha256 } from "./_fixtures.ts";

Deno.test("MT19937 gives the values that the C++ standard requires of std::mt19937", () => {
  const twister = new MersenneTwister(5489);
  assert.equal(twister.next(), 3499211612);
  for (let i = 2; i < 10_000; i++) twister.next();
  // ISO C++ [rand.predef]: the 10000th consecutive invocation.
  assert.equal(twister.next(), 4123659995);
});

Deno.test("Philox 4x32-10 gives the known answer of its authors' Random123 library", () => {
  const words = new Uint32Array(4);
  philox(0, 0, 0, 0, words);
  assert.deepEqual([...words], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
});

Deno.test("fusedMultiplyAdd rounds the exact result once", () => {
  const float = fc.integer({ min: -(2 ** 24), max: 2 ** 24 });
  const exponent = fc.integer({ min: -40, max: 10 });
  fc.assert(
    fc.property(float, float, float, exponent, (a, b, c, e) => {
      const addend = Math.fround(c * 2 ** e);
      assert.equal(fusedMultiplyAdd(a, b, addend), exactly(a, b, addend));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("fusedMultiplyAdd decides between neighbours by what float64 cannot hold", () => {
  // a · b is halfway between two float32 values; c, far below float64's last bit of the sum,
  // breaks the tie.
  const odd = fc.integer({ min: 2 ** 11, max: 2 ** 12 - 1 }).map((half) => 2 * half + 1);
  const tiny = fc.integer({ min: -60, max: -31 }).map((exponent) => 2 ** exponent);
  fc.assert(
    fc.property(odd, odd, tiny, fc.constantFrom(1, -1), fc.constantFrom(1, -1), (a, b, c, s, t) => {
      fc.pre(a * b >= 2 ** 24 && a * b < 2 ** 25);
      assert.equal(fusedMultiplyAdd(a * s, b, c * t), exactly(a * s, b, c * t));
      assert.equal(fusedMultiplyAdd(a * s, b, 0), Math.fround(a * b * s));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("the sine unit gives every value measured on an H100 over a quarter turn", async () => {
  // tests/reference/random_sine_unit.py
  const measured = await readFixture<{ arguments: number; sha256: string }>("sine_unit.json");
  const sines = Float32Array.from(
    { length: measured.arguments },
    (_, argument) => unitSine(argument),
  );
  assert.equal(await sha256(sines), measured.sha256);
});

Deno.test("the sine unit is as close to sine and cosine as NVIDIA documents", () => {
  // CUDA C++ Programming Guide, __sinf and __cosf: 2^-21.41 and 2^-21.19 over ±π. Beyond π the
  // angle's own rounding, up to 2^-22, and the product's, up to 2π · 2^-24, come on top.
  const most = 2 ** -21.19 + 2 ** -22 + 2 * Math.PI * 2 ** -24;
  const angle = fc.double({ min: 0, max: 6.28, noNaN: true }).map(Math.fround);
  fc.assert(
    fc.property(angle, (angle) => {
      const argument = unitArgument(angle);
      assert.ok(Math.abs(unitSine(argument) - Math.sin(angle)) < most);
      assert.ok(Math.abs(unitCosine(argument) - Math.cos(angle)) < most);
    }),
    { numRuns: 10_000 },
  );
});

/** a · b + c for integers a and b, rounded to float32: to nearest, ties to even. */
function exactly(a: number, b: number, c: number): number {
  // No c of these tests has bits below 2^-64.
  const scale = 64;
  const total = (BigInt(a) * BigInt(b) << BigInt(scale)) + BigInt(c * 2 ** scale);
  const size = total < 0n ? -total : total;
  const dropped = Math.max(0, size.toString(2).length - 24);
  const unit = 1n << BigInt(dropped);
  const below = size / unit;
  const twice = 2n * (size % unit);
  const up = twice > unit || (twice === unit && (below & 1n) === 1n);
  const rounded = Number((up ? below + 1n : below) * unit) / 2 ** scale;
  return total < 0n ? -rounded : rounded;
}
