// What holds for every sampler whatever the model. The expected values follow from mathematics:
// exact solutions of differential equations, and the published orders of the methods.

import assert from "node:assert/strict";
import fc from "fast-check";
import { NewBieError, RequestError } from "../../src/errors.ts";
import {
  createScheduler,
  type SchedulerName,
  type SchedulerStep,
  type Velocity,
} from "../../src/schedulers/mod.ts";

const NAMES: readonly SchedulerName[] = ["euler", "midpoint", "heun", "dpm-solver++"];
const names = fc.constantFrom(...NAMES);
const shifts = fc.double({ min: 0.001, max: 1000, noNaN: true });
const HALF_ULP = 2 ** -24;

/** The start of a run: noise, but for DPM-Solver 0.001 before the shift t / (t + s·(1 − t)). */
function startOf(name: SchedulerName, shift: number): number {
  return name === "dpm-solver++" ? 0.001 / (0.001 + shift * 0.999) : 0;
}

Deno.test("times rise strictly, in float32 too, from the exact start to exactly 1", () => {
  fc.assert(fc.property(names, shifts, fc.integer({ min: 1, max: 1000 }), (name, shift, steps) => {
    const times = createScheduler(name, { shift }).timesteps(steps);
    assert.equal(times.length, steps + 1);
    const start = startOf(name, shift);
    if (start === 0) assert.equal(times[0], 0);
    else assert.ok(Math.abs(times[0]! / start - 1) < 1e-12);
    assert.equal(times[steps], 1);
    for (let i = 0; i < steps; i++) {
      assert.ok(Math.fround(times[i]!) < Math.fround(times[i + 1]!), `points ${i} and ${i + 1}`);
    }
  }));
});

Deno.test("shift 1 leaves the times equally spaced, and 6 is the default", () => {
  assert.deepEqual([...createScheduler("euler", { shift: 1 }).timesteps(4)], [0, .25, .5, .75, 1]);
  const { shift, name } = createScheduler("heun");
  assert.deepEqual({ shift, name }, { shift: 6, name: "heun" });
});

Deno.test("a constant velocity is followed exactly by every sampler", async () => {
  const value = fc.float({ min: -10, max: 10, noNaN: true });
  await fc.assert(fc.asyncProperty(
    names,
    shifts,
    fc.integer({ min: 1, max: 40 }),
    fc.tuple(value, value),
    async (name, shift, steps, [x, v]) => {
      const velocity = () => Promise.resolve(Float32Array.of(v));
      const result = await createScheduler(name, { shift })
        .sample(Float32Array.of(x), steps, velocity);
      const expected = x + (1 - startOf(name, shift)) * v;
      // Each step stores at most three float32 arrays, and DPM-Solver extrapolates their rounding.
      const rounding = 8 * steps * HALF_ULP * (Math.abs(x) + Math.abs(v)) + steps * 2 ** -149;
      assert.ok(Math.abs(result[0]! - expected) <= rounding, `${result[0]}, not ${expected}`);
    },
  ));
});

/** How fast the error at time 1 falls from one number of steps to four times as many. */
async function observedOrder(name: SchedulerName, shift: number, steps: number): Promise<number> {
  // dx/dt = 2x·(1 − x), a logistic equation: x(t) = 1 / (1 + (1/x₀ − 1)·exp(−2(t − t₀))).
  const noise = Float32Array.of(0.1, 0.3, 0.6, 2);
  const velocity: Velocity = (x) => Promise.resolve(x.map((value) => 2 * value * (1 - value)));
  const left = Math.exp(-2 * (1 - startOf(name, shift)));
  const error = async (count: number) => {
    const result = await createScheduler(name, { shift }).sample(noise, count, velocity);
    return Math.hypot(...noise.map((x, i) => 1 / (1 + (1 / x - 1) * left) - result[i]!));
  };
  return Math.log2(await error(steps) / await error(4 * steps)) / 2;
}

Deno.test("four times the steps leave a quarter of Euler's error, a sixteenth of the others'", async () => {
  for (const shift of [0.5, 1, 3]) {
    for (const [name, published] of [["euler", 1], ["midpoint", 2], ["heun", 2]] as const) {
      const order = await observedOrder(name, shift, 25);
      assert.ok(Math.abs(order - published) < 0.2, `${name}, shift ${shift}: order ${order}`);
    }
  }
});

Deno.test("DPM-Solver++ is of second order but for the logarithm that its start costs", async () => {
  // Near the noise λ = log(α/σ) varies without bound, and step k there sees its predecessor's slope
  // wrong by 1/k. The errors add up to log(N)/N², of which 200 to 800 steps show the order 1.83.
  for (const shift of [0.5, 1]) {
    const order = await observedOrder("dpm-solver++", shift, 200);
    assert.ok(order > 1.7 && order < 2.1, `shift ${shift}: order ${order}`);
  }
});

