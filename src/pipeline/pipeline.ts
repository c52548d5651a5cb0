/**
 * From a prompt to a picture.
 *
 * @module
 */
import { RequestError } from "../errors.ts";
import { imageFromTensor, type RgbImage } from "../image/mod.ts";
import { GEMMA3_MAX_TOKENS } from "../models/gemma3.ts";
import { JINA_CLIP_MAX_TOKENS } from "../models/jina_clip.ts";
import { DTYPE_POLICIES } from "../onnx/mod.ts";
import {
  canonicalPrompt,
  parsePrompt,
  parseXmlPrompt,
  promptKind,
  systemPromptFor,
  withSystemPrompt,
  type XmlPromptObject,
} from "../prompt/mod.ts";
import { createGenerator, type GeneratorOptions, randomSeed } from "../random/mod.ts";
import { combineGuidance, createScheduler, needsUnconditional } from "../schedulers/mod.ts";
import type { Scheduler } from "../schedulers/mod.ts";
import { elementCount, type Tensor, tensor } from "../tensor.ts";
import { expectDims } from "./_expect_dims.ts";
import { type CheckpointLayout, describeCheckpoint, findCheckpoint } from "./checkpoint.ts";
import { type Components, loadComponents } from "./components.ts";
import type { Conditioning, Transformer } from "./transformer.ts";
import type {
  GenerateOptions,
  GenerateResult,
  LatentsOptions,
  PretrainedOptions,
  PromptEmbeds,
  PromptOptions,
  VelocityOptions,
} from "./types.ts";

const DEFAULT_STEPS = 28;
const DEFAULT_GUIDANCE_SCALE = 5;

/**
 * NewBie-image, whole: tokenizers, text encoders, transformer, sampler and VAE.
 *
 * @example Load the demo model and look at what it understood of a prompt.
 * ```ts
 * import assert from "node:assert/strict";
 *
 * await using pipe = await NewBieImagePipeline.fromPretrained(".", { log: () => {} });
 * const prompt = "<character_1><n>miku</n><appearance>blue_hair, twintails</appearance></character_1>";
 * assert.deepEqual(pipe.parseXmlPrompt(prompt), {
 *   character_1: { n: "miku", appearance: ["blue_hair", "twintails"] },
 * });
 * ```
 */
export class NewBieImagePipeline implements AsyncDisposable {
  /** The layout in which the checkpoint was found. */
  readonly layout: CheckpointLayout;
  /** Whether this is the small model that comes with the toolkit. */
  readonly isDemo: boolean;
  readonly #parts: Components;

  private constructor(layout: CheckpointLayout, isDemo: boolean, parts: Components) {
    this.layout = layout;
    this.isDemo = isDemo;
    this.#parts = parts;
  }

