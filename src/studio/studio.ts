/**
 * A loaded model that makes pictures with their recipes.
 *
 * @module
 */
import { encodePictureAs, type PictureFormat, type RgbImage } from "../image/mod.ts";
import type { Texts } from "../language.ts";
import { sameArithmetic } from "../machine/arithmetic.ts";
import { NewBieImagePipeline } from "../pipeline/pipeline.ts";
import type { GenerateResult, PretrainedOptions, StepInfo } from "../pipeline/types.ts";
import {
  currentVersions,
  identifyModels,
  pictureRecipe,
  type Recipe,
  type RecipeModel,
  type RecipeModels,
  recipeText,
} from "../recipe/mod.ts";
import { defaultOf } from "../settings/mod.ts";
import { beyondTraining, KnownWords } from "./known_words.ts";
import { type PictureRequest, requestedGenerator } from "./request.ts";

/**
 * Remembers the checksums of weights, which take long to compute, between sittings. Not among the
 * pictures: others may write there.
 */
const CHECKSUMS = ".cache/checksums.json";

/** What may make a picture come out differently. */
export type RecipeDifference =
  | "transformer"
  | "textEncoder"
  | "clipModel"
  | "vae"
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

  private constructor(pipe: NewBieImagePipeline, words: KnownWords | undefined) {
    this.pipe = pipe;
    this.words = words;
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
    return new Studio(pipe, await KnownWords.of(pipe.checkpoint));
  }

  /**
   * Makes one picture.
   *
   * @throws {RequestError} When the request cannot be met; see {@linkcode NewBieImagePipeline.generate}.
   * @throws The signal's reason, when it was aborted.
   */
  async make(
    request: PictureRequest,
    { template, preset, ...options }: MakeOptions = {},
  ): Promise<MadePicture> {
    const { pipe } = this;
    const generator = requestedGenerator(request.generator);
    const result = await pipe.generate({ ...request, generator, ...options });
    const recipe = pictureRecipe(pipe, result, await this.#models);
    return {
      image: result.images[0]!,
      recipe: {
        ...recipe,
        ...(template === undefined ? {} : { template }),
        ...(preset === undefined ? {} : { preset }),
      },
      evaluations: result.evaluations,
      milliseconds: result.timings.total,
    };
  }

  /**
   * What a request asks for beyond what a small model was trained on, in sentences; none where it
   * asks for nothing, or the model does not say what it knows.
   *
   * @throws {XmlPromptError} When the prompt is malformed XML.
   */
  beyondTraining(
    request: Pick<PictureRequest, "prompt" | "width" | "height">,
  ): Texts<readonly string[]> {
    if (this.words === undefined) return { en: [], zh: [] };
    return beyondTraining(this.words, request, this.pipe.defaultSize);
  }

  /** What a setting is where nobody says anything. */
  default<Value>(
    setting: { readonly default: Value; readonly demo?: Value },
  ): Value {
    return defaultOf(setting, this.pipe.isDemo)!;
  }

  /** In what this studio differs from the one that made a picture, where the picture shows it. */
  async differences(
    { models, provider, dtype, versions, arithmetic }: Recipe,
  ): Promise<RecipeDifference[]> {
    const own = await this.#models;
    const { onnxruntime } = currentVersions();
    const same: Readonly<Record<RecipeDifference, boolean>> = {
      transformer: isSame(models.transformer, own.transformer),
      textEncoder: isSame(models.textEncoder, own.textEncoder),
      clipModel: isSame(models.clipModel, own.clipModel),
      vae: isSame(models.vae, own.vae),
      provider: provider === this.pipe.device,
      dtype: dtype === this.pipe.dtype,
      onnxruntime: versions.onnxruntime === onnxruntime,
      // Other differences say the same already.
      arithmetic: arithmetic === undefined || provider !== this.pipe.device ||
        versions.onnxruntime !== onnxruntime || sameArithmetic(arithmetic, this.pipe.arithmetic),
    };
    return (Object.keys(same) as RecipeDifference[]).filter((part) => !same[part]);
  }

  /** Frees the model. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.pipe[Symbol.asyncDispose]();
  }

  async #identify(): Promise<RecipeModels> {
    const { signal } = this.#closed;
    return await identifyModels(this.pipe.checkpoint, { cacheFile: CHECKSUMS, signal });
  }
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
