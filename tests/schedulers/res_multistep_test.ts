/**
 * Expected values: where the image that the model sees moves along a line in λ = −log(1 − t), the
 * flow has a solution in closed form, and the method is exact but for its first and last step.
 */
import assert from "node:assert/strict";
import { createScheduler } from "../../src/schedulers/mod.ts";
import { readFixture } from "./_fixtures.ts";

const SHIFT = 6;

/** dx/dλ = image − x with image = a + bλ has the solution x = c·exp(−λ) + a + b(λ − 1). */
const [a, b] = [0.3, 0.7];
const lambda = (time: number) => -Math.log(1 - time);
const image = (time: number) => a + b * lambda(time);
const exact = (time: number, from: number, x: number) => {
  const particular = (t: number) => a + b * (lambda(t) - 1);
  const c = (x - particular(from)) / (1 - from);
  return c * (1 - time) + particular(time);
};

async function run(steps: number) {
  const asked: number[] = [];
  const taken: { from: number; to: number; x: number }[] = [];
  const scheduler = createScheduler("res_multistep", { shift: SHIFT });
  await scheduler.sample(Float32Array.of(1), steps, (latents, time) => {
    asked.push(time);
    return Promise.resolve(Float32Array.of((image(time) - latents[0]!) / (1 - time)));
  }, ({ timestep: from, nextTimestep: to, latents }) => {
    taken.push({ from, to, x: latents[0]! });
  });
  return { asked, taken };
}

Deno.test("res_multistep is exact where the image moves along a line, after its first step", async () => {
  const { taken } = await run(20);
  for (const [index, { from, to, x }] of taken.entries()) {
    if (index === 0 || to === 1) continue;
    const expected = exact(to, from, taken[index - 1]!.x);
    assert(Math.abs(x - expected) < 2e-6, `step ${index}: ${x} instead of ${expected}`);
  }
});

Deno.test("res_multistep begins and ends with a step of Euler", async () => {
  const { taken } = await run(20);
  const euler = (from: number, to: number, x: number) =>
    x + (to - from) * (image(from) - x) / (1 - from);
  const [first, last, before] = [taken[0]!, taken.at(-1)!, taken.at(-2)!];
  assert(Math.abs(first.x - euler(first.from, first.to, 1)) < 1e-7);
  assert(Math.abs(last.x - image(last.from)) < 1e-6);
  assert(Math.abs(last.x - euler(last.from, 1, before.x)) < 1e-6);
});

// ComfyUI's `simple` takes every (1000 / steps)th of a thousand noise levels, so that with 20 steps
// it has these times before the shift: 0, 0.05, …, 1.
Deno.test("res_multistep asks once a step, at the times of ComfyUI's simple schedule", async () => {
  const { asked } = await run(20);
  const levels = Array.from({ length: 20 }, (_, step) => (1000 - Math.trunc(step * 50)) / 1000);
  const shifted = levels.map((sigma) => SHIFT * sigma / (1 + (SHIFT - 1) * sigma));
  assert.equal(asked.length, 20);
  for (const [index, sigma] of shifted.entries()) {
    assert(Math.abs(1 - sigma - asked[index]!) < 1e-12, `${index}`);
  }
});

Deno.test("res_multistep is of second order: half the step, a quarter of the error", async () => {
  const slope = (x: number, t: number) => Math.sin(3 * t) - x;
  const errors = await Promise.all([40, 80].map(async (steps) => {
    let middle = 0;
    const scheduler = createScheduler("res_multistep", { shift: 1 });
    await scheduler.sample(
      Float32Array.of(1),
      steps,
      (latents, time) => Promise.resolve(Float32Array.of(slope(latents[0]!, time))),
      ({ nextTimestep, latents }) => {
        if (Math.abs(nextTimestep - 0.5) < 1e-9) middle = latents[0]!;
      },
    );
    return Math.abs(middle - reference());
  }));
  const ratio = errors[0]! / errors[1]!;
  assert(ratio > 3 && ratio < 5, `${ratio}`);
});

/** x' = sin 3t − x, x(0) = 1 at ½: x = (sin 3t − 3 cos 3t) / 10 + 1.3·exp(−t). */
function reference(): number {
  const t = 0.5;
  return (Math.sin(3 * t) - 3 * Math.cos(3 * t)) / 10 + 1.3 * Math.exp(-t);
}

// tests/reference/comfyui_res_multistep.py made the values; it has the same flow.
Deno.test("res_multistep ends where ComfyUI's does, with its simple schedule", async () => {
  const { shift, noise, runs } = await readFixture<{
    readonly shift: number;
    readonly noise: readonly number[];
    readonly runs: readonly { readonly steps: number; readonly result: readonly number[] }[];
  }>("comfyui_res_multistep.json");
  for (const { steps, result } of runs) {
    const scheduler = createScheduler("res_multistep", { shift, schedule: "simple" });
    const found = await scheduler.sample(
      Float32Array.from(noise),
      steps,
      (x, time) =>
        Promise.resolve(
          x.map((v, i) => Math.sin(3 * time + i) * 0.7 - 0.4 * v + 0.2 * Math.cos(2 * v)),
        ),
    );
    const away = Math.max(...result.map((value, i) => Math.abs(value - found[i]!)));
    assert(away < 2e-6, `${steps} steps: ${away}`);
  }
});
