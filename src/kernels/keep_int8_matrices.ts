import {
  isBlockEntry,
  type MatrixRows,
  type OwnMatrix,
  RUN_VALUES,
  UnpackThreads,
  VECTOR_VALUES,
} from "../onnx/mod.ts";
import { type PartReader, RowReader, rowsOf } from "../safetensors/mod.ts";
import type { KeptMatrix, MatricesToFill } from "../runtime/native/custom_operators.ts";
import { endingReader, MOST_PIECE_BYTES, type Piece } from "../runtime/native/uploads.ts";
import type { CudaKernels, KernelType } from "./cuda_kernels.ts";
import { rowQuantizer } from "./row_quantizer.ts";

/** A tile of a product may read so many rows past a matrix' last. */
const ROWS_PAST_END = 256;
const SCALE_BYTES = 4;
const TYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/** What every matrix' address is a multiple of: runs of 8 rows, as tensor cores read them. */
const ALIGNMENT = 1024;

/**
 * Makes room for matrices in 8 bits on the GPU, for all of them at once: CUDA gives memory by 2 MiB. Each
 * piece is rounded when it is there, so that values as they were are never there as a whole.
 *
 * @throws {Error} When the GPU has no room for them.
 */
export function keepInt8Matrices(
  kernels: CudaKernels,
  matrices: readonly OwnMatrix[],
): MatricesToFill {
  let total = 0;
  const place = (bytes: number) => {
    const offset = total;
    total += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return BigInt(offset);
  };
  const sized = matrices.map(({ parts }) => {
    const [{ shape: [partRows, columns] }] = parts as readonly [MatrixRows];
    const rows = partRows * parts.length;
    const paddedRows = Math.ceil(rows / VECTOR_VALUES) * VECTOR_VALUES;
    const runs = Math.ceil(columns / RUN_VALUES);
    return {
      parts,
      sizes: { rows, columns, paddedRows },
      values: place((runs * paddedRows + ROWS_PAST_END) * RUN_VALUES),
      scales: place((paddedRows + ROWS_PAST_END) * SCALE_BYTES),
    };
  });
  const room = kernels.memory.allocate(total);
  const kept = sized.map(({ parts, sizes, values, scales }) => ({
    parts,
    matrix: { ...sizes, values: room.address + values, scales: room.address + scales },
  }));
  const threads = new UnpackThreads();
  const pieces = kept.flatMap(({ parts, matrix }) =>
    piecesToRound(kernels, threads, parts, matrix)
  );
  return {
    matrices: kept.map(({ matrix }) => matrix),
    pieces: endingReader(threads, pieces),
    [Symbol.dispose]: () => {
      threads[Symbol.dispose]();
      room[Symbol.dispose]();
    },
  };
}

function piecesToRound(
  kernels: CudaKernels,
  threads: UnpackThreads,
  parts: OwnMatrix["parts"],
  { values, scales, columns: width, paddedRows }: KeptMatrix,
): Piece[] {
  return parts.flatMap((part, index) =>
    piecesOf(part, threads).map(({ from, count: rows, type, read, bytes }): Piece => ({
      bytes,
      read,
      then: (x, stream) => {
        // Parts take turns, as many rows at a time as a vector has values.
        const run = parts.length === 1 ? rows : VECTOR_VALUES;
        rowQuantizer(kernels, type)(stream, {
          ...{ x, values, scales, rows, width, paddedRows, run },
          first: from * parts.length + index * VECTOR_VALUES,
          stride: run * parts.length,
        });
      },
    }))
  );
}

/** Some rows of a matrix. */
interface RowsPiece extends Piece {
  readonly from: number;
  readonly count: number;
  readonly type: KernelType | "float32";
}

/** A matrix from its first row to its last, some whole vectors of rows at a time. */
function piecesOf(matrix: MatrixRows, threads: UnpackThreads): readonly RowsPiece[] {
  const { shape: [rows, columns] } = matrix;
  const dtype = "entry" in matrix ? matrix.entry.dtype : "F32";
  const type = TYPES[dtype as keyof typeof TYPES] ?? "float32";
  const rowBytes = columns * (type === "float32" ? 4 : 2);
  const most = Math.max(1, Math.floor(MOST_PIECE_BYTES / rowBytes / VECTOR_VALUES)) * VECTOR_VALUES;
  return Array.from({ length: Math.ceil(rows / most) }, (_, index): RowsPiece => {
    const from = index * most;
    const count = Math.min(most, rows - from);
    const read: Piece["read"] = (into, files) =>
      readRows(matrix, { from, count }, threads, into, files);
    return { from, count, type, bytes: count * rowBytes, read };
  });
}

/** Reads rows as they are stored, where a kernel takes them so, or else in float32. */
async function readRows(
  matrix: MatrixRows,
  { from, count }: Pick<RowsPiece, "from" | "count">,
  threads: UnpackThreads,
  into: Uint8Array<ArrayBuffer>,
  files: PartReader,
): Promise<void> {
  const { shape: [, columns] } = matrix;
  if ("entry" in matrix && matrix.entry.dtype in TYPES) {
    return await files.read(matrix.entry, from * into.length / count, into);
  }
  const floats = new Float32Array(into.buffer, into.byteOffset, count * columns);
  if ("values" in matrix) {
    floats.set(matrix.values.subarray(from * columns, (from + count) * columns));
  } else if (isBlockEntry(matrix.entry)) {
    const entry = rowsOf({ ...matrix.entry, shape: matrix.shape }, [from, from + count]);
    const values = { name: "values", form: "values", type: "float32" } as const;
    into.set((await threads.unpack({ entry, initializers: [values] })).values!);
  } else {
    await using reader = await RowReader.open(matrix.entry);
    floats.set(await reader.read(Array.from({ length: count }, (_, index) => from + index)));
  }
}
