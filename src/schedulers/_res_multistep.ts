import { advance, type Solver } from "./_solver.ts";

/**
 * The exponential integrator of second order of Zhang et al. 2023 (arXiv 2308.02157), from one
 * evaluation a step by looking back at the previous one, as ComfyUI's `res_multistep` takes it: in
 * λ = −log σ with σ = 1 − t, dx/dλ = image − x, and the image is taken to go on along the line
 * through its last two values. The first and the last step are Euler's.
 */
export const resMultistep: Solver = {
  evaluationsPerStep: 1,
  startTime: 0,
  begin: (velocity) => {
    let previous: { readonly time: number; readonly image: Float32Array } | undefined;

    return async (latents, from, to) => {
      const slope = await velocity(latents, from);
      const image = advance(latents, slope, 1 - from);
      const before = previous;
      previous = { time: from, image };
      if (before === undefined || to >= 1) return advance(latents, slope, to - from);

      const step = Math.log((1 - from) / (1 - to));
      const stepBack = Math.log((1 - from) / (1 - before.time));
      const kept = (1 - to) / (1 - from);
      // φ₁(−step) and φ₂(−step), each times the step.
      const first = 1 - kept;
      const second = 1 - first / step;
      const onward = second * step / stepBack;
      const next = new Float32Array(latents.length);
      for (let i = 0; i < next.length; i++) {
        next[i] = kept * latents[i]! + (first - onward) * image[i]! + onward * before.image[i]!;
      }
      return next;
    };
  },
};
