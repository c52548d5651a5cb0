/**
 * Flow-matching samplers and classifier-free guidance: how noise becomes latents.
 *
 * A model predicts a velocity; a sampler follows it from time 0 (noise) to time 1 (image). Nothing
 * here knows what the model is or where it runs.
 *
 * @module
 */

export { createScheduler, type SchedulerOptions } from "./create_scheduler.ts";
export { combineGuidance, type GuidanceOptions, needsUnconditional } from "./guidance.ts";
export { schedulerFromConfig } from "./scheduler_from_config.ts";
export { withStepCache } from "./step_cache.ts";
export {
  type MayReplace,
  MOST_STEPS,
  SCHEDULE_NAMES,
  type ScheduleName,
  type Scheduler,
  SCHEDULER_NAMES,
  type SchedulerName,
  type SchedulerStep,
  SHIFT_RANGE,
  type Velocity,
} from "./types.ts";
