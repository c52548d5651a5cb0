import { type Message, NewBieError } from "./errors.ts";
import type { Texts } from "./language.ts";

/** Where a `WeightsError` happened, and what caused it. */
export interface WeightsErrorPlace {
  /** The file, index or folder, as the caller named it. */
  readonly file: string;
  /** The tensor at fault, when there is one. */
  readonly tensor?: string | undefined;
  /** The error underneath, for example the operating system's. */
  readonly cause?: unknown;
}

/** Weights that cannot be used as they are; each format has its own kind of it. */
export abstract class WeightsError extends NewBieError {
  /** The file, index or folder, as the caller named it. */
  readonly file: string;
  /** The tensor at fault, when there is one. */
  readonly tensor: string | undefined;

  constructor(message: Texts<Message>, { file, tensor, cause }: WeightsErrorPlace) {
    super(message, { cause });
    this.file = file;
    this.tensor = tensor;
  }
}
