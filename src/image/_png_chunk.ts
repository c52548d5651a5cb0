/**
 * PNG's outer form: a signature, then chunks of length, type, data and checksum.
 *
 * Form: https://www.w3.org/TR/png-3/#5DataRep
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** The first bytes of every PNG. */
export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Length and type before a chunk's data. */
const HEAD_BYTES = 8;
const LENGTH_BYTES = 4;
const CRC_BYTES = 4;

/** The bytes of a text whose characters are all below U+0100. */
export const latin1Bytes = (text: string): Uint8Array =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Not TextDecoder's "latin1", which is windows-1252. */
export const fromLatin1 = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

/** One array with all the bytes. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** A chunk's bytes. */
export function chunk(type: string, data: Uint8Array): Uint8Array {
  const end = HEAD_BYTES + data.length;
  const bytes = new Uint8Array(end + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(latin1Bytes(type), LENGTH_BYTES);
  bytes.set(data, HEAD_BYTES);
  view.setUint32(end, crc32(bytes.subarray(LENGTH_BYTES, end)));
  return bytes;
}

/** A chunk that was read. */
export interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/**
 * The chunks of a PNG, up to its end chunk; what may follow that is no part of it.
 *
 * @throws {RangeError} When the signature, a chunk or the end chunk is missing, or a checksum is
 * wrong.
 */
export function readChunks(png: Uint8Array): Chunk[] {
  if (SIGNATURE.some((byte, index) => png[index] !== byte)) {
    throw new RangeError("a PNG's signature is missing");
  }
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks: Chunk[] = [];
  let offset = SIGNATURE.length;
  while (chunks.at(-1)?.type !== "IEND") {
    const start = offset + HEAD_BYTES;
    if (start > png.length) throw new RangeError("the end chunk is missing");
    const type = fromLatin1(png.subarray(offset + LENGTH_BYTES, start));
    const end = start + view.getUint32(offset);
    if (end + CRC_BYTES > png.length) throw new RangeError(`the chunk ${type} is cut short`);
    if (view.getUint32(end) !== crc32(png.subarray(offset + LENGTH_BYTES, end))) {
      throw new RangeError(`the checksum of the chunk ${type} is wrong`);
    }
    chunks.push({ type, data: png.subarray(start, end) });
    offset = end + CRC_BYTES;
  }
  return chunks;
}
