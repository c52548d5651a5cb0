import { RequestError } from "../errors.ts";
import type { Scheduler, Velocity } from "./types.ts";

/**
 * A step cache: a sampler that does not evaluate the model where the velocity can be predicted.
 *
 * The velocity at time t is predicted from the last two that were evaluated, at t₀ > t₁, by the
 * line through them: v(t₀) + v[t₀, t₁]·(t − t₀), with Newton's divided differences. The term that
 * the line leaves out, v[t₀, t₁, t₂]·(t − t₀)·(t − t₁), says how wrong that is about; where its
 * mean size is below `threshold` times that of v(t₀), the line is taken. So three evaluations are
 * needed before the first one is left out; after one that was, the next is evaluated; and those of
 * the last step always are. What the line says of three evaluated velocities costs nothing.
 *
 * Forecasts in place of evaluations are from TaylorSeer (Liu et al. 2025, arXiv 2503.06923), which
 * makes them at fixed intervals inside the network; deciding by an estimate at run time is from
 * TeaCache (Liu et al. 2024, arXiv 2411.19108) and EasyCache (Zhou et al. 2025, arXiv 2507.02860),
 * which use the last output again as it is. bench/SPEED.md compares them: that is no better than to
 * take fewer steps; the line is. bench/results/step_cache.md measures it with each sampler.
 *
 * @param scheduler Whose evaluations are to be left out. It stays as it is.
 * @param threshold The relative error of a velocity that is accepted; 0 for none.
 * @returns A sampler of the same name, shift and times. It asks less often for the velocity than
 *   `evaluations` says.
 * @throws {RequestError} When the threshold is negative or no number.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createScheduler } from "./create_scheduler.ts";
 *
 * let evaluated = 0;
 * // A velocity that changes evenly with time is foretold exactly: every other one is left out.
 * const even = (_: Float32Array, t: number) => (evaluated++, Promise.resolve(Float32Array.of(t)));
 * const euler = createScheduler("euler", { shift: 1 });
 * const whole = await euler.sample(Float32Array.of(0), 16, even);
 * assert.equal(evaluated, 16);
 * const cached = await withStepCache(euler, 0.1).sample(Float32Array.of(0), 16, even);
 * assert.equal(evaluated - 16, 10);
 * assert.ok(Math.abs(whole[0]! - cached[0]!) < 1e-6);
 * ```
 */
export function withStepCache(scheduler: Scheduler, threshold: number): Scheduler {
  if (!(Number.isFinite(threshold) && threshold >= 0)) {
    throw new RequestError(
      `stepCache is ${threshold}; expected the relative error of a velocity that is accepted: ` +
        "a number from 0, such as 0.2.",
      { zh: `stepCache 是 ${threshold}；应为可接受的速度相对误差：0 以上的数，例如 0.2。` },
    );
  }
  if (threshold === 0) return scheduler;
  const { name, shift, schedule } = scheduler;
  return {
    name,
    shift,
    ...(schedule === undefined ? {} : { schedule }),
    timesteps: (steps) => scheduler.timesteps(steps),
    evaluations: (steps) => scheduler.evaluations(steps),
    sample: (latents, steps, velocity, onStep, signal, firstStep = 0) => {
      const ofOneStep = scheduler.evaluations(steps) / steps;
      const before = ofOneStep * (steps - firstStep - 1);
      const foretold = foretelling(velocity, threshold, before);
      return scheduler.sample(latents, steps, foretold, onStep, signal, firstStep);
    },
  };
}

/** A velocity that was evaluated. */
interface Point {
  readonly time: number;
  readonly velocity: Float32Array;
}

/** What is known after an evaluation. */
interface Forecast {
  readonly from: Point;
  /** The first divided difference, through the last two points. */
  readonly slope: Float32Array;
  /** The mean size of the second, through the last three, against that of the velocity. */
  readonly bend: number;
  /** The time of the last point but one. */
  readonly previousTime: number;
}

/** The velocity, some of whose first `before` evaluations are left out. */
function foretelling(velocity: Velocity, threshold: number, before: number): Velocity {
  let points: readonly Point[] = [];
  let forecast: Forecast | undefined;
  let calls = 0;
  let wasForetold = false;
  return async (latents, time) => {
    const mayForetell = calls++ < before && !wasForetold;
    wasForetold = mayForetell && forecast !== undefined && errorAt(forecast, time) < threshold;
    if (wasForetold) return velocityAt(forecast!, time);
    // The model may answer in the same buffer every time.
    const point = { time, velocity: (await velocity(latents, time)).slice() };
    // Methods of two evaluations a step end one step where the next begins.
    points = [point, ...points.filter((earlier) => earlier.time < time)].slice(0, 3);
    forecast = forecastOf(points);
    return point.velocity;
  };
}

function forecastOf([last, previous, first]: readonly Point[]): Forecast | undefined {
  if (last === undefined || previous === undefined || first === undefined) return undefined;
  const slope = new Float32Array(last.velocity.length);
  let bend = 0;
  let size = 0;
  for (let i = 0; i < slope.length; i++) {
    const v = last.velocity[i]!;
    const change = (v - previous.velocity[i]!) / (last.time - previous.time);
    const before = (previous.velocity[i]! - first.velocity[i]!) / (previous.time - first.time);
    slope[i] = change;
    bend += Math.abs((change - before) / (last.time - first.time));
    size += Math.abs(v);
  }
  return { from: last, slope, bend: bend / size, previousTime: previous.time };
}

/**
 * The relative error that the line will have, about. At the time of the last evaluation itself the
 * request is for other latents, and the line says nothing about those.
 */
function errorAt({ from, bend, previousTime }: Forecast, time: number): number {
  return time > from.time ? bend * (time - from.time) * (time - previousTime) : Infinity;
}

function velocityAt({ from, slope }: Forecast, time: number): Float32Array {
  const ahead = time - from.time;
  return from.velocity.map((value, index) => value + ahead * slope[index]!);
}
