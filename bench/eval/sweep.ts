/**
 * Steps against quality: how few steps are enough?
 *
 * @module
 */
import { psnr, type RgbImage } from "../../src/image/mod.ts";
import { measureCharacters } from "./checker.ts";
import type { EvalScene } from "./eval_set.ts";
import type { Progress } from "./evaluate.ts";
import { type Sample, score } from "./metrics.ts";
import type { PictureSource } from "./pictures.ts";

/** What is compared, and with what: so many steps that more would not be seen. */
export const SWEEP_STEPS = [8, 10, 20, 30, 40] as const;
export const REFERENCE_STEPS = 100;
/** How many scenes are enough to tell numbers of steps apart. */
export const SWEEP_SCENES = 24;

/** What so many steps give. */
export interface StepsResult {
  readonly steps: number;
  /** To the reference's picture from the same noise, dB, the mean over scenes; null for itself. */
  readonly psnr: number | null;
  readonly misbinding: number;
  readonly attributeAccuracy: number;
}

/** Measures the XML prompts of scenes at each number of steps, the reference last. */
export async function sweepSteps(
  scenes: readonly EvalScene[],
  withSteps: (steps: number) => PictureSource,
  onProgress?: (progress: Progress) => void,
): Promise<StepsResult[]> {
  const stepCounts = [...SWEEP_STEPS, REFERENCE_STEPS];
  const samples = stepCounts.map((): Sample[] => []);
  const similarities = stepCounts.map((): number[] => []);
  for (const [done, scene] of scenes.entries()) {
    const pictures: RgbImage[] = [];
    for (const steps of stepCounts) pictures.push(await withSteps(steps).picture(scene, "xml"));
    pictures.forEach((picture, index) => {
      samples[index]!.push({ truth: scene.truth, measured: measureCharacters(picture) });
      similarities[index]!.push(psnr(picture, pictures.at(-1)!));
    });
    onProgress?.({ done: done + 1, total: scenes.length });
  }
  return stepCounts.map((steps, index) => {
    const { misbinding, attributeAccuracy } = score(samples[index]!);
    const similarity = steps === REFERENCE_STEPS ? null : mean(similarities[index]!);
    return { steps, psnr: similarity, misbinding, attributeAccuracy };
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
