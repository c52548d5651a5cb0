/**
 * What the step cache saves and what it changes: the demo model's pictures of held-out prompts
 * against the same without it, and against its rival, fewer steps.
 */
import { NewBieImagePipeline, psnr } from "../src/mod.ts";
import { SCHEDULER_NAMES, type SchedulerName } from "../src/schedulers/mod.ts";
import { mean } from "./statistics.ts";

const PROMPTS = "bench/eval/prompts.jsonl";
const PICTURES = 8;
const GUIDANCE_SCALE = 5;
const STEPS = 28;
const THRESHOLDS = [0.05, 0.1, 0.2];
/** As many as the thresholds leave, about. */
const FEWER_STEPS = [24, 18, 16];

/** One way to make the pictures. */
export interface StepCacheResult {
  readonly scheduler: SchedulerName;
  readonly steps: number;
  readonly stepCache: number;
  /** Evaluations of the model, as a share of those of all steps without the cache. */
  readonly evaluated: number;
  /** Against the pictures of all steps without the cache, dB. */
  readonly psnr: { readonly mean: number; readonly least: number };
}

/** Draws all of it: about three minutes on two cores. */
export async function benchStepCache(log: (line: string) => void): Promise<StepCacheResult[]> {
  await using pipe = await NewBieImagePipeline.fromPretrained("models/demo", { log: () => {} });
  const lines = (await Deno.readTextFile(PROMPTS)).trim().split("\n");
  const every = Math.floor(lines.length / PICTURES);
  const prompts = Array.from({ length: PICTURES }, (_, index) => {
    const { xml, seed } = JSON.parse(lines[index * every]!) as { xml: string; seed: number };
    return { prompt: xml, seed };
  });
  const results: StepCacheResult[] = [];
  for (const scheduler of SCHEDULER_NAMES) {
    const draw = async (steps: number, stepCache: number) => {
      const images = [];
      let evaluated = 0;
      for (const { prompt, seed } of prompts) {
        const { images: [image], evaluations: { total, foretold } } = await pipe.generate({
          prompt,
          generator: { seed },
          numInferenceSteps: steps,
          guidanceScale: GUIDANCE_SCALE,
          scheduler,
          stepCache,
        });
        images.push(image!);
        evaluated += total - foretold;
      }
      return { images, evaluated };
    };
    const usual = await draw(STEPS, 0);
    const compare = async (steps: number, stepCache: number) => {
      log(`${scheduler}, ${steps} steps, step cache ${stepCache} …`);
      const { images, evaluated } = await draw(steps, stepCache);
      const decibels = images.map((image, index) => psnr(image, usual.images[index]!));
      results.push({
        scheduler,
        steps,
        stepCache,
        evaluated: evaluated / usual.evaluated,
        psnr: { mean: mean(decibels), least: Math.min(...decibels) },
      });
    };
    for (const threshold of THRESHOLDS) await compare(STEPS, threshold);
    for (const steps of FEWER_STEPS) await compare(steps, 0);
  }
  return results;
}

/** The results as Markdown. */
export function stepCacheTable(results: readonly StepCacheResult[]): string[] {
  return [
    `${PICTURES} held-out prompts, guidance ${GUIDANCE_SCALE}; PSNR against ${STEPS} steps without ` +
    "the step cache.",
    "",
    "| sampler | steps | step cache | evaluations of the model | PSNR, mean | least |",
    "| --- | --- | --- | --- | --- | --- |",
    ...results.map(({ scheduler, steps, stepCache, evaluated, psnr }) =>
      `| ${scheduler} | ${steps} | ${stepCache === 0 ? "off" : stepCache} | ` +
      `${(100 * evaluated).toFixed(0)} % | ${psnr.mean.toFixed(1)} dB | ${
        psnr.least.toFixed(1)
      } dB |`
    ),
  ];
}
