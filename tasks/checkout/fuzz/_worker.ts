/** A thread that runs the cases of one kind; the one that started it watches how long each takes. */
import { NewBieError } from "../../../src/mod.ts";
import { Dice } from "./dice.ts";
import { FUZZ_KINDS, type FuzzKindName } from "./kinds.ts";
import type { FuzzKind } from "./types.ts";

/** What the thread is asked for. */
export interface FuzzRequest {
  readonly kind: FuzzKindName;
  readonly first: number;
  readonly count: number;
  readonly seed: number;
  /** A new folder for what cases write. */
  readonly folder: string;
  /** What takes longer is wrong. */
  readonly mostMs: number;
  /** The number of the case that is run, which another thread reads. */
  readonly progress: Int32Array<SharedArrayBuffer>;
}

/** What came of it. */
export interface FuzzAnswer {
  readonly slowestMs: number;
  readonly refused: number;
  readonly violations: readonly string[];
  /** By how much the process's memory grew at the most. */
  readonly grownBytes: number;
}

const MEASURE_MEMORY_EVERY = 64;
const LONGEST_MESSAGE = 20_000;
/** What would steer a terminal, or change how the text around it is read. */
const HIDDEN = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<FuzzRequest>) => void;
  postMessage: (answer: FuzzAnswer) => void;
};

scope.onmessage = async ({ data: { kind, first, count, seed, mostMs, folder, progress } }) => {
  const run = await (FUZZ_KINDS[kind] as FuzzKind).open(folder);
  const violations: string[] = [];
  let [slowestMs, refused, grownBytes] = [0, 0, 0];
  const rss = Deno.memoryUsage().rss;
  for (let index = first; index < count; index++) {
    Atomics.store(progress, 0, index);
    const begun = performance.now();
    let fault: string | undefined;
    try {
      // Each case has dice of its own, so that it can be repeated alone.
      fault = await run(new Dice(Math.imul(seed, 0x9e3779b1) + index)) ?? undefined;
    } catch (error) {
      refused++;
      fault = faultOf(error);
    }
    const took = performance.now() - begun;
    slowestMs = Math.max(slowestMs, took);
    if (took > mostMs) fault ??= `took ${took.toFixed(0)} ms`;
    if (fault !== undefined) violations.push(`${kind} ${index}: ${fault}`);
    if (index % MEASURE_MEMORY_EVERY === 0) {
      grownBytes = Math.max(grownBytes, Deno.memoryUsage().rss - rss);
    }
  }
  scope.postMessage({ slowestMs, refused, violations, grownBytes });
};

/** What is wrong with an error; a refusal in words for people is right. */
function faultOf(error: unknown): string | undefined {
  if (!(error instanceof NewBieError)) {
    return error instanceof Error ? error.stack ?? error.message : String(error);
  }
  for (const message of [error.message, error.explain("zh")]) {
    if (HIDDEN.test(message.replaceAll("\n", ""))) {
      return `an invisible character in: ${JSON.stringify(message)}`;
    }
    if (message.length > LONGEST_MESSAGE) return `a message of ${message.length} characters`;
  }
}
