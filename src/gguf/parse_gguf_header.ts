/**
 * Parsing what stands in front of a GGUF file's data, which may be hostile.
 *
 * @module
 */
import { quote } from "../shown.ts";
import { type ByteSource, Cursor } from "./_cursor.ts";
import { refusal } from "./_refusal.ts";
import type { Say } from "./_texts.ts";
import type { GgufError } from "./gguf_error.ts";
import { TENSOR_TYPES } from "./tensor_types.ts";
import type { GgufHeader, GgufTensor, GgufValue } from "./types.ts";

export type { ByteSource } from "./_cursor.ts";

const MAGIC = "GGUF";
const LFS_POINTER = "vers";
const LAST_VERSION = 3;
/** From this version on, lengths and counts have 64 bits. */
const LONG_COUNTS_FROM = 2;
/** The format's own limits are 65535 and 64; writers of picture models pass the latter. */
const LONGEST_KEY = 65_535;
const LONGEST_NAME = 1024;
/** ggml has 4; some files state the axes of convolutions over time. */
const MOST_AXES = 8;
/** The largest models have some thousands of tensors, and a key for each at the most. */
const MOST_TENSORS = 100_000;
const MOST_KEYS = 200_000;
const DEEPEST_LIST = 4;
/** Bytes of a text that is kept; of a longer one, its length is. */
const LONGEST_TEXT = 1 << 20;
/** Members of a list that are kept; vocabularies are longer. */
const MOST_KEPT = 64;
const DEFAULT_ALIGNMENT = 32;
const SMALLEST_ALIGNMENT = 8;
const ALIGNMENT_KEY = "general.alignment";
const SPLIT_KEY = "split.count";

/** The fewest bytes of an entry of metadata (a name of one letter, a type, a byte) and of a tensor. */
const LEAST_BYTES = {
  short: { key: 4 + 1 + 4 + 1, tensor: 4 + 1 + 4 + 4 + 8 },
  long: { key: 8 + 1 + 4 + 1, tensor: 8 + 1 + 4 + 4 + 8 },
} as const;

const STRING = 8;
const LIST = 9;
const BOOLEAN = 7;
/** Bytes of a value of each type that has a fixed length, by the type's number. */
const VALUE_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [BOOLEAN, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);

/**
 * Parses a header and checks it against itself and the file's size: tensors lie within the file, each
 * by itself, and have the bytes that their type and shape ask for. Before anything is held, what is
 * announced is held against what there is. The format is described in ggml's docs/gguf.md.
 *
 * @param source The file's bytes.
 * @param name What messages call the file.
 * @throws {GgufError} When it is not a well-formed GGUF file.
 */
export function parseGgufHeader(source: ByteSource, name: string): GgufHeader {
  const cursor = new Cursor(source, name);
  const fail = (problem: Say) => refusal(name, problem);
  const version = parseVersion(cursor, fail);
  cursor.longCounts = version >= LONG_COUNTS_FROM;
  const tensorCount = cursor.count((text) => text.theCounts);
  const keyCount = cursor.count((text) => text.theCounts);
  const least = cursor.longCounts ? LEAST_BYTES.long : LEAST_BYTES.short;
  const { rest } = cursor;
  if (keyCount > BigInt(MOST_KEYS)) {
    throw fail((text) => text.overMostKeys(keyCount, MOST_KEYS));
  }
  if (tensorCount > BigInt(MOST_TENSORS)) {
    throw fail((text) => text.overMostTensors(tensorCount, MOST_TENSORS));
  }
  if (keyCount * BigInt(least.key) > BigInt(rest)) {
    throw fail((text) => text.tooManyKeys(keyCount, rest));
  }
  if (tensorCount * BigInt(least.tensor) > BigInt(rest)) {
    throw fail((text) => text.tooManyTensors(tensorCount, rest));
  }
  const metadata = parseMetadata(cursor, Number(keyCount), name);
  const alignment = alignmentOf(metadata, fail);
  const parts = metadata.get(SPLIT_KEY);
  if ((typeof parts === "number" || typeof parts === "bigint") && parts > 1) {
    throw fail((text) => text.split(parts));
  }
  const stated = parseTensors(cursor, Number(tensorCount), name);
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = stated.map(({ offset, ...tensor }): GgufTensor => {
    const refuse = (problem: Say) => tensorRefusal(name, tensor.name, problem);
    if (offset % BigInt(alignment) !== 0n) {
      throw refuse((text) => text.notAligned(offset, alignment));
    }
    const begin = BigInt(dataStart) + offset;
    const end = begin + BigInt(tensor.byteLength);
    if (end > BigInt(source.size)) {
      throw refuse((text) => text.exceedsFile(begin, end, source.size));
    }
    return { ...tensor, offset: Number(begin) };
  });
  checkOverlap(tensors, name);
  return { version, metadata, tensors };
}

