/** An archive cut into volumes: whole ones are kept, and the others written anew. */
import { createHash, type Hash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { HashedFile, type WrittenFile } from "../archive/hashed_file.ts";
import { readAhead, readSegments, type Segment } from "../archive/segments.ts";
import { BundleError } from "./bundle_error.ts";

/** A file within an archive that has to have a checksum. */
export interface ExpectedContent {
  /** Where it lies among the segments. */
  readonly segment: number;
  /** Its name in messages. */
  readonly path: string;
  readonly sha256: string;
}

/** What is to be written, and how. */
export interface VolumePlan {
  readonly segments: readonly Segment[];
  readonly expected: readonly ExpectedContent[];
  /** The volumes' names, and how many bytes each has. */
  readonly volumes: readonly { readonly name: string; readonly bytes: number }[];
}

/** The name has room for three digits, and nobody changes more discs than that. */
export const MOST_VOLUMES = 999;
const VOLUME_DIGITS = 3;

/** The volumes of an archive: one under its own name where it is not cut. */
export function volumesOf(
  archive: string,
  bytes: number,
  volumeBytes: number | undefined,
): VolumePlan["volumes"] {
  if (volumeBytes === undefined) return [{ name: archive, bytes }];
  return Array.from({ length: Math.ceil(bytes / volumeBytes) }, (_, index) => ({
    name: `${archive}.${String(index + 1).padStart(VOLUME_DIGITS, "0")}`,
    bytes: Math.min(volumeBytes, bytes - index * volumeBytes),
  }));
}

/** How to write volumes. */
export interface WriteVolumesOptions {
  /** How many of the first ones are there already. */
  readonly present: number;
  readonly signal?: AbortSignal | undefined;
  /** Is told how many bytes of the archive are on disk. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Is told of each volume when it is whole. */
  readonly onVolume: (written: WrittenFile) => Promise<void>;
}

/**
 * Writes the volumes that are not there yet. A volume that is not whole does not stay.
 *
 * @throws {BundleError} When a file is not what it should be.
 * @throws The signal's reason, when it was aborted.
 * @throws {Error} What the file system reports.
 */
export async function writeVolumes(
  { segments, expected, volumes }: VolumePlan,
  folder: string,
  { present, signal, onProgress, onVolume }: WriteVolumesOptions,
): Promise<void> {
  const start = volumes.slice(0, present).reduce((sum, { bytes }) => sum + bytes, 0);
  const pieces = readAhead(checkedPieces(segments, expected, start, signal));
  let done = start;
  let rest: Uint8Array = new Uint8Array();
  try {
    for (const { name, bytes } of volumes.slice(present)) {
      const path = join(folder, name);
      let written: WrittenFile;
      try {
        await using volume = await HashedFile.create(path);
        for (let left = bytes; left > 0;) {
          signal?.throwIfAborted();
          if (rest.length === 0) {
            const { done, value } = await pieces.next();
            if (done) throw new Error("the archive is shorter than its volumes");
            rest = value;
          }
          const piece = rest.subarray(0, left);
          rest = rest.subarray(piece.length);
          await volume.write(piece);
          left -= piece.length;
          onProgress?.(done += piece.length);
        }
        // A file's checksum is compared at its end, before the volume counts as whole.
        if (rest.length === 0) rest = (await pieces.next()).value ?? rest;
        written = await volume.finish();
      } catch (error) {
        await rm(path, { force: true });
        throw error;
      }
      await onVolume(written);
    }
  } finally {
    await pieces.return?.(undefined);
  }
}

/** The archive's bytes from a place on. Each expected file has its checksum, or this throws. */
async function* checkedPieces(
  segments: readonly Segment[],
  expected: readonly ExpectedContent[],
  start: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, undefined> {
  let at = 0;
  for (const [index, segment] of segments.entries()) {
    const size = "bytes" in segment ? segment.bytes.length : segment.size;
    const end = at + size;
    if (end > start) {
      const content = expected.find(({ segment }) => segment === index);
      const hash = content === undefined ? undefined : createHash("sha256");
      let place = at;
      for await (const piece of readSegments([segment])) {
        signal?.throwIfAborted();
        hash?.update(piece);
        const skipped = Math.max(0, start - place);
        place += piece.length;
        if (skipped < piece.length) yield piece.subarray(skipped);
      }
      if (content !== undefined) check(content, hash!);
    }
    at = end;
  }
}

function check({ path, sha256 }: ExpectedContent, hash: Hash): void {
  const found = hash.digest("hex");
  if (found === sha256) return;
  throw new BundleError("weights", {
    en: `${path} is not what checksums.txt lists: its SHA-256 is ${found}, and should be ` +
      `${sha256}. Fetch it again; if it is meant to be so, list it: deno task checksums --write`,
    zh: `${path} 与 checksums.txt 不符：其 SHA-256 为 ${found}，应为 ${sha256}。` +
      "请重新获取；若确认无误，请更新列表：deno task checksums --write",
  }, { files: [path] });
}
