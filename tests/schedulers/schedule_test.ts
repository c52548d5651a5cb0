/** Expected values: ComfyUI's arithmetic, by tests/reference/comfyui_simple.py. */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { createScheduler, type ScheduleName, withStepCache } from "../../src/schedulers/mod.ts";
import { readFixture } from "./_fixtures.ts";

interface Run {
  readonly shift: number;
  readonly steps: number;
  readonly sigmas: readonly number[];
}

Deno.test("the schedule simple has ComfyUI's times", async () => {
  const runs = await readFixture<readonly Run[]>("comfyui_simple.json");
  assert(runs.length > 20);
  for (const { shift, steps, sigmas } of runs) {
    for (const name of ["euler", "res_multistep"] as const) {
      const times = createScheduler(name, { shift, schedule: "simple" }).timesteps(steps);
      assert.equal(times.length, sigmas.length);
      for (const [index, time] of times.entries()) {
        const off = Math.abs(1 - time - sigmas[index]!);
        assert(off < 1e-7, `shift ${shift}, ${steps} steps, time ${index}: off by ${off}`);
      }
    }
  }
});

Deno.test("where the steps divide 1000, simple is the usual schedule; elsewhere it is none", () => {
  const times = (schedule: ScheduleName, steps: number) =>
    createScheduler("euler", { schedule }).timesteps(steps);
  for (const steps of [1, 8, 20, 50, 1000]) {
    const [usual, simple] = [times("uniform", steps), times("simple", steps)];
    assert(usual.every((time, index) => Math.abs(time - simple[index]!) < 1e-12), `${steps} steps`);
  }
  assert.notDeepEqual(times("simple", 28), times("uniform", 28));
});

Deno.test("every number of steps has times that rise, whichever sampler and schedule", () => {
  for (const name of ["euler", "dpm-solver++"] as const) {
    for (let steps = 1; steps <= 1000; steps++) {
      const times = createScheduler(name, { schedule: "simple" }).timesteps(steps);
      assert(times.every((time, index) => index === 0 || time > times[index - 1]!), `${steps}`);
      assert.equal(times.at(-1), 1);
    }
  }
});

Deno.test("a step cache keeps the schedule, and an unknown one is refused", () => {
  const scheduler = createScheduler("euler", { schedule: "simple" });
  assert.equal(withStepCache(scheduler, 0.2).schedule, "simple");
  assert.throws(
    () => createScheduler("euler", { schedule: "karras" as ScheduleName }),
    (error: unknown) =>
      error instanceof RequestError && /no schedule "karras"/.test(error.message) &&
      /没有时间表/.test(error.explain("zh")),
  );
});
