import { type Message, NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";

/** Where a `SafetensorsError` happened, and what caused it. */
export interface SafetensorsErrorPlace {
  /** The file, index or folder, as the caller named it. */
  readonly file: string;
  /** The tensor at fault, when there is one. */
  readonly tensor?: string | undefined;
  /** The error underneath, for example the operating system's. */
  readonly cause?: unknown;
}

/**
 * A weight file that cannot be used as it is: damaged, hostile, incomplete, absent, or in a dtype
 * that is not a weight's.
 */
export class SafetensorsError extends NewBieError {
  override name = "SafetensorsError";
  /** The file, index or folder, as the caller named it. */
  readonly file: string;
  /** The tensor at fault, when there is one. */
  readonly tensor: string | undefined;

  constructor(message: Texts<Message>, { file, tensor, cause }: SafetensorsErrorPlace) {
    super(message, { cause });
    this.file = file;
    this.tensor = tensor;
  }
}
