import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { readSegments } from "../archive/segments.ts";
import { layoutArchive, writeCanonicalLayout } from "../image/oci_layout.ts";
import type { Engine } from "./engine.ts";

/** How to give an image its canonical form. */
export interface CanonicalImageOptions {
  /** The time that everything in it gets: seconds since 1970. */
  readonly time: number;
  /** The layers of the image that it stands on. */
  readonly baseLayers: readonly string[];
  /** What it is called then. */
  readonly reference: string;
  /** Where it lies for a moment, twice its size; not there before, and not there afterwards. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Puts an image into its engine once more, in the form that a bundle has it in: the layers that a
 * build made become one, with nothing of chance in it. Where images are known by their configuration
 * or manifest, as Docker and Podman do, its ID is the same for the same commit and base.
 *
 * @returns The ID that the engine gives it.
 * @throws {EngineError} When the engine does not give or take it.
 * @throws {Error} What the file system reports.
 * @throws The signal's reason, when it was aborted.
 */
export async function canonicalImage(
  engine: Engine,
  id: string,
  { time, baseLayers, reference, folder, signal }: CanonicalImageOptions,
): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  try {
    const options = { sourceDateEpoch: time, reference, baseLayers, name: id };
    const layout = await writeCanonicalLayout(await engine.save(id), folder, options);
    signal?.throwIfAborted();
    const archive = Readable.from(readSegments(await layoutArchive(layout, time)), {
      objectMode: false,
    });
    await engine.load(archive, signal);
    return (await engine.image(reference))!.id;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