  /**
   * Loads a checkpoint from a folder; {@linkcode findCheckpoint} says in which layouts.
   *
   * Configurations and weights are checked, and graphs compiled, before the first session exists.
   * Without offload all sessions are ready when this returns; with it each is made when needed.
   *
   * @param folder The folder that holds the model, or the toolkit's own.
   * @throws {CheckpointNotFoundError} When there is no checkpoint, or parts of it are missing.
   * @throws {CheckpointError} Naming every tensor that does not fit.
   * @throws {ConfigError} When a config.json is wrong, or two parts do not fit each other.
   * @throws {SafetensorsError} When a weights file is damaged.
   * @throws {TokenizerError} When a tokenizer cannot be read.
   * @throws {SessionError} When ONNX Runtime cannot load a graph.
   */
  static async fromPretrained(
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<NewBieImagePipeline> {
    const { dtype = "auto", offload = "auto", log = console.error } = options;
    const device = options.device === undefined || options.device === "auto"
      ? "cpu"
      : options.device;
    checkChoice("device", device, ["cpu", "cuda"]);
    checkChoice("dtype", dtype, ["auto", "float32"]);
    checkChoice("offload", offload, ["auto", "none", "model"]);
    const files = await findCheckpoint(folder);
    log(describeCheckpoint(files, folder));
    const policy = dtype === "float32" ? DTYPE_POLICIES.cpu : DTYPE_POLICIES[device];
    const keep = offload !== "model";
    const parts = await loadComponents(files, { device, policy, keep });
    const pipeline = new NewBieImagePipeline(files.layout, files.isDemo, parts);
    if (keep) await pipeline.#loadSessions();
    return pipeline;
  }

  /**
   * What a prompt says, as a plain object: `{ character_1: { n: "miku", … }, general_tags: {…} }`.
   *
   * @throws {XmlPromptError} When the XML is malformed; carries line and column.
   */
  parseXmlPrompt(xml: string): XmlPromptObject {
    return parseXmlPrompt(xml);
  }

  /**
   * Encodes prompts with Gemma 3 and Jina CLIP.
   *
   * @throws {XmlPromptError} When a prompt is malformed XML.
   * @throws {RequestError} When there are neither one nor as many negative prompts as prompts.
   */
  async encodePrompt(options: PromptOptions): Promise<PromptEmbeds> {
    const { positive, negative } = promptTexts(options);
    const all = [...positive, ...negative];
    const features = await this.#parts.textEncoder.use(async (encoder) => {
      const encoded: Tensor[] = [];
      for (const { gemma } of all) {
        const maxLength = GEMMA3_MAX_TOKENS;
        encoded.push(await encoder.encode(this.#parts.tokenizer.encode(gemma, { maxLength })));
      }
      return encoded;
    });
    const pooled = await this.#parts.clipModel.use(async (encoder) => {
      const encoded: Tensor[] = [];
      for (const { clip } of all) {
        const maxLength = JINA_CLIP_MAX_TOKENS;
        encoded.push(await encoder.encode(this.#parts.clipTokenizer.encode(clip, { maxLength })));
      }
      return encoded;
    });
    const count = positive.length;
    const [embeds, mask] = stackPadded(features.slice(0, count));
    const [negativeEmbeds, negativeMask] = stackPadded(features.slice(count));
    return {
      promptEmbeds: embeds,
      promptAttentionMask: mask,
      pooledPromptEmbeds: stack(pooled.slice(0, count)),
      negativePromptEmbeds: negativeEmbeds,
      negativePromptAttentionMask: negativeMask,
      negativePooledPromptEmbeds: stack(pooled.slice(count)),
    };
  }

  /**
   * The noise that sampling starts from, [batchSize, C, height / factor, width / factor]: the
   * values of `torch.randn` for the same generator.
   *
   * @throws {RequestError} When a size does not fit the model, or generators or latents do not fit
   *   the batch.
   */
  prepareLatents(options: LatentsOptions = {}): Tensor {
    const { latents, generator } = options;
    const { batchSize = 1, height = this.defaultSize, width = this.defaultSize } = options;
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new RequestError(`batchSize is ${batchSize}; expected a whole number from 1.`);
    }
    const sampleDims = this.#sampleDims(height, width);
    const dims = [batchSize, ...sampleDims];
    if (latents !== undefined) {
      expectDims("latents", latents, dims);
      return latents;
    }
    const data = new Float32Array(elementCount(dims));
    if (!isList(generator)) {
      createGenerator(generator ?? { seed: randomSeed() }).fillNormal(data);
      return tensor(data, dims);
    }
    if (generator.length !== batchSize) {
      throw new RequestError(
        `There are ${generator.length} generators for ${batchSize} samples; give one for all, ` +
          "or one for each.",
      );
    }
    // Each sample is drawn straight into its place: a large batch needs no second copy.
    const length = elementCount(sampleDims);
    generator.forEach((options, index) => {
      createGenerator(options).fillNormal(data.subarray(index * length, (index + 1) * length));
    });
    return tensor(data, dims);
  }

