/**
 * Why a file cannot be read as a picture, in both languages, before the file's own name is known.
 *
 * @module
 */
import type { Texts } from "../language.ts";
import { ImageError } from "./types.ts";

/** A reason, for people. {@linkcode readWith} makes an {@linkcode ImageError} of it. */
export class Fault extends RangeError {
  readonly texts: Texts<string>;

  constructor(en: string, zh: string, options?: ErrorOptions) {
    super(en, options);
    this.texts = { en, zh };
  }
}

/** A sound file whose kind the decoder cannot read. */
export class Unsupported extends Fault {}

/** What everything that is cut short is told. */
export const cutShort = (): Fault => new Fault("it is cut short", "文件不完整");

/**
 * Runs a reader.
 *
 * @throws {ImageError} Whatever the reader throws.
 */
export function readWith<T>(kind: string, bytes: Uint8Array, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw imageError(kind, bytes, error);
  }
}

/** The error for what a reader of a kind of file has thrown. */
export function imageError(kind: string, bytes: Uint8Array, error: unknown): ImageError {
  if (error instanceof ImageError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const { en, zh } = error instanceof Fault ? error.texts : { en: message, zh: message };
  if (error instanceof Unsupported) {
    return new ImageError(`This ${kind} cannot be read: ${en}.`, {
      cause: error,
      zh: `无法读取这个 ${kind}：${zh}。`,
    });
  }
  return new ImageError(
    `These ${bytes.length} bytes are no sound ${kind}: ${en}. The file may have been cut short or ` +
      "changed: copy it again.",
    {
      cause: error,
      zh: `这 ${bytes.length} 字节不是完好的 ${kind}：${zh}。文件可能不完整或被改动：请重新复制。`,
    },
  );
}