function parseVersion(cursor: Cursor, fail: (problem: Say) => GgufError): number {
  const magic = cursor.rest < MAGIC.length
    ? ""
    : new TextDecoder("latin1").decode(cursor.bytes(MAGIC.length, (text) => text.theCounts));
  if (magic === LFS_POINTER) throw fail((text) => text.lfsPointer);
  if (magic !== MAGIC) throw fail((text) => text.noMagic);
  const version = cursor.uint32((text) => text.theCounts);
  if (version >= 1 && version <= LAST_VERSION) return version;
  const swapped = new DataView(Uint32Array.of(version).buffer).getUint32(0, false);
  if (swapped >= 1 && swapped <= LAST_VERSION) throw fail((text) => text.bigEndian);
  throw fail((text) => text.unknownVersion(version));
}

function parseMetadata(cursor: Cursor, count: number, file: string): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = parseName(cursor, LONGEST_KEY, file, (text) => text.aKey);
    const fail = (problem: Say) => refusal(file, (text) => text.ofKey(quote(key), problem(text)));
    if (metadata.has(key)) throw fail((text) => text.keyTwice);
    metadata.set(key, parseValue(cursor, cursor.uint32((text) => text.aValue), 0, fail));
  }
  return metadata;
}

function parseName(cursor: Cursor, longest: number, file: string, what: Say): string {
  const length = cursor.count(what);
  if (length === 0n) throw refusal(file, (text) => text.emptyName);
  if (length > BigInt(longest)) throw refusal(file, (text) => text.nameTooLong(length, longest));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(cursor.bytes(Number(length), what));
  } catch (error) {
    if (error instanceof TypeError) throw refusal(file, (text) => text.notUtf8);
    throw error;
  }
}

function parseValue(
  cursor: Cursor,
  type: number,
  depth: number,
  fail: (problem: Say) => GgufError,
): GgufValue {
  const what: Say = (text) => text.aValue;
  switch (type) {
    case 0:
      return cursor.uint8(what);
    case 1:
      return cursor.int8(what);
    case 2:
      return cursor.uint16(what);
    case 3:
      return cursor.int16(what);
    case 4:
      return cursor.uint32(what);
    case 5:
      return cursor.int32(what);
    case 6:
      return cursor.float32(what);
    case BOOLEAN: {
      const byte = cursor.uint8(what);
      if (byte > 1) throw fail((text) => text.noBoolean(byte));
      return byte === 1;
    }
    case STRING: {
      const length = stringLength(cursor, fail);
      if (length <= LONGEST_TEXT) return new TextDecoder().decode(cursor.bytes(length, what));
      cursor.skip(length);
      return { count: length };
    }
    case LIST:
      return parseList(cursor, depth + 1, fail);
    case 10:
      return cursor.uint64(what);
    case 11:
      return cursor.int64(what);
    case 12:
      return cursor.float64(what);
    default:
      throw fail((text) => text.unknownValueType(type));
  }
}

function stringLength(cursor: Cursor, fail: (problem: Say) => GgufError): number {
  const length = cursor.count((text) => text.aValue);
  const { rest } = cursor;
  if (length > BigInt(rest)) throw fail((text) => text.stringTooLong(length, rest));
  return Number(length);
}