  /**
   * One forward pass of the transformer, without guidance.
   *
   * @returns The velocity, in the shape of the latents.
   * @throws {RequestError} When shapes do not fit the model or each other.
   */
  async predictVelocity(options: VelocityOptions): Promise<Tensor> {
    const { latents, timestep, promptEmbeds, promptAttentionMask, pooledPromptEmbeds } = options;
    const [batch = 0] = latents.dims;
    const timesteps = typeof timestep === "number"
      ? new Array<number>(batch).fill(timestep)
      : Array.from(timestep);
    if (timesteps.length !== batch || timesteps.some((t) => !(t >= 0 && t <= 1))) {
      throw new RequestError(
        `timestep is ${timestep}; expected a number from 0 (noise) to 1 (image), or one for ` +
          `each of the ${batch} samples.`,
      );
    }
    return await this.#parts.transformer.use(async (transformer) => {
      const velocities: Tensor[] = [];
      for (const [index, t] of timesteps.entries()) {
        const embeds = unpadded(
          sampleOf("promptEmbeds", promptEmbeds, index, batch),
          promptAttentionMask &&
            sampleOf("promptAttentionMask", promptAttentionMask, index, batch),
        );
        const pooled = pooledPromptEmbeds &&
          sampleOf("pooledPromptEmbeds", pooledPromptEmbeds, index, batch);
        const conditioning = await transformer.condition(embeds, pooled);
        const sample = sampleOf("latents", latents, index, batch);
        velocities.push(await transformer.predict(sample, t, conditioning));
      }
      return stack(velocities);
    });
  }

  /**
   * Decodes latents.
   *
   * @param latents [B, C, H, W], as sampling leaves them.
   * @returns [B, 3, H · factor, W · factor], about -1…1, not clamped.
   * @throws {RequestError} When the channels are not the VAE's.
   */
  async decodeLatents(latents: Tensor): Promise<Tensor> {
    return await this.#parts.vae.use((vae) => vae.decode(latents));
  }

  /**
   * Makes pictures.
   *
   * @throws {XmlPromptError} When a prompt is malformed XML.
   * @throws {RequestError} When an option is out of range; before anything is computed.
   * @throws The signal's reason, when it was aborted.
   */
  async generate(
    options: GenerateOptions & { outputType: "latent" },
  ): Promise<GenerateResult<Tensor>>;
  async generate(options: GenerateOptions & { outputType?: "image" }): Promise<GenerateResult>;
  async generate(options: GenerateOptions): Promise<GenerateResult<RgbImage | Tensor>>;
  async generate(options: GenerateOptions): Promise<GenerateResult<RgbImage | Tensor>> {
    const {
      numInferenceSteps = DEFAULT_STEPS,
      guidanceScale = DEFAULT_GUIDANCE_SCALE,
      numImagesPerPrompt = 1,
      outputType = "image",
      signal,
    } = options;
    const { cfgTrunc, renormCfg } = options;
    const guidance = { guidanceScale, cfgTrunc, renormCfg };
    const scheduler = this.#scheduler(options.scheduler);
    checkChoice("outputType", outputType, ["image", "latent"]);
    if (!Number.isSafeInteger(numImagesPerPrompt) || numImagesPerPrompt < 1) {
      throw new RequestError(
        `numImagesPerPrompt is ${numImagesPerPrompt}; expected a whole number from 1.`,
      );
    }
    // Both refuse what is out of range before anything is loaded.
    scheduler.timesteps(numInferenceSteps);
    needsUnconditional(0, guidance);
    const promptCount = promptTexts(options).positive.length;
    const imageCount = promptCount * numImagesPerPrompt;
    const generators = imageGenerators(options, imageCount);
    const noise = this.prepareLatents({
      batchSize: imageCount,
      height: options.height,
      width: options.width,
      latents: options.latents,
      generator: options.latents === undefined ? generators : undefined,
    });

    signal?.throwIfAborted();
    const start = performance.now();
    const embeds = await this.encodePrompt(options);
    const encoded = performance.now();
    const latents = await this.#parts.transformer.use(async (transformer) => {
      const samples: Tensor[] = [];
      for (let prompt = 0; prompt < promptCount; prompt++) {
        const conditionings = await conditioningsOf(transformer, embeds, prompt);
        for (let image = 0; image < numImagesPerPrompt; image++) {
          const imageIndex = samples.length;
          const { data, dims } = sampleOf("latents", noise, imageIndex, imageCount);
          const velocity = guidedVelocity(transformer, conditionings, dims, guidance);
          const sample = await scheduler.sample(
            data,
            numInferenceSteps,
            velocity,
            ({ index, total, timestep, latents }) =>
              options.onStep?.({
                index,
                total,
                timestep,
                latents: tensor(latents, dims),
                imageIndex,
                imageCount,
              }),
            signal,
          );
          samples.push(tensor(sample, dims));
        }
      }
      return samples;
    });
    const denoised = performance.now();
    const images: RgbImage[] = [];
    if (outputType === "image") {
      await this.#parts.vae.use(async (vae) => {
        for (const sample of latents) {
          signal?.throwIfAborted();
          images.push(imageFromTensor(await vae.decode(sample)));
        }
      });
    }
    const end = performance.now();
    const result = {
      seeds: options.latents === undefined ? generators.map(({ seed }) => seed) : [],
      timings: {
        encode: encoded - start,
        denoise: denoised - encoded,
        decode: end - denoised,
        total: end - start,
      },
    };
    return { images: outputType === "latent" ? latents : images, ...result };
  }

  /** Width and height that the model was trained for, in pixels. */
  get defaultSize(): number {
    return this.#parts.transformerConfig.sample_size * this.#parts.vaeScaleFactor;
  }

  /** Frees every part. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { textEncoder, clipModel, transformer, vae } = this.#parts;
    for (const part of [textEncoder, clipModel, transformer, vae]) {
      await part[Symbol.asyncDispose]();
    }
  }

  async #loadSessions(): Promise<void> {
    const { textEncoder, clipModel, transformer, vae } = this.#parts;
    try {
      await Promise.all([textEncoder, clipModel, transformer, vae].map((part) => part.load()));
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  #sampleDims(height: number, width: number): [number, number, number] {
    const { in_channels, patch_size } = this.#parts.transformerConfig;
    const factor = this.#parts.vaeScaleFactor;
    const multiple = factor * patch_size;
    for (const [name, pixels] of Object.entries({ height, width })) {
      if (Number.isSafeInteger(pixels) && pixels > 0 && pixels % multiple === 0) continue;
      const nearest = Math.max(multiple, Math.round(pixels / multiple) * multiple);
      throw new RequestError(
        `${name} is ${pixels}; expected a multiple of ${multiple}` +
          (Number.isFinite(nearest) ? `, such as ${nearest}.` : "."),
      );
    }
    return [in_channels, height / factor, width / factor];
  }

  #scheduler(asked: GenerateOptions["scheduler"]): Scheduler {
    const { scheduler } = this.#parts;
    if (asked === undefined) return scheduler;
    return typeof asked === "string" ? createScheduler(asked, { shift: scheduler.shift }) : asked;
  }
}

/** What each encoder is to read of one prompt. */
interface EncoderTexts {
  readonly gemma: string;
  readonly clip: string;
}

