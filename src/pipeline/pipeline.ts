/**
 * From a prompt to a picture.
 *
 * @module
 */
import { logLine } from "../shown.ts";
import { RequestError } from "../errors.ts";
import type { RgbImage } from "../image/mod.ts";
import type { Language } from "../language.ts";
import { type Device, type Dtype, type DtypePolicy, DTYPES } from "../onnx/mod.ts";
import { parseXmlPrompt, type PromptEncoder, type XmlPromptObject } from "../prompt/mod.ts";
import {
  type Arithmetic,
  chooseDevice,
  cpuArithmetic,
  expectDevice,
  localHost,
  startCuda,
  usableThreads,
} from "../machine/mod.ts";
import { OutOfMemoryError } from "../runtime/session.ts";
import { withOptions } from "../runtime/with_options.ts";
import {
  createScheduler,
  needsUnconditional,
  type Scheduler,
  withStepCache,
} from "../schedulers/mod.ts";
import { settled } from "../settled.ts";
import { type Tensor, tensor } from "../tensor.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import { AdapterSet } from "./adapters/adapter_set.ts";
import type { AdapterWeight, LoadedAdapter, LoadLoraOptions } from "./adapters/types.ts";
import { sampleOf, stack, stackPadded, unpadded } from "./_batches.ts";
import {
  type CallConditions,
  callConditions,
  type EncodedTexts,
  type Side,
} from "./_call_conditions.ts";
import { calledWith, callSettings } from "./_call_settings.ts";
import { chooseOffload } from "./_choose_offload.ts";
import { checkListedFiles, hashListedFile } from "./_checksums.ts";
import { denoise, type OwnDrawing } from "./_denoise.ts";
import {
  type Enlarged,
  enlargeLatents,
  enlargePictures,
  type Hires,
  hiresOf,
  LATENT,
} from "./_hires.ts";
import { tokenize } from "./_tokenize.ts";
import { variationOf } from "./_variation.ts";
import { variedNoise } from "./_varied_noise.ts";
import { Upscaler } from "./parts/upscaler.ts";
import { givenPictures } from "./_given_pictures.ts";
import { Overlay, resizedMask } from "./_overlay.ts";
import { memoryBudget, requireMemory, spareOnGpu } from "./_memory_budget.ts";
import { givenLatents, sampleDims } from "./_latent_dims.ts";
import { gpusOf, LOG_TEXTS } from "./_log_texts.ts";
import { drawNoise, imageGenerators, isList } from "./_noise.ts";
import { firstStepOf, latentMask, type MaskKind } from "./_picture_start.ts";
import { pictureTensor } from "./_picture_tensor.ts";
import { choosePolicy, expectChoice, expectThreads } from "./_pretrained_options.ts";
import { PartThreads } from "./_part_threads.ts";
import { encodeEach, type EncoderTexts, promptTexts } from "./_prompt_texts.ts";
import type { CheckpointFiles, CheckpointLayout } from "./checkpoint/types.ts";
import { describeCheckpoint } from "./checkpoint/describe_checkpoint.ts";
import { findCheckpoint } from "./checkpoint/find_checkpoint.ts";
import { rememberFiles } from "./checkpoint/open_part.ts";
import {
  estimateMemory,
  OFFLOAD_MODES,
  type OffloadMode,
  trainedSize,
} from "./checkpoint/memory.ts";
import type { PartName } from "../families/mod.ts";
import { loadParts, type PipelineParts, type SizedPart } from "./load_parts.ts";
import { openParts } from "./open_parts.ts";
import { DeviceMemoryError } from "./device_memory_error.ts";
import type { ClipModel } from "./parts/clip_model.ts";
import { HeldPart } from "./parts/held_part.ts";
import { expectTensor } from "./parts/expect_tensor.ts";
import type { TextEncoder } from "./parts/text_encoder.ts";
import type { Transformer } from "./parts/transformer.ts";
import type { Vae } from "./parts/vae.ts";
import type {
  GenerateOptions,
  GenerateResult,
  LatentsOptions,
  PretrainedOptions,
  PromptEmbeds,
  PromptOptions,
  StepInfo,
  VelocityOptions,
} from "./types.ts";

