/** `deno task test`: the health check, one verified picture. */
import { writeFileAtomically } from "../src/files.ts";
import { encodePng, NewBieError } from "../src/mod.ts";
import { GUIDANCE_SCALE, judge, runHealthCheck, SEED, STEPS } from "./_health_check.ts";
import { duration, run, task } from "./_task.ts";

const OUTPUT = "success_output.png";
/** Named, so that the task needs no leave to write anywhere else. */
const TEMPORARY = `${OUTPUT}.part`;

const command = task(
  "test",
  `Health check: makes one picture with the demo model (${STEPS} steps, guidance ` +
    `${GUIDANCE_SCALE.toFixed(1)}, seed ${SEED}), writes ${OUTPUT} and compares it with the ` +
    "recorded one.",
).addHelpText("after", "\nExample:\n  deno task test --json");

await run(command, async () => {
  const start = performance.now();
  const result = await runHealthCheck({ onStep: showProgress });
  const { image } = result;
  await writeFileAtomically(OUTPUT, encodePng(image), TEMPORARY);
  const timings = { ...result.timings, total: performance.now() - start };
  for (const [stage, milliseconds] of Object.entries(timings)) {
    console.error(`  ${stage.padEnd(8)}${duration(milliseconds).padStart(8)}`);
  }

  const { psnr, latentDeviation, problems } = await judge(result);
  if (problems.length > 0) {
    throw new NewBieError(
      `${OUTPUT} was written, but ${
        problems.join("; ")
      }. A weight, the sampler or the arithmetic ` +
        "differs from what was recorded.",
    );
  }
  const identical = psnr === Infinity;
  const verdict = identical ? "identical" : `PSNR ${psnr.toFixed(1)} dB`;
  console.error(`Success: ${OUTPUT} (${image.width} × ${image.height}), ${verdict} to the record.`);
  return {
    output: OUTPUT,
    width: image.width,
    height: image.height,
    // JSON has no infinity: null stands for a picture without any difference.
    psnr: identical ? null : psnr,
    identical,
    latentDeviation,
    timings,
  };
});

/** A line that is overwritten, and only where there is a terminal to do so. */
function showProgress(done: number, total: number): void {
  if (!Deno.stderr.isTerminal()) return;
  const line = `\r  step ${done}/${total}${done === total ? "\n" : ""}`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}