function promptTexts(
  { prompt, negativePrompt = "", systemPrompt, raw = false }: PromptOptions,
): { positive: EncoderTexts[]; negative: EncoderTexts[] } {
  const prompts = typeof prompt === "string" ? [prompt] : prompt;
  const negatives = typeof negativePrompt === "string"
    ? prompts.map(() => negativePrompt)
    : negativePrompt;
  if (prompts.length === 0) throw new RequestError("There is no prompt; give at least one.");
  if (negatives.length !== prompts.length) {
    throw new RequestError(
      `There are ${negatives.length} negative prompts for ${prompts.length} prompts; give one ` +
        "for all, or one for each.",
    );
  }
  const systemPrompts = prompts.map((text) => {
    return systemPrompt ?? systemPromptFor(raw ? promptKind(text) : parsePrompt(text).kind);
  });
  const texts = (text: string, index: number): EncoderTexts => {
    const clip = raw ? text : canonicalPrompt(text);
    return { clip, gemma: withSystemPrompt(clip, systemPrompts[index]!) };
  };
  return { positive: prompts.map(texts), negative: negatives.map(texts) };
}

/** A velocity that follows the prompt and shuns the negative prompt. */
function guidedVelocity(
  transformer: Transformer,
  { conditional, unconditional }: Record<"conditional" | "unconditional", Conditioning>,
  dims: readonly number[],
  guidance: Parameters<typeof combineGuidance>[2],
): (latents: Float32Array, timestep: number) => Promise<Float32Array> {
  return async (latents, timestep) => {
    const x = tensor(latents, dims);
    const { data: wanted } = await transformer.predict(x, timestep, conditional);
    if (!needsUnconditional(timestep, guidance)) return wanted;
    const { data: unwanted } = await transformer.predict(x, timestep, unconditional);
    return combineGuidance(wanted, unwanted, guidance);
  };
}

