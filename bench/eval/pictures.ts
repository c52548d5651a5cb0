/**
 * Where the pictures of an evaluation come from: a model, or a folder.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { writeFileAtomically } from "../../src/files.ts";
import {
  decodePng,
  encodePng,
  NewBieImagePipeline,
  type PretrainedOptions,
  RequestError,
  type RgbImage,
} from "../../src/mod.ts";
import { shrink } from "../../src/image/mod.ts";
import { PICTURE_SIZE } from "./checker.ts";
import type { EvalScene, PictureKind } from "./eval_set.ts";

/** Gives the picture of a scene's prompt. */
export interface PictureSource {
  picture(scene: EvalScene, kind: PictureKind): Promise<RgbImage>;
}

/** How pictures are made. */
export interface Sampling {
  readonly steps: number;
  readonly guidance: number;
  /**
   * Width and height in pixels; what is larger than the checker measures is made smaller.
   *
   * @default {256}
   */
  readonly size?: number;
}

/** Under which keyword a picture's PNG says what it was made from. */
const RECIPE = "evaluation";

/** How the model is loaded that makes the pictures. */
export type Loading = Pick<PretrainedOptions, "device" | "dtype" | "offload" | "threads">;

/** Where pictures were drawn. */
export type DrawnOn = Pick<NewBieImagePipeline, "device" | "dtype">;

/** Makes pictures with a model; keeps them in a folder, if one is given, and takes them from there. */
export class ModelPictures implements AsyncDisposable {
  /** SHA-256 over the model's weights, in hexadecimal. */
  readonly weights: string;
  /** Where it draws. */
  readonly drawnOn: DrawnOn;
  readonly #pipe: NewBieImagePipeline;
  readonly #folder: string | undefined;

  private constructor(pipe: NewBieImagePipeline, weights: string, folder: string | undefined) {
    this.#pipe = pipe;
    this.drawnOn = { device: pipe.device, dtype: pipe.dtype };
    this.weights = weights;
    this.#folder = folder;
  }

  /**
   * Loads a model.
   *
   * @param model The folder that holds it.
   * @param how How it is loaded.
   * @param folder Where to keep pictures. Those made from other weights, prompts or settings are
   *   made again.
   */
  static async load(model: string, how: Loading, folder?: string): Promise<ModelPictures> {
    const pipe = await NewBieImagePipeline.fromPretrained(model, { log: console.error, ...how });
    if (folder !== undefined) await Deno.mkdir(folder, { recursive: true });
    return new ModelPictures(pipe, await hashOfWeights(model), folder);
  }

  /** The pictures that so many steps with so much guidance make. */
  with(sampling: Sampling): PictureSource {
    return { picture: (scene, kind) => this.#picture(scene, kind, sampling) };
  }

  async #picture(scene: EvalScene, kind: PictureKind, sampling: Sampling): Promise<RgbImage> {
    const { id, seed, prompts } = scene;
    const { steps, guidance, size = PICTURE_SIZE } = sampling;
    const recipe = JSON.stringify({
      weights: this.weights,
      seed,
      ...sampling,
      prompt: prompts[kind],
    });
    const shape = size === PICTURE_SIZE ? "" : `-${size}`;
    const path = this.#folder && `${this.#folder}/${id}-${kind}-${steps}${shape}.png`;
    const kept = path && await readIfThere(path);
    if (kept && kept.text[RECIPE] === recipe) return kept.image;
    const { images } = await this.#pipe.generate({
      prompt: prompts[kind],
      width: size,
      height: size,
      numInferenceSteps: steps,
      guidanceScale: guidance,
      generator: { seed },
    });
    const [drawn] = images as [RgbImage];
    const image = shrink(drawn, PICTURE_SIZE, PICTURE_SIZE);
    if (path) await writeFileAtomically(path, encodePng(image, { text: { [RECIPE]: recipe } }));
    return image;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pipe[Symbol.asyncDispose]();
  }
}

/** Pictures that something else made: `<id>-xml.png` and `<id>-tags.png`. */
export class FolderPictures implements PictureSource {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async picture({ id }: EvalScene, kind: PictureKind): Promise<RgbImage> {
    const path = `${this.#folder}/${id}-${kind}.png`;
    const found = await readIfThere(path);
    if (found === undefined) {
      throw new RequestError(`There is no ${path} to measure.`, {
        zh: `没有要测量的 ${path}。`,
      });
    }
    return found.image;
  }
}

async function readIfThere(path: string) {
  try {
    return decodePng(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Over all weight files below a folder, in the order of their paths. */
async function hashOfWeights(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const path of (await filesBelow(folder)).sort()) {
    if (!path.endsWith(".safetensors")) continue;
    for await (const piece of createReadStream(path)) hash.update(piece);
  }
  return hash.digest("hex");
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    found.push(...isDirectory ? await filesBelow(path) : [path]);
  }
  return found;
}
