import { advance, type Solver } from "./_solver.ts";

/** One slope, taken at the beginning of the step. */
export const euler: Solver = {
  evaluationsPerStep: 1,
  startTime: 0,
  begin: (velocity) => async (latents, from, to) =>
    advance(latents, await velocity(latents, from), to - from),
};

/** The slope in the middle of the step, found by half a step of Euler. */
export const midpoint: Solver = {
  evaluationsPerStep: 2,
  startTime: 0,
  begin: (velocity) => async (latents, from, to) => {
    const half = (to - from) / 2;
    const middle = advance(latents, await velocity(latents, from), half);
    return advance(latents, await velocity(middle, from + half), to - from);
  },
};

/** The mean of the slopes at both ends, the far end found by a step of Euler. */
export const heun: Solver = {
  evaluationsPerStep: 2,
  startTime: 0,
  begin: (velocity) => async (latents, from, to) => {
    const slope = await velocity(latents, from);
    // Both uses of the first slope come before the second call, which may overwrite it.
    const end = advance(latents, slope, to - from);
    const middle = advance(latents, slope, (to - from) / 2);
    return advance(middle, await velocity(end, to), (to - from) / 2);
  },
};
