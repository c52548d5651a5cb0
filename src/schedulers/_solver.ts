import type { Velocity } from "./types.ts";

/** Carries latents from one time to a later one. */
export type Step = (latents: Float32Array, from: number, to: number) => Promise<Float32Array>;

/** A method of integration. */
export interface Solver {
  /** How often a step asks for the velocity. */
  readonly evaluationsPerStep: number;
  /** Where a run begins, before the shift. */
  readonly startTime: number;
  /** Begins a run; whatever the method remembers from step to step lives in the result. */
  begin(velocity: Velocity): Step;
}

/** `latents` moved along `slope` for `duration`, in a new array. */
export function advance(
  latents: Float32Array,
  slope: Float32Array,
  duration: number,
): Float32Array {
  const moved = new Float32Array(latents.length);
  for (let i = 0; i < moved.length; i++) moved[i] = latents[i]! + duration * slope[i]!;
  return moved;
}
