/** Draws a small picture of the demo model on a device, for a test that sets the process's driver. */
import { NewBieImagePipeline } from "../../src/mod.ts";
import { DEMO_MODEL, GUIDANCE_SCALE, SEED } from "../../src/studio/health_check.ts";

// Neither device may be used by several threads: WebGPU's is one for all sessions.
globalThis.Worker = class {
  constructor() {
    throw new Error("a thread was started");
  }
} as unknown as typeof Worker;
const [device, output] = Deno.args as ["cpu" | "webgpu", string];
await using pipe = await NewBieImagePipeline.fromPretrained(".", { device, log: () => {} });
const { images } = await pipe.generate({
  prompt: await Deno.readTextFile(`${DEMO_MODEL}/health_check.xml`),
  width: 64,
  height: 64,
  numInferenceSteps: 1,
  guidanceScale: GUIDANCE_SCALE,
  generator: { seed: SEED },
});
await Deno.writeFile(output, Uint8Array.from(images[0]!.data));