/**
 * NewBie-image, whole: tokenizers, text encoders, transformer, sampler and VAE. On a GPU parts of it
 * have threads of their own, which keep the program from ending until it is disposed.
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
  /** Where the checkpoint's parts were found. */
  readonly checkpoint: CheckpointFiles;
  /** The layout in which it was found. */
  readonly layout: CheckpointLayout;
  /** Whether the transformer is that of the small model that comes with the toolkit. */
  readonly isDemo: boolean;
  /** Where it runs. */
  readonly device: Device;
  /** On CUDA the numbers of the GPUs on which it draws, among those that CUDA shows to this program. */
  readonly deviceIds: readonly number[];
  /** The type of arithmetic in the text encoders and the transformer. */
  readonly dtype: Dtype;
  /**
   * The files of the checkpoint that were compared with checksums.txt and are as listed there, of
   * folders in which nothing else lies.
   */
  readonly verifiedFiles: readonly string[];
  readonly #parts: PipelineParts;
  readonly #adapters: AdapterSet;
  readonly #log: (line: string) => void;
  readonly #language: Language;
  readonly #hash: (file: string) => Promise<string>;
  /** What {@linkcode encodePrompt} said of the padding in its features. */
  readonly #masks = new WeakMap<Tensor, Tensor>();
  readonly #policy: DtypePolicy;
  readonly #arithmetic: () => Arithmetic;
  /** Rows × columns of the largest latents for which there was memory enough. */
  #largestLatents = 0;
  /** The network that enlarged last. */
  #upscaler: { readonly sha256: string; readonly part: HeldPart<Upscaler> } | undefined;

  private constructor(
    files: CheckpointFiles,
    policy: DtypePolicy,
    parts: PipelineParts,
    adapters: AdapterSet,
    arithmetic: () => Arithmetic,
    { log, language, verifiedFiles, hash, deviceIds }: {
      readonly log: (line: string) => void;
      readonly language: Language;
      readonly verifiedFiles: readonly string[];
      /** A file's SHA-256, after it was compared with the toolkit's list. */
      readonly hash: (file: string) => Promise<string>;
      readonly deviceIds: readonly number[];
    },
  ) {
    this.checkpoint = files;
    this.verifiedFiles = verifiedFiles;
    this.layout = files.layout;
    this.isDemo = files.isDemo;
    this.device = policy.device;
    this.deviceIds = deviceIds;
    this.dtype = policy.products ?? policy.compute;
    this.#policy = policy;
    this.#parts = parts;
    this.#adapters = adapters;
    this.#arithmetic = arithmetic;
    this.#log = log;
    this.#language = language;
    this.#hash = hash;
  }

  /**
   * Loads a checkpoint from a folder; {@linkcode findCheckpoint} says in which layouts.
   *
   * Configurations and weights are checked, and graphs compiled, before the first session exists.
   * Without offload all sessions are ready when this returns; with it each is made when needed.
   *
   * @param folder The folder that holds the model, or the toolkit's own, or a file with all parts.
   * @throws {RequestError} When an option has a wrong value.
   * @throws {CheckpointNotFoundError} When there is no checkpoint, or parts of it are missing.
   * @throws {CheckpointError} Naming every tensor that does not fit.
   * @throws {ConfigError} When a config.json is wrong, or two parts do not fit each other.
   * @throws {SafetensorsError | GgufError} When a weights file is damaged.
   * @throws {ChangedWeightsError} When a file of the model is not the one that checksums.txt lists.
   * @throws {TokenizerError} When a tokenizer cannot be read.
   * @throws {DeviceError} When the device that was asked for by name does not work here.
   * @throws {InsufficientMemoryError} When not even its smallest picture can fit into the computer's
   *   memory.
   * @throws {DeviceMemoryError} When the model does not fit into the memory.
   * @throws {SessionError} When ONNX Runtime cannot load a graph.
   */
  static async fromPretrained(
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<NewBieImagePipeline> {
    const { device: asked = "auto", dtype = "auto", offload = "auto", gpus = 1 } = options;
    const { language = "en", log = logLine } = options;
    const { threads = await usableThreads(localHost()) } = options;
    const named = expectDevice(asked, gpus);
    expectChoice("dtype", dtype, ["auto", ...DTYPES]);
    expectChoice("offload", offload, ["auto", ...OFFLOAD_MODES]);
    expectThreads(threads);
    const { transformer, textEncoder, clipModel, vae, variant } = options;
    const files = await findCheckpoint(folder, {
      parts: { transformer, textEncoder, clipModel, vae },
      variant,
    });
    log(describeCheckpoint(files, folder, language));
    using partThreads = new PartThreads();
    const opening = openParts(files);
    // What is wrong with the files is said after what is wrong with the device.
    opening.catch(() => {});
    if (named.device === "auto" || named.device === "cuda") {
      const begin = () => void partThreads.begin().catch(() => {});
      startCuda(localHost(), named.deviceId, begin).catch(() => {});
    }
    const place = await chooseDevice(asked, localHost(), undefined, gpus);
    const { deviceId = 0, others = [] } = place;
    if (others.length > 0) log(LOG_TEXTS[language].gpus(gpusOf(place)));
    else if (asked === "auto") log(LOG_TEXTS[language].place(place));
    const { policy, kernels: wanted } = await choosePolicy(dtype, place);
    let kernels = wanted;
    const budget = place.device === "cpu" ? await memoryBudget() : undefined;
    const processor = [...new Set([place, ...others].map(({ gpu = "CUDA" }) => gpu))].join(" + ");
    const onCpu = place.device === "cpu" ? await cpuArithmetic() : undefined;
    const deviceIds = [deviceId, ...others.map(({ deviceId }) => deviceId)] as const;
    const parts = await loadParts(files, {
      policy,
      checkAdapters: () => adapters.check(),
      computeThreads: threads,
      threads: partThreads,
      deviceIds,
      onVaeFallback: () => log(LOG_TEXTS[language].vaeFallback),
      onOperatorFallback: (reason) => {
        kernels = "onnxruntime";
        log(LOG_TEXTS[language].operatorFallback(reason));
      },
      chooseOffload: (parts) => chooseOffload(parts, offload, place, { budget, dtype, kernels }),
      spare: (parts, mode) => spareOnGpu(parts, place, mode, { dtype, kernels }),
    }, opening);
    const hash = (file: string) => hashListedFile(file, options);
    const adapters = new AdapterSet({
      compute: policy.compute,
      adaptable: parts.adaptable,
      parts: parts.adapters,
      reload: async (names) => {
        const held = heldParts(parts);
        for (const name of names) await held[name]?.free();
      },
      hash,
      remember: rememberFiles,
    });
    const verifiedFiles = await checkListedFiles(files, options, log);
    const pipeline = new NewBieImagePipeline(
      files,
      policy,
      parts,
      adapters,
      () => onCpu ?? { processor, kernels },
      { log, language, verifiedFiles, hash, deviceIds: place.device === "cuda" ? deviceIds : [] },
    );
    if (parts.offload === "none") await pipeline.#loadSessions();
    partThreads.handOver();
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
    const { positive, negative } = promptTexts(options, this.checkpoint.family);
    return await this.#adapters.use(() => this.#encode({ texts: positive }, { texts: negative }));
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
    if (latents !== undefined) return givenLatents(this.#parts, latents, options);
    const { batchSize = 1, height = this.defaultSize, width = this.defaultSize } = options;
    return drawNoise(batchSize, sampleDims(this.#parts, height, width), generator);
  }

  /**
   * One forward pass of the transformer, without guidance.
   *
   * @returns The velocity, in the shape of the latents.
   * @throws {RequestError} When shapes do not fit the model or each other.
   */
  async predictVelocity(options: VelocityOptions): Promise<Tensor> {
    const { latents, timestep, promptEmbeds, pooledPromptEmbeds } = options;
    expectTensor("latents", latents, 4);
    expectTensor("promptEmbeds", promptEmbeds, 3);
    if (this.#parts.clip !== undefined) expectTensor("pooledPromptEmbeds", pooledPromptEmbeds, 2);
    const promptAttentionMask = options.promptAttentionMask ?? this.#masks.get(promptEmbeds);
    const [batch] = latents.dims as [number];
    const timesteps = typeof timestep === "number"
      ? new Array<number>(batch).fill(timestep)
      : Array.from(timestep ?? []);
    if (timesteps.length !== batch || timesteps.some((t) => !(t >= 0 && t <= 1))) {
      throw new RequestError(
        `timestep is ${timestep}; expected a number from 0 (noise) to 1 (image), or one for ` +
          `each of the ${batch} samples.`,
        {
          zh: `timestep 是 ${timestep}；应为 0（噪声）到 1（图像）的数，` +
            `或为 ${batch} 个样本各给一个。`,
        },
      );
    }
    return await this.#useAdapted("transformer", async (transformer) => {
      const velocities: Tensor[] = [];
      for (const [index, t] of timesteps.entries()) {
        const embeds = unpadded(
          sampleOf("promptEmbeds", promptEmbeds, index, batch),
          promptAttentionMask &&
            sampleOf("promptAttentionMask", promptAttentionMask, index, batch),
        );
        const pooled = this.#parts.clip && pooledPromptEmbeds &&
          sampleOf("pooledPromptEmbeds", pooledPromptEmbeds, index, batch);
        const conditioning = await transformer.condition(embeds, pooled);
        const sample = sampleOf("latents", latents, index, batch);
        velocities.push(...await transformer.predict(sample, t, [conditioning]));
      }
      return stack(velocities);
    });
  }

  /**
   * Encodes a picture: the mode of the encoder's distribution, scaled and shifted, so that
   * {@linkcode decodeLatents} gives about the picture again.
   *
   * @param image A decoded picture, or [B, 3, H, W] in −1…1. Both sides are multiples of the VAE's
   *   factor.
   * @returns Latents [B, C, H / factor, W / factor].
   * @throws {RequestError} When the checkpoint's VAE is a decoder alone, or the size does not fit.
   * @throws {InsufficientMemoryError} When it cannot fit into the computer's memory.
   */
  async encodeImage(image: Tensor | RgbImage): Promise<Tensor> {
    const picture = pictureTensor("image", image);
    const { vaeScaleFactor: factor } = this.#parts;
    const [batch, , height, width] = picture.dims as [number, number, number, number];
    await this.#requireMemory({ dims: [batch, 1, height / factor, width / factor] });
    return await this.#use("vae", (vae) => vae.encode(picture));
  }

  /**
   * Decodes latents.
   *
   * @param latents [B, C, H, W], as sampling leaves them.
   * @returns [B, 3, H · factor, W · factor], about -1…1, not clamped.
   * @throws {RequestError} When the channels are not the VAE's.
   */
  async decodeLatents(latents: Tensor): Promise<Tensor> {
    expectTensor("latents", latents, 4);
    return await this.#use("vae", (vae) => vae.decode(latents));
  }

  /**
   * Decodes latents to pictures, as {@linkcode generate} does.
   *
   * @param latents [B, C, H, W], as sampling leaves them.
   * @throws {RequestError} When the channels are not the VAE's.
   */
  async decodeImages(latents: Tensor): Promise<RgbImage[]> {
    expectTensor("latents", latents, 4);
    return await this.#use("vae", (vae) => vae.decodeImages(latents));
  }

  /**
   * Loads an adapter: LoRA, LoKr, LoHa, DoRA or full differences, from the file of any trainer or from
   * PEFT's folder. It works from now on, with weight 1, together with those that are loaded already.
   *
   * A LoRA runs beside the weights, which stay in their files, and so does it in its own. The parts of
   * the model that it changes are compiled again, and loaded when they are next used. docs/adapters.md
   * says what the other kinds cost.
   *
   * @param path The file or folder.
   * @returns The adapter's name.
   * @throws {AdapterError} When the file is no adapter of this model; nothing of it is applied.
   * @throws {SafetensorsError} When the file is damaged.
   * @throws {ChangedWeightsError} When it is not the file that checksums.txt lists.
   * @throws {RequestError} When the name is taken, the weight is no number, or pictures are being made.
   *
   * @example
   * ```ts
   * import assert from "node:assert/strict";
   * import { writeSafetensors } from "../safetensors/mod.ts";
   *
   * // An adapter of rank 1 for one matrix of the demo model: of zeros, it changes nothing.
   * const file = `${await Deno.makeTempDir()}/nothing.safetensors`;
   * const name = "diffusion_model.layers.0.attention.out";
   * const zeros = { dtype: "F32", bytes: () => [new Uint8Array(320 * 4)] } as const;
   * await writeSafetensors(file, [
   *   { name: `${name}.lora_A.weight`, shape: [1, 320], ...zeros },
   *   { name: `${name}.lora_B.weight`, shape: [320, 1], ...zeros },
   * ]);
   *
   * await using pipe = await NewBieImagePipeline.fromPretrained(".", { log: () => {} });
   * await pipe.loadLoraWeights(file);
   * await pipe.setAdapters("nothing", 0.8);
   * assert.deepEqual(pipe.adapters.map(({ name, weight }) => [name, weight]), [["nothing", 0.8]]);
   * await pipe.unloadLoraWeights();
   * ```
   */
  async loadLoraWeights(path: string, options: LoadLoraOptions = {}): Promise<string> {
    const name = await this.#adapters.load(path, options);
    this.#largestLatents = 0;
    return name;
  }

  /**
   * Gives adapters their weights: 1 as trained, 0 not at all, less than 0 away from what they were
   * trained for. All that are not named get 0. Nothing is compiled or loaded again, save for tensors
   * that an adapter without a thin form changes.
   *
   * With weights of 0 the pictures are those without adapters, bit for bit.
   *
   * @param names One name, or several.
   * @param weights One for all, or one for each.
   * @throws {RequestError} When there is no such adapter, a weight is no number, or pictures are being
   *   made.
   */
  async setAdapters(
    names: string | readonly string[],
    weights: AdapterWeight | readonly AdapterWeight[] = 1,
  ): Promise<void> {
    const list = typeof names === "string" ? [names] : names;
    const each = isList(weights) ? weights : list.map(() => weights);
    await this.#adapters.weigh(list, each);
  }

  /** The adapters that are loaded. */
  get adapters(): readonly LoadedAdapter[] {
    return this.#adapters.all;
  }

  /** The names of the adapters that work now: those with another weight than 0. */
  getActiveAdapters(): readonly string[] {
    return this.adapters.filter(works).map(({ name }) => name);
  }

  /**
   * Unloads some adapters.
   *
   * @throws {RequestError} When there is no such adapter, or pictures are being made.
   */
  async deleteAdapters(names: string | readonly string[]): Promise<void> {
    await this.#adapters.remove(typeof names === "string" ? [names] : names);
  }

  /**
   * Unloads all adapters.
   *
   * @throws {RequestError} When pictures are being made.
   */
  async unloadLoraWeights(): Promise<void> {
    await this.#adapters.remove(this.adapters.map(({ name }) => name));
  }

  /**
   * Makes pictures.
   *
   * @throws {XmlPromptError} When a prompt is malformed XML.
   * @throws {RequestError} When an option is out of range; before anything is computed.
   * @throws {InsufficientMemoryError} When the picture cannot fit into the computer's memory; before
   *   anything is computed.
   * @throws {DeviceMemoryError} When the memory does not suffice; the pipeline stays usable.
   * @throws {NonFiniteError} When the arithmetic overflowed.
   * @throws The signal's reason, when it was aborted.
   */
  async generate(
    options: GenerateOptions & { outputType: "latent" },
  ): Promise<GenerateResult<Tensor>>;
  async generate(options: GenerateOptions & { outputType?: "image" }): Promise<GenerateResult>;
  async generate(options: GenerateOptions): Promise<GenerateResult<RgbImage | Tensor>>;
  async generate(options: GenerateOptions): Promise<GenerateResult<RgbImage | Tensor>> {
    return await this.#adapters.use(() => this.#generate(options));
  }

  async #generate(options: GenerateOptions): Promise<GenerateResult<RgbImage | Tensor>> {
    const { numImagesPerPrompt = 1, outputType = "image", signal } = options;
    const planned = await this.#planned(options);
    const { settings, scheduler, guidance, guided, positive, negative, generators } = planned;
    const { imageCount, noise, again, first, hires, upscaler, pictures, mask, kind } = planned;
    const { numInferenceSteps } = settings;
    let { overlay } = planned;
    const paste = (drawn: RgbImage, index: number) => overlay?.paste(drawn, index) ?? drawn;

    await this.#requireMemory(again ?? noise);
    signal?.throwIfAborted();
    const start = performance.now();
    const picture = pictures &&
      {
        latents: await this.#use("vae", (vae) => vae.encode(pictures.image)),
        mask: mask && { values: mask, kind },
      };
    signal?.throwIfAborted();
    // Without guidance nobody asks for the negative prompt's features.
    const embeds = await this.#encode(positive, guided ? negative : undefined, signal);
    const encoded = performance.now();
    signal?.throwIfAborted();
    const shared = {
      embeds,
      imagesPerPrompt: numImagesPerPrompt,
      scheduler,
      guidance,
      guided,
      lanes: Math.max(1, this.deviceIds.length),
      // A part that is not kept gives back all that it has.
      givesBack: this.offload === "none",
      signal,
    };
    // Steps are counted through both drawings.
    const ownSteps = numInferenceSteps - first;
    const allSteps = ownSteps + (hires === undefined ? 0 : hires.steps - hires.first);
    const onStep = (offset: number) => (step: StepInfo) =>
      options.onStep?.({
        ...step,
        index: offset + step.index,
        total: allSteps,
      });
    const draw = (own: OwnDrawing) =>
      this.#use("transformer", (transformer) => denoise(transformer, { ...shared, ...own }));
    const drawing = { noise, steps: numInferenceSteps, first, picture, onStep: onStep(0) };
    let { samples: latents, evaluations } = await draw(drawing);
    if (hires !== undefined) {
      signal?.throwIfAborted();
      const enlarged = await this.#enlarge(latents, hires, upscaler?.part, paste);
      overlay = overlay?.enlarged(hires, enlarged.images);
      const [, , height = 0, width = 0] = enlarged.latents.dims;
      const picture = {
        latents: enlarged.latents,
        mask: mask && { values: resizedMask(mask, { width, height }), kind },
      };
      const { steps, first } = hires;
      const second = await draw({ noise: again!, steps, first, picture, onStep: onStep(ownSteps) });
      latents = second.samples;
      evaluations += second.evaluations;
    }
    const denoised = performance.now();
    signal?.throwIfAborted();
    const images: RgbImage[] = [];
    if (outputType === "image") {
      await this.#use("vae", async (vae) => {
        for (const sample of latents) {
          signal?.throwIfAborted();
          images.push(...await vae.decodeImages(sample));
        }
      });
    }
    images.forEach((drawn, index) => images[index] = paste(drawn, index));
    const end = performance.now();
    const ofOneStep = scheduler.evaluations(numInferenceSteps) / numInferenceSteps;
    const total = imageCount * ofOneStep * allSteps;
    const result = {
      adapters: this.adapters.filter(works),
      evaluations: { total, foretold: total - evaluations },
      ...(upscaler === undefined ? {} : { upscaler: upscaler.used }),
      seeds: options.latents === undefined ? generators.map(({ seed }) => seed) : [],
      settings: options.latents === undefined
        ? { ...settings, generator: calledWith(options.generator, generators) }
        : settings,
      timings: {
        encode: encoded - start,
        denoise: denoised - encoded,
        decode: end - denoised,
        total: end - start,
      },
    };
    return { images: outputType === "latent" ? latents : images, ...result };
  }

  /**
   * What a call is to draw, and from what. Whatever is out of range is refused here, before anything is
   * computed.
   *
   * @throws {RequestError} When an option is out of range.
   */
  async #planned(options: GenerateOptions) {
    const { numImagesPerPrompt = 1, outputType = "image" } = options;
    expectChoice("outputType", outputType, ["image", "latent"]);
    if (!Number.isSafeInteger(numImagesPerPrompt) || numImagesPerPrompt < 1) {
      throw new RequestError(
        `numImagesPerPrompt is ${numImagesPerPrompt}; expected a whole number from 1.`,
        { zh: `numImagesPerPrompt 是 ${numImagesPerPrompt}；应为 1 以上的整数。` },
      );
    }
    const ownScheduler = this.#scheduler(options.scheduler);
    const { promptCount, positive, negative } = this.#conditions(options);
    const imageCount = promptCount * numImagesPerPrompt;
    const pictures = givenPictures(options, promptCount, imageCount);
    const settings = callSettings(options, {
      scheduler: ownScheduler,
      isDemo: this.isDemo,
      defaultSize: this.defaultSize,
      vaeScaleFactor: this.#parts.vaeScaleFactor,
    }, pictures);
    const { numInferenceSteps, guidanceScale, cfgTrunc, renormCfg, strength = 1 } = settings;
    const guidance = { guidanceScale, cfgTrunc, renormCfg };
    const scheduler = withStepCache(ownScheduler, settings.stepCache);
    const first = pictures === undefined ? 0 : firstStepOf(numInferenceSteps, strength);
    const isGuided = (steps: number, first: number) =>
      Array.from(scheduler.timesteps(steps)).slice(first).some((timestep) =>
        needsUnconditional(timestep, guidance)
      );
    const generators = imageGenerators(options.generator, imageCount);
    const vary = variationOf(settings, this.#parts.vaeScaleFactor);
    const noiseOf = ({ width, height }: { readonly width: number; readonly height: number }) => {
      const size = { batchSize: imageCount, height, width };
      const varied = vary.variation !== undefined || vary.resizeFrom !== undefined;
      return varied
        ? variedNoise(generators, sampleDims(this.#parts, height, width), vary)
        : this.prepareLatents({ ...size, generator: generators });
    };
    const noise = options.latents === undefined
      ? noiseOf(settings)
      : givenLatents(this.#parts, options.latents, {
        batchSize: imageCount,
        height: settings.height,
        width: settings.width,
      });
    const hires = await hiresOf(settings, this.sizeMultiple);
    const again = hires && noiseOf(hires);
    const kind: MaskKind = settings.differentialMask ? "differential" : "binary";
    const { vaeScaleFactor } = this.#parts;
    const mask = pictures?.mask && latentMask(pictures.mask, vaeScaleFactor, kind);
    if (pictures !== undefined) expectSize(pictures.image, settings);
    const overlay = Overlay.of(pictures, settings, imageCount);
    const upscaler = hires && await this.#openUpscaler(hires);

    const guided = isGuided(numInferenceSteps, first) ||
      hires !== undefined && isGuided(hires.steps, hires.first);
    return {
      settings,
      scheduler,
      guidance,
      guided,
      positive,
      negative,
      generators,
      imageCount,
      noise,
      /** That of the second drawing. */
      again,
      first,
      hires,
      upscaler,
      pictures,
      mask,
      kind,
      overlay,
    };
  }

  /** The network that enlarges, and what is told of it; absent where none does. */
  async #openUpscaler({ upscaler }: Hires) {
    if (upscaler === LATENT) return undefined;
    this.#parts.checkEncoder();
    if (typeof upscaler === "string") return undefined;
    const { name, file } = upscaler;
    const [deviceId = 0] = this.deviceIds;
    const sha256 = await this.#hash(file);
    if (this.#upscaler?.sha256 !== sha256) {
      await this.#upscaler?.part.free();
      const part = new HeldPart(
        () => Upscaler.open(file, this.#policy, withOptions({ deviceId })),
        () => Promise.resolve(),
        this.#parts.keepsUpscaler,
      );
      this.#upscaler = { sha256, part };
    }
    const { part } = this.#upscaler;
    await part.load();
    return { part, used: { name, sha256 } };
  }

  /** Latents [1, C, h, w] of pictures, enlarged and joined. */
  async #enlarge(
    latents: readonly Tensor[],
    hires: Hires,
    network: HeldPart<Upscaler> | undefined,
    finish: (image: RgbImage, index: number) => RgbImage,
  ): Promise<Enlarged> {
    return hires.upscaler === LATENT
      ? enlargeLatents(latents, hires, this.#parts.vaeScaleFactor)
      : await this.#use("vae", (vae) => enlargePictures(latents, hires, { vae, network, finish }));
  }

  /** The text encoders as {@linkcode checkPrompt} wants to know them. */
  get promptEncoders(): readonly PromptEncoder[] {
    return this.#parts.promptEncoders;
  }

  /** The kind of its VAE; the tiny one is fast enough to look on while a picture is made. */
  get vaeClassName(): "AutoencoderKL" | "AutoencoderTiny" {
    return this.#parts.vaeClassName;
  }

  /** The sampler that {@linkcode generate} uses where it is not told another. */
  get scheduler(): Scheduler {
    return this.#parts.scheduler;
  }

  /** What the last bits of its pictures depend on. */
  get arithmetic(): Arithmetic {
    return this.#arithmetic();
  }

  /** Which parts stay loaded. */
  get offload(): OffloadMode {
    return this.#parts.offload;
  }

  /** Width and height that the model was trained for, in pixels. */
  get defaultSize(): number {
    return this.#parts.transformerConfig.sample_size * this.#parts.vaeScaleFactor;
  }

  /** What width and height must be multiples of, in pixels. */
  get sizeMultiple(): number {
    return this.#parts.vaeScaleFactor * this.#parts.transformerConfig.patch_size;
  }

  /**
   * Frees every part; one that is at work is freed when it is done. Nothing can be asked of the
   * pipeline afterwards.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of Object.values(heldParts(this.#parts))) await part?.[Symbol.asyncDispose]();
    await this.#upscaler?.part[Symbol.asyncDispose]();
  }

  async #loadSessions(): Promise<void> {
    const load = (name: PartName) => this.#use(name, () => Promise.resolve());
    const others = this.#parts.sizes.map(({ name }) => name).filter((it) => it !== "transformer");
    try {
      const loading = Promise.all(others.map(load));
      // Loading the transformer blocks this thread, so the others are started first.
      const setToWork = Promise.all(this.#parts.threads.map(({ asked }) => asked));
      await Promise.race([setToWork, loading]);
      await Promise.all([loading, load("transformer")]);
      if (this.device === "cuda" && !this.#policy.ownOperators) {
        const { sample_size } = this.#parts.transformerConfig;
        await this.#use("vae", (vae) => vae.warmUp(sample_size));
      }
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Refuses what cannot fit into the computer's memory. What was once let through is not asked for
   * again.
   *
   * @throws {InsufficientMemoryError}
   */
  async #requireMemory({ dims }: Pick<Tensor, "dims">): Promise<void> {
    const [, , rows = 0, columns = 0] = dims;
    if (this.device !== "cpu" || rows * columns <= this.#largestLatents) return;
    const budget = await memoryBudget();
    if (budget === undefined) return;
    const { offload, vaeScaleFactor } = this.#parts;
    const parts = this.#sizes;
    const [width, height] = [columns * vaeScaleFactor, rows * vaeScaleFactor];
    requireMemory({ parts, offload, width, height, multiple: this.sizeMultiple }, budget);
    this.#largestLatents = rows * columns;
  }

  /**
   * Does the work with a part.
   *
   * @throws {DeviceMemoryError} When the memory does not suffice; what the part held is freed, so
   *   that the pipeline can be used again, for a smaller picture.
   */
  async #use<R extends PartName, T>(name: R, work: (part: PartOf[R]) => Promise<T>): Promise<T> {
    const part = heldParts(this.#parts)[name] as HeldPart<PartOf[R]>;
    try {
      return await part.use(work);
    } catch (cause) {
      if (!(cause instanceof OutOfMemoryError)) throw cause;
      await part.free();
      const { offload } = this.#parts;
      const sizes = this.#sizes;
      const { kernels } = this.arithmetic;
      const { peak } = estimateMemory(sizes, this.device, trainedSize(sizes), {
        dtype: this.dtype,
        kernels,
      });
      throw new DeviceMemoryError(name, this.device, offload, peak, { cause });
    }
  }

  /** As {@linkcode #use}, with the adapters as they are now. */
  #useAdapted<R extends PartName, T>(name: R, work: (part: PartOf[R]) => Promise<T>): Promise<T> {
    return this.#adapters.use(() => this.#use(name, work));
  }

  /** What the parts take, with their adapters. */
  get #sizes(): readonly SizedPart[] {
    return this.#parts.sizes.map((part) => {
      const added = this.#parts.adapters.get(part.name)?.addedValues ?? 0;
      return { ...part, deviceParameters: part.deviceParameters + added };
    });
  }

  /** What a call's pictures are to show. */
  #conditions(options: GenerateOptions): CallConditions {
    const { cap_feat_dim, clip_text_dim } = this.#parts.transformerConfig;
    return callConditions(options, this.checkpoint.family, {
      caption: cap_feat_dim,
      pooled: clip_text_dim,
      maskOf: (embeds) => this.#masks.get(embeds),
    });
  }

  /**
   * The features of both sides; those of the first stand for the second where nobody asks for it. Each
   * text is encoded once, however often it occurs.
   */
  async #encode(
    positive: Side,
    negative: Side = positive,
    signal?: AbortSignal,
  ): Promise<PromptEmbeds> {
    const texts = new Set(
      [positive, negative].flatMap((side) => "texts" in side ? side.texts : []),
    );
    const encoded = await this.#encodeTexts([...texts], signal);
    const [own, other] = [positive, negative].map((side) => {
      if ("given" in side) return side.given;
      const each = side.texts.map((text) => encoded.get(text)!);
      const [embeds, mask] = stackPadded(each.map(({ features }) => features));
      this.#masks.set(embeds, mask);
      return { embeds, mask, pooled: stack(each.map(({ pooled }) => pooled)) };
    }) as [EncodedTexts, EncodedTexts];
    return {
      promptEmbeds: own.embeds,
      promptAttentionMask: own.mask,
      pooledPromptEmbeds: own.pooled,
      negativePromptEmbeds: other.embeds,
      negativePromptAttentionMask: other.mask,
      negativePooledPromptEmbeds: other.pooled,
    };
  }

  #tokenize(tokenizer: Tokenizer, text: string, encoder: PromptEncoder): Int32Array {
    const { name, maxTokens } = encoder;
    const tellCut = (tokens: number) =>
      this.#log(LOG_TEXTS[this.#language].cut(tokens, name, maxTokens));
    return tokenize(tokenizer, text, encoder, tellCut);
  }

  /** What both encoders make of each text. */
  async #encodeTexts(all: readonly EncoderTexts[], signal?: AbortSignal) {
    const { tokenizer, clip, promptEncoders: [gemma, jina] } = this.#parts;
    if (all.length === 0) return new Map<EncoderTexts, never>();
    const encodeFeatures = () =>
      this.#use("textEncoder", (encoder) =>
        encodeEach(
          all.map(({ gemma }) => gemma),
          signal,
          (text) => encoder.encode(this.#tokenize(tokenizer, text, gemma!)),
        ));
    const encodePooled = async () =>
      clip === undefined
        ? all.map(() => tensor(new Float32Array(), [1, 0]))
        : await this.#use("clipModel", (encoder) =>
          encodeEach(
            all.map(({ clip }) => clip),
            signal,
            (text) => encoder.encode(this.#tokenize(clip.tokenizer, text, jina!)),
          ));
    // Where each has a thread and both are loaded, they need not take turns.
    const [features, pooled] = this.device === "cuda" && this.offload === "none"
      ? await settled([encodeFeatures(), encodePooled()])
      : [await encodeFeatures(), await encodePooled()];
    return new Map(all.map((text, index) => {
      return [text, { features: features[index]!, pooled: pooled[index]! }];
    }));
  }

  #scheduler(asked: GenerateOptions["scheduler"]): Scheduler {
    const { scheduler } = this.#parts;
    if (asked === undefined) return scheduler;
    if (typeof asked === "object" && "sample" in asked) return asked;
    const own = typeof asked === "string" ? { name: asked } : asked;
    const { name = scheduler.name, shift = scheduler.shift, schedule = scheduler.schedule } = own;
    return createScheduler(name, { shift, ...(schedule === undefined ? {} : { schedule }) });
  }
}

function works({ weight, textWeight }: LoadedAdapter): boolean {
  return weight !== 0 || textWeight !== 0;
}

/** What is loaded and freed part by part. */
function heldParts({ textEncoder, clip, transformer, vae }: PipelineParts) {
  return { textEncoder, clipModel: clip?.model, transformer, vae };
}

/** What each part is when it is loaded. */
interface PartOf {
  readonly textEncoder: TextEncoder;
  readonly clipModel: ClipModel;
  readonly transformer: Transformer;
  readonly vae: Vae;
}

/** A given picture says the size; who wants another one makes it so before. */
function expectSize(image: Tensor, { width, height }: { width: number; height: number }): void {
  const [, , rows, columns] = image.dims;
  if (rows === height && columns === width) return;
  throw new RequestError(
    `The picture to start from is ${columns}×${rows}, but ${width}×${height} was asked for: make ` +
      "them of one size.",
    { zh: `起点图片是 ${columns}×${rows}，但要求的是 ${width}×${height}：两者尺寸必须相同。` },
  );
}
