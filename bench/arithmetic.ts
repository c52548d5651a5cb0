/**
 * What types of arithmetic change: the demo model's pictures of held-out prompts, and the health
 * check's, against those of float32 on a CPU. Takes its request as JSON, prints its result as JSON.
 */
import { type Device, type Dtype, NewBieImagePipeline, psnr, type RgbImage } from "../src/mod.ts";
import { DEMO_MODEL, GUIDANCE_SCALE, SEED, STEPS } from "../src/studio/health_check.ts";
import { readEvalSet } from "./eval/eval_set.ts";
import { mean } from "./statistics.ts";

const PICTURES = 8;
/** Of the held-out prompts; the health check has its own. */
const USUAL = { numInferenceSteps: 28, guidanceScale: 5 } as const;

/** Where to draw, and in which types. */
export interface ArithmeticRequest {
  readonly device: Device;
  readonly dtypes: readonly Dtype[];
}

/** How near the pictures of a type come to those of float32 on a CPU, dB. */
export interface ArithmeticResult {
  readonly dtype: Dtype;
  readonly mean: number;
  readonly least: number;
  readonly healthCheck: number;
}

/** Draws all of it. */
async function benchArithmetic(
  { device, dtypes }: ArithmeticRequest,
): Promise<ArithmeticResult[]> {
  const exact = await draw("cpu", "float32");
  const results: ArithmeticResult[] = [];
  for (const dtype of dtypes) {
    const decibels = (await draw(device, dtype)).map((image, index) => psnr(image, exact[index]!));
    const healthCheck = decibels.pop()!;
    results.push({ dtype, mean: mean(decibels), least: Math.min(...decibels), healthCheck });
  }
  return results;
}

/** The pictures of the prompts; the health check's comes last. */
async function draw(device: Device, dtype: Dtype): Promise<RgbImage[]> {
  await using pipe = await NewBieImagePipeline.fromPretrained(DEMO_MODEL, {
    device,
    dtype,
    log: console.error,
  });
  const scenes = await readEvalSet();
  const every = Math.floor(scenes.length / PICTURES);
  const requests = Array.from({ length: PICTURES }, (_, index) => {
    const { prompts, seed } = scenes[index * every]!;
    return { prompt: prompts.xml, generator: { seed }, ...USUAL };
  });
  const healthCheck = {
    prompt: await Deno.readTextFile(`${DEMO_MODEL}/health_check.xml`),
    generator: { seed: SEED },
    numInferenceSteps: STEPS,
    guidanceScale: GUIDANCE_SCALE,
  };
  const images: RgbImage[] = [];
  for (const request of [...requests, healthCheck]) {
    const { images: [image] } = await pipe.generate(request);
    images.push(image!);
  }
  return images;
}

/** The results as Markdown. */
export function arithmeticTable(results: readonly ArithmeticResult[]): string[] {
  return [
    "| arithmetic | PSNR to float32 on a CPU, mean | least | health check |",
    "| --- | --- | --- | --- |",
    ...results.map(({ dtype, ...decibels }) => {
      const { mean, least, healthCheck } = decibels;
      const values = [mean, least, healthCheck].map((value) => `${value.toFixed(1)} dB`);
      return `| ${dtype} | ${values.join(" | ")} |`;
    }),
  ];
}

if (import.meta.main) console.log(JSON.stringify(await benchArithmetic(JSON.parse(Deno.args[0]!))));
