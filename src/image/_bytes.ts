/** Bytes as texts and back, and put together. */
import { Buffer } from "node:buffer";

/** The bytes of a text whose characters are all below U+0100. */
export const latin1Bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Not TextDecoder's "latin1", which is windows-1252. */
export const fromLatin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

/** One array with all the bytes. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** A view of the bytes, at their own place. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A number of one to four bytes, the highest first. */
export function bigEndian(value: number, bytes: 1 | 2 | 3 | 4): Uint8Array {
  return Uint8Array.from(
    { length: bytes },
    (_, index) => Math.floor(value / 2 ** (8 * (bytes - 1 - index))),
  );
}

/** Whether bytes begin with a text of ASCII at a place. */
export function startsWith(bytes: Uint8Array, ascii: string, at = 0): boolean {
  for (let index = 0; index < ascii.length; index++) {
    if (bytes[at + index] !== ascii.charCodeAt(index)) return false;
  }
  return true;
}
