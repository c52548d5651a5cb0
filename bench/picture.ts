/**
 * Pictures of a model, in a process of its own so that memory and the time to the first picture are
 * its own. Takes its request as JSON, prints its result as JSON.
 */
import { createHash } from "node:crypto";
import { NewBieImagePipeline, type PretrainedOptions, type Timings } from "../src/mod.ts";

/** What to make. */
export interface PictureRequest
  extends Pick<PretrainedOptions, "device" | "gpus" | "dtype" | "offload"> {
  /** The folder of the model. */
  readonly model: string;
  /** Width and height in pixels. */
  readonly size: number;
  readonly steps: number;
  /** Tokens that Gemma reads of the prompt, about. */
  readonly caption: number;
  /** How many calls; the first is not warm. */
  readonly count: number;
  /** How many pictures a call makes: one by default. */
  readonly pictures?: number;
  /** The relative error that is accepted of a velocity; none without it. */
  readonly stepCache?: number;
}

/** What it took: milliseconds. */
export interface PictureResult {
  /** From the start of the process to the sessions. */
  readonly loaded: number;
  /** From the start of the process to the first picture's pixels. */
  readonly firstPicture: number;
  /** Of every call. */
  readonly timings: readonly Timings[];
  readonly offload: string;
  readonly vae: string;
  readonly dtype: string;
  /** Whether every pixel of the last picture has one colour, as when something overflowed. */
  readonly isBlank: boolean;
  /** Evaluations of the model in the last picture that the step cache foretold. */
  readonly foretold: number;
  /** SHA-256 of the last call's pictures, in hexadecimal. */
  readonly sha256: string;
}

/** A prompt of nearly so many tokens: few are tried, for the time to the first picture goes on. */
function promptOf(pipe: NewBieImagePipeline, tokens: number): string {
  const [gemma] = pipe.promptEncoders;
  const tags = ["1girl", "blue_hair", "cat_ears", "smile", "red_dress", "night", "snow"];
  const first = (count: number) =>
    Array.from({ length: count }, (_, index) => tags[index % tags.length]).join(", ");
  const fits = (count: number) => gemma!.countTokens(first(count)) <= tokens;
  // So many tags fit, and so many are too many.
  let [fitting, over] = [0, 1];
  while (fits(over)) [fitting, over] = [over, 2 * over];
  while (over - fitting > 1) {
    const middle = Math.floor((fitting + over) / 2);
    if (fits(middle)) fitting = middle;
    else over = middle;
  }
  return first(fitting);
}

if (import.meta.main) {
  const request: PictureRequest = JSON.parse(Deno.args[0]!);
  const { model, size, steps, caption, count, pictures = 1, stepCache = 0, ...loading } = request;
  await using pipe = await NewBieImagePipeline.fromPretrained(model, loading);
  const loaded = performance.now();
  const prompt = promptOf(pipe, caption);
  const timings: Timings[] = [];
  let firstPicture = 0;
  let isBlank = false;
  let foretold = 0;
  let sha256 = "";
  for (let index = 0; index < count; index++) {
    const result = await pipe.generate({
      prompt,
      negativePrompt: prompt.split(", ").toReversed().join(", "),
      height: size,
      width: size,
      numInferenceSteps: steps,
      guidanceScale: 5,
      stepCache,
      numImagesPerPrompt: pictures,
      generator: Array.from({ length: pictures }, (_, picture) => ({
        seed: index * pictures + picture,
      })),
    });
    if (index === 0) firstPicture = performance.now();
    timings.push(result.timings);
    foretold = result.evaluations.foretold;
    const { data } = result.images[0]!;
    isBlank = data.every((value) => value === data[0]);
    const hash = createHash("sha256");
    for (const { data } of result.images) hash.update(data);
    sha256 = hash.digest("hex");
  }
  const result: PictureResult = {
    loaded,
    firstPicture,
    timings,
    offload: pipe.offload,
    vae: pipe.vaeClassName,
    dtype: pipe.dtype,
    isBlank,
    foretold,
    sha256,
  };
  console.log(JSON.stringify(result));
}
