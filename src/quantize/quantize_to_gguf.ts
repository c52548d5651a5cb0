import { basename, dirname, resolve } from "node:path";
import { RequestError } from "../errors.ts";
import { isNoRoom, refuseExisting, requireRoom } from "../files.ts";
import { FAMILIES, type ModelFamily } from "../families/mod.ts";
import { type GgufMetadata, type GgufTensorSource, writeGguf } from "../gguf/mod.ts";
import { gemma3LlamaCppName, type Naming } from "../models/mod.ts";
import { diskFull } from "../pipeline/checkpoint/model_copy.ts";
import { openPart } from "../pipeline/checkpoint/open_part.ts";
import type { PartFiles } from "../pipeline/checkpoint/types.ts";
import {
  copiedTensor,
  isFloatDtype,
  openWeights,
  type QuantizedBits,
  RowReader,
  type TensorEntry,
  type Weights,
} from "../safetensors/mod.ts";
import type { SquaredError } from "./_blocks.ts";
import type { Piece } from "./_piece.ts";
import { QuantizeThreads } from "./_quantize_threads.ts";
import { matricesToQuantize, type QuantizedFile, quantizeMatrix } from "./quantize_file.ts";

/** How to write a part as GGUF. */
export interface QuantizeToGgufOptions {
  readonly bits: QuantizedBits;
  /** Told after each matrix how many are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The block type for each number of bits, and llama.cpp's number of it as a file's type. */
const TYPES = {
  4: { name: "Q4_0", blockBytes: 18, fileType: 2 },
  8: { name: "Q8_0", blockBytes: 34, fileType: 7 },
} as const;
/** ggml's blocks have so many values. */
const GGUF_BLOCK = 32;
/** More than the names and shapes in front of a file of weights take. */
const ROOM_FOR_HEADER = 1 << 20;

const ROOM_TEXTS = {
  what: { en: "the weights in GGUF", zh: "GGUF 文件" },
  remedy: { en: "or give another file with --out.", zh: "或用 --out 指定其他文件。" },
} as const;

/** What a GGUF file is written of: a part, with what llama.cpp and its relatives call it. */
interface Part {
  readonly weights: Weights;
  readonly naming: Naming;
  readonly metadata: GgufMetadata;
  /** A tensor's name in the new file, by its name in the architecture. */
  readonly rename: (name: string) => string;
  /** What is added to the values of vectors so named. */
  readonly offsetOf: (name: string) => number;
}

/**
 * Writes a transformer or a Gemma as one GGUF file, as other programs read it: `lumina2` with the
 * names of the original, as ComfyUI-GGUF and stable-diffusion.cpp have it; `gemma3` with llama.cpp's
 * names and keys and norms. The matrices that {@linkcode quantizeFile} quantises become `Q8_0` or
 * `Q4_0`, vectors `F32`; other tensors stay in their dtype, and so do matrices whose scales are too
 * large for float16.
 *
 * @param source The part's file, its folder, or the index of its shards.
 * @param target The new file; it appears when all of it is on disk.
 * @throws {RequestError} When the target is there already, or the source is no such part.
 * @throws {SafetensorsError} When a file is damaged.
 * @throws {NewBieError} When the source is quantised already, or the disk has not enough room.
 */
export async function quantizeToGguf(
  source: PartFiles,
  target: string,
  { bits, onProgress }: QuantizeToGgufOptions,
): Promise<QuantizedFile> {
  await refuseExisting(target);
  const { weights, naming, metadata, rename, offsetOf } = await openSource(source);
  const type = TYPES[bits];
  const owned = [...weights.tensors.values()].filter(({ name }) => naming.owns(name));
  requireWhole(owned, weights.source);
  const candidates = matricesToQuantize(weights, GGUF_BLOCK);
  const left = [...candidates.left];
  const needs = (isQuantized: ReadonlySet<TensorEntry>) =>
    owned.reduce((sum, entry) => sum + sizeOf(entry, isQuantized, bits), ROOM_FOR_HEADER);
  const folder = dirname(resolve(target));
  // Before all values are looked at: it will not be less.
  await requireRoom(folder, needs(new Set(candidates.matrices)), ROOM_TEXTS);
  const matrices: TensorEntry[] = [];
  for (const entry of candidates.matrices) {
    if (await hasHalfScales(entry, bits)) matrices.push(entry);
    else left.push(entry);
  }
  const isQuantized = new Set(matrices);
  await requireRoom(folder, needs(isQuantized), ROOM_TEXTS);
  using threads = await QuantizeThreads.open();
  const error: SquaredError = { error: 0, norm: 0 };
  let done = 0;
  const tensors = owned.map((entry): GgufTensorSource => {
    const { shape } = entry;
    const plain = entry.name.slice(naming.prefix.length);
    const name = rename(plain);
    if (isQuantized.has(entry)) {
      const bytes = async function* () {
        const request = { bits, blockSize: GGUF_BLOCK, scaleType: "float16" } as const;
        for await (const piece of quantizeMatrix(entry, request, threads)) {
          error.error += piece.error.error;
          error.norm += piece.error.norm;
          yield blocksOf(piece, bits);
        }
        onProgress?.(++done, matrices.length);
      };
      return { name, type: type.name, shape, bytes };
    }
    if (shape.length <= 1) {
      return { name, type: "F32", shape, bytes: () => vectorBytes(entry, offsetOf(plain)) };
    }
    return { name, type: entry.dtype, shape, bytes: copiedTensor(entry).bytes };
  });
  const bytesAfter = await writeGguf(target, tensors, {
    ...metadata,
    "general.quantization_version": 2,
    "general.file_type": type.fileType,
  }).catch((error) => {
    throw isNoRoom(error) ? diskFull(folder, error) : error;
  });
  return {
    matrices: matrices.map(({ name }) => name),
    left: left.map(({ name }) => name),
    bytesBefore: owned.reduce((sum, { byteLength }) => sum + byteLength, 0),
    bytesAfter,
    relativeError: error.norm === 0 ? 0 : Math.sqrt(error.error / error.norm),
  };
}

async function openSource(source: PartFiles): Promise<Part> {
  const weights = await openWeights(source.weights);
  for (const family of FAMILIES) {
    const transformer = family.networks.transformer.names(weights);
    if (transformer !== undefined) {
      return {
        weights,
        naming: transformer,
        metadata: { "general.architecture": "lumina2", "general.name": nameOf(source.weights) },
        rename: (name) => name,
        offsetOf: () => 0,
      };
    }
    const textEncoder = family.networks.textEncoder.names(weights);
    if (textEncoder !== undefined) return await gemmaPart(source, family, textEncoder);
  }
  throw new RequestError(
    `${source.weights} is neither a NextDiT nor a Gemma 3, of which alone GGUF files are written.`,
    { zh: `${source.weights} 既不是 NextDiT 也不是 Gemma 3，而 GGUF 只能由这两种写出。` },
  );
}

async function gemmaPart(source: PartFiles, family: ModelFamily, naming: Naming): Promise<Part> {
  const { json, file, weights } = await openPart(source, "textEncoder", family);
  const config = family.networks.textEncoder.parse(json, file, weights);
  const { factor, theta } = config.rope.full_attention;
  const window = config.sliding_window;
  const keys = {
    block_count: config.layer_types.length,
    context_length: CONTEXT_LENGTH,
    embedding_length: config.hidden_size,
    feed_forward_length: config.intermediate_size,
    "attention.head_count": config.num_attention_heads,
    "attention.head_count_kv": config.num_key_value_heads,
    "attention.key_length": config.head_dim,
    "attention.value_length": config.head_dim,
    ...(Number.isFinite(window) ? { "attention.sliding_window": window } : {}),
    ...(factor === 1 ? {} : { "rope.scaling.type": "linear" }),
  };
  const floats = {
    "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
    "rope.freq_base": theta,
    "rope.freq_base_swa": config.rope.sliding_attention.theta,
    ...(factor === 1 ? {} : { "rope.scaling.factor": factor }),
  };
  const prefixed = (entries: object) =>
    Object.fromEntries(Object.entries(entries).map(([key, value]) => [`gemma3.${key}`, value]));
  return {
    weights,
    naming,
    metadata: {
      "general.architecture": "gemma3",
      "general.name": nameOf(source.weights),
      ...prefixed(keys),
      ...Object.fromEntries(
        Object.entries(prefixed(floats)).map(([key, value]) => [key, { float32: value as number }]),
      ),
    },
    rename: gemma3LlamaCppName,
    // Gemma multiplies by 1 + weight, llama.cpp by what is stored.
    offsetOf: (name) => /norm\.weight$/.test(name) ? 1 : 0,
  };
}

/** What Gemma's converter states; prompts are much shorter. */
const CONTEXT_LENGTH = 131_072;

function nameOf(path: string): string {
  return basename(resolve(path)).replace(/\.(?:safetensors|sft|gguf)$/i, "");
}

/** Refuses what was rounded before. */
function requireWhole(entries: readonly TensorEntry[], source: string): void {
  const rounded = entries.find(({ dtype }) => !isFloatDtype(dtype));
  if (rounded === undefined) return;
  throw new RequestError(
    `${source} is quantised already (${rounded.name} is ${rounded.dtype}). Quantise the original: ` +
      "each rounding adds to the last.",
    {
      zh: `${source} 已经量化过（${rounded.name} 是 ${rounded.dtype}）。请量化原模型：` +
        "每次舍入都会累积误差。",
    },
  );
}

function sizeOf(
  entry: TensorEntry,
  isQuantized: ReadonlySet<TensorEntry>,
  bits: QuantizedBits,
): number {
  const count = entry.shape.reduce((product, extent) => product * extent, 1);
  if (isQuantized.has(entry)) return count / GGUF_BLOCK * TYPES[bits].blockBytes;
  return entry.shape.length <= 1 ? 4 * count : entry.byteLength;
}

/** ggml's blocks of a piece: each its scale, then its points, of which 16 and 16 share bytes. */
function blocksOf({ packed, scales }: Piece, bits: QuantizedBits): Uint8Array {
  const { blockBytes } = TYPES[bits];
  const bytes = new Uint8Array(scales.length * blockBytes);
  const half = GGUF_BLOCK / 2;
  for (let block = 0; block < scales.length; block++) {
    const at = block * blockBytes;
    bytes[at] = scales[block]! & 255;
    bytes[at + 1] = scales[block]! >> 8;
    if (bits === 8) {
      const from = block * GGUF_BLOCK;
      for (let i = 0; i < GGUF_BLOCK; i++) bytes[at + 2 + i] = packed[from + i]! ^ 128;
      continue;
    }
    const point = (i: number) => packed[(block * GGUF_BLOCK + i) >> 1]! >> 4 * (i & 1) & 15;
    for (let i = 0; i < half; i++) bytes[at + 2 + i] = point(i) | point(half + i) << 4;
  }
  return bytes;
}

const LARGEST_HALF = 65_504;
const ROWS_AT_ONCE = 64;

/** Whether float16, in which ggml stores scales, can hold those of a matrix. */
async function hasHalfScales(entry: TensorEntry, bits: QuantizedBits): Promise<boolean> {
  const largest = LARGEST_HALF * (2 ** (bits - 1) - 1);
  await using reader = await RowReader.open(entry);
  const { rowCount } = reader;
  for (let row = 0; row < rowCount; row += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, rowCount - row);
    const values = await reader.read(Array.from({ length: count }, (_, index) => row + index));
    if (values.some((value) => Math.abs(value) > largest)) return false;
  }
  return true;
}

async function* vectorBytes(entry: TensorEntry, offset: number): AsyncGenerator<Uint8Array> {
  await using reader = await RowReader.open({ ...entry, shape: [1, ...entry.shape] });
  const values = await reader.read([0]);
  yield new Uint8Array((offset === 0 ? values : values.map((value) => value + offset)).buffer);
}
