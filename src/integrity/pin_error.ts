import { NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";

/**
 * - `damaged`: the archive cannot be read to its end;
 * - `absent`: it lacks a file;
 * - `other-bytes`: a file is not the pinned one.
 */
export type PinErrorCode = "damaged" | "absent" | "other-bytes";

/** A source of pinned files that does not give them. Nothing was put in place. */
export class PinError extends NewBieError {
  override name = "PinError";
  readonly code: PinErrorCode;
  /** The file at fault; what the archive's reader said when the whole is damaged. */
  readonly subject: string;

  constructor(code: PinErrorCode, subject: string, message: Texts<string>, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.subject = subject;
  }
}
