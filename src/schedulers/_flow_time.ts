import { RequestError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { MOST_STEPS, type ScheduleName, SHIFT_RANGE } from "./types.ts";

/** How many times ComfyUI's models have, of which its schedules choose. */
const TABLE_TIMES = 1000;

/**
 * What of a run is still to come at each of its points, from 1 to 0.
 *
 * `simple` is `simple_scheduler` of comfy/samplers.py in ComfyUI over the table of its
 * `ModelSamplingDiscreteFlow`: entry 1000 − ⌊i·1000/steps⌋ of σ = k/1000, then 0.
 */
const REST: Readonly<Record<ScheduleName, (i: number, steps: number) => number>> = {
  uniform: (i, steps) => (steps - i) / steps,
  simple: (i, steps) => i === steps ? 0 : 1 - Math.floor(i * (TABLE_TIMES / steps)) / TABLE_TIMES,
};

/** `steps` + 1 times from `start` to 1, spaced as the schedule says, then shifted. */
export function flowTimes(
  steps: number,
  start: number,
  shift: number,
  schedule: ScheduleName,
): Float64Array {
  return Float64Array.from({ length: steps + 1 }, (_, i) => {
    // Counted from the end, and with 1 − t multiplied out, because only so are 0 and 1 exact.
    const time = 1 - (1 - start) * REST[schedule](i, steps);
    return time / (time + shift * (1 - time));
  });
}

/** What is wrong with a shift, or undefined. */
export function shiftProblem(shift: unknown): Texts<string> | undefined {
  const { least, most } = SHIFT_RANGE;
  if (typeof shift === "number" && shift >= least && shift <= most) return undefined;
  return {
    en: `expected a number from ${least} to ${most} (1 shifts nothing)`,
    zh: `应为 ${least} 到 ${most} 的数（1 表示不偏移）`,
  };
}

/** @throws {RequestError} When the number of steps is not a whole number from 1 to 1000. */
export function checkSteps(steps: number): void {
  if (Number.isInteger(steps) && steps >= 1 && steps <= MOST_STEPS) return;
  throw new RequestError(
    `numInferenceSteps is ${steps}; expected a whole number from 1 to ${MOST_STEPS}.`,
    { zh: `numInferenceSteps 是 ${steps}；应为 1 到 ${MOST_STEPS} 的整数。` },
  );
}

/** @throws {RequestError} When a run of so many steps has no such step, nor its end. */
export function checkFirstStep(firstStep: number, steps: number): void {
  if (Number.isInteger(firstStep) && firstStep >= 0 && firstStep <= steps) return;
  throw new RequestError(
    `The first step is ${firstStep}; expected a whole number from 0 to ${steps}.`,
    { zh: `起始步是 ${firstStep}；应为 0 到 ${steps} 的整数。` },
  );
}