async function conditioningsOf(
  transformer: Transformer,
  embeds: PromptEmbeds,
  index: number,
): Promise<Record<"conditional" | "unconditional", Conditioning>> {
  const batch = embeds.promptEmbeds.dims[0]!;
  const condition = (features: Tensor, mask: Tensor, pooled: Tensor) =>
    transformer.condition(
      unpadded(sampleOf("", features, index, batch), sampleOf("", mask, index, batch)),
      sampleOf("", pooled, index, batch),
    );
  return {
    conditional: await condition(
      embeds.promptEmbeds,
      embeds.promptAttentionMask,
      embeds.pooledPromptEmbeds,
    ),
    unconditional: await condition(
      embeds.negativePromptEmbeds,
      embeds.negativePromptAttentionMask,
      embeds.negativePooledPromptEmbeds,
    ),
  };
}

/** One generator for each picture of a call. */
function imageGenerators(
  { generator = { seed: randomSeed() } }: GenerateOptions,
  imageCount: number,
): readonly GeneratorOptions[] {
  if (isList(generator)) return generator;
  const { seed } = generator;
  return Array.from({ length: imageCount }, (_, index) => {
    const own = typeof seed === "bigint" ? seed + BigInt(index) : seed + index;
    return { ...generator, seed: own };
  });
}

/** One sample of a batch as a batch of one; a batch of one serves for every sample. */
function sampleOf(name: string, whole: Tensor, index: number, batch: number): Tensor {
  const [count = 0, ...dims] = whole.dims;
  if (count === 1) return whole;
  if (count !== batch) {
    throw new RequestError(
      `${name} holds ${count} samples, but latents holds ${batch}; expected 1 or ${batch}.`,
    );
  }
  const length = elementCount(dims);
  return tensor(whole.data.subarray(index * length, (index + 1) * length), [1, ...dims]);
}

/** Batches of one, joined. */
function stack(samples: readonly Tensor[]): Tensor {
  const [, ...dims] = samples[0]!.dims;
  const length = elementCount(dims);
  const data = new Float32Array(samples.length * length);
  samples.forEach((sample, index) => data.set(sample.data, index * length));
  return tensor(data, [samples.length, ...dims]);
}

/** [1, Lᵢ, D] joined to [B, max L, D] with zeros behind the shorter, and the mask that tells. */
function stackPadded(samples: readonly Tensor[]): [embeds: Tensor, mask: Tensor] {
  const lengths = samples.map(({ dims }) => dims[1]!);
  const longest = Math.max(...lengths);
  const width = samples[0]!.dims[2]!;
  const data = new Float32Array(samples.length * longest * width);
  const mask = new Float32Array(samples.length * longest);
  samples.forEach((sample, index) => {
    data.set(sample.data, index * longest * width);
    mask.fill(1, index * longest, index * longest + lengths[index]!);
  });
  return [
    tensor(data, [samples.length, longest, width]),
    tensor(mask, [samples.length, longest]),
  ];
}

/** [1, L, D] without the positions at the end that the mask [1, L] leaves out. */
function unpadded(embeds: Tensor, mask: Tensor | undefined): Tensor {
  if (mask === undefined) return embeds;
  const [, length = 0, width = 0] = embeds.dims;
  expectDims("promptAttentionMask", mask, [1, length]);
  const kept = mask.data.findLastIndex((value) => value !== 0) + 1;
  return tensor(embeds.data.subarray(0, kept * width), [1, kept, width]);
}

function isList<T>(value: T | readonly T[] | undefined): value is readonly T[] {
  return Array.isArray(value);
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new RequestError(`${name} is "${value}"; expected one of ${choices.join(", ")}.`);
}
