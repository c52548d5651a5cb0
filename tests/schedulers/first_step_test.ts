/**
 * Runs that begin in the middle. Expected values are worked out here, from fields whose solution is
 * known.
 */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { createScheduler, SCHEDULER_NAMES, withStepCache } from "../../src/schedulers/mod.ts";

/** Points at one picture from wherever it is: the path is a straight line, which every sampler follows. */
const towards = (picture: Float32Array) => (x: Float32Array, time: number) =>
  Promise.resolve(x.map((value, index) => (picture[index]! - value) / (1 - time)));

for (const name of SCHEDULER_NAMES) {
  Deno.test(`${name} begins at the step that it is told, with what it remembers of none before`, async () => {
    const scheduler = createScheduler(name, { shift: 3 });
    const picture = Float32Array.of(0.25, -2, 5);
    const latents = Float32Array.of(1, 1, 1);
    const times: number[] = [];
    const indices: number[] = [];
    const field = towards(picture);
    // Heun asks at time 1 too, where this field has no value: there the last one holds.
    const velocity = (x: Float32Array, time: number) => {
      times.push(time);
      return time === 1 ? field(latents, 0.999999) : field(x, time);
    };
    const [steps, first] = [8, 5];
    const onStep = ({ index, total }: { index: number; total: number }) => {
      indices.push(index);
      assert.equal(total, steps);
    };
    const end = await scheduler.sample(latents, steps, velocity, onStep, undefined, first);
    assert.deepEqual(indices, [5, 6, 7]);
    assert.equal(times[0], scheduler.timesteps(steps)[first]);
    assert.equal(times.length, scheduler.evaluations(steps) * 3 / 8);
    if (name !== "heun") {
      end.forEach((value, index) => assert(Math.abs(value - picture[index]!) < 1e-4, `${end}`));
    }
    // A run of three steps over the same field, from the same place, is the same run.
    assert.deepEqual(
      end,
      await scheduler.sample(latents, steps, velocity, undefined, undefined, first),
    );
  });

  Deno.test(`${name} goes on with the latents that onStep returns`, async () => {
    const scheduler = createScheduler(name);
    const still = (x: Float32Array) => Promise.resolve(new Float32Array(x.length));
    const given = Float32Array.of(7, 8);
    const seen: Float32Array[] = [];
    const end = await scheduler.sample(
      Float32Array.of(1, 2),
      4,
      (x) => {
        seen.push(x);
        return still(x);
      },
      ({ index }) => index === 1 ? given : undefined,
    );
    assert(seen.some((latents) => latents === given));
    // Nothing moves, so what was given stays, but for what a multistep method remembers.
    if (!["dpm-solver++", "res_multistep"].includes(name)) assert.deepEqual(end, given);
    const last = Float32Array.of(-1, -2);
    assert.deepEqual(
      await scheduler.sample(given, 3, still, ({ index }) => index === 2 ? last : undefined),
      last,
    );
  });
}

Deno.test("a run that begins at its end gives its latents back, in an array of their own", async () => {
  const scheduler = createScheduler("euler");
  const latents = Float32Array.of(1, 2);
  const never = () => Promise.reject(new Error("asked"));
  const end = await scheduler.sample(latents, 4, never, undefined, undefined, 4);
  assert.deepEqual(end, latents);
  assert.notEqual(end, latents);
});

Deno.test("a first step that a run does not have is refused in both languages", async () => {
  for (const first of [-1, 5, 1.5, NaN]) {
    const run = createScheduler("euler").sample(
      new Float32Array(1),
      4,
      (x) => Promise.resolve(x),
      undefined,
      undefined,
      first,
    );
    await assert.rejects(run, (error) => {
      assert(error instanceof RequestError);
      assert.match(error.message, /from 0 to 4/);
      assert.match(error.explain("zh"), /0 到 4/);
      return true;
    });
  }
});

Deno.test("a step cache evaluates the last step of a run that begins late, and leaves out before it", async () => {
  const straight = withStepCache(createScheduler("euler"), 1);
  const times: number[] = [];
  const velocity = (x: Float32Array, time: number) => {
    times.push(time);
    return Promise.resolve(x.map(() => 1));
  };
  const sampled = await straight.sample(
    Float32Array.of(0),
    20,
    velocity,
    undefined,
    undefined,
    10,
  );
  const points = straight.timesteps(20);
  assert(times.length < 10, `${times.length} of 10 evaluated`);
  assert.equal(times.at(-1), points[19]);
  assert(Math.abs(sampled[0]! - (1 - points[10]!)) < 1e-6);
});
