import { BLOCK_LAYOUTS, dequantizeBlocks, isBlockType } from "../gguf/mod.ts";
import { DECODE, type Decode, rotator } from "./_decode.ts";
import { bytesPerValue } from "./_dtypes.ts";
import { unreadable } from "./_files.ts";
import { refusal } from "./_refusal.ts";
import { quote } from "../shown.ts";
import { showShape } from "./_show_shape.ts";
import type { Say } from "./_texts.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import type { TensorEntry } from "./types.ts";

/**
 * Reads single rows of a tensor from disk as float32, so that an embedding table of gigabytes
 * takes no more memory than the tokens of one prompt. A row is everything under one index of the
 * first axis; `F16`, `BF16` and the dtypes of 8 bits widen exactly, times their scale where they have
 * one, and GGUF's blocks become the values that they stand for.
 *
 * The file stays open until the reader is disposed of.
 *
 * @example
 * ```ts
 * import { readSafetensorsHeader } from "./read_safetensors_header.ts";
 *
 * // A table of two rows of two bfloat16 values, written by hand: [[1, -2], [0.5, 0]].
 * const header = new TextEncoder().encode(
 *   '{"table":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}',
 * );
 * const bytes = new Uint8Array(8 + header.length + 8);
 * bytes[0] = header.length;
 * bytes.set(header, 8);
 * bytes.set([0x80, 0x3f, 0x00, 0xc0, 0x00, 0x3f, 0x00, 0x00], 8 + header.length);
 * const path = await Deno.makeTempFile({ suffix: ".safetensors" });
 * await Deno.writeFile(path, bytes);
 *
 * const { tensors } = await readSafetensorsHeader(path);
 * await using reader = await RowReader.open(tensors.get("table")!);
 * console.log(await reader.read([1, 0, 1])); // 0.5, 0, 1, -2, 0.5, 0
 * await Deno.remove(path);
 * ```
 */
export class RowReader implements AsyncDisposable {
  /** The extent of the first axis. */
  readonly rowCount: number;
  /** How many values a row has: the product of all other extents. */
  readonly rowLength: number;
  readonly #entry: TensorEntry;
  readonly #rowBytes: number;
  readonly #decode: DecodeRow;
  #file: Deno.FsFile | undefined;

  private constructor(
    entry: TensorEntry,
    decodeRow: DecodeRow,
    rowCount: number,
    rowLength: number,
    file: Deno.FsFile,
  ) {
    this.#entry = entry;
    this.#decode = decodeRow;
    this.rowCount = rowCount;
    this.rowLength = rowLength;
    this.#rowBytes = rowCount === 0 ? 0 : entry.byteLength / rowCount;
    this.#file = file;
  }

  /**
   * Opens the file that holds a tensor.
   *
   * @param entry The tensor, as `openWeights` found it; of any shape but a scalar's.
   * @throws {SafetensorsError} When the tensor is a scalar or quantised, or the file cannot be opened or is
   * shorter than it was when its header was read.
   */
  static async open(entry: TensorEntry): Promise<RowReader> {
    const [rowCount, ...rest] = entry.shape;
    if (rowCount === undefined) throw refuse(entry, (text) => text.scalar);
    if (entry.dtype === "U8") throw refuse(entry, (text) => text.quantised);
    const rowLength = rest.reduce((product, extent) => product * extent, 1);
    const isWhole = !isBlockType(entry.dtype) ||
      rowLength % BLOCK_LAYOUTS[entry.dtype].values === 0;
    if (!isWhole || rowCount * rowLength * bytesPerValue(entry.dtype) !== entry.byteLength) {
      const { shape, dtype, byteLength } = entry;
      throw refuse(entry, (text) => text.otherEntry(showShape(shape), dtype, byteLength));
    }
    let file: Deno.FsFile | undefined;
    try {
      file = await Deno.open(entry.file);
      const { size } = await file.stat();
      if (size < entry.offset + entry.byteLength) throw shortened(entry);
      return new RowReader(entry, decoderOf(entry, file), rowCount, rowLength, file);
    } catch (error) {
      file?.close();
      throw error instanceof SafetensorsError ? error : unreadable(entry.file, error);
    }
  }

  /**
   * Reads rows in the order asked for; a row may be asked for more than once.
   *
   * @param rows Indices into the first axis, such as token ids.
   * @returns `[rows.length, rowLength]` in float32, row-major.
   * @throws {SafetensorsError} When an index is not a row of the tensor (nothing is read then), the
   * reader is disposed of, or the file became shorter.
   */
  // deno-lint-ignore require-await -- errors must be rejections, and a later reader may wait.
  async read(rows: ArrayLike<number>): Promise<Float32Array> {
    const file = this.#file;
    if (file === undefined) throw refuse(this.#entry, (text) => text.closed);
    this.#checkRows(rows);
    const { rowLength } = this;
    const values = new Float32Array(rows.length * rowLength);
    const stored = new Uint8Array(this.#rowBytes);
    // Rows are a few kilobytes and a prompt has hundreds: read synchronously, they take 3 µs each,
    // where a promise each takes 100. It also keeps two calls from moving each other's file position.
    try {
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i]!;
        readAt(file, this.#entry, row * stored.length, stored);
        this.#decode(stored, values.subarray(i * rowLength, (i + 1) * rowLength), row);
      }
    } catch (error) {
      throw error instanceof SafetensorsError ? error : unreadable(this.#entry.file, error);
    }
    return values;
  }

  /** Closes the file. More than once does no harm. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#file?.close();
    this.#file = undefined;
    return Promise.resolve();
  }

  #checkRows(rows: ArrayLike<number>): void {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (Number.isInteger(row) && row >= 0 && row < this.rowCount) continue;
      throw refuse(this.#entry, (text) => text.noSuchRow(this.rowCount, row));
    }
  }
}

/** Turns the stored bytes of one row into float32. */
type DecodeRow = (stored: Uint8Array, values: Float32Array, row: number) => void;

function decoderOf(entry: TensorEntry, file: Deno.FsFile): DecodeRow {
  const { dtype, scale, rotation } = entry;
  if (dtype === "U8") throw refuse(entry, (text) => text.quantised);
  if (isBlockType(dtype)) {
    return (stored, values) => dequantizeBlocks(dtype, stored, values);
  }
  const decode: Decode = DECODE[dtype];
  if (scale === undefined) return decode;
  const stored = new Uint8Array(scale.byteLength);
  readAt(file, scale, 0, stored);
  const scales = new Float32Array(scale.byteLength / bytesPerValue(scale.dtype));
  DECODE[scale.dtype as "F32" | "F16" | "BF16"](stored, scales);
  const rotate = rotation === undefined ? undefined : rotator(rotation);
  return (stored, values, row) => {
    decode(stored, values);
    const factor = scales.length === 1 ? scales[0]! : scales[row]!;
    for (let i = 0; i < values.length; i++) values[i]! *= factor;
    rotate?.(values);
  };
}

/** Reads bytes of a tensor, from `from` on. */
function readAt(file: Deno.FsFile, entry: TensorEntry, from: number, into: Uint8Array): void {
  file.seekSync(entry.offset + from, Deno.SeekMode.Start);
  for (let filled = 0; filled < into.length;) {
    const count = file.readSync(into.subarray(filled));
    if (count === null) throw shortened(entry);
    filled += count;
  }
}

function refuse({ file, name: tensor }: TensorEntry, problem: Say): SafetensorsError {
  return refusal(file, (text) => text.aboutRows(quote(tensor), problem(text)), { tensor });
}

function shortened(entry: TensorEntry): SafetensorsError {
  return refuse(entry, (text) => text.shortened);
}
