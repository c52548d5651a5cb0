/** `deno task test`: the health check, one verified picture. */
import {
  decodePng,
  encodePng,
  NewBieError,
  NewBieImagePipeline,
  psnr,
  type RgbImage,
} from "../src/mod.ts";
import { writeFileAtomically } from "../src/files.ts";
import { duration, run, task } from "./_task.ts";

const OUTPUT = "success_output.png";
/** Named, so that the task needs no leave to write anywhere else. */
const TEMPORARY = `${OUTPUT}.part`;
const MODEL = "models/demo";
const RECORDED_PICTURE = `${MODEL}/health_check.png`;
const PROMPT_FILE = `${MODEL}/health_check.xml`;
const STEPS = 30;
const GUIDANCE_SCALE = 7;
const SEED = 42;
/** Execution providers round differently; below this, something else is different too. */
const MINIMUM_PSNR_DB = 30;

const command = task(
  "test",
  `Health check: makes one picture with the demo model (${STEPS} steps, guidance ` +
    `${
      GUIDANCE_SCALE.toFixed(1)
    }, seed ${SEED}), compares it with the recorded one and writes ${OUTPUT}.`,
).addHelpText("after", "\nExample:\n  deno task test --json");

await run(command, async () => {
  const start = performance.now();
  const prompt = await Deno.readTextFile(PROMPT_FILE);
  await using pipe = await NewBieImagePipeline.fromPretrained(MODEL);
  const load = performance.now() - start;

  const { images, timings } = await pipe.generate({
    prompt,
    numInferenceSteps: STEPS,
    guidanceScale: GUIDANCE_SCALE,
    generator: { seed: SEED },
    onStep: ({ index, total }) => showProgress(index + 1, total),
  });
  const [image] = images as [RgbImage];
  await writeFileAtomically(OUTPUT, encodePng(image), TEMPORARY);
  const total = performance.now() - start;

  const recorded = decodePng(await Deno.readFile(RECORDED_PICTURE)).image;
  const similarity = psnr(image, recorded);
  const stages = { load, encode: timings.encode, denoise: timings.denoise, decode: timings.decode };
  for (const [stage, milliseconds] of Object.entries(stages)) {
    console.error(`  ${stage.padEnd(8)}${duration(milliseconds).padStart(8)}`);
  }
  console.error(`  ${"total".padEnd(8)}${duration(total).padStart(8)}`);
  if (!(similarity >= MINIMUM_PSNR_DB)) {
    throw new NewBieError(
      `The picture in ${OUTPUT} is not the recorded one (${RECORDED_PICTURE}): PSNR ` +
        `${similarity.toFixed(1)} dB, expected at least ${MINIMUM_PSNR_DB} dB. A weight, the ` +
        "sampler or the arithmetic differs from what was recorded.",
    );
  }
  const verdict = similarity === Infinity ? "identical" : `PSNR ${similarity.toFixed(1)} dB`;
  console.error(
    `Success: ${OUTPUT} (${image.width} × ${image.height}), ${verdict} to the recorded picture.`,
  );
  return {
    output: OUTPUT,
    width: image.width,
    height: image.height,
    // JSON has no infinity: null stands for a picture without any difference.
    psnr: similarity === Infinity ? null : similarity,
    identical: similarity === Infinity,
    timings: { ...stages, total },
  };
});

/** A line that is overwritten, and only where there is a terminal to do so. */
function showProgress(done: number, total: number): void {
  if (!Deno.stderr.isTerminal()) return;
  const line = `\r  step ${done}/${total}${done === total ? "\n" : ""}`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}
