/** How fast `deno task verify` reads, against coreutils' sha256sum. */
import { coveredFiles, hashFiles } from "../src/integrity/mod.ts";
import { NewBieError } from "../src/errors.ts";
import { median } from "./statistics.ts";

const RUNS = 3;
/** Read several times over, so that it is enough to be worth threads. */
const REPETITIONS = 4;

/** Megabytes a second over all files that checksums.txt lists, which lie in page cache. */
export interface HashingResult {
  readonly megabytes: number;
  readonly oneThread: number;
  /** As many threads as there are cores. */
  readonly allThreads: number;
  readonly sha256sum: number;
  /** How much faster than sha256sum all threads are. */
  readonly ratio: number;
}

/** Hashes the listed files again and again. */
export async function benchHashing(): Promise<HashingResult> {
  const covered = await coveredFiles(".");
  const paths = new Array<string[]>(REPETITIONS).fill(covered).flat();
  let bytes = 0;
  const hash = (threads: number) =>
    hashFiles(paths, { threads, onProgress: (_, total) => bytes = total });
  // Once for the page cache, and for the size.
  await hash(1);
  const rate = async (work: () => Promise<unknown>) => {
    const rates: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      await work();
      rates.push(bytes / 1000 / (performance.now() - start));
    }
    return median(rates);
  };
  const oneThread = await rate(() => hash(1));
  const allThreads = await rate(() => hash(navigator.hardwareConcurrency));
  const sha256sum = await rate(async () => {
    const { success } = await new Deno.Command("sha256sum", { args: paths, stdout: "null" })
      .output();
    if (!success) {
      throw new NewBieError("sha256sum could not read the files.", {
        zh: "sha256sum 无法读取这些文件。",
      });
    }
  });
  const ratio = allThreads / sha256sum;
  return { megabytes: bytes / 1e6, oneThread, allThreads, sha256sum, ratio };
}
