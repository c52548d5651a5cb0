import { createReadStream } from "node:fs";
import { exists, isFolder } from "../../files.ts";
import { basename, join } from "node:path";
import { unpackImageArchive } from "../image/image_archive.ts";
import { readSegments } from "../archive/segments.ts";
import { BUNDLE_FILES } from "./bundle.ts";
import { BundleError } from "./bundle_error.ts";
import type { ImageContents } from "../image/compare_images.ts";
import { layoutArchive, openLayout } from "../image/oci_layout.ts";
import { openBundle, type OpenBundleOptions } from "./open_bundle.ts";

const PIECE_BYTES = 1 << 20;

/**
 * Opens an image wherever it lies: in a bundle, in an OCI layout's folder, or in an archive as
 * `docker save` writes it. Its bytes are verified.
 *
 * @param folder Where its layers are put, uncompressed; what is there already may be overwritten.
 * @throws {RequestError} When there is nothing.
 * @throws {ArchiveError} When it is damaged, or no image.
 * @throws {BundleError} When it is a bundle that is damaged or not whole.
 */
export async function openImage(
  place: string,
  folder: string,
  options: OpenBundleOptions = {},
): Promise<ImageContents> {
  const isUnpacked = await isFolder(place);
  if (isUnpacked && await exists(join(place, "oci-layout"))) {
    const segments = await layoutArchive(await openLayout(place), 0);
    return await unpackImageArchive(readSegments(segments), folder, basename(place));
  }
  try {
    const bundle = await openBundle([place], options);
    return await unpackImageArchive(bundle.read(BUNDLE_FILES.image), folder, basename(place));
  } catch (error) {
    if (isUnpacked || !(error instanceof BundleError) || error.code !== "not-a-bundle") throw error;
    const stream = createReadStream(place, { highWaterMark: PIECE_BYTES });
    return await unpackImageArchive(stream, folder, basename(place));
  }
}
