import { NewBieError, type NewBieErrorOptions } from "../errors.ts";

/** How one text is turned into ids. */
export interface EncodeOptions {
  /**
   * The most ids to return, special tokens included; no limit when absent.
   *
   * A longer text loses the end of its body (the start, where tokenizer_config.json says
   * `"truncation_side": "left"`), and the special tokens stay: what transformers does for
   * `truncation=True, max_length=N`.
   */
  readonly maxLength?: number;
}

/** Turns text into the ids that a text encoder was trained with. */
export interface Tokenizer {
  /**
   * The ids of a text, framed by the special tokens of the tokenizer's post-processor, without
   * padding.
   *
   * Half of a surrogate pair, which no file or terminal can deliver, counts as U+FFFD.
   *
   * @throws {RangeError} When `maxLength` is no whole number or leaves no room for the special tokens.
   * @throws {TokenizerError} When the tokenizer knows no id for a part of the text, or its stages
   *   make the text grow without bound.
   */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** One more than the highest id that {@linkcode Tokenizer.encode} can return. */
  readonly vocabSize: number;
}

/** A tokenizer's files are missing, damaged, or of a kind that the toolkit cannot run. */
export class TokenizerError extends NewBieError {
  override name = "TokenizerError";
  /** The file at fault. */
  readonly path: string;

  constructor(path: string, message: string, options: NewBieErrorOptions) {
    super(message, options);
    this.path = path;
  }
}
