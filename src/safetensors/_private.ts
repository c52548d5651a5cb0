import { JsonScanner } from "./_json_scanner.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import { quantizedBits, quantizedEntry } from "./_quantization.ts";
import type { OpaqueEntry, QuantizedBits, TensorEntry, WeightDtype } from "./types.ts";

/** The file begins with the header's length as an unsigned 64-bit integer, little-endian. */
export const PREFIX_BYTES = 8;

/** The format's own limit on its header; an index gets the same. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Bits a value takes, for every dtype that safetensors 0.8 writes. */
const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ["BOOL", 8],
  ["U8", 8],
  ["I8", 8],
  ["F8_E4M3", 8],
  ["F8_E4M3FNUZ", 8],
  ["F8_E5M2", 8],
  ["F8_E5M2FNUZ", 8],
  ["F8_E8M0", 8],
  ["I16", 16],
  ["U16", 16],
  ["F16", 16],
  ["BF16", 16],
  ["I32", 32],
  ["U32", 32],
  ["F32", 32],
  ["I64", 64],
  ["U64", 64],
  ["F64", 64],
  ["C64", 64],
]);

const BITS_A_BYTE = 8;
const LONGEST_QUOTE = 120;
const MOST_LISTED = 20;
export const METADATA = "__metadata__";
const DAMAGED = "The file is damaged or was written wrongly: fetch or export it again.";

/** Whose header is read. */
export interface Origin {
  /** What messages call the file. */
  readonly source: string;
  /** The real path, which the entries carry. */
  readonly file: string;
  /** The names of tensors that need not be weights. */
  readonly opaque: ReadonlySet<string>;
}

/** What a header says. */
export interface Header {
  readonly tensors: Map<string, TensorEntry>;
  readonly opaque: Map<string, OpaqueEntry>;
  readonly metadata: Record<string, string>;
}

/** A name as messages show it: in quotes, control characters escaped, of bounded length. */
export function quote(name: string): string {
  return JSON.stringify(name.length > LONGEST_QUOTE ? `${name.slice(0, LONGEST_QUOTE)}…` : name);
}

/** Joins what a message lists, and counts what would make it too long to read. */
export function list(items: readonly string[], separator: string): string {
  if (items.length <= MOST_LISTED) return items.join(separator);
  const shown = items.slice(0, MOST_LISTED).join(separator);
  return `${shown}${separator}and ${items.length - MOST_LISTED} more`;
}

/** Wraps what the operating system said about a file. */
export function unreadable(source: string, cause: unknown): SafetensorsError {
  const reason = cause instanceof Deno.errors.NotFound
    ? "there is no such file or folder"
    : cause instanceof Error
    ? cause.message
    : String(cause);
  return new SafetensorsError(`${source}: cannot be read: ${reason}.`, { file: source, cause });
}

/** Bytes that a weight takes, a value. */
export function bytesPerValue(dtype: WeightDtype): number {
  return DTYPE_BITS.get(dtype)! / BITS_A_BYTE;
}

