import { ConfigError } from "../errors.ts";
import { shiftProblem } from "./_flow_time.ts";
import { createScheduler } from "./create_scheduler.ts";
import type { Scheduler, SchedulerName } from "./types.ts";

/** What a `_class_name` may be: diffusers' classes, and the toolkit's own names. */
const NAMES: Readonly<Record<string, SchedulerName>> = {
  FlowMatchEulerDiscreteScheduler: "euler",
  FlowMatchHeunDiscreteScheduler: "heun",
  DPMSolverMultistepScheduler: "dpm-solver++",
  euler: "euler",
  midpoint: "midpoint",
  heun: "heun",
  "dpm-solver++": "dpm-solver++",
};

const OTHER_TIMES = "it spaces the times of a run in another way";

/** Switches that must be off where they appear, and what they would do. */
const MUST_BE_OFF: Readonly<Record<string, string>> = {
  use_dynamic_shifting:
    'it makes the shift follow the size of the picture; state a fixed "shift" instead',
  shift_terminal: OTHER_TIMES,
  use_karras_sigmas: OTHER_TIMES,
  use_exponential_sigmas: OTHER_TIMES,
  use_beta_sigmas: OTHER_TIMES,
  use_lu_lambdas: OTHER_TIMES,
  invert_sigmas: "it makes time run the other way",
  stochastic_sampling: "it adds new noise at every step",
  thresholding: "it clips the image that the model predicts",
};

/** The one form of DPM-Solver there is, in the words of diffusers' `DPMSolverMultistepScheduler`. */
const DPM_SOLVER: Readonly<Record<string, string | number | boolean>> = {
  algorithm_type: "dpmsolver++",
  solver_order: 2,
  solver_type: "midpoint",
  prediction_type: "flow_prediction",
  use_flow_sigmas: true,
  final_sigmas_type: "zero",
  num_train_timesteps: 1000,
};

/**
 * Makes the sampler that diffusers' `scheduler_config.json` describes.
 *
 * `_class_name` is one of diffusers' `FlowMatchEulerDiscreteScheduler` (also when absent),
 * `FlowMatchHeunDiscreteScheduler` and `DPMSolverMultistepScheduler`, or one of the toolkit's own
 * names; the shift is `shift` or `flow_shift`, and 6 when neither is stated. Keys that would make
 * diffusers sample in a way that the toolkit does not have are refused, all of them in one error;
 * `num_train_timesteps` must be sound and changes nothing, since the model's time runs from 0 to 1.
 * All other keys do not bear on sampling from a flow and are passed over.
 *
 * @param config The parsed JSON.
 * @param file Where it came from, for errors.
 * @returns The sampler.
 * @throws {ConfigError} When the file asks for something else than these samplers can do.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const scheduler = schedulerFromConfig(
 *   { _class_name: "FlowMatchEulerDiscreteScheduler", shift: 3, use_dynamic_shifting: false },
 *   "scheduler/scheduler_config.json",
 * );
 * assert.ok(scheduler.name === "euler" && scheduler.shift === 3);
 * ```
 */
export function schedulerFromConfig(config: unknown, file: string): Scheduler {
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new ConfigError(file, ["expected a JSON object with the scheduler's settings"]);
  }
  const settings = config as Readonly<Record<string, unknown>>;
  // Python's None is as good as a key that is not there.
  const stated = (key: string) => Object.hasOwn(settings, key) && settings[key] !== null;
  const shown = (key: string) => `${key} is ${JSON.stringify(settings[key])}`;
  const problems: string[] = [];

  const className = stated("_class_name") ? settings._class_name : "euler";
  let name: SchedulerName = "euler";
  if (typeof className === "string" && Object.hasOwn(NAMES, className)) {
    name = NAMES[className]!;
  } else {
    problems.push(`${shown("_class_name")}; expected one of ${Object.keys(NAMES).join(", ")}`);
  }

  for (const [key, why] of Object.entries(MUST_BE_OFF)) {
    if (stated(key) && settings[key] !== false) {
      problems.push(`${shown(key)}; it must be false or absent: ${why}`);
    }
  }
  if (name === "dpm-solver++") {
    for (const [key, only] of Object.entries(DPM_SOLVER)) {
      if (stated(key) && settings[key] !== only) {
        problems.push(`${shown(key)}; only ${JSON.stringify(only)} is supported`);
      }
    }
  } else if (stated("num_train_timesteps")) {
    const count = settings.num_train_timesteps;
    if (!Number.isSafeInteger(count) || count as number < 1) {
      problems.push(`${shown("num_train_timesteps")}; expected a whole number of 1 or more`);
    }
  }

  const shiftKeys = ["shift", "flow_shift"].filter(stated);
  for (const key of shiftKeys) {
    const problem = shiftProblem(settings[key]);
    if (problem !== undefined) problems.push(`${shown(key)}; ${problem}`);
  }
  if (shiftKeys.length === 2 && settings.shift !== settings.flow_shift) {
    problems.push(`${shown("shift")} but ${shown("flow_shift")}; keep one of them`);
  }

  if (problems.length > 0) {
    throw new ConfigError(file, problems);
  }
  const [shiftKey] = shiftKeys;
  return createScheduler(
    name,
    shiftKey === undefined ? {} : {
      shift: settings[shiftKey] as number,
    },
  );
}
