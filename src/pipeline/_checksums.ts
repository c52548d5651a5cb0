/** The files of a checkpoint against the list of checksums that names them. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { checkModelFiles, CHECKSUM_LIST, hashCachedFile } from "../integrity/mod.ts";
import type { CheckpointFiles } from "./checkpoint/types.ts";
import type { PretrainedOptions } from "./types.ts";

/** The toolkit's list. */
const LIST = new URL(`../../${CHECKSUM_LIST}`, import.meta.url);
const GIGABYTE = 1e9;

/**
 * Compares a checkpoint's files with the toolkit's list, where that is a file: weights,
 * configurations, tokenizers and the scheduler's settings.
 *
 * @returns The files that are as listed, of folders in which nothing else lies.
 * @throws {ChangedWeightsError} Naming all that are not as listed.
 */
export async function checkListedFiles(
  { transformer, textEncoder, clipModel, vae, ...others }: CheckpointFiles,
  { strict, checksumCache }: PretrainedOptions,
  log: (line: string) => void,
): Promise<readonly string[]> {
  if (LIST.protocol !== "file:") return [];
  const parts = [transformer, textEncoder, ...(clipModel === undefined ? [] : [clipModel]), vae];
  const places = [
    ...parts.flatMap(({ weights, config }) => [weights, config]),
    others.tokenizer,
    others.clipTokenizer,
    others.scheduler,
  ].filter((place) => typeof place === "string");
  const { checked, unlisted } = await checkModelFiles(places, fileURLToPath(LIST), {
    strict,
    cacheFile: checksumCache,
    onRead(bytes) {
      if (bytes < GIGABYTE) return;
      const size = `${(bytes / GIGABYTE).toFixed(1)} GB`;
      log(`Comparing ${size} of files with ${CHECKSUM_LIST}.`);
    },
  });
  if (unlisted.length > 0) {
    log(
      `Not in ${CHECKSUM_LIST}, and so not checked: ${unlisted.join(", ")}. ` +
        "deno task checksums --write lists them.",
    );
  }
  const doubtful = new Set(unlisted.map((path) => dirname(path)));
  return checked.filter((path) => !doubtful.has(dirname(path)));
}

/**
 * A file's SHA-256, after it was compared with the toolkit's list, where that names it.
 *
 * @throws {ChangedWeightsError} When it is not as listed.
 */
export async function hashListedFile(
  file: string,
  { strict, checksumCache }: PretrainedOptions,
): Promise<string> {
  const sha256 = await hashCachedFile(file, checksumCache, { isStrict: strict ?? false });
  if (LIST.protocol === "file:") {
    await checkModelFiles([file], fileURLToPath(LIST), { cacheFile: checksumCache });
  }
  return sha256;
}
