import { copyFile, link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { RequestError } from "../errors.ts";
import { writeFileAtomically } from "../files.ts";
import {
  type CheckpointFiles,
  CheckpointNotFoundError,
  findCheckpoint,
} from "../pipeline/checkpoint/find_checkpoint.ts";
import { refuseExisting, requireRoom } from "../files.ts";
import { SCALES_SUFFIX, type Weights } from "../safetensors/mod.ts";
import {
  matricesToQuantize,
  openForQuantization,
  type QuantizedFile,
  quantizeFile,
  type QuantizeOptions,
} from "./quantize_file.ts";

/** How to quantise a model. */
export interface QuantizeModelOptions extends Omit<QuantizeOptions, "onProgress"> {
  /** Told of each file, by its path in the model, how many of its matrices are done. */
  readonly onProgress?: ((file: string, done: number, total: number) => void) | undefined;
}

/** What quantising a model did. */
export interface QuantizedModel {
  /** The new folder. */
  readonly folder: string;
  /** The files that were quantised, by their paths in the folder. */
  readonly files: readonly (QuantizedFile & { readonly path: string })[];
}

const WEIGHTS_SUFFIX = ".safetensors";
const INDEX_SUFFIX = ".safetensors.index.json";
/** What `MatMulNBits` takes. */
const SMALLEST_BLOCK = 16;
/** Its CUDA kernel for a single token takes no larger ones. */
const LARGEST_BLOCK = 128;

const BYTES_OF_SCALE = 2;

/**
 * Makes a quantised copy of a model, of any layout that `findCheckpoint` knows, or of one part's
 * folder: the matrices of NextDiT and of Gemma become integers of 4 or 8 bits with a scale a block
 * (see {@linkcode quantizeFile}). The copy loads as the original does. Other weights are hard links
 * to the original's where the file system has them, so that they take no room twice.
 *
 * @param source The model's folder.
 * @param target The new folder; it appears when all of it is on disk.
 * @throws {RequestError} When the target is there already or lies within the source, the block size
 * is none, or the source holds nothing to quantise.
 * @throws {CheckpointNotFoundError} When the source holds no model.
 * @throws {SafetensorsError} When a file is damaged.
 * @throws {NewBieError} When the source is quantised already, or the disk has not enough room.
 */
export async function quantizeModel(
  source: string,
  target: string,
  { bits, blockSize, onProgress }: QuantizeModelOptions,
): Promise<QuantizedModel> {
  if (
    !Number.isInteger(Math.log2(blockSize)) || blockSize < SMALLEST_BLOCK ||
    blockSize > LARGEST_BLOCK
  ) {
    throw new RequestError(
      `A block of ${blockSize} values is not possible; expected 16, 32, 64 or 128.`,
    );
  }
  await checkTarget(source, target);
  const paths = await filesOf(source);
  const opened = new Map<string, Weights>();
  for (const path of paths.filter((path) => path.endsWith(WEIGHTS_SUFFIX))) {
    const weights = await openForQuantization(join(source, path));
    const { matrices, left } = matricesToQuantize(weights, blockSize);
    if (matrices.length + left.length > 0) opened.set(path, weights);
  }
  if (opened.size === 0) {
    throw new RequestError(
      `${source} holds nothing to quantise: neither NextDiT's blocks nor Gemma's layers.`,
    );
  }

  const temporary = `${resolve(target)}.part`;
  // What a run that was killed left behind.
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    const bytesPerValue = bits / 8 + BYTES_OF_SCALE / blockSize;
    const needed = quantizedByteLength([...opened.values()], bytesPerValue, blockSize);
    await requireRoom(dirname(temporary), needed, {
      what: "the quantised weights",
      remedy: "or give another folder with --out.",
    });
    const files: (QuantizedFile & { path: string })[] = [];
    for (const path of paths) {
      const copy = join(temporary, path);
      await mkdir(dirname(copy), { recursive: true });
      const weights = opened.get(path);
      if (weights !== undefined) {
        const result = await quantizeFile(weights, copy, {
          bits,
          blockSize,
          onProgress: (done, total) => onProgress?.(path, done, total),
        });
        files.push({ path, ...result });
      } else if (path.endsWith(WEIGHTS_SUFFIX)) {
        await linkOrCopy(await Deno.realPath(join(source, path)), copy);
      } else {
        await copyFile(join(source, path), copy);
      }
    }
    for (const path of paths.filter((path) => path.endsWith(INDEX_SUFFIX))) {
      await addScalesToIndex(join(temporary, path), files);
    }
    await rename(temporary, target);
    return { folder: target, files };
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

async function checkTarget(source: string, target: string): Promise<void> {
  await refuseExisting(target);
  if (resolve(target).startsWith(resolve(source) + sep)) {
    throw new RequestError(`${target} lies within ${source}. Give a folder beside it.`);
  }
}

/** The model's files, by their paths in the folder. */
async function filesOf(source: string): Promise<string[]> {
  let places: string[];
  try {
    places = placesOf(await findCheckpoint(source));
  } catch (error) {
    if (!(error instanceof CheckpointNotFoundError) || !await holdsWeights(source)) throw error;
    places = [source];
  }
  const paths = new Set<string>();
  for (const place of [...places, join(source, "model_index.json")]) {
    const found = await stat(place).catch(() => undefined);
    const files = found?.isDirectory()
      ? (await readdir(place, { recursive: true, withFileTypes: true }))
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name))
      : found === undefined
      ? []
      : [place];
    for (const file of files) paths.add(relative(source, file));
  }
  return [...paths].sort();
}

function placesOf(files: CheckpointFiles): string[] {
  const { transformer, textEncoder, clipModel, vae, tokenizer, clipTokenizer, scheduler } = files;
  const parts = [transformer, textEncoder, clipModel, vae]
    .flatMap((part) => part === undefined ? [] : [part.weights, part.config]);
  return [...parts, tokenizer, clipTokenizer, scheduler]
    .filter((place) => typeof place === "string");
}

async function holdsWeights(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => name.endsWith(WEIGHTS_SUFFIX));
}

/** How many bytes the quantised files take. */
function quantizedByteLength(
  opened: readonly Weights[],
  bytesPerValue: number,
  blockSize: number,
): number {
  let needed = 0;
  for (const weights of opened) {
    for (const { byteLength } of weights.tensors.values()) needed += byteLength;
    for (const { shape, byteLength } of matricesToQuantize(weights, blockSize).matrices) {
      needed += shape[0]! * shape[1]! * bytesPerValue - byteLength;
    }
  }
  return needed;
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to);
  }
}

/** An index must name all tensors of its shards, and the scales are new. */
async function addScalesToIndex(
  index: string,
  files: readonly (QuantizedFile & { readonly path: string })[],
): Promise<void> {
  const json: { weight_map: Record<string, string> } = JSON.parse(await Deno.readTextFile(index));
  const shards = new Set(Object.values(json.weight_map));
  for (const { path, matrices } of files) {
    const shard = basename(path);
    if (!shards.has(shard)) continue;
    for (const name of matrices) {
      if (json.weight_map[name] === shard) json.weight_map[name + SCALES_SUFFIX] = shard;
    }
  }
  const bytes = new TextEncoder().encode(JSON.stringify(json, null, 2) + "\n");
  await writeFileAtomically(index, bytes);
}
