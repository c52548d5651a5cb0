import type { FuzzAnswer, FuzzRequest } from "./_worker.ts";
import type { FuzzKindName } from "./kinds.ts";

/** What came of the cases of one kind. */
export interface FuzzReport {
  readonly kind: FuzzKindName;
  readonly count: number;
  /** Inputs that were refused in words for people. */
  readonly refused: number;
  readonly seconds: number;
  readonly slowestMs: number;
  readonly grownBytes: number;
  readonly violations: readonly string[];
}

const WORKER = new URL("./_worker.ts", import.meta.url);
/** A case that has not ended by then will not. */
const PATIENCE_MS = 15_000;
/** The modules and models of a kind are read before its first case. */
const PATIENCE_AT_START_MS = 120_000;
const LOOK_MS = 250;
/** Of all cases of a kind together. */
const MOST_GROWTH = 600_000_000;
const MOST_MS = 1000;
/** A kind in which so many cases never end is not looked at further. */
const MOST_HANGS = 3;

/**
 * Throws so many inputs of a kind at their reader, in a thread of its own. Each must end in time, in
 * a result or in an error for people without an invisible character; all of them together
 * must not take more than 600 MB. A case that does not end is broken off, and the next is begun.
 *
 * @param seed Which inputs: case 7 of a seed is always the same.
 * @param mostMs How long a case may take; less than a second for a machine that does nothing else.
 */
export async function fuzzKind(
  kind: FuzzKindName,
  count: number,
  seed: number,
  mostMs = MOST_MS,
): Promise<FuzzReport> {
  const start = performance.now();
  const violations: string[] = [];
  let [refused, slowestMs, grownBytes, hangs] = [0, 0, 0, 0];
  for (let first = 0; first < count && hangs < MOST_HANGS;) {
    const { answer, stuckAt } = await runFrom(first, { kind, count, seed, mostMs });
    if (answer === undefined) {
      hangs++;
      violations.push(`${kind} ${stuckAt}: did not end in ${PATIENCE_MS / 1000} s`);
      first = stuckAt + 1;
      continue;
    }
    violations.push(...answer.violations);
    refused += answer.refused;
    slowestMs = Math.max(slowestMs, answer.slowestMs);
    grownBytes = Math.max(grownBytes, answer.grownBytes);
    break;
  }
  if (grownBytes > MOST_GROWTH) {
    violations.push(`${kind}: memory grew by ${(grownBytes / 1e6).toFixed(0)} MB`);
  }
  const seconds = Number(((performance.now() - start) / 1000).toFixed(2));
  return {
    kind,
    count,
    refused,
    seconds,
    slowestMs: Number(slowestMs.toFixed(2)),
    grownBytes,
    violations,
  };
}

async function runFrom(
  first: number,
  options: Pick<FuzzRequest, "kind" | "count" | "seed" | "mostMs">,
): Promise<{ answer: FuzzAnswer; stuckAt?: never } | { answer?: never; stuckAt: number }> {
  const folder = await Deno.makeTempDir({ prefix: "newbie-fuzz-" });
  const progress = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  progress[0] = first - 1;
  const worker = new Worker(WORKER, { type: "module" });
  let look: ReturnType<typeof setInterval> | undefined;
  try {
    return await new Promise((resolve, reject) => {
      let [at, since] = [first - 1, performance.now()];
      look = setInterval(() => {
        const now = Atomics.load(progress, 0);
        if (now !== at) [at, since] = [now, performance.now()];
        const patience = now < first ? PATIENCE_AT_START_MS : PATIENCE_MS;
        if (performance.now() - since > patience) resolve({ stuckAt: Math.max(at, first) });
      }, LOOK_MS);
      worker.onmessage = ({ data }: MessageEvent<FuzzAnswer>) => resolve({ answer: data });
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage({ ...options, first, folder, progress } satisfies FuzzRequest);
    });
  } finally {
    clearInterval(look);
    worker.terminate();
    await Deno.remove(folder, { recursive: true });
  }
}