function parseList(
  cursor: Cursor,
  depth: number,
  fail: (problem: Say) => GgufError,
): GgufValue {
  if (depth > DEEPEST_LIST) throw fail((text) => text.tooDeep(DEEPEST_LIST));
  const type = cursor.uint32((text) => text.aValue);
  const bytes = VALUE_BYTES.get(type);
  if (bytes === undefined && type !== STRING && type !== LIST) {
    throw fail((text) => text.unknownValueType(type));
  }
  const stated = cursor.count((text) => text.aValue);
  const { rest } = cursor;
  // A text takes at least its length, a list its type and its length.
  const lengthBytes = cursor.longCounts ? 8 : 4;
  const least = bytes ?? (type === STRING ? lengthBytes : 4 + lengthBytes);
  if (stated * BigInt(least) > BigInt(rest)) throw fail((text) => text.listTooLong(stated, rest));
  const count = Number(stated);
  if (count <= MOST_KEPT && type !== LIST) {
    return Array.from({ length: count }, () => parseValue(cursor, type, depth, fail)) as (
      | string
      | number
    )[];
  }
  if (bytes !== undefined) cursor.skip(count * bytes);
  else {
    for (let i = 0; i < count; i++) {
      if (type === LIST) parseList(cursor, depth + 1, fail);
      else cursor.skip(stringLength(cursor, fail));
    }
  }
  return { count };
}

function alignmentOf(
  metadata: ReadonlyMap<string, GgufValue>,
  fail: (problem: Say) => GgufError,
): number {
  const stated = metadata.get(ALIGNMENT_KEY);
  if (stated === undefined) return DEFAULT_ALIGNMENT;
  if (
    typeof stated !== "number" || stated < SMALLEST_ALIGNMENT ||
    !Number.isInteger(Math.log2(stated))
  ) {
    const shown = typeof stated === "object" ? "…" : quote(String(stated));
    throw fail((text) => text.ofKey(quote(ALIGNMENT_KEY), text.notAnAlignment(shown)));
  }
  return stated;
}

type StatedTensor = Omit<GgufTensor, "offset"> & {
  /** From where the data begins. */
  readonly offset: bigint;
};

function parseTensors(cursor: Cursor, count: number, file: string): StatedTensor[] {
  const tensors = new Map<string, StatedTensor>();
  const what: Say = (text) => text.aTensor;
  for (let i = 0; i < count; i++) {
    const name = parseName(cursor, LONGEST_NAME, file, (text) => text.aName);
    const fail = (problem: Say) => tensorRefusal(file, name, problem);
    if (tensors.has(name)) throw fail((text) => text.namedTwice);
    const axes = cursor.uint32(what);
    if (axes > MOST_AXES) throw fail((text) => text.tooManyAxes(axes, MOST_AXES));
    let values = 1n;
    const extents = Array.from({ length: axes }, () => {
      const extent = cursor.count(what);
      values *= extent;
      return extent;
    });
    const number = cursor.uint32(what);
    const offset = cursor.uint64(what);
    const type = TENSOR_TYPES.get(number);
    if (type === undefined) throw fail((text) => text.unknownType(number));
    const tooMany = (value: bigint) => value > BigInt(Number.MAX_SAFE_INTEGER);
    if (tooMany(values) || extents.some(tooMany)) throw fail((text) => text.tooManyValues);
    const row = Number(extents[0] ?? 1n);
    if (row % type.blockValues !== 0) {
      throw fail((text) => text.noWholeBlocks(type.name, row, type.blockValues));
    }
    const bytes = values / BigInt(type.blockValues) * BigInt(type.blockBytes);
    if (tooMany(bytes)) throw fail((text) => text.tooManyValues);
    tensors.set(name, {
      name,
      type: type.name,
      shape: extents.map(Number).reverse(),
      offset,
      byteLength: Number(bytes),
    });
  }
  return [...tensors.values()];
}

function checkOverlap(tensors: readonly GgufTensor[], file: string): void {
  const ordered = [...tensors].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  for (const [index, { name, offset }] of ordered.entries()) {
    const before = ordered[index - 1];
    if (before === undefined || before.offset + before.byteLength <= offset) continue;
    throw tensorRefusal(file, name, (text) => text.overlaps(quote(before.name)));
  }
}

function tensorRefusal(file: string, tensor: string, problem: Say): GgufError {
  return refusal(file, (text) => text.ofTensor(quote(tensor), problem(text)), { tensor });
}
