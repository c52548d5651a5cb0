/**
 * A loaded model that makes pictures with their recipes.
 *
 * @module
 */
import { encodePictureAs, type PictureFormat, type RgbImage } from "../image/mod.ts";
import { RequestError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { sameArithmetic } from "../machine/arithmetic.ts";
import { NewBieImagePipeline } from "../pipeline/pipeline.ts";
import type { AdapterWeight } from "../pipeline/adapters/types.ts";
import { readLoraTags } from "../prompt/mod.ts";
import type { GenerateResult, PretrainedOptions, StepInfo } from "../pipeline/types.ts";
import {
  currentVersions,
  type ForeignRecipe,
  identifyModels,
  pictureRecipe,
  type Recipe,
  type RecipeModel,
  type RecipeModels,
  recipeText,
} from "../recipe/mod.ts";
import { type AskedSettings, defaultOf } from "../settings/mod.ts";
import { Groups } from "./_groups.ts";
import { putBack } from "./_masked_place.ts";
import { beyondTraining, KnownWords } from "./known_words.ts";
import {
  type AskedAdapter,
  findAdapter,
  findAdapters,
  type FoundAdapter,
  loraFolders,
} from "../pipeline/adapters/adapter_folders.ts";
import { type LoraRequest, summed } from "./lora_request.ts";
import { type PictureRequest, requestedGenerator } from "./request.ts";
import { type AskedSource, openSource, type SourcePicture } from "./source_picture.ts";

/**
 * Remembers the checksums of weights, which take long to compute, between sittings. Not among the
 * pictures: others may write there.
 */
export const CHECKSUMS = ".cache/checksums.json";

/** What may make a picture come out differently. */
export type RecipeDifference =
  | "transformer"
  | "textEncoder"
  | "clipModel"
  | "vae"
  | "adapters"
  | "provider"
  | "dtype"
  | "onnxruntime"
  | "arithmetic";

/** How to look on, and how to stop. */
export interface MakeOptions {
  readonly onStep?: (step: StepInfo) => void | Promise<void>;
  /** Stops between two steps; the picture is given up. */
  readonly signal?: AbortSignal;
  /** What the request's prompt was drawn from, for the recipe. */
  readonly template?: string;
  /** The presets that had a part in the request, for the recipe. */
  readonly preset?: string;
  /** Is told of the picture that is drawn from, before anything is drawn. */
  readonly onSource?: (source: SourcePicture) => void;
}

/** A picture, and how to make it again. */
export interface MadePicture {
  readonly image: RgbImage;
  readonly recipe: Recipe;
  readonly evaluations: GenerateResult["evaluations"];
  /** What it took, without the saving. */
  readonly milliseconds: number;
}

/** A loaded model, ready for any number of pictures. */
export class Studio implements AsyncDisposable {
  readonly pipe: NewBieImagePipeline;
  readonly #models: Promise<RecipeModels>;
  readonly #closed = new AbortController();

  /** The words that the model knows; absent where it does not say so. */
  readonly words: KnownWords | undefined;
  /** The names in the pipeline of adapters that were loaded here, by their files; the last used last. */
  readonly #loras = new Map<string, string>();

  readonly #folders: readonly string[];
  /** Pictures with the same adapters may be made side by side. */
  readonly #groups = new Groups();

  private constructor(
    pipe: NewBieImagePipeline,
    words: KnownWords | undefined,
    folders: readonly string[],
  ) {
    this.pipe = pipe;
    this.words = words;
    this.#folders = folders;
    this.#models = this.#identify();
    // An error is reported where it is awaited; until then it must not end the process.
    this.#models.catch(() => {});
  }

  /**
   * Loads a model; its weights' checksums are computed beside the first picture.
   *
   * @param folder As for {@linkcode NewBieImagePipeline.fromPretrained}, which see for errors.
   */
  static async open(folder: string, options: PretrainedOptions): Promise<Studio> {
    const remembering = { checksumCache: CHECKSUMS, ...options };
    const pipe = await NewBieImagePipeline.fromPretrained(folder, remembering);
    return new Studio(pipe, await KnownWords.of(pipe.checkpoint), loraFolders(folder));
  }

  /**
   * Makes one picture, with the adapters that the request and its prompts ask for and no others. Where
   * it is asked for several at once, those with other adapters wait for each other.
   *
   * @throws {AdapterError} When one of them is none of this model.
   * @throws {RequestError} When the request cannot be met; see {@linkcode NewBieImagePipeline.generate}.
   * @throws The signal's reason, when it was aborted.
   */
  async make(
    request: PictureRequest,
    { template, preset, onSource, ...options }: MakeOptions = {},
  ): Promise<MadePicture> {
    const { pipe } = this;
    const { loras, source: asked, ...settings } = withoutTags(request);
    const generator = requestedGenerator(request.generator);
    const source = asked === undefined ? undefined : await this.openSource(asked, settings);
    if (source !== undefined) onSource?.(source);
    using _member = await this.#groups.enter(JSON.stringify(loras));
    await this.#useLoras(loras);
    const drawn = source === undefined ? settings : fromSource(settings, source);
    const result = await pipe.generate({ ...drawn, generator, ...options });
    const recipe = pictureRecipe(pipe, result, await this.#models);
    const { surroundings } = source ?? {};
    const { overlay = "original" } = settings;
    const [image] = result.images as [RgbImage];
    return {
      image: surroundings === undefined ? image : putBack(image, surroundings, settings),
      recipe: {
        ...recipe,
        ...(surroundings === undefined ? {} : { overlay }),
        ...(source === undefined ? {} : recordOf(source, settings)),
        ...(template === undefined ? {} : { template }),
        ...(preset === undefined ? {} : { preset }),
      },
      evaluations: result.evaluations,
      milliseconds: result.timings.total,
    };
  }

  /**
   * Loads what is not loaded yet and sets the weights. Others stay loaded for later requests, with
   * weight 0, which is the same as without them; only so many.
   */
  async #useLoras(loras: readonly LoraRequest[]): Promise<void> {
    const { pipe } = this;
    if (loras.length === 0 && pipe.adapters.length === 0) return;
    const weights = new Map<string, Exclude<AdapterWeight, number>>();
    for (const asked of loras) {
      const found = await this.#find(asked);
      const file = await Deno.realPath(found.file);
      const loaded = this.#loras.get(file);
      const name = loaded ?? await pipe.loadLoraWeights(found.path, {
        adapterName: unusedName(found.name, [...this.#loras.values()]),
        weight: 0,
      });
      this.#loras.delete(file);
      this.#loras.set(file, name);
      const { weight, textWeight = weight } = asked;
      // One file may be asked for by several names: `style` and `models/loras/style.safetensors`.
      const before = weights.get(name) ?? { transformer: 0, textEncoder: 0 };
      weights.set(name, {
        transformer: before.transformer + weight,
        textEncoder: before.textEncoder + textWeight,
      });
    }
    for (const [file, name] of this.#loras) {
      if (this.#loras.size <= MOST_LOADED) break;
      if (weights.has(name)) continue;
      await pipe.deleteAdapters(name);
      this.#loras.delete(file);
    }
    await pipe.setAdapters([...weights.keys()], [...weights.values()]);
  }

  /**
   * What a request asks for beyond what a small model was trained on, in sentences; none where it
   * asks for nothing, or the model does not say what it knows.
   *
   * An adapter's own name is taken for a word that it taught.
   *
   * @throws {XmlPromptError} When the prompt is malformed XML.
   */
  beyondTraining(
    request: Pick<PictureRequest, "prompt" | "width" | "height" | "loras">,
  ): Texts<readonly string[]> {
    if (this.words === undefined) return { en: [], zh: [] };
    const { text: prompt, loras } = readLoraTags(request.prompt);
    const learned = [...loras, ...request.loras ?? []].map(({ name }) => name);
    return beyondTraining(this.words, { ...request, prompt }, this.pipe.defaultSize, learned);
  }

  /** What a setting is where nobody says anything. */
  default<Value>(
    setting: { readonly default: Value; readonly demo?: Value },
  ): Value {
    return defaultOf(setting, this.pipe.isDemo)!;
  }

  /**
   * In what this studio differs from the one that made a picture, where the picture shows it.
   *
   * @throws {RequestError} When an adapter of the picture is not there.
   */
  async differences(
    { models, adapters = [], provider, dtype, versions, arithmetic }: Recipe,
  ): Promise<RecipeDifference[]> {
    const own = await this.#models;
    const found = await Promise.all(
      adapters.map((adapter) => this.#find(adapter)),
    );
    const { onnxruntime } = currentVersions();
    const same: Readonly<Record<RecipeDifference, boolean>> = {
      transformer: isSame(models.transformer, own.transformer),
      textEncoder: isSame(models.textEncoder, own.textEncoder),
      clipModel: isSame(models.clipModel, own.clipModel),
      vae: isSame(models.vae, own.vae),
      adapters: found.every(({ isOther }) => !isOther),
      provider: provider === this.pipe.device,
      dtype: dtype === this.pipe.dtype,
      onnxruntime: versions.onnxruntime === onnxruntime,
      // Other differences say the same already.
      arithmetic: arithmetic === undefined || provider !== this.pipe.device ||
        versions.onnxruntime !== onnxruntime || sameArithmetic(arithmetic, this.pipe.arithmetic),
    };
    return (Object.keys(same) as RecipeDifference[]).filter((part) => !same[part]);
  }

  /**
   * Reads a picture to start from, as {@linkcode make} does.
   *
   * @throws {RequestError} When it cannot be read, or a mask does not fit.
   */
  openSource(
    asked: AskedSource,
    size: Pick<AskedSettings, "width" | "height" | "differentialMask"> = {},
  ): Promise<SourcePicture> {
    const { sizeMultiple: multiple, defaultSize: trained } = this.pipe;
    const isDifferential = size.differentialMask ?? false;
    return openSource(asked, size, { multiple, trained, isDifferential });
  }

  /** Frees the model. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.pipe[Symbol.asyncDispose]();
  }

  #find(lora: AskedAdapter): Promise<FoundAdapter> {
    return findAdapter(lora, { folders: this.#folders, cacheFile: CHECKSUMS });
  }

  /**
   * What another program's picture says of adapters, as far as they are here: by their checksums or
   * names. The others are not taken over.
   */
  async foreignLoras(
    { settings: { prompt = "", negativePrompt = "" }, loras = [] }: ForeignRecipe,
  ): Promise<{ readonly found: readonly LoraRequest[]; readonly missing: readonly string[] }> {
    const hashes = new Map(loras.map(({ name, hash }) => [name, hash]));
    const tagged = [prompt, negativePrompt].flatMap((text) => readLoraTags(text).loras);
    const named = loras.flatMap(({ weight, ...lora }) =>
      weight === undefined ? [] : [{ ...lora, weight }]
    );
    const found: LoraRequest[] = [];
    const missing: string[] = [];
    for (const { name, weight, textWeight } of summed([...tagged, ...named])) {
      const hash = hashes.get(name);
      const asked = { name, ...(hash === undefined ? {} : { sha256: hash }) };
      try {
        const { path } = await this.#find(asked);
        found.push({
          name: path,
          mayBePath: true,
          weight,
          ...(textWeight === undefined ? {} : { textWeight }),
        });
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        missing.push(name);
      }
    }
    return { found, missing };
  }

  /** The adapters that can be asked for by name. */
  async adapters(): Promise<readonly FoundAdapter[]> {
    return await findAdapters(this.#folders);
  }

  async #identify(): Promise<RecipeModels> {
    const { signal } = this.#closed;
    return await identifyModels(this.pipe.checkpoint, { cacheFile: CHECKSUMS, signal });
  }
}

/** Adapters that stay loaded. */
const MOST_LOADED = 6;

/** A request with the adapters of its prompts among its others, and out of its prompts. */
function withoutTags<R extends Pick<PictureRequest, "prompt" | "negativePrompt" | "raw" | "loras">>(
  request: R,
): R & { readonly loras: readonly LoraRequest[] } {
  const { prompt, negativePrompt, raw, loras = [] } = request;
  if (raw) return { ...request, loras: summed(loras) };
  const positive = readLoraTags(prompt);
  const negative = negativePrompt === undefined ? undefined : readLoraTags(negativePrompt);
  return {
    ...request,
    prompt: positive.text,
    ...(negative === undefined ? {} : { negativePrompt: negative.text }),
    loras: summed([...loras, ...positive.loras, ...negative?.loras ?? []]),
  };
}

/** Two files of different folders may have one name. */
function unusedName(name: string, taken: readonly string[]): string {
  let unused = name;
  for (let number = 2; taken.includes(unused); number++) unused = `${name} (${number})`;
  return unused;
}

/** What is new at a picture's edges is drawn from noise, unless somebody says otherwise. */
const STRENGTH_OF_EXPANSION = 1;

/** A request whose pictures were read; its size is that of the picture. */
function fromSource(
  { width: _width, height: _height, ...settings }: Omit<PictureRequest, "source" | "loras">,
  { image, mask, settings: { expand }, surroundings }: SourcePicture,
) {
  const strength = settings.strength ?? (expand === undefined ? undefined : STRENGTH_OF_EXPANSION);
  return {
    ...settings,
    image,
    ...(mask === undefined ? {} : { maskImage: mask }),
    ...(strength === undefined ? {} : { strength }),
    // What was cut out is pasted where it is put back.
    ...(surroundings === undefined ? {} : { overlay: "none" as const }),
  };
}

/** What the recipe says of the pictures that were given. */
function recordOf(
  { settings, hashes }: SourcePicture,
  { width, height }: AskedSettings,
): Pick<Recipe, "source" | "pictures"> {
  return {
    source: settings,
    pictures: {
      ...hashes,
      ...(width === undefined ? {} : { width }),
      ...(height === undefined ? {} : { height }),
    },
  };
}

/** Whether two parts draw the same. The first recipes say nothing of what lies beside the weights. */
function isSame(recorded: RecipeModel | undefined, own: RecipeModel | undefined): boolean {
  return recorded?.sha256 === own?.sha256 &&
    (["config", "tokenizer"] as const).every((file) =>
      recorded?.[file] === undefined || recorded[file] === own?.[file]
    );
}

/** A picture's file: the picture, its recipe, and any further texts by keyword. */
export function pictureFile(
  { image, recipe }: Pick<MadePicture, "image" | "recipe">,
  texts: Readonly<Record<string, string>> = {},
  format: PictureFormat = "png",
): Promise<Uint8Array> {
  return encodePictureAs(image, format, { text: { ...recipeText(recipe), ...texts } });
}
