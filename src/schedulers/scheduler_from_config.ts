import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { shiftProblem } from "./_flow_time.ts";
import { createScheduler } from "./create_scheduler.ts";
import { type Scheduler, SCHEDULER_NAMES, type SchedulerName } from "./types.ts";

/** What a `_class_name` may be: diffusers' classes, and the toolkit's own names. */
const NAMES: Readonly<Record<string, SchedulerName>> = {
  FlowMatchEulerDiscreteScheduler: "euler",
  FlowMatchHeunDiscreteScheduler: "heun",
  DPMSolverMultistepScheduler: "dpm-solver++",
  ...Object.fromEntries(SCHEDULER_NAMES.map((name) => [name, name])),
};

const OTHER_TIMES = {
  en: "it spaces the times of a run in another way",
  zh: "它以另一种方式安排采样的时刻",
};

/** Switches that must be off where they appear, and what they would do. */
const MUST_BE_OFF: Readonly<Record<string, Texts<string>>> = {
  use_dynamic_shifting: {
    en: 'it makes the shift follow the size of the picture; state a fixed "shift" instead',
    zh: '它让 shift 随图片尺寸变化；请改用固定的 "shift"',
  },
  shift_terminal: OTHER_TIMES,
  use_karras_sigmas: OTHER_TIMES,
  use_exponential_sigmas: OTHER_TIMES,
  use_beta_sigmas: OTHER_TIMES,
  use_lu_lambdas: OTHER_TIMES,
  invert_sigmas: { en: "it makes time run the other way", zh: "它让时间反向" },
  stochastic_sampling: { en: "it adds new noise at every step", zh: "它在每一步加入新的噪声" },
  thresholding: {
    en: "it clips the image that the model predicts",
    zh: "它会裁剪模型预测的图像",
  },
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
    throw new ConfigError(file, [{
      en: "expected a JSON object with the scheduler's settings",
      zh: "应为含有采样器设置的 JSON 对象",
    }]);
  }
  const settings = config as Readonly<Record<string, unknown>>;
  // Python's None means the same as an absent key.
  const stated = (key: string) => Object.hasOwn(settings, key) && settings[key] !== null;
  const problems: Texts<string>[] = [];
  /** Tells what a key says, and what is wrong with that. */
  const refuse = (key: string, { en, zh }: Texts<string>) => {
    const value = JSON.stringify(settings[key]);
    problems.push({ en: `${key} is ${value}; ${en}`, zh: `${key} 是 ${value}；${zh}` });
  };

  const className = stated("_class_name") ? settings._class_name : "euler";
  let name: SchedulerName = "euler";
  if (typeof className === "string" && Object.hasOwn(NAMES, className)) {
    name = NAMES[className]!;
  } else {
    const names = Object.keys(NAMES);
    refuse("_class_name", {
      en: `expected one of ${names.join(", ")}`,
      zh: `应为以下之一：${names.join("、")}`,
    });
  }

  for (const [key, why] of Object.entries(MUST_BE_OFF)) {
    if (stated(key) && settings[key] !== false) {
      refuse(key, {
        en: `it must be false or absent: ${why.en}`,
        zh: `它必须为 false 或不出现：${why.zh}`,
      });
    }
  }
  if (name === "dpm-solver++") {
    for (const [key, only] of Object.entries(DPM_SOLVER)) {
      if (stated(key) && settings[key] !== only) {
        const supported = JSON.stringify(only);
        refuse(key, { en: `only ${supported} is supported`, zh: `只支持 ${supported}` });
      }
    }
  } else if (stated("num_train_timesteps")) {
    const count = settings.num_train_timesteps;
    if (!Number.isSafeInteger(count) || count as number < 1) {
      refuse("num_train_timesteps", {
        en: "expected a whole number of 1 or more",
        zh: "应为大于 0 的整数",
      });
    }
  }

  const shiftKeys = ["shift", "flow_shift"].filter(stated);
  for (const key of shiftKeys) {
    const problem = shiftProblem(settings[key]);
    if (problem !== undefined) refuse(key, problem);
  }
  if (shiftKeys.length === 2 && settings.shift !== settings.flow_shift) {
    const [shift, flowShift] = [settings.shift, settings.flow_shift].map((value) =>
      JSON.stringify(value)
    );
    problems.push({
      en: `shift is ${shift} but flow_shift is ${flowShift}; keep one of them`,
      zh: `shift 是 ${shift}，而 flow_shift 是 ${flowShift}；请只保留一个`,
    });
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
