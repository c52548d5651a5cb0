/** Decisions and forecasts are worked by hand from Newton's divided differences. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { RequestError } from "../../src/errors.ts";
import {
  createScheduler,
  SCHEDULER_NAMES,
  type Velocity,
  withStepCache,
} from "../../src/schedulers/mod.ts";

/** A velocity of the time alone, and the times at which it was asked for. */
function field(of: (time: number) => readonly number[]): { times: number[]; velocity: Velocity } {
  const times: number[] = [];
  const velocity: Velocity = (_, time) => {
    times.push(time);
    return Promise.resolve(Float32Array.from(of(time)));
  };
  return { times, velocity };
}

/** Euler without a shift: the times are k / steps. */
const EULER = createScheduler("euler", { shift: 1 });

Deno.test("three evaluations come first, then every other one, and the last step's always", async () => {
  const { times, velocity } = field((time) => [1 + time, 2 - time]);
  const [first, second] = await withStepCache(EULER, 0.01)
    .sample(Float32Array.of(0, 0), 8, velocity);
  assert.deepEqual(times.map((time) => time * 8), [0, 1, 2, 4, 6, 7]);
  // ∑ (1 + k/8)/8 and ∑ (2 − k/8)/8 over k = 0…7: a line is foretold as it is.
  assert.ok(Math.abs(first! - 1.4375) < 1e-6 && Math.abs(second! - 1.5625) < 1e-6);
});

Deno.test("a velocity is foretold where the term that a line leaves out is below the threshold", async () => {
  // v = t²: the second divided difference is 1 everywhere. From t₀ = 2/10 and t₁ = 1/10 the term at
  // 3/10 is 0.1 · 0.2 = 0.02, and v(t₀) = 0.04: the error is 0.5. From 3/10 (evaluated, 0.09) it is
  // 0.02 / 0.09 = 0.22 at 4/10, from 4/10 0.02 / 0.16 = 0.125 at 5/10, from 5/10 0.02 / 0.25 = 0.08.
  const { times, velocity } = field((time) => [time ** 2]);
  const sample = async (threshold: number) => {
    times.length = 0;
    const result = await withStepCache(EULER, threshold).sample(Float32Array.of(0), 10, velocity);
    return { tenths: times.map((time) => Math.round(time * 10)), end: result[0]! };
  };
  assert.deepEqual((await sample(0.12)).tenths, [0, 1, 2, 3, 4, 5, 7, 9]);
  assert.deepEqual((await sample(0.13)).tenths, [0, 1, 2, 3, 4, 6, 8, 9]);
  // After 4/10 was evaluated and 5/10 foretold, the differences at 6/10 are over unequal steps.
  assert.deepEqual((await sample(0.6)).tenths, [0, 1, 2, 4, 6, 8, 9]);
  // Foretold from 5/10 and 4/10 at 6/10: 0.25 + 0.9 · 0.1 = 0.34 for 0.36; from 7/10 and 5/10 at
  // 8/10: 0.49 + 1.2 · 0.1 = 0.61 for 0.64. Each counts a tenth; the sum of all squares is 2.85.
  assert.ok(Math.abs((await sample(0.12)).end - (2.85 - 0.02 - 0.03) / 10) < 1e-6);
});

Deno.test("a threshold of 0 is the sampler itself", () => {
  assert.equal(withStepCache(EULER, 0), EULER);
});

for (const threshold of [-0.1, NaN, Infinity]) {
  Deno.test(`a threshold of ${threshold} is refused in both languages`, () => {
    assert.throws(() => withStepCache(EULER, threshold), (error) => {
      assert.ok(error instanceof RequestError);
      assert.match(error.message, /stepCache is .*; expected the relative error/);
      assert.match(error.explain("zh"), /stepCache 是 .*；应为/);
      return true;
    });
  });
}

for (const name of SCHEDULER_NAMES) {
  Deno.test(`${name} keeps its times, answers steps, and follows a straight field exactly`, async () => {
    const scheduler = createScheduler(name);
    const cached = withStepCache(scheduler, 0.1);
    assert.deepEqual(cached.timesteps(12), scheduler.timesteps(12));
    assert.equal(cached.evaluations(12), scheduler.evaluations(12));
    assert.deepEqual([cached.name, cached.shift], [scheduler.name, scheduler.shift]);
    const { times, velocity } = field(() => [3, -1]);
    const steps: number[] = [];
    const noise = Float32Array.of(0, 0);
    const expected = await scheduler.sample(noise, 12, velocity);
    const whole = times.length;
    const found = await cached.sample(noise, 12, velocity, ({ index }) => void steps.push(index));
    assert.ok(times.length - whole <= 0.7 * whole);
    assert.deepEqual(steps, Array.from({ length: 12 }, (_, index) => index));
    found.forEach((value, index) => assert.ok(Math.abs(value - expected[index]!) < 1e-5));
  });

  Deno.test(`${name}: a velocity that no line foretells is evaluated every time`, async () => {
    const scheduler = createScheduler(name);
    // It turns by more than a right angle from step to step.
    const turning = () => {
      let turns = 0;
      return field(() => [Math.cos(2 * ++turns), Math.sin(2 * turns)]);
    };
    const [whole, cached] = [turning(), turning()];
    const noise = Float32Array.of(1, 2);
    const expected = await scheduler.sample(noise, 12, whole.velocity);
    const found = await withStepCache(scheduler, 0.1).sample(noise, 12, cached.velocity);
    assert.deepEqual(cached.times, whole.times);
    assert.deepEqual(found, expected);
  });
}

Deno.test("a model may answer in the same buffer every time", async () => {
  const buffer = new Float32Array(1);
  const same: Velocity = (_, time) => {
    buffer[0] = 1 + time;
    return Promise.resolve(buffer);
  };
  const { velocity } = field((time) => [1 + time]);
  const cached = withStepCache(EULER, 0.1);
  assert.deepEqual(
    await cached.sample(Float32Array.of(0), 9, same),
    await cached.sample(Float32Array.of(0), 9, velocity),
  );
});

Deno.test("runs hold nothing of each other, and a smaller threshold never evaluates less", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...SCHEDULER_NAMES),
      fc.integer({ min: 1, max: 25 }),
      fc.float({ min: Math.fround(0.5), max: 8, noNaN: true }),
      async (name, steps, pace) => {
        const scheduler = createScheduler(name);
        const { times, velocity } = field((time) => [Math.cos(pace * time), 2]);
        const noise = Float32Array.of(0, 0);
        const run = async (threshold: number) => {
          times.length = 0;
          const result = await withStepCache(scheduler, threshold).sample(noise, steps, velocity);
          return { result, evaluated: times.length };
        };
        const once = await run(0.05);
        assert.deepEqual(await run(0.05), once);
        const all = await run(0);
        assert.equal(all.evaluated, scheduler.evaluations(steps));
        assert.ok(once.evaluated <= all.evaluated);
        assert.equal((await run(1e-12)).evaluated >= once.evaluated, true);
      },
    ),
    { numRuns: 60 },
  );
});
