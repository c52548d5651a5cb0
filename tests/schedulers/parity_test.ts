// Expected values: tests/fixtures/schedulers, made by tests/reference/schedulers.py from the public
// NewBie repository, torchdiffeq and diffusers.

import assert from "node:assert/strict";
import { createScheduler } from "../../src/schedulers/mod.ts";
import {
  fixtureVelocity,
  float32,
  float64,
  readFixture,
  relativeError,
  type SamplerFixture,
} from "./_fixtures.ts";

const TOLERANCE = 1e-6;
// What upstream's DPM-Solver loses in float32, measured against its own float64 run: 2.2e-5.
const UPSTREAM_DPM_FLOAT32_LOSS = 3e-5;
// Upstream's other solvers shift times in float32 through values up to 6, the greatest shift here:
// each of the two roundings there is off by at most 2⁻²².
const TIME_TOLERANCE: Readonly<Record<string, number>> = {
  "dpm-solver++": 1e-12,
  euler: 5e-7,
  midpoint: 5e-7,
  heun: 5e-7,
};

const samplers = await readFixture<SamplerFixture>("samplers.json");

for (const run of samplers.runs) {
  Deno.test(`${run.name} equals upstream in ${run.steps} steps with shift ${run.shift}`, async () => {
    const asked: number[] = [];
    const scheduler = createScheduler(run.name, { shift: run.shift });
    const noise = float32(samplers.noise);
    const result = await scheduler.sample(noise, run.steps, fixtureVelocity(samplers, asked));

    const times = float64(run.times);
    assert.equal(asked.length, times.length, "evaluations of the model");
    assert.equal(scheduler.evaluations(run.steps), times.length);
    for (const [i, time] of times.entries()) {
      const away = Math.abs(asked[i]! - time);
      assert.ok(away <= TIME_TOLERANCE[run.name]!, `evaluation ${i} at ${asked[i]}, not ${time}`);
    }

    const error = relativeError(result, float32(run.result));
    assert.ok(error <= TOLERANCE, `relative error ${error}`);
    if (run.resultInFloat32 !== undefined) {
      const inFloat32 = relativeError(result, float32(run.resultInFloat32));
      assert.ok(inFloat32 <= UPSTREAM_DPM_FLOAT32_LOSS, `relative error ${inFloat32}`);
    }
    assert.deepEqual(noise, float32(samplers.noise), "the noise was changed");
  });
}

interface DiffusersRun {
  readonly steps: number;
  readonly shift: number;
  readonly sigmas: string;
}

Deno.test("times are one minus the noise levels of diffusers' Lumina 2 pipeline", async () => {
  for (const run of await readFixture<DiffusersRun[]>("diffusers_sigmas.json")) {
    const sigmas = float64(run.sigmas);
    const times = createScheduler("euler", { shift: run.shift }).timesteps(run.steps);
    assert.equal(times.length, sigmas.length);
    for (const [i, sigma] of sigmas.entries()) {
      // Diffusers computes in float32.
      assert.ok(Math.abs(1 - sigma - times[i]!) <= 2e-7, `${run.steps} steps, point ${i}`);
    }
  }
});
