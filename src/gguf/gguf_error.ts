import { type Message, NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";

/** Where a `GgufError` happened, and what caused it. */
export interface GgufErrorPlace {
  /** The file, as the caller named it. */
  readonly file: string;
  /** The tensor at fault, when there is one. */
  readonly tensor?: string | undefined;
  /** The error underneath, for example the operating system's. */
  readonly cause?: unknown;
}

/** A GGUF file that cannot be used as it is: damaged, hostile, or with values that cannot be read. */
export class GgufError extends NewBieError {
  override name = "GgufError";
  /** The file, as the caller named it. */
  readonly file: string;
  /** The tensor at fault, when there is one. */
  readonly tensor: string | undefined;

  constructor(message: Texts<Message>, { file, tensor, cause }: GgufErrorPlace) {
    super(message, { cause });
    this.file = file;
    this.tensor = tensor;
  }
}
