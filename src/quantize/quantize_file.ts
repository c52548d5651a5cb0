import { NewBieError } from "../errors.ts";
import { COMFYUI_TOKENIZER_TENSOR } from "../pipeline/checkpoint/types.ts";
import {
  copiedTensor,
  isFloatDtype,
  openWeights,
  QUANTIZED_BITS_KEY,
  type QuantizedBits,
  RowReader,
  SCALES_SUFFIX,
  type TensorEntry,
  type TensorSource,
  type Weights,
  writeSafetensors,
} from "../safetensors/mod.ts";
import type { SquaredError } from "./_blocks.ts";
import { type Piece, type PieceRequest, quantizePiece } from "./_piece.ts";
import { QuantizeThreads } from "./_quantize_threads.ts";

/**
 * The matrices that are quantised: those of attention and feed-forward, in NextDiT's blocks and in
 * Gemma's layers. They are nine tenths of all weights. Embedders, the timestep's and the condition's
 * layers, modulations (`adaLN_modulation`), the final layer, norms, biases and embedding tables stay
 * as they are: they are small, are read by row, or carry what every block depends on.
 */
const QUANTIZED =
  /(^|\.)(attention\.(qkv|out)|feed_forward\.w[123]|self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.weight$/;
/** Vision towers have layers of the same names, and no part in making pictures. */
const NOT_QUANTIZED = /(^|\.)vision_(tower|model)\./;

/** How to quantise. */
export interface QuantizeOptions {
  readonly bits: QuantizedBits;
  /** Values that share a scale: 16, 32, 64 or 128. */
  readonly blockSize: number;
  /** Told after each matrix how many of the file's matrices are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What quantising a file did. */
export interface QuantizedFile {
  /** The matrices that were quantised. */
  readonly matrices: readonly string[];
  /** Those that stayed as they were because their rows cannot be cut into blocks. */
  readonly left: readonly string[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** ‖W − Ŵ‖ / ‖W‖ over all quantised matrices. */
  readonly relativeError: number;
}

/** The matrices of a file that can be quantised in blocks of a size, and those that cannot. */
export function matricesToQuantize(
  { tensors }: Weights,
  blockSize: number,
): { readonly matrices: TensorEntry[]; readonly left: TensorEntry[] } {
  const candidates = [...tensors.values()].filter(({ name, shape }) =>
    QUANTIZED.test(name) && !NOT_QUANTIZED.test(name) && shape.length === 2
  );
  const fits = ({ shape }: TensorEntry) => shape[1]! % blockSize === 0;
  return {
    matrices: candidates.filter(fits),
    left: candidates.filter((entry) => !fits(entry)),
  };
}

/** Opens a file to be quantised. */
export async function openForQuantization(path: string): Promise<Weights> {
  const weights = await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  const isRounded = weights.tensors.values()
    .some(({ name, dtype }) => QUANTIZED.test(name) && !isFloatDtype(dtype));
  if (isRounded || QUANTIZED_BITS_KEY in weights.metadata) {
    throw new NewBieError(
      `${path} is quantised already. Quantise the original: each rounding adds to the last.`,
      { zh: `${path} 已经量化过。请量化原模型：每次舍入都会累积误差。` },
    );
  }
  return weights;
}

/**
 * Writes a safetensors file anew with its large matrices quantised block by block, each tensor in
 * turn, on all cores: a few megabytes for each are held at a time. The target appears when all of it is on disk.
 *
 * A quantised matrix keeps its name; as `U8` [N, blocks, bytes of a block] it is what ONNX Runtime's
 * `MatMulNBits` reads, so that a graph points straight into the file. `NAME.scales` [N, blocks] in
 * bfloat16 stands after it.
 *
 * @param weights One file, from {@linkcode openForQuantization}.
 * @param target The path of the new file.
 * @throws {NewBieError} When a matrix holds values that are no finite numbers.
 */
export async function quantizeFile(
  weights: Weights,
  target: string,
  { bits, blockSize, onProgress }: QuantizeOptions,
): Promise<QuantizedFile> {
  const { matrices, left } = matricesToQuantize(weights, blockSize);
  using threads = await QuantizeThreads.open();
  const error: SquaredError = { error: 0, norm: 0 };
  let done = 0;
  const quantized = new Map(matrices.map((entry) => [entry, async function* () {
    for await (const piece of quantizeMatrix(entry, { bits, blockSize }, threads)) {
      error.error += piece.error.error;
      error.norm += piece.error.norm;
      yield piece;
    }
    onProgress?.(++done, matrices.length);
  }]));
  const stored = [
    ...weights.tensors.values(),
    ...weights.opaque.entries().map(([name, entry]) => ({ name, ...entry })),
  ].sort((a, b) => a.offset - b.offset);
  const tensors = stored.flatMap((entry): TensorSource[] => {
    const pieces = quantized.get(entry as TensorEntry);
    if (pieces === undefined) return [copiedTensor(entry)];
    return quantizedSources(entry as TensorEntry, bits, blockSize, pieces);
  });
  const metadata = { ...weights.metadata, [QUANTIZED_BITS_KEY]: String(bits) };
  const bytesAfter = await writeSafetensors(target, tensors, metadata);
  return {
    matrices: matrices.map(({ name }) => name),
    left: left.map(({ name }) => name),
    bytesBefore: (await Deno.stat(weights.files[0]!)).size,
    bytesAfter,
    relativeError: error.norm === 0 ? 0 : Math.sqrt(error.error / error.norm),
  };
}

/** The matrix and its scales, which one reading of the original gives both. */
function quantizedSources(
  { name, shape }: TensorEntry,
  bits: QuantizedBits,
  blockSize: number,
  pieces: () => AsyncIterable<Piece>,
): TensorSource[] {
  const [rows, columns] = shape as [number, number];
  const blocks = columns / blockSize;
  let scales: Uint8Array<ArrayBuffer>[] = [];
  return [
    {
      name,
      dtype: "U8",
      shape: [rows, blocks, blockSize * bits / BITS_A_BYTE],
      bytes: async function* () {
        for await (const piece of pieces()) {
          scales.push(new Uint8Array(piece.scales.buffer));
          yield piece.packed;
        }
      },
    },
    {
      name: name + SCALES_SUFFIX,
      dtype: "BF16",
      shape: [rows, blocks],
      bytes: function* () {
        yield* scales;
        scales = [];
      },
    },
  ];
}

const BITS_A_BYTE = 8;
/** Values read at a time: 4 MiB as float32. */
const VALUES_AT_ONCE = 1 << 20;

/**
 * Quantises a matrix, some rows at a time.
 *
 * @throws {NewBieError} When it holds values that are no finite numbers.
 */
export async function* quantizeMatrix(
  entry: TensorEntry,
  { bits, blockSize, scaleType }: Omit<PieceRequest, "values">,
  threads: QuantizeThreads,
): AsyncGenerator<Piece> {
  const [rows, columns] = entry.shape as [number, number];
  await using reader = await RowReader.open(entry);
  const rowsAtOnce = Math.max(1, Math.floor(VALUES_AT_ONCE / columns));
  const quantizeFrom = async (row: number) => {
    const count = Math.min(rowsAtOnce, rows - row);
    const values = await reader.read(Array.from({ length: count }, (_, index) => row + index));
    const request = { values, bits, blockSize, ...(scaleType && { scaleType }) };
    return rows <= rowsAtOnce ? quantizePiece(request) : await threads.quantize(request);
  };
  for await (const piece of inTurn(quantizeFrom, rows, rowsAtOnce, threads.atOnce)) {
    if (piece === undefined) {
      throw new NewBieError(
        `${entry.file}: tensor ${entry.name} holds values that are no finite numbers. The file is ` +
          "damaged: fetch it again.",
        { zh: `${entry.file}：张量 ${entry.name} 含有非有限数值。文件已损坏：请重新获取。` },
      );
    }
    yield piece;
  }
}

/** The answers for 0, `step`, 2 · `step` … below `end`, in order, so many under way at once. */
async function* inTurn<T>(
  ask: (from: number) => Promise<T>,
  end: number,
  step: number,
  atOnce: number,
): AsyncGenerator<T> {
  const waiting: Promise<T>[] = [];
  try {
    for (let from = 0; from < end; from += step) {
      waiting.push(ask(from));
      if (waiting.length >= atOnce) yield await waiting.shift()!;
    }
    while (waiting.length > 0) yield await waiting.shift()!;
  } finally {
    await Promise.allSettled(waiting);
  }
}