Deno.test("onStep is called once a step, in order, with the times and the latents so far", async () => {
  await fc.assert(fc.asyncProperty(names, fc.integer({ min: 1, max: 9 }), async (name, total) => {
    const scheduler = createScheduler(name);
    const steps: SchedulerStep[] = [];
    let busy = false;
    const result = await scheduler.sample(
      Float32Array.of(1, 2),
      total,
      (latents) => {
        assert.ok(!busy, "the next step began before onStep was done");
        return Promise.resolve(latents.map((x) => -x));
      },
      async (step) => {
        busy = true;
        await new Promise((resolve) => setTimeout(resolve));
        steps.push(step);
        busy = false;
      },
    );
    const times = scheduler.timesteps(total);
    assert.deepEqual(
      steps.map(({ latents: _, ...step }) => step),
      Array.from({ length: total }, (_, index) => ({
        index,
        total,
        timestep: times[index],
        nextTimestep: times[index + 1],
      })),
    );
    assert.deepEqual(steps.at(-1)!.latents, result);
    assert.equal(new Set(steps.map((step) => step.latents)).size, total, "arrays of their own");
  }));
});

Deno.test("an abort in step k ends the run with its reason after exactly k steps", async () => {
  await fc.assert(fc.asyncProperty(names, fc.integer({ min: 0, max: 9 }), async (name, k) => {
    const scheduler = createScheduler(name);
    const controller = new AbortController();
    const reason = new Error("enough");
    let steps = 0;
    let asked = 0;
    if (k === 0) controller.abort(reason);
    const run = scheduler.sample(
      new Float32Array(3),
      10,
      (latents) => {
        asked++;
        return Promise.resolve(latents);
      },
      () => {
        if (++steps === k) controller.abort(reason);
      },
      controller.signal,
    );
    await assert.rejects(run, (error) => error === reason);
    assert.equal(steps, k);
    assert.equal(asked, k === 0 ? 0 : scheduler.evaluations(k));
  }));
});

Deno.test("two runs of one scheduler at the same time do not disturb each other", async () => {
  for (const name of NAMES) {
    const scheduler = createScheduler(name);
    const velocity: Velocity = (latents, t) => Promise.resolve(latents.map((x) => Math.sin(x + t)));
    const alone = await scheduler.sample(Float32Array.of(1), 6, velocity);
    const other = scheduler.sample(Float32Array.of(-1), 9, velocity);
    const together = await scheduler.sample(Float32Array.of(1), 6, velocity);
    await other;
    assert.deepEqual(together, alone);
  }
});

Deno.test("an error of the model ends the run with that error", async () => {
  const failure = new Error("out of memory");
  const run = createScheduler("heun")
    .sample(new Float32Array(1), 2, () => Promise.reject(failure));
  await assert.rejects(run, (error) => error === failure);
});

Deno.test("a model that answers with too few values is named with both counts", async () => {
  const run = createScheduler("euler")
    .sample(new Float32Array(4), 2, () => Promise.resolve(new Float32Array(3)));
  await assert.rejects(run, (error) => {
    return error instanceof NewBieError && /4 latents with 3 velocities/.test(error.message);
  });
});

Deno.test("steps, shifts and names out of range are refused with what is allowed", async () => {
  const refuses = (message: RegExp) => (error: unknown) =>
    error instanceof RequestError && message.test(error.message);
  const scheduler = createScheduler("euler");
  const velocity: Velocity = (latents) => Promise.resolve(latents);
  for (const steps of [0, -1, 1.5, 1001, NaN, Infinity]) {
    const message = new RegExp(
      `numInferenceSteps is ${steps}; expected a whole number from 1 to 1000`,
    );
    assert.throws(() => scheduler.timesteps(steps), refuses(message));
    assert.throws(() => scheduler.evaluations(steps), refuses(message));
    await assert.rejects(scheduler.sample(new Float32Array(1), steps, velocity), refuses(message));
  }
  for (const shift of [0, -6, NaN, Infinity, 1e-9]) {
    const message = new RegExp(`shift is ${shift}; expected a number from 0.001 to 1000`);
    assert.throws(() => createScheduler("euler", { shift }), refuses(message));
  }
  for (const name of ["dopri5", "toString", ""]) {
    const message = /expected one of euler, midpoint, heun, dpm-solver\+\+/;
    assert.throws(() => createScheduler(name as SchedulerName), refuses(message));
  }
});
