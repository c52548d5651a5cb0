import { type MatrixRows, type OwnMatrix, RUN_VALUES, VECTOR_VALUES } from "../onnx/mod.ts";
import { fillFrom } from "../files.ts";
import { isFloatDtype, RowReader, shortenedError } from "../safetensors/mod.ts";
import type { KeptMatrix } from "../runtime/native/custom_operators.ts";
import type { CudaKernels, KernelType } from "./cuda_kernels.ts";
import { rowQuantizer } from "./row_quantizer.ts";

/** Bytes that are read and copied to the GPU at a time, about. */
const BYTES_AT_ONCE = 32 << 20;
/** A tile of a product may read so many rows past a matrix' last. */
const ROWS_PAST_END = 256;
const SCALE_BYTES = 4;
const TYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;
/** The stream on which copies are made. */
const USUAL_STREAM = 0n;

/**
 * Rounds a matrix to 8 bits on the GPU, piece by piece as it is read: its values as they were are
 * never there as a whole.
 *
 * @throws {SafetensorsError} When it cannot be read.
 * @throws {Error} When the GPU has no room for it.
 */
export async function keepInt8Matrix(
  kernels: CudaKernels,
  { parts }: OwnMatrix,
): Promise<KeptMatrix> {
  const [{ shape: [partRows, columns] }] = parts as readonly [MatrixRows];
  const rows = partRows * parts.length;
  const paddedRows = Math.ceil(rows / VECTOR_VALUES) * VECTOR_VALUES;
  const runs = Math.ceil(columns / RUN_VALUES);
  using stack = new DisposableStack();
  const values = stack.use(
    kernels.memory.allocate((runs * paddedRows + ROWS_PAST_END) * RUN_VALUES),
  );
  const scales = stack.use(kernels.memory.allocate((paddedRows + ROWS_PAST_END) * SCALE_BYTES));
  using staging = kernels.memory.allocate(
    Math.max(BYTES_AT_ONCE, VECTOR_VALUES * columns * SCALE_BYTES),
  );
  for (const [index, part] of parts.entries()) {
    for await (const { from, count, type, data } of piecesOf(part)) {
      kernels.upload(data, staging.address);
      const quantize = rowQuantizer(kernels, type);
      // Parts take turns, as many rows at a time as a vector has values.
      const turn = parts.length === 1 ? count : VECTOR_VALUES;
      quantize(USUAL_STREAM, {
        x: staging.address,
        values: values.address,
        scales: scales.address,
        rows: count,
        width: columns,
        paddedRows,
        first: from * parts.length + index * VECTOR_VALUES,
        run: turn,
        stride: turn * parts.length,
      });
    }
  }
  const kept = stack.move();
  return {
    values: values.address,
    scales: scales.address,
    rows,
    columns,
    paddedRows,
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/** Some rows of a matrix. */
interface Piece {
  readonly from: number;
  readonly count: number;
  readonly type: KernelType | "float32";
  readonly data: BufferSource;
}

/** A matrix from its first row to its last, some whole vectors of rows at a time. */
async function* piecesOf(matrix: MatrixRows): AsyncGenerator<Piece> {
  const { shape: [rows, columns] } = matrix;
  const stored = "entry" in matrix && isFloatDtype(matrix.entry.dtype) ? matrix.entry : undefined;
  const type = stored === undefined ? "float32" : TYPES[stored.dtype as keyof typeof TYPES];
  const rowBytes = columns * (type === "float32" ? 4 : 2);
  const most = Math.max(1, Math.floor(BYTES_AT_ONCE / rowBytes / VECTOR_VALUES)) * VECTOR_VALUES;
  const counts = Array.from({ length: Math.ceil(rows / most) }, (_, index) => {
    const from = index * most;
    return { from, count: Math.min(most, rows - from), type } as const;
  });
  if ("values" in matrix) {
    for (const piece of counts) {
      const end = (piece.from + piece.count) * columns;
      const data = matrix.values.subarray(piece.from * columns, end) as Float32Array<ArrayBuffer>;
      yield { ...piece, data };
    }
  } else if (stored === undefined) {
    await using reader = await RowReader.open(matrix.entry);
    for (const piece of counts) {
      const wanted = Array.from({ length: piece.count }, (_, index) => piece.from + index);
      yield { ...piece, data: await reader.read(wanted) as Float32Array<ArrayBuffer> };
    }
  } else {
    using file = await Deno.open(stored.file);
    await file.seek(stored.offset, Deno.SeekMode.Start);
    const buffer = new Uint8Array(Math.min(most, rows) * rowBytes);
    for (const piece of counts) {
      const data = buffer.subarray(0, piece.count * rowBytes);
      if (await fillFrom(file, data) < data.length) throw shortenedError(stored);
      yield { ...piece, data };
    }
  }
}
