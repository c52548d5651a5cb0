import { type Message, NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";

/** Kinds of what keeps an adapter from being applied. */
export type AdapterProblemKind =
  | "unknown"
  | "no-change"
  | "unread"
  | "half"
  | "shape"
  | "rank"
  | "alpha"
  | "dtype"
  | "not-finite"
  | "too-large"
  | "twice"
  | "no-bias"
  | "dora-columns";

/** One thing that is wrong with an adapter file. */
export interface AdapterProblem {
  readonly kind: AdapterProblemKind;
  /** The key, or the module that several keys are of, as the file has it. */
  readonly name: string;
  /** What was found, and what was expected, in words. */
  readonly detail: Texts<string>;
  /** How many of the file's keys it is about. */
  readonly keys: number;
}

/**
 * An adapter that cannot be applied to the model at hand: another model's, damaged, or of a kind
 * that is not read. Nothing of it is applied.
 */
export class AdapterError extends NewBieError {
  override name = "AdapterError";
  /** The file or folder, as it was given. */
  readonly file: string;
  /** Everything that is wrong with its keys; empty where it is the file as a whole. */
  readonly problems: readonly AdapterProblem[];

  constructor(
    file: string,
    message: Texts<Message>,
    options: ErrorOptions & { readonly problems?: readonly AdapterProblem[] } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.file = file;
    this.problems = options.problems ?? [];
  }
}