/** Whether the values are floating-point numbers that the toolkit reads. */
export function isFloatDtype(dtype: string): dtype is Exclude<WeightDtype, "U8"> {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/**
 * Reads the header's length from the first bytes of a file, at most {@linkcode PREFIX_BYTES}, and
 * checks it against the file's size before anything of that length is allocated.
 */
export function parsePrefix(prefix: Uint8Array, fileSize: number, source: string): number {
  const refuse = (problem: string) =>
    new SafetensorsError(`${source}: ${problem}`, { file: source });
  if (fileSize < PREFIX_BYTES || prefix.length < PREFIX_BYTES) {
    throw refuse(
      `the file has ${fileSize} bytes, too few for a safetensors file, which begins with the ` +
        `${PREFIX_BYTES} bytes of its header's length. ${DAMAGED}`,
    );
  }
  if (new TextDecoder().decode(prefix) === "version ") {
    throw refuse(
      "this looks like a Git LFS pointer that stands for the weights. Fetch them: git lfs pull.",
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length === 0n) throw refuse(`the header's length is 0. ${DAMAGED}`);
  const rest = fileSize - PREFIX_BYTES;
  if (length > BigInt(rest)) {
    throw refuse(
      `the first ${PREFIX_BYTES} bytes announce a header of ${length} bytes, but only ${rest} ` +
        "follow. The file is cut short or is not a safetensors file: fetch it again.",
    );
  }
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw refuse(
      `the header of ${length} bytes exceeds the format's limit of ${MAX_HEADER_BYTES}. ${DAMAGED}`,
    );
  }
  return Number(length);
}

/**
 * Parses a header and checks it against the file's size. Touches no disk: `bytes` is the JSON
 * text between the length and the data.
 */
export function parseHeader(bytes: Uint8Array, fileSize: number, origin: Origin): Header {
  const { source, file } = origin;
  const scanner = new JsonScanner(
    bytes,
    (problem, at) =>
      new SafetensorsError(
        `${source}: header, byte ${PREFIX_BYTES + at} of the file: ${problem}. ${DAMAGED}`,
        { file: source },
      ),
  );
  const dataStart = PREFIX_BYTES + bytes.length;
  const entries = new Map<string, OpaqueEntry>();
  let metadata: Record<string, string> | undefined;

  if (bytes[0] !== 0x7b) {
    throw new SafetensorsError(
      `${source}: the header does not begin with \`{\`. It is not a safetensors file, or it is ` +
        "damaged: fetch or export it again.",
      { file: source },
    );
  }
  scanner.object("the header's opening brace", (name) => {
    if (name === METADATA) {
      if (metadata !== undefined) throw repeated(source, METADATA);
      metadata = parseMetadata(scanner, source);
      return;
    }
    if (entries.has(name)) throw repeated(source, name);
    entries.set(name, parseEntry(scanner, name, source, file, dataStart));
  });
  scanner.end();
  checkLayout(entries, dataStart, fileSize, source);
  metadata ??= emptyRecord();
  return { ...sortOut(entries, origin, quantizedBits(metadata, source)), metadata };
}

/** An object in which no name, `__proto__` included, means anything of itself. */
export function emptyRecord(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}

function repeated(source: string, name: string): SafetensorsError {
  return new SafetensorsError(
    `${source}: the header names ${quote(name)} twice, so it does not say which is meant. ` +
      DAMAGED,
    { file: source, tensor: name },
  );
}

function parseMetadata(scanner: JsonScanner, source: string): Record<string, string> {
  const metadata = emptyRecord();
  scanner.object(`an object as ${METADATA}`, (key) => {
    if (key in metadata) {
      throw new SafetensorsError(`${source}: ${METADATA} holds ${quote(key)} twice. ${DAMAGED}`, {
        file: source,
      });
    }
    metadata[key] = scanner.string(`a string, as every value of ${METADATA} is,`);
  });
  return metadata;
}

function parseEntry(
  scanner: JsonScanner,
  name: string,
  source: string,
  file: string,
  dataStart: number,
): OpaqueEntry {
  const tensor = quote(name);
  const refuse = (problem: string) =>
    new SafetensorsError(`${source}: tensor ${tensor}: ${problem}`, { file: source, tensor: name });
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const once = (value: unknown, key: string) => {
    if (value !== undefined) throw refuse(`${key} is given twice. ${DAMAGED}`);
  };

  scanner.object(`an object that describes tensor ${tensor}`, (key) => {
    if (key === "dtype") {
      once(dtype, key);
      dtype = scanner.string(`the dtype of tensor ${tensor} in double quotes`);
    } else if (key === "shape") {
      once(shape, key);
      shape = parseIntegers(scanner, "shape", tensor);
    } else if (key === "data_offsets") {
      once(offsets, key);
      offsets = parseIntegers(scanner, "data_offsets", tensor);
    } else {
      throw refuse(
        `it has a field ${quote(key)}; the format knows dtype, shape and data_offsets. ${DAMAGED}`,
      );
    }
  });

  if (dtype === undefined || shape === undefined || offsets === undefined) {
    const absent = Object.entries({ dtype, shape, data_offsets: offsets })
      .filter(([, value]) => value === undefined).map(([key]) => key);
    throw refuse(`${absent.join(" and ")} missing. ${DAMAGED}`);
  }
  const bits = DTYPE_BITS.get(dtype);
  if (bits === undefined) {
    throw refuse(
      `unknown dtype ${quote(dtype)}; the format knows ${[...DTYPE_BITS.keys()].join(", ")}.`,
    );
  }
  const [begin, end] = offsets;
  if (offsets.length !== 2 || begin === undefined || end === undefined) {
    throw refuse(`data_offsets holds ${offsets.length} numbers instead of 2. ${DAMAGED}`);
  }
  if (end < begin) {
    throw refuse(`its data_offsets end before they begin: [${begin}, ${end}]. ${DAMAGED}`);
  }
  const totalBits = shape.reduce((product, extent) => {
    const next = product * extent;
    if (!Number.isSafeInteger(next)) {
      throw refuse(`its shape asks for more than 2^53 bits, which no file holds. ${DAMAGED}`);
    }
    return next;
  }, bits);
  if (totalBits !== (end - begin) * BITS_A_BYTE) {
    throw refuse(
      `dtype ${dtype} and shape ${showShape(shape)} ask for ${
        totalBits / BITS_A_BYTE
      } bytes, but ` +
        `data_offsets [${begin}, ${end}] hold ${end - begin}. ${DAMAGED}`,
    );
  }
  return { dtype, shape, file, offset: dataStart + begin, byteLength: end - begin };
}

function parseIntegers(scanner: JsonScanner, field: string, tensor: string): number[] {
  const numbers: number[] = [];
  const what = `a number in ${field} of tensor ${tensor}`;
  scanner.array(
    `an array of integers as ${field} of tensor ${tensor}`,
    () => numbers.push(scanner.integer(what)),
  );
  return numbers;
}

const MOST_EXTENTS_SHOWN = 16;

/** A shape as messages show it, of bounded length. */
export function showShape(shape: readonly number[]): string {
  const shown = shape.slice(0, MOST_EXTENTS_SHOWN).join(", ");
  return shape.length > MOST_EXTENTS_SHOWN ? `[${shown}, … ${shape.length} axes]` : `[${shown}]`;
}

/** The tensors must fill the data without overlap or gap, to the last byte of the file. */
function checkLayout(
  entries: ReadonlyMap<string, OpaqueEntry>,
  dataStart: number,
  fileSize: number,
  source: string,
): void {
  const ordered = [...entries].sort(([, a], [, b]) =>
    a.offset - b.offset || a.byteLength - b.byteLength
  );
  let filled = dataStart;
  let before = "the header";
  for (const [name, { offset, byteLength }] of ordered) {
    const end = offset + byteLength;
    const refuse = (problem: string) =>
      new SafetensorsError(
        `${source}: tensor ${quote(name)}, bytes ${offset} to ${end} of the file, ${problem}`,
        { file: source, tensor: name },
      );
    if (end > fileSize) {
      throw refuse(
        `exceeds the file, which has ${fileSize}. It was cut short or is damaged: fetch it again.`,
      );
    }
    if (offset < filled) throw refuse(`overlaps ${before}, which ends at ${filled}. ${DAMAGED}`);
    if (offset > filled) {
      throw refuse(`leaves a gap after ${before}, which ends at ${filled}. ${DAMAGED}`);
    }
    filled = end;
    before = `tensor ${quote(name)}`;
  }
  if (filled !== fileSize) {
    throw new SafetensorsError(
      `${source}: the tensors end at byte ${filled}, but the file has ${fileSize} bytes; nothing ` +
        `says what the other ${fileSize - filled} are. ${DAMAGED}`,
      { file: source },
    );
  }
}

/** Sets weights and opaque tensors apart and refuses, all at once, what is neither. */
function sortOut(
  entries: ReadonlyMap<string, OpaqueEntry>,
  { source, opaque: opaqueNames }: Origin,
  bits: QuantizedBits | undefined,
): Pick<Header, "tensors" | "opaque"> {
  const tensors = new Map<string, TensorEntry>();
  const opaque = new Map<string, OpaqueEntry>();
  const strangers: [name: string, dtype: string][] = [];
  for (const [name, entry] of entries) {
    const { dtype } = entry;
    if (opaqueNames.has(name)) opaque.set(name, entry);
    else if (isFloatDtype(dtype)) tensors.set(name, { name, ...entry, dtype });
    else if (dtype === "U8" && bits !== undefined) {
      tensors.set(name, quantizedEntry(name, entries, bits, source));
    } else strangers.push([name, dtype]);
  }
  const first = strangers[0];
  if (first !== undefined) {
    throw new SafetensorsError(
      `${source}: weights must be F32, F16 or BF16, but ${
        list(strangers.map(([name, dtype]) => `tensor ${quote(name)} is ${dtype}`), ", ")
      }. Take a checkpoint in one of these dtypes, or convert this one.`,
      { file: source, tensor: first[0] },
    );
  }
  return { tensors, opaque };
}

const CHUNK_BYTES = 1 << 20;

/**
 * Reads JSON text of a known length from where `file` stands. It goes in pieces and stops at the
 * first byte that no JSON text holds: a large hole in a sparse file costs its author nothing, so it
 * must cost the reader nothing either (the buffer takes memory only where it was written).
 */
export async function readJsonBytes(
  file: Deno.FsFile,
  length: number,
  source: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const chunk = bytes.subarray(filled, Math.min(filled + CHUNK_BYTES, length));
    const count = await file.read(chunk);
    if (count === null) {
      throw new SafetensorsError(`${source}: the file became shorter while it was read.`, {
        file: source,
      });
    }
    const wrong = chunk.subarray(0, count).indexOf(0);
    if (wrong >= 0) {
      throw new SafetensorsError(
        `${source}: a zero byte stands in the JSON text, ${filled + wrong} bytes after its ` +
          `beginning. ${DAMAGED}`,
        { file: source },
      );
    }
    filled += count;
  }
  return bytes;
}

/** Opens a regular file (a pipe would make the reader wait for ever) and says how long it is. */
export async function openFile(source: string): Promise<{ file: Deno.FsFile; size: number }> {
  let opened: Deno.FsFile | undefined;
  try {
    if (!(await Deno.stat(source)).isFile) {
      throw new SafetensorsError(`${source}: is not a file.`, { file: source });
    }
    opened = await Deno.open(source);
    return { file: opened, size: (await opened.stat()).size };
  } catch (error) {
    opened?.close();
    throw error instanceof SafetensorsError ? error : unreadable(source, error);
  }
}
