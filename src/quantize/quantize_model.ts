import { basename, join, resolve, sep } from "node:path";
import * as z from "zod";
import { ConfigError, RequestError } from "../errors.ts";
import { readJson, writeFileAtomically } from "../files.ts";
import { copyModel, modelFiles, refuseTaken } from "../pipeline/checkpoint/model_copy.ts";
import { SCALES_SUFFIX, type Weights } from "../safetensors/mod.ts";
import { schemaProblems } from "../schema_problems.ts";
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
/** More than the names and shapes in front of a file of weights take. */
const ROOM_FOR_HEADER = 1 << 20;

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
      { zh: `每块不能是 ${blockSize} 个权重；应为 16、32、64 或 128。` },
    );
  }
  await checkTarget(source, target);
  const paths = await modelFiles(source);
  const opened = new Map<string, Weights>();
  for (const path of paths.filter((path) => path.endsWith(WEIGHTS_SUFFIX))) {
    const weights = await openForQuantization(join(source, path));
    const { matrices, left } = matricesToQuantize(weights, blockSize);
    if (matrices.length + left.length > 0) opened.set(path, weights);
  }
  if (opened.size === 0) {
    throw new RequestError(
      `${source} holds nothing to quantise: neither NextDiT's blocks nor Gemma's layers.`,
      { zh: `${source} 中没有可量化的内容：既没有 NextDiT 的块，也没有 Gemma 的层。` },
    );
  }

  const bytesPerValue = bits / 8 + BYTES_OF_SCALE / blockSize;
  const files = await copyModel({
    source,
    target,
    paths,
    rewritten: [...opened.keys()],
    bytes: quantizedByteLength([...opened.values()], bytesPerValue, blockSize),
    texts: {
      what: { en: "the quantised weights", zh: "量化后的权重" },
      remedy: { en: "or give another folder with --out.", zh: "或用 --out 指定其他文件夹。" },
    },
  }, async (copyOf) => {
    const files: (QuantizedFile & { path: string })[] = [];
    for (const [path, weights] of opened) {
      const result = await quantizeFile(weights, copyOf(path), {
        bits,
        blockSize,
        onProgress: (done, total) => onProgress?.(path, done, total),
      });
      files.push({ path, ...result });
    }
    for (const path of paths.filter((path) => path.endsWith(INDEX_SUFFIX))) {
      await addScalesToIndex(copyOf(path), files);
    }
    return files;
  });
  return { folder: target, files };
}

async function checkTarget(source: string, target: string): Promise<void> {
  await refuseTaken(target);
  if (resolve(target).startsWith(resolve(source) + sep)) {
    throw new RequestError(`${target} lies within ${source}. Give a folder beside it.`, {
      zh: `${target} 位于 ${source} 之内。请指定与它并列的文件夹。`,
    });
  }
}

/** How many bytes the quantised files take. */
function quantizedByteLength(
  opened: readonly Weights[],
  bytesPerValue: number,
  blockSize: number,
): number {
  let needed = 0;
  for (const weights of opened) {
    const stored = [...weights.tensors.values(), ...weights.opaque.values()];
    needed += stored.reduce((sum, { byteLength }) => sum + byteLength, ROOM_FOR_HEADER);
    for (const { shape, byteLength } of matricesToQuantize(weights, blockSize).matrices) {
      needed += shape[0]! * shape[1]! * bytesPerValue - byteLength;
    }
  }
  return needed;
}

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * An index must name all tensors of its shards, and the scales are new.
 *
 * @throws {ConfigError} When it is no index.
 */
async function addScalesToIndex(
  index: string,
  files: readonly (QuantizedFile & { readonly path: string })[],
): Promise<void> {
  const { value, problem } = await readJson(index);
  const { data: json, error } = indexSchema.safeParse(value, { reportInput: true });
  if (problem !== undefined) throw new ConfigError(basename(index), [problem]);
  if (error !== undefined) throw new ConfigError(basename(index), schemaProblems(error));
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
