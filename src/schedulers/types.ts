/**
 * The vocabulary of sampling.
 *
 * @module
 */

/**
 * The samplers there are.
 *
 * - `"euler"`: first order, one evaluation of the model a step; diffusers'
 *   `FlowMatchEulerDiscreteScheduler`.
 * - `"midpoint"`: second order, two evaluations a step; torchdiffeq's `midpoint`.
 * - `"heun"`: second order, two evaluations a step; torchdiffeq's `heun2`. Diffusers'
 *   `FlowMatchHeunDiscreteScheduler` differs in its last step, which it takes with Euler.
 * - `"dpm-solver++"`: second order from one evaluation a step, by looking back at the previous one;
 *   DPM-Solver++(2M) of Lu et al. 2022 (arXiv 2211.01095).
 * - `"res_multistep"`: second order from one evaluation a step; ComfyUI's sampler of that name, after
 *   Zhang et al. 2023 (arXiv 2308.02157).
 */
export type SchedulerName = typeof SCHEDULER_NAMES[number];

/** All names of samplers. */
export const SCHEDULER_NAMES = [
  "euler",
  "midpoint",
  "heun",
  "dpm-solver++",
  "res_multistep",
] as const;

/**
 * How the times of a run are spaced, before the shift.
 *
 * - `"uniform"`: equally.
 * - `"simple"`: as ComfyUI's schedule of that name: equally among a thousand times that its models
 *   have, each rounded towards the noise. Where the steps divide 1000, the two are one.
 */
export type ScheduleName = typeof SCHEDULE_NAMES[number];

/** All names of schedules. */
export const SCHEDULE_NAMES = ["uniform", "simple"] as const;

/** The most steps of a run. */
export const MOST_STEPS = 1000;

/**
 * Within these every run of at most {@linkcode MOST_STEPS} has times that stay apart even in
 * float32, in which the model receives them.
 */
export const SHIFT_RANGE = { least: 0.001, most: 1000 } as const;

/**
 * A model as the samplers see it: the velocity dx/dt at `latents` and time `timestep`.
 *
 * `timestep` is in [0, 1], 0 = noise, 1 = image. `latents` must not be changed. The result has as
 * many values as `latents`; it is read before the next call and not kept, so that a model may
 * answer in the same buffer every time.
 */
export type Velocity = (latents: Float32Array, timestep: number) => Promise<Float32Array>;

/** What is known after a step. */
export interface SchedulerStep {
  /** Which step this was, from 0 to `total` − 1. */
  readonly index: number;
  /** How many steps the run has. */
  readonly total: number;
  /** The time at which the step began, in [0, 1]. */
  readonly timestep: number;
  /** The time at which it ended, which is the time of `latents`. */
  readonly nextTimestep: number;
  /** The latents after the step. Yours to keep, not to change: the next step starts from them. */
  readonly latents: Float32Array;
}

/** Nothing, or latents to go on with. */
export type MayReplace = void | Float32Array;

/** Turns noise into latents by following a model's velocity. Holds no state between runs. */
export interface Scheduler {
  /** The method. */
  readonly name: SchedulerName;

  /** How much of the run is spent near the noise: time t becomes t / (t + shift·(1 − t)). */
  readonly shift: number;

  /**
   * How the times are spaced.
   *
   * @default {"uniform"}
   */
  readonly schedule?: ScheduleName;

  /**
   * The times of a run: `numInferenceSteps` + 1 points, strictly increasing, spaced before the shift
   * as the schedule says, the last exactly 1.
   *
   * The first is exactly 0, except for `"dpm-solver++"`: its logarithm of the signal-to-noise ratio
   * has no value at 0, so it begins at 0.001 before the shift, where the reference begins.
   *
   * @param numInferenceSteps Steps of a run, from 1 to 1000.
   * @throws {RequestError} When the number of steps is not a whole number from 1 to 1000.
   */
  timesteps(numInferenceSteps: number): Float64Array;

  /**
   * How often a run asks for the velocity. Guidance may need two forwards of the model each time.
   *
   * @param numInferenceSteps Steps of a run, from 1 to 1000.
   * @throws {RequestError} When the number of steps is not a whole number from 1 to 1000.
   */
  evaluations(numInferenceSteps: number): number;

  /**
   * Runs the sampler from noise to latents.
   *
   * The number of steps counts intervals, as in diffusers' Lumina 2 pipeline. The demo of the
   * NewBie repository counts the points between them for its Euler and midpoint solvers: its 31 is
   * 30 here. Its DPM-Solver counts as here.
   *
   * @param latents Noise at time 0, in any layout. Not changed.
   * @param numInferenceSteps Steps, from 1 to 1000.
   * @param velocity The model.
   * @param onStep Called, and waited for, after every step. Latents that it returns take the place of
   *   the step's, as in diffusers' `callback_on_step_end`.
   * @param signal Looked at before every step; the step under way is finished first.
   * @param firstStep The step to begin with, from 0 to `numInferenceSteps`; `latents` are then those
   *   of `timesteps(numInferenceSteps)[firstStep]`. What a method remembers of steps begins there.
   * @returns The latents at time 1, in an array of their own.
   * @throws {RequestError} When the number of steps is not a whole number from 1 to 1000, or the first
   *   one is none of them.
   * @throws {NewBieError} When the velocity has another number of values than the latents.
   * @throws The signal's reason, when the run was aborted.
   */
  sample(
    latents: Float32Array,
    numInferenceSteps: number,
    velocity: Velocity,
    onStep?: (step: SchedulerStep) => MayReplace | Promise<MayReplace>,
    signal?: AbortSignal,
    firstStep?: number,
  ): Promise<Float32Array>;
}
