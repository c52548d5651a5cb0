import { type Message, NewBieError } from "../../errors.ts";
import { isNoRoom } from "../../files.ts";
import type { Texts } from "../../language.ts";

/**
 * - `damaged`: a part has other bytes than its checksum says, or ends too early;
 * - `not-signed`: it has no signature of the key that it must have been signed with;
 * - `missing`: a part is not there;
 * - `not-a-bundle`: there is no bundle, or one of a version that is not known here;
 * - `weights`: a model's file is not what `checksums.txt` lists;
 * - `no-room`: the disk is full, or will be;
 * - `busy`: another process is at it;
 * - `in-the-way`: what would be written is there already, and differs;
 * - `listed-otherwise`: `checksums.txt` lists another checksum for a file of the bundle;
 * - `engine`: the container engine did not take what it was given.
 */
export type BundleErrorCode =
  | "damaged"
  | "not-signed"
  | "missing"
  | "not-a-bundle"
  | "weights"
  | "no-room"
  | "busy"
  | "in-the-way"
  | "listed-otherwise"
  | "engine";

/** A bundle that cannot be made or used. */
export class BundleError extends NewBieError {
  override name = "BundleError";
  readonly code: BundleErrorCode;
  /** The files at fault. */
  readonly files: readonly string[];

  constructor(
    code: BundleErrorCode,
    { en, zh }: Texts<Message>,
    { files = [], ...options }: ErrorOptions & { readonly files?: readonly string[] } = {},
  ) {
    super(en, { ...options, zh });
    this.code = code;
    this.files = files;
  }
}

/** That a file may not grow to this size. */
const TOO_LARGE = /^EFBIG$|\(os error 27\)/;

/** An error of the file system as one that a person can use, where it is about room. */
export function asRoomError(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || error instanceof NewBieError) return error;
  // Deno names few errors by a code.
  const { code = "", message } = error as NodeJS.ErrnoException;
  const says = (words: RegExp) => words.test(code) || words.test(message);
  if (isNoRoom(error)) {
    return new BundleError("no-room", {
      en: `The disk that holds ${folder} is full. Make room, or choose another with --out.`,
      zh: `${folder} 所在的磁盘已满。请腾出空间，或用 --out 选择其他位置。`,
    }, { cause: error });
  }
  if (says(TOO_LARGE)) {
    return new BundleError("no-room", {
      en: `The disk that holds ${folder} takes no file of this size. Split the bundle: --split 4G`,
      zh: `${folder} 所在的磁盘不支持这样大的文件。请分卷：--split 4G`,
    }, { cause: error });
  }
  return error;
}
