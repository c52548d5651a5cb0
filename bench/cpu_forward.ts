/**
 * One forward of the demo model's transformer on a CPU: the toolkit's, with weights in float32 and in
 * 8 bits, and PyTorch's on the same weights, taking turns.
 */
import { join } from "node:path";
import { NewBieError } from "../src/errors.ts";
import { DEMO_MODEL } from "../src/studio/health_check.ts";
import type { ForwardRequest, ForwardResult } from "./forward.ts";
import { inProcess } from "./process.ts";
import { median } from "./statistics.ts";

const ROUNDS = 5;
const RUNS = 20;
/** The demo model's pictures, in pixels, and how many of them a latent is wide. */
const SIZE = 256;
const PIXELS_PER_LATENT = 8;
const CAPTION = 64;

/** What to compare. */
export interface CpuForwardOptions {
  /** A copy of the demo model with weights of 8 bits, as `deno task quantize` makes it. */
  readonly quantized: string;
  /** A Python that has what bench/reference/requirements.txt lists. */
  readonly python: string;
  readonly log: (line: string) => void;
}

/** One forward, in milliseconds: the median of each round, and the fastest of all. */
export interface CpuForward {
  readonly name: string;
  readonly medians: readonly number[];
  readonly fastest: number;
}

/** What was measured. */
export interface CpuForwards {
  /** PyTorch's version. */
  readonly torch: string;
  readonly forwards: readonly CpuForward[];
}

/** Runs everything round by round, with as many threads for each. */
export async function benchCpuForward(
  { quantized, python, log }: CpuForwardOptions,
): Promise<CpuForwards> {
  const all = new Map<string, { medians: number[]; fastest: number }>();
  const note = (name: string, median: number, fastest: number) => {
    const found = all.get(name) ?? { medians: [], fastest: Infinity };
    found.medians.push(median);
    found.fastest = Math.min(found.fastest, fastest);
    all.set(name, found);
    log(`${name}: ${median.toFixed(1)} ms`);
  };
  const ours = async (name: string, model: string) => {
    const request: ForwardRequest = {
      folder: join(model, "next-dit"),
      device: "cpu",
      dtype: "auto",
      latentSize: SIZE / PIXELS_PER_LATENT,
      caption: CAPTION,
      runs: RUNS,
    };
    const { median, fastest } = await inProcess<ForwardResult>("bench/forward.ts", request);
    note(name, median, fastest);
  };
  let torch = "";
  for (let round = 0; round < ROUNDS; round++) {
    await ours("the toolkit, float32", DEMO_MODEL);
    const { environment, step: { eager, compile } } = await timingsOf(python);
    torch = environment.torch;
    note("PyTorch, float32", eager.batch_1.ms, eager.batch_1.fastest_ms);
    note("PyTorch, float32, torch.compile", compile.batch_1.ms, compile.batch_1.fastest_ms);
    await ours("the toolkit, weights in 8 bits", quantized);
  }
  return { torch, forwards: [...all].map(([name, times]) => ({ name, ...times })) };
}

/** What bench/reference/timings.py prints. */
interface PytorchTimings {
  readonly environment: { readonly torch: string };
  readonly step: Readonly<Record<"eager" | "compile", PytorchStep>>;
}
type PytorchStep = { readonly batch_1: { readonly ms: number; readonly fastest_ms: number } };

async function timingsOf(python: string): Promise<PytorchTimings> {
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: [
      ...["-B", "bench/reference/timings.py", DEMO_MODEL, "--device", "cpu", "--dtype", "float32"],
      ...["--threads", `${navigator.hardwareConcurrency}`, "--size", `${SIZE}`],
      ...["--caption", `${CAPTION}`, "--parts", "step", "--batches", "1"],
    ],
  }).output();
  if (!success) {
    const printed = new TextDecoder().decode(stderr).trimEnd().split("\n");
    throw new NewBieError({
      en: ["bench/reference/timings.py failed:", ...printed],
      zh: ["bench/reference/timings.py 失败：", ...printed],
    });
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The results as Markdown. */
export function cpuForwardTable(results: readonly CpuForward[]): string[] {
  const best = ({ medians }: CpuForward) => Math.min(...medians);
  const ours = best(results[0]!);
  return [
    `One forward, ${SIZE} × ${SIZE}, ${CAPTION} caption tokens; ${ROUNDS} rounds that take turns, ` +
    `each the median of ${RUNS}.`,
    "",
    "| one forward | medians, the middle | the least | fastest | of the first, by the least |",
    "| --- | --- | --- | --- | --- |",
    ...results.map((result) =>
      `| ${result.name} | ${median(result.medians).toFixed(1)} ms | ${
        best(result).toFixed(1)
      } ms | ` +
      `${result.fastest.toFixed(1)} ms | ${(best(result) / ours).toFixed(2)} |`
    ),
  ];
}
