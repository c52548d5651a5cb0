/** The weights of a checkpoint against the lists of checksums that name them. */
import { fileURLToPath } from "node:url";
import { CHECKSUM_LIST } from "../integrity/checksum_list.ts";
import { checkWeights } from "../integrity/check_weights.ts";
import type { CheckpointFiles } from "./checkpoint/types.ts";
import type { PretrainedOptions } from "./types.ts";

/** The toolkit's list. */
const LIST = new URL(`../../${CHECKSUM_LIST}`, import.meta.url);
const GIGABYTE = 1e9;

/**
 * Compares a checkpoint's weights with the toolkit's list, where that is a file.
 *
 * @throws {ChangedWeightsError} Naming all that are not as listed.
 */
export async function checkListedWeights(
  { transformer, textEncoder, clipModel, vae }: CheckpointFiles,
  { strict, checksumCache }: PretrainedOptions,
  log: (line: string) => void,
): Promise<void> {
  if (LIST.protocol !== "file:") return;
  const parts = [transformer, textEncoder, ...(clipModel === undefined ? [] : [clipModel]), vae];
  const places = parts.map(({ weights }) => weights);
  const { unlisted } = await checkWeights(places, fileURLToPath(LIST), {
    strict,
    cacheFile: checksumCache,
    onRead(bytes) {
      if (bytes < GIGABYTE) return;
      const size = `${(bytes / GIGABYTE).toFixed(1)} GB`;
      log(`Comparing ${size} of weights with ${CHECKSUM_LIST}.`);
    },
  });
  if (unlisted.length === 0) return;
  log(
    `Not in ${CHECKSUM_LIST}, and so not checked: ${unlisted.join(", ")}. ` +
      "deno task checksums --write lists them.",
  );
}
