import { NewBieError, RequestError } from "../errors.ts";
import { dpmSolver } from "./_dpm_solver.ts";
import { checkFirstStep, checkSteps, flowTimes, shiftProblem } from "./_flow_time.ts";
import { resMultistep } from "./_res_multistep.ts";
import { euler, heun, midpoint } from "./_runge_kutta.ts";
import type { Solver } from "./_solver.ts";
import {
  SCHEDULE_NAMES,
  type ScheduleName,
  type Scheduler,
  type SchedulerName,
  type Velocity,
} from "./types.ts";

const SOLVERS: Readonly<Record<SchedulerName, Solver>> = {
  euler,
  midpoint,
  heun,
  "dpm-solver++": dpmSolver,
  res_multistep: resMultistep,
};

// The shift with which the model is published.
const DEFAULT_SHIFT = 6;

/** How {@linkcode createScheduler} may be varied. */
export interface SchedulerOptions {
  /**
   * How much of a run is spent near the noise, from 0.001 to 1000; 1 shifts nothing.
   *
   * @default {6}
   */
  readonly shift?: number;
  /**
   * How the times of a run are spaced.
   *
   * @default {"uniform"}
   */
  readonly schedule?: ScheduleName;
}

/**
 * Makes a sampler.
 *
 * The times and the shift are those of the NewBie repository's `transport/integrators.py`, which
 * are those of diffusers' `FlowMatchEulerDiscreteScheduler` with σ = 1 − t.
 *
 * @param name The method.
 * @param options The shift.
 * @returns A sampler that can be used for any number of runs.
 * @throws {RequestError} When a name is unknown or the shift out of range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const scheduler = createScheduler("euler", { shift: 6 });
 * const noise = Float32Array.of(1, -1);
 * // A model that knows one picture, (0.25, 0.5), and points at it from wherever it is.
 * const latents = await scheduler.sample(noise, 4, (x, t) =>
 *   Promise.resolve(Float32Array.of((0.25 - x[0]!) / (1 - t), (0.5 - x[1]!) / (1 - t))));
 * assert.ok(Math.abs(latents[0]! - 0.25) < 1e-6 && Math.abs(latents[1]! - 0.5) < 1e-6);
 * ```
 */
export function createScheduler(name: SchedulerName, options: SchedulerOptions = {}): Scheduler {
  if (!Object.hasOwn(SOLVERS, name)) {
    throw new RequestError(
      `There is no scheduler "${name}"; expected one of ${Object.keys(SOLVERS).join(", ")}.`,
      { zh: `没有采样器 "${name}"；应为 ${Object.keys(SOLVERS).join("、")} 之一。` },
    );
  }
  const shift = options.shift ?? DEFAULT_SHIFT;
  const problem = shiftProblem(shift);
  if (problem !== undefined) {
    const { en, zh } = problem;
    throw new RequestError(`shift is ${shift}; ${en}.`, { zh: `shift 是 ${shift}；${zh}。` });
  }
  const { schedule = "uniform" } = options;
  if (!SCHEDULE_NAMES.includes(schedule)) {
    throw new RequestError({
      en: `There is no schedule "${schedule}"; expected one of ${SCHEDULE_NAMES.join(", ")}.`,
      zh: `没有时间表 "${schedule}"；应为 ${SCHEDULE_NAMES.join("、")} 之一。`,
    });
  }
  return new FlowScheduler(name, shift, schedule, SOLVERS[name]);
}

class FlowScheduler implements Scheduler {
  constructor(
    readonly name: SchedulerName,
    readonly shift: number,
    readonly schedule: ScheduleName,
    readonly solver: Solver,
  ) {}

  timesteps(numInferenceSteps: number): Float64Array {
    checkSteps(numInferenceSteps);
    return flowTimes(numInferenceSteps, this.solver.startTime, this.shift, this.schedule);
  }

  evaluations(numInferenceSteps: number): number {
    checkSteps(numInferenceSteps);
    return numInferenceSteps * this.solver.evaluationsPerStep;
  }

  async sample(
    ...[latents, numInferenceSteps, velocity, onStep, signal, firstStep = 0]: Parameters<
      Scheduler["sample"]
    >
  ): Promise<Float32Array> {
    const times = this.timesteps(numInferenceSteps);
    checkFirstStep(firstStep, numInferenceSteps);
    const step = this.solver.begin(ofSameLength(velocity));
    let current = latents;
    for (let index = firstStep; index < numInferenceSteps; index++) {
      signal?.throwIfAborted();
      const timestep = times[index]!;
      const nextTimestep = times[index + 1]!;
      current = await step(current, timestep, nextTimestep);
      const said = { index, total: numInferenceSteps, timestep, nextTimestep, latents: current };
      const replaced = await onStep?.(said);
      if (replaced instanceof Float32Array) current = replaced;
    }
    return current === latents ? latents.slice() : current;
  }
}

function ofSameLength(velocity: Velocity): Velocity {
  return async (latents, timestep) => {
    const result = await velocity(latents, timestep);
    if (result.length === latents.length) return result;
    throw new NewBieError(
      `The model answered ${latents.length} latents with ${result.length} velocities ` +
        `at time ${timestep}; expected one for each.`,
      {
        zh:
          `在时间 ${timestep}，模型对 ${latents.length} 个潜变量给出了 ${result.length} 个速度；` +
          "应当一一对应。",
      },
    );
  };
}
