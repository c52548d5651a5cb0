import { JsonScanner } from "./_json_scanner.ts";
import { quantizedBits, quantizedEntry } from "./_quantization.ts";
import { refusal } from "./_refusal.ts";
import type { Catalogue, Say } from "./_texts.ts";
import { SafetensorsError } from "./safetensors_error.ts";
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
export function list(items: readonly string[], separator: string, text: Catalogue): string {
  const more = items.length - MOST_LISTED;
  if (more <= 0) return items.join(separator);
  return [...items.slice(0, MOST_LISTED), text.andMore(more)].join(separator);
}

/** Wraps what the operating system said about a file. */
export function unreadable(source: string, cause: unknown): SafetensorsError {
  const system = cause instanceof Error ? cause.message : String(cause);
  const reason: Say = (text) =>
    cause instanceof Deno.errors.NotFound
      ? text.noSuchPlace
      : cause instanceof Deno.errors.PermissionDenied
      ? text.notPermitted(system)
      : system;
  return refusal(source, (text) => text.unreadable(reason(text)), { cause });
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
  const refuse = (problem: Say) => refusal(source, problem);
  if (fileSize < PREFIX_BYTES || prefix.length < PREFIX_BYTES) {
    throw refuse((text) => text.tooSmall(fileSize, PREFIX_BYTES));
  }
  if (new TextDecoder().decode(prefix) === "version ") throw refuse((text) => text.lfsPointer);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length === 0n) throw refuse((text) => text.emptyHeader);
  const rest = fileSize - PREFIX_BYTES;
  if (length > BigInt(rest)) {
    throw refuse((text) => text.cutShort(PREFIX_BYTES, length, rest));
  }
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw refuse((text) => text.headerTooLong(length, MAX_HEADER_BYTES));
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
    (problem, at) => refusal(source, (text) => text.headerSyntax(PREFIX_BYTES + at, problem(text))),
  );
  const dataStart = PREFIX_BYTES + bytes.length;
  const entries = new Map<string, OpaqueEntry>();
  let metadata: Record<string, string> | undefined;

  if (bytes[0] !== 0x7b) throw refusal(source, (text) => text.noBrace);
  scanner.object((text) => text.headerBrace, (name) => {
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
  return refusal(source, (text) => text.namedTwice(quote(name)), { tensor: name });
}

function parseMetadata(scanner: JsonScanner, source: string): Record<string, string> {
  const metadata = emptyRecord();
  scanner.object((text) => text.metadataObject(METADATA), (key) => {
    if (key in metadata) {
      throw refusal(source, (text) => text.metadataTwice(METADATA, quote(key)));
    }
    metadata[key] = scanner.string((text) => text.metadataValue(METADATA));
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
  const refuse = (problem: Say) =>
    refusal(source, (text) => text.ofTensor(tensor, problem(text)), { tensor: name });
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const once = (value: unknown, key: string) => {
    if (value !== undefined) throw refuse((text) => text.fieldTwice(key));
  };

  scanner.object((text) => text.tensorObject(tensor), (key) => {
    if (key === "dtype") {
      once(dtype, key);
      dtype = scanner.string((text) => text.tensorDtype(tensor));
    } else if (key === "shape") {
      once(shape, key);
      shape = parseIntegers(scanner, "shape", tensor);
    } else if (key === "data_offsets") {
      once(offsets, key);
      offsets = parseIntegers(scanner, "data_offsets", tensor);
    } else {
      throw refuse((text) => text.unknownField(quote(key)));
    }
  });

  if (dtype === undefined || shape === undefined || offsets === undefined) {
    const absent = Object.entries({ dtype, shape, data_offsets: offsets })
      .filter(([, value]) => value === undefined).map(([key]) => key);
    throw refuse((text) => text.fieldsMissing(absent));
  }
  const stated = dtype;
  const bits = DTYPE_BITS.get(stated);
  if (bits === undefined) {
    throw refuse((text) => text.unknownDtype(quote(stated), DTYPE_BITS.keys()));
  }
  const [begin, end] = offsets;
  const count = offsets.length;
  if (count !== 2 || begin === undefined || end === undefined) {
    throw refuse((text) => text.notTwoOffsets(count));
  }
  if (end < begin) {
    throw refuse((text) => text.offsetsReversed(begin, end));
  }
  const totalBits = shape.reduce((product, extent) => {
    const next = product * extent;
    if (!Number.isSafeInteger(next)) {
      throw refuse((text) => text.tooManyBits);
    }
    return next;
  }, bits);
  if (totalBits !== (end - begin) * BITS_A_BYTE) {
    const [shown, asked] = [showShape(shape), totalBits / BITS_A_BYTE];
    throw refuse((text) => text.otherByteLength(stated, shown, asked, begin, end));
  }
  return { dtype, shape, file, offset: dataStart + begin, byteLength: end - begin };
}

function parseIntegers(scanner: JsonScanner, field: string, tensor: string): number[] {
  const numbers: number[] = [];
  const what: Say = (text) => text.numberIn(field, tensor);
  scanner.array(
    (text) => text.integersOf(field, tensor),
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
  let before: Say = (text) => text.theHeader;
  for (const [name, { offset, byteLength }] of ordered) {
    const end = offset + byteLength;
    const refuse = (problem: Say) =>
      refusal(source, (text) => text.atBytes(quote(name), offset, end, problem(text)), {
        tensor: name,
      });
    if (end > fileSize) throw refuse((text) => text.exceedsFile(fileSize));
    if (offset < filled) throw refuse((text) => text.overlaps(before(text), filled));
    if (offset > filled) throw refuse((text) => text.leavesGap(before(text), filled));
    filled = end;
    before = (text) => text.theTensor(quote(name));
  }
  if (filled !== fileSize) {
    throw refusal(source, (text) => text.rest(filled, fileSize));
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
    const found: Say = (text) =>
      list(
        strangers.map(([name, dtype]) => text.tensorIs(quote(name), dtype)),
        text.comma,
        text,
      );
    throw refusal(source, (text) => text.noWeights(found(text)), { tensor: first[0] });
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
      throw refusal(source, (text) => text.becameShorter);
    }
    const wrong = chunk.subarray(0, count).indexOf(0);
    if (wrong >= 0) {
      const place = filled + wrong;
      throw refusal(source, (text) => text.zeroByte(place));
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
      throw refusal(source, (text) => text.notAFile);
    }
    opened = await Deno.open(source);
    return { file: opened, size: (await opened.stat()).size };
  } catch (error) {
    opened?.close();
    throw error instanceof SafetensorsError ? error : unreadable(source, error);
  }
}
