/**
 * A text in UTF-8, or in UTF-16 with its mark, as some editors on Windows save it. A byte order mark is no
 * text.
 *
 * @returns Undefined when the bytes are no such text.
 */
export function textOfBytes(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
