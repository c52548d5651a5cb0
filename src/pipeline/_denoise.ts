/** From noise to latents: every picture of a call. */
import { RequestError } from "../errors.ts";
import type { Scheduler, SchedulerStep, Velocity } from "../schedulers/mod.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { sampleOf } from "./_batches.ts";
import { type PictureStart, startOf } from "./_picture_start.ts";
import {
  type Conditionings,
  conditioningsOf,
  type Guidance,
  guidedVelocity,
} from "./_guided_velocity.ts";
import { sideBySide } from "../side_by_side.ts";
import type { Transformer } from "./parts/transformer.ts";
import type { PromptEmbeds, StepInfo } from "./types.ts";

/** What is drawn. */
export interface DenoiseOptions {
  readonly embeds: PromptEmbeds;
  /** [pictures, C, H, W]; `imagesPerPrompt` for each prompt in turn. */
  readonly noise: Tensor;
  readonly imagesPerPrompt: number;
  readonly scheduler: Scheduler;
  readonly steps: number;
  /** The step with which to begin. */
  readonly first: number;
  /** The picture to start from; absent to start from noise. */
  readonly picture?: PictureStart | undefined;
  readonly guidance: Guidance;
  /** Whether any step asks for the negative prompt. */
  readonly guided: boolean;
  /** How many pictures are drawn side by side: on one GPU one after the other. */
  readonly lanes: number;
  /** Whether the memory that the steps took is given back after the last of them. */
  readonly givesBack: boolean;
  readonly onStep?: ((step: StepInfo) => void | Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What differs between the drawings of one call. */
export type OwnDrawing = Pick<
  DenoiseOptions,
  "noise" | "steps" | "first" | "picture" | "onStep"
>;

/** What came of it. */
export interface Denoised {
  /** Latents [1, C, H, W], one for each picture. */
  readonly samples: readonly Tensor[];
  /** How often the transformer was asked for a velocity. */
  readonly evaluations: number;
}

/** Samples each picture of a batch. */
export async function denoise(
  transformer: Transformer,
  options: DenoiseOptions,
): Promise<Denoised> {
  const { embeds, noise, imagesPerPrompt, scheduler, steps, first, picture, guidance } = options;
  const { guided, lanes, givesBack } = options;
  const imageCount = noise.dims[0]!;
  const samples: Tensor[] = [];
  let evaluations = 0;
  let last: { readonly prompt: number; readonly conditionings: Promise<Conditionings> } | undefined;
  /** Pictures are begun in their order, so that those of one prompt follow each other. */
  const conditioningsFor = (prompt: number) => {
    if (last?.prompt !== prompt) {
      last = { prompt, conditionings: conditioningsOf(transformer, embeds, prompt, guided) };
    }
    return last.conditionings;
  };
  await sideBySide(imageCount, lanes, async (imageIndex, failed) => {
    const conditionings = await conditioningsFor(Math.floor(imageIndex / imagesPerPrompt));
    const { data, dims } = sampleOf("latents", noise, imageIndex, imageCount);
    const start = picture && startOf(picture, data, {
      scheduler,
      steps,
      first,
      index: imageIndex,
      count: imageCount,
    });
    /** Of a picture after which no other begins. */
    const isLast = imageIndex >= imageCount - lanes;
    let stepsLeft = steps - first;
    const predict = guidedVelocity(transformer, conditionings, dims, guidance);
    const velocity: Velocity = (latents, timestep) => {
      evaluations++;
      return predict(latents, timestep, { givesBack: givesBack && isLast && stepsLeft <= 1 });
    };
    const onStep = async (step: SchedulerStep) => {
      const index = step.index - first;
      if (index < 0) throw cannotBeginLate(scheduler);
      stepsLeft--;
      const latents = start?.keep?.(step.latents, step) ?? step.latents;
      const shared = { latents: tensor(latents, dims), imageIndex, imageCount };
      await options.onStep?.({ ...step, index, total: steps - first, ...shared });
      return latents;
    };
    const begin = start?.latents ?? data;
    const signal = options.signal === undefined
      ? failed
      : AbortSignal.any([options.signal, failed]);
    const sample = await scheduler.sample(begin, steps, velocity, onStep, signal, first);
    samples[imageIndex] = tensor(sample, dims);
  });
  return { samples, evaluations };
}

/** A scheduler that a program brings along may know nothing of a first step. */
function cannotBeginLate({ name }: Scheduler): RequestError {
  return new RequestError(
    `The sampler ${name} that was given cannot begin in the middle of a run, as drawing from a ` +
      "picture does: its `sample` takes no first step.",
    {
      zh:
        `给出的采样器 ${name} 不能从中途开始，因此不能以图片为起点：它的 \`sample\` 不接受起始步。`,
    },
  );
}
