/**
 * One run of the demo model on the CPU, in a process of its own so that its peak memory is its own.
 * Prints one JSON object.
 */
import { NewBieImagePipeline } from "../src/mod.ts";

/** What one run took: milliseconds, and mebibytes. */
export interface DemoResult {
  readonly load: number;
  readonly encode: number;
  readonly denoise: number;
  readonly decode: number;
  /** From the start of the process's own code to the picture. */
  readonly total: number;
  /** One step: two forwards of the transformer, guidance, and the sampler. */
  readonly step: number;
  /** The process's largest resident set so far (Linux; 0 elsewhere). */
  readonly peakMemory: number;
}

const STEPS = 30;

/** VmHWM of /proc/self/status, in MiB. */
async function peakMemory(): Promise<number> {
  if (Deno.build.os !== "linux") return 0;
  const status = await Deno.readTextFile("/proc/self/status");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}

if (import.meta.main) {
  const start = performance.now();
  await using pipe = await NewBieImagePipeline.fromPretrained("models/demo", { log: () => {} });
  const loaded = performance.now();
  const { timings } = await pipe.generate({
    prompt: await Deno.readTextFile("models/demo/health_check.xml"),
    numInferenceSteps: STEPS,
    guidanceScale: 7,
    generator: { seed: 42 },
  });
  const result: DemoResult = {
    load: loaded - start,
    encode: timings.encode,
    denoise: timings.denoise,
    decode: timings.decode,
    total: performance.now() - start,
    step: timings.denoise / STEPS,
    peakMemory: await peakMemory(),
  };
  console.log(JSON.stringify(result));
}
