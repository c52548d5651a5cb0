/** `deno task fuzz`: damaged safetensors headers. */
import { fuzz } from "../bench/fuzz_safetensors.ts";
import { NewBieError } from "../src/mod.ts";
import { run, task, wholeNumber } from "./_task.ts";

const DEFAULT_COUNT = 100_000;
const DEFAULT_SEED = 1;

const command = task(
  "fuzz",
  "Throws damaged safetensors headers at the reader: each must end in a clear error or a valid " +
    "result, within a second, and all of them within 100 MB.",
)
  .option("--count <headers>", "how many headers", wholeNumber, DEFAULT_COUNT)
  .option("--seed <seed>", "which ones", wholeNumber, DEFAULT_SEED)
  .addHelpText("after", "\nExample:\n  deno task fuzz --count 10000 --seed 2");

await run<{ json?: true; count: number; seed: number }>(command, async ({ count, seed }) => {
  const summary = await fuzz(count, seed);
  console.error(
    `${summary.count} headers in ${summary.seconds} s, the slowest ${summary.slowestMs} ms; memory ` +
      `grew by ${
        (summary.rssGrowthBytes / 1e6).toFixed(0)
      } MB; ${summary.violationCount} violations.`,
  );
  if (summary.violationCount > 0) throw new NewBieError(summary.violations.join("\n"));
  return summary;
});
