import { NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";

/** A patch file that is not a unified diff of installed packages' files. */
export class PatchError extends NewBieError {
  override name = "PatchError";
  /** The patch's file name. */
  readonly patch: string;

  constructor(patch: string, { en, zh }: Texts<string>, options?: ErrorOptions) {
    super(`${patch}: ${en}`, { ...options, zh: `${patch}：${zh}` });
    this.patch = patch;
  }
}
