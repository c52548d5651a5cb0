import { NewBieError } from "../../errors.ts";
import type { Texts } from "../../language.ts";

/**
 * - `truncated`: it ends too early;
 * - `damaged`: its bytes are not those that it states itself;
 * - `not-an-image`: it is whole, but no image of the kind that is expected here.
 */
export type ArchiveErrorCode = "truncated" | "damaged" | "not-an-image";

/** An image's or a bundle's archive that cannot be used. */
export class ArchiveError extends NewBieError {
  override name = "ArchiveError";
  readonly code: ArchiveErrorCode;

  constructor(code: ArchiveErrorCode, { en, zh }: Texts<string>, options?: ErrorOptions) {
    super(en, { ...options, zh });
    this.code = code;
  }
}
