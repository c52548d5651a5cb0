import { advance, type Solver } from "./_solver.ts";

/**
 * DPM-Solver++(2M) of Lu et al. 2022 (arXiv 2211.01095, algorithm 2), for the flow that mixes image
 * and noise as α = t, σ = 1 − t. The choices left open there are those of the NewBie repository's
 * dpm_solver.py as its demo calls it: the first and the last step are of first order.
 *
 * The reference turns velocities into noise and noise into images, dividing by α, which is about
 * 1e-4 at the beginning; here the image is x + σv, the same without the loss of digits.
 */
export const dpmSolver: Solver = {
  evaluationsPerStep: 1,
  // λ = log(α/σ) has no value at time 0. The reference begins at 1 / 1000, for the thousand steps
  // of training.
  startTime: 1 / 1000,
  begin: (velocity) => {
    let previous: { readonly time: number; readonly image: Float32Array } | undefined;

    return async (latents, from, to) => {
      const image = advance(latents, await velocity(latents, from), 1 - from);
      const noiseKept = (1 - to) / (1 - from);
      const imageAdded = to - from * noiseKept;

      // 1 / 2r in the paper: how far to go on from the last two images, in steps of λ. At time 1 λ is
      // infinite, and the step can only be of first order: it gives the image.
      const onward = previous !== undefined && to < 1
        ? (logSnr(to) - logSnr(from)) / (logSnr(from) - logSnr(previous.time)) / 2
        : 0;
      const before = previous?.image ?? image;

      const next = new Float32Array(latents.length);
      for (let i = 0; i < next.length; i++) {
        const ahead = image[i]! + onward * (image[i]! - before[i]!);
        next[i] = noiseKept * latents[i]! + imageAdded * ahead;
      }
      previous = { time: from, image };
      return next;
    };
  },
};

/** λ: half the logarithm of the signal-to-noise ratio. */
function logSnr(time: number): number {
  return Math.log(time / (1 - time));
}
