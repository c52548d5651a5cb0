// Expected values: tests/fixtures/schedulers/guidance.json, made by tests/reference/schedulers.py
// from the public NewBie repository's NextDiT_CLIP.forward_with_cfg.

import assert from "node:assert/strict";
import fc from "fast-check";
import { RequestError } from "../../src/errors.ts";
import { combineGuidance, needsUnconditional } from "../../src/schedulers/mod.ts";
import { float32, readFixture, relativeError } from "./_fixtures.ts";

interface GuidanceCase {
  readonly guidanceScale: number;
  readonly renormCfg: number;
  readonly cfgTrunc: number;
  readonly timestep: number;
  readonly askedForUnconditional: boolean;
  readonly guided: string;
}

interface GuidanceFixture {
  readonly conditional: string;
  readonly unconditional: string;
  readonly cases: readonly GuidanceCase[];
}

const fixture = await readFixture<GuidanceFixture>("guidance.json");

Deno.test("guidance equals upstream's, renormalised and truncated", () => {
  const conditional = float32(fixture.conditional);
  const unconditional = float32(fixture.unconditional);
  for (const run of fixture.cases) {
    const { guidanceScale, renormCfg, cfgTrunc, timestep } = run;
    const options = { guidanceScale, renormCfg, cfgTrunc };
    const guided = needsUnconditional(timestep, options)
      ? combineGuidance(conditional, unconditional, options)
      : conditional;
    const error = relativeError(guided, float32(run.guided));
    assert.ok(error <= 1e-6, `${JSON.stringify(options)} at ${timestep}: relative error ${error}`);
  }
});

Deno.test("the unconditional velocity is asked for when upstream asks, except for nothing", () => {
  const withoutEffect = (run: GuidanceCase) =>
    run.guidanceScale === 1 && (run.renormCfg === 0 || run.renormCfg >= 1);
  for (const run of fixture.cases) {
    const expected = run.askedForUnconditional && !withoutEffect(run);
    assert.equal(needsUnconditional(run.timestep, run), expected, JSON.stringify(run));
  }
});

Deno.test("guidance defaults are upstream's: no truncation, norm at most the conditional one's", () => {
  const conditional = float32(fixture.conditional);
  const unconditional = float32(fixture.unconditional);
  const run = fixture.cases.find((c) => c.guidanceScale === 5 && c.renormCfg === 1)!;
  assert.equal(run.cfgTrunc, 100);
  assert.ok(needsUnconditional(1, { guidanceScale: 5 }));
  const guided = combineGuidance(conditional, unconditional, { guidanceScale: 5 });
  assert.ok(relativeError(guided, float32(run.guided)) <= 1e-6);
});

const velocities = fc.integer({ min: 1, max: 64 }).chain((length) => {
  const value = fc.float({ min: -100, max: 100, noNaN: true });
  const velocity = fc.float32Array({
    minLength: length,
    maxLength: length,
    min: -100,
    max: 100,
    noNaN: true,
  });
  return fc.tuple(velocity, fc.oneof(velocity, value.map((v) => new Float32Array(length).fill(v))));
});

function norm(values: Float32Array): number {
  return Math.hypot(...values);
}

Deno.test("the renormalised norm never exceeds renormCfg times the conditional norm", () => {
  fc.assert(fc.property(
    velocities,
    fc.double({ min: 0, max: 30, noNaN: true }),
    fc.double({ min: 0.01, max: 3, noNaN: true }),
    ([conditional, unconditional], guidanceScale, renormCfg) => {
      const guided = combineGuidance(conditional, unconditional, { guidanceScale, renormCfg });
      assert.ok(guided.every(Number.isFinite));
      // float32's smallest number is the rounding that a relative bound does not cover.
      const limit = renormCfg * norm(conditional) * (1 + 1e-6) + guided.length * 2 ** -149;
      assert.ok(norm(guided) <= limit, `${norm(guided)} > ${limit}`);
    },
  ));
});

Deno.test("renormalisation keeps the direction of the guided velocity", () => {
  fc.assert(fc.property(velocities, ([conditional, unconditional]) => {
    const free = combineGuidance(conditional, unconditional, { guidanceScale: 7, renormCfg: 0 });
    const guided = combineGuidance(conditional, unconditional, { guidanceScale: 7 });
    const factor = Math.min(1, norm(conditional) / norm(free));
    fc.pre(norm(conditional) > 1e-20 && norm(free) > 1e-20);
    assert.ok(relativeError(guided, free.map((v) => v * factor)) <= 1e-6);
  }));
});

Deno.test("guidance 1 is the conditional velocity, to the last bit", () => {
  fc.assert(fc.property(velocities, ([conditional, unconditional]) => {
    const guided = combineGuidance(conditional, unconditional, { guidanceScale: 1 });
    assert.deepEqual(guided, conditional);
    assert.notEqual(guided, conditional, "an array of its own");
  }));
});

Deno.test("two velocities of zero give zero, where upstream divides zero by zero", () => {
  const zero = new Float32Array(4);
  assert.deepEqual(combineGuidance(zero, zero, { guidanceScale: 5 }), zero);
});

Deno.test("options out of range are refused with what is allowed", () => {
  const one = Float32Array.of(1);
  const refused: [Parameters<typeof combineGuidance>[2], RegExp][] = [
    [{ guidanceScale: NaN }, /guidanceScale is NaN; expected a finite number of 0 or more/],
    [{ guidanceScale: Infinity }, /guidanceScale is Infinity; expected a finite number/],
    [{ guidanceScale: -1 }, /guidanceScale is -1; expected a finite number of 0 or more/],
    [{ guidanceScale: 5, cfgTrunc: NaN }, /cfgTrunc is NaN; expected the time/],
    [{ guidanceScale: 5, renormCfg: -0.5 }, /renormCfg is -0.5; expected a finite number/],
    [{ guidanceScale: 5, renormCfg: Infinity }, /renormCfg is Infinity; expected a finite number/],
  ];
  for (const [options, message] of refused) {
    for (
      const attempt of [
        () => combineGuidance(one, one, options),
        () => needsUnconditional(0, options),
      ]
    ) {
      assert.throws(
        attempt,
        (error) => error instanceof RequestError && message.test(error.message),
      );
    }
  }
  assert.ok(needsUnconditional(1, { guidanceScale: 5, cfgTrunc: Infinity }));
});

Deno.test("velocities of different lengths are refused with both lengths", () => {
  assert.throws(
    () => combineGuidance(new Float32Array(3), new Float32Array(2), { guidanceScale: 5 }),
    { name: "RangeError", message: /has 3 values and the unconditional one 2/ },
  );
});
