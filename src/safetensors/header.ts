/**
 * Parsing the header of a safetensors file, which may be hostile. Nothing here touches the disk.
 *
 * @module
 */
import { BITS_A_BYTE, DTYPE_BITS, isByteDtype, isFloatDtype } from "./_dtypes.ts";
import { JsonScanner } from "./_json_scanner.ts";
import { quantizedBits, quantizedEntry } from "./_quantization.ts";
import { refusal } from "./_refusal.ts";
import { byteEntry } from "./_scales.ts";
import { quote } from "../shown.ts";
import { showShape } from "./_show_shape.ts";
import type { Say } from "./_texts.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import type { OpaqueEntry, QuantizedBits, TensorEntry } from "./types.ts";

/** The file begins with the header's length as an unsigned 64-bit integer, little-endian. */
export const PREFIX_BYTES = 8;

/** The format's own limit on its header; an index gets the same. */
export const MAX_HEADER_BYTES = 100_000_000;
/** The largest models have some thousands of tensors. */
const MOST_TENSORS = 100_000;
/** Texts of `__metadata__`; trainers write some hundreds. */
const MOST_TEXTS = 100_000;

/** The name under which a header has its free text. */
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
  readonly unusable: Map<string, SafetensorsError>;
  readonly metadata: Record<string, string>;
}

/** Printable ASCII, and what parts its lines. */
const isText = (byte: number) =>
  byte >= 0x20 && byte < 0x7f || byte === 0x09 || byte === 0x0a || byte === 0x0d;

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
  // A header of eight bytes of ASCII would be larger than any disk.
  if (prefix.subarray(0, PREFIX_BYTES).every(isText)) {
    const shown = quote(new TextDecoder().decode(prefix.subarray(0, PREFIX_BYTES)));
    throw refuse((text) => text.textInstead(shown));
  }
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
    if (entries.size === MOST_TENSORS) {
      throw refusal(source, (text) => text.tooManyTensors(MOST_TENSORS));
    }
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

/** The texts of `__metadata__`. Other values, `null` in its place among them, concern nobody. */
function parseMetadata(scanner: JsonScanner, source: string): Record<string, string> {
  const metadata = emptyRecord();
  if (!scanner.startsWith("{")) {
    scanner.skip();
    return metadata;
  }
  let count = 0;
  scanner.object((text) => text.metadataObject(METADATA), (key) => {
    if (++count > MOST_TEXTS) {
      throw refusal(source, (text) => text.tooManyTexts(METADATA, MOST_TEXTS));
    }
    if (key in metadata) {
      throw refusal(source, (text) => text.metadataTwice(METADATA, quote(key)));
    }
    if (scanner.startsWith('"')) metadata[key] = scanner.string((text) => text.aString);
    else scanner.skip();
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

/** Sets weights apart from other tensors, and notes what cannot be used as a weight, and why. */
function sortOut(
  entries: ReadonlyMap<string, OpaqueEntry>,
  { source, opaque: opaqueNames }: Origin,
  bits: QuantizedBits | undefined,
): Pick<Header, "tensors" | "opaque" | "unusable"> {
  const tensors = new Map<string, TensorEntry>();
  const opaque = new Map<string, OpaqueEntry>();
  const unusable = new Map<string, SafetensorsError>();
  for (const [name, entry] of entries) {
    const { dtype } = entry;
    if (opaqueNames.has(name)) opaque.set(name, entry);
    else if (isFloatDtype(dtype)) tensors.set(name, { name, ...entry, dtype });
    else {
      const found = dtype === "U8" && bits !== undefined
        ? quantizedEntry(name, entries, bits, source)
        : isByteDtype(dtype)
        ? byteEntry(name, dtype, entries, source)
        : refusal(source, (text) => text.noWeight(text.tensorIs(quote(name), dtype)), {
          tensor: name,
        });
      if (!(found instanceof SafetensorsError)) tensors.set(name, found);
      else {
        opaque.set(name, entry);
        unusable.set(name, found);
      }
    }
  }
  return { tensors, opaque, unusable };
}
