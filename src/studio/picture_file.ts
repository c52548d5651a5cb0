import { readIfThere } from "../files.ts";
import type { PictureFormat } from "../image/mod.ts";

/** A picture as its file has it. */
export interface PictureFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly format: PictureFormat;
}

/** Reads one; undefined where no file is there. */
export async function readPictureFile(
  path: string | undefined,
  format: PictureFormat,
): Promise<PictureFile | undefined> {
  const bytes = path === undefined ? undefined : await readIfThere(path);
  return bytes && { bytes, format };
}
