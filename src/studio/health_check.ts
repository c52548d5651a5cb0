/** The health check: a pinned request to the demo model, and what is known of its result. */
import { logLine } from "../shown.ts";
import type { Texts } from "../language.ts";
import { decodePng, psnr, type RgbImage } from "../image/mod.ts";
import type { Dtype } from "../onnx/mod.ts";
import { NewBieImagePipeline } from "../pipeline/pipeline.ts";
import type { PretrainedOptions } from "../pipeline/types.ts";
import { identifyModels, pictureRecipe, type Recipe } from "../recipe/mod.ts";
import type { SchedulerName } from "../schedulers/mod.ts";
import type { Tensor } from "../tensor.ts";

/** Where the demo model lies, and what the health check knows of it. */
export const DEMO_MODEL = "models/demo";
export const STEPS = 30;
export const GUIDANCE_SCALE = 7;
export const SEED = 42;
/** Execution providers round differently; below this, something else is different too. */
export const MINIMUM_PSNR_DB = 30;
/**
 * How far the latents' mean and standard deviation, channel by channel, may lie from the recorded
 * ones, in units of the recorded standard deviation. Another order of float32 operations
 * (no graph optimisation, one thread) moved them by 4e-7; a shift of 5.5 instead of 6, which no eye
 * sees in the picture, by 1.2e-3.
 */
const LATENT_TOLERANCE = 1e-3;
/**
 * The same in 16 bits, whose rounding alone moves them: on an H200 by 1.7e-2 in bfloat16 and 2.6e-3
 * in float16 (and by 1.4e-4 in float32 there, where products are rounded to TF32).
 */
const HALF_LATENT_TOLERANCE = 2e-2;

/** Mean and standard deviation of each channel of the final latents. */
export interface LatentStatistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The result of the pinned request. */
export interface HealthCheckRun {
  readonly image: RgbImage;
  readonly recipe: Recipe;
  readonly statistics: LatentStatistics;
  /** The type of arithmetic. */
  readonly dtype: Dtype;
  /** Milliseconds by stage. */
  readonly timings: Readonly<Record<"load" | "encode" | "denoise" | "decode", number>>;
}

/** How that result compares with the recorded one. */
export interface HealthCheckVerdict {
  /** dB; infinite when the pictures are equal. */
  readonly psnr: number;
  /** The largest deviation of any channel's mean or standard deviation, as `LATENT_TOLERANCE`. */
  readonly latentDeviation: number;
  /** What is wrong, for people; empty when all is well. */
  readonly problems: readonly Texts<string>[];
}

/** Makes the pinned picture. */
export async function runHealthCheck(
  options: {
    /** A folder with a model in it. */
    readonly model?: string;
    readonly scheduler?: SchedulerName;
    readonly log?: (line: string) => void;
    readonly onStep?: (done: number, total: number) => void;
  } & Pick<PretrainedOptions, "device" | "dtype" | "offload" | "threads" | "language"> = {},
): Promise<HealthCheckRun> {
  const { model = DEMO_MODEL, log = logLine, scheduler, onStep, ...loading } = options;
  const start = performance.now();
  const prompt = await Deno.readTextFile(`${DEMO_MODEL}/health_check.xml`);
  await using pipe = await NewBieImagePipeline.fromPretrained(model, { log, ...loading });
  const loaded = performance.now();
  const result = await pipe.generate({
    prompt,
    numInferenceSteps: STEPS,
    guidanceScale: GUIDANCE_SCALE,
    generator: { seed: SEED },
    outputType: "latent",
    ...(scheduler === undefined ? {} : { scheduler }),
    onStep: ({ index, total }) => onStep?.(index + 1, total),
  });
  const { images: [latents], timings } = result;
  const sampled = performance.now();
  const [image] = await pipe.decodeImages(latents!);
  const decode = performance.now() - sampled;
  return {
    image: image!,
    recipe: pictureRecipe(pipe, result, await identifyModels(pipe.checkpoint)),
    statistics: statisticsOf(latents!),
    dtype: pipe.dtype,
    timings: {
      load: loaded - start,
      encode: timings.encode,
      denoise: timings.denoise,
      decode,
    },
  };
}

/** Compares a result with the recorded picture and statistics. */
export async function judge(
  { image, statistics, dtype }: HealthCheckRun,
): Promise<HealthCheckVerdict> {
  const picture = `${DEMO_MODEL}/health_check.png`;
  const record = `${DEMO_MODEL}/health_check.json`;
  const similarity = psnr(image, decodePng(await Deno.readFile(picture)).image);
  const recorded: { latents: LatentStatistics } = JSON.parse(await Deno.readTextFile(record));
  const latentDeviation = deviation(statistics, recorded.latents);
  const problems: Texts<string>[] = [];
  if (!(similarity >= MINIMUM_PSNR_DB)) {
    const found = similarity.toFixed(1);
    problems.push({
      en: `the picture is not the recorded one (${picture}): PSNR ${found} dB, expected at least ` +
        `${MINIMUM_PSNR_DB} dB`,
      zh: `图片与记录的（${picture}）不同：PSNR 为 ${found} dB，应不低于 ${MINIMUM_PSNR_DB} dB`,
    });
  }
  const tolerance = dtype === "float32" ? LATENT_TOLERANCE : HALF_LATENT_TOLERANCE;
  if (!(latentDeviation <= tolerance)) {
    const off = latentDeviation.toPrecision(2);
    problems.push({
      en:
        `the latents are not the recorded ones (${record}): a channel's mean or deviation is off ` +
        `by ${off} standard deviations, allowed ${tolerance}`,
      zh: `潜变量与记录的（${record}）不同：某个通道的均值或标准差偏离了 ${off} 个标准差，` +
        `允许 ${tolerance}`,
    });
  }
  return { psnr: similarity, latentDeviation, problems };
}

function statisticsOf({ data, dims }: Tensor): LatentStatistics {
  const channels = dims[1]!;
  const size = data.length / channels;
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const values = data.subarray(channel * size, (channel + 1) * size);
    const center = values.reduce((sum, x) => sum + x, 0) / size;
    mean.push(center);
    std.push(Math.sqrt(values.reduce((sum, x) => sum + (x - center) ** 2, 0) / size));
  }
  return { mean, std };
}

function deviation(found: LatentStatistics, recorded: LatentStatistics): number {
  const differences = recorded.std.flatMap((std, channel) => [
    Math.abs(found.mean[channel]! - recorded.mean[channel]!) / std,
    Math.abs(found.std[channel]! - std) / std,
  ]);
  // NaN must not hide behind a comparison.
  return differences.some(Number.isNaN) ? NaN : Math.max(...differences);
}
