/** `deno task compare`: where two images differ. */
import { join } from "node:path";
import { compareImages, type ImageDifference, openImage } from "../../src/container/mod.ts";
import { texts } from "./bundle/texts.ts";
import { cancellable } from "./engine.ts";
import { run, task, TaskFailure } from "../cli/task.ts";
import { ProgressLine } from "../cli/progress.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { print, tell } from "../cli/print.ts";

/** Layers are unpacked there, as images may be larger than a folder in memory. */
const SCRATCH = "outputs";

const command = task("compare", texts.compareDescription)
  .argument("<a>", texts.a)
  .argument("<b>", texts.b)
  .addHelpText("after", `\n${texts.compareExamples}`);

await run<{ json?: true }>(command, async ({ json }, places) => {
  const line = new ProgressLine();
  await Deno.mkdir(SCRATCH, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: SCRATCH, prefix: ".compare-" });
  try {
    return await cancellable(async (signal) => {
      const images = [];
      for (const [index, place] of places.entries()) {
        const scratch = join(folder, String(index));
        await Deno.mkdir(scratch);
        const onProgress = (done: number, total: number) =>
          line.draw(() => texts.verifying(formatBytes(done), formatBytes(total)));
        images.push(await openImage(place, scratch, { signal, onProgress }));
        line.clear();
      }
      const differences = await compareImages(images[0]!, images[1]!);
      const say = json ? tell : print;
      for (const difference of differences) say(textOf(difference));
      if (differences.length > 0) {
        throw new TaskFailure(texts.differ(differences.length), { differences });
      }
      say(texts.same);
      return { differences };
    });
  } finally {
    line.clear();
    await Deno.remove(folder, { recursive: true });
  }
});

function textOf(difference: ImageDifference): string {
  switch (difference.kind) {
    case "setting":
      return texts.setting(difference.path, shown(difference.a), shown(difference.b));
    case "layers":
      return texts.layers(difference.a, difference.b);
    case "file":
      return texts.file(difference);
    case "order":
      return texts.order(difference.layer);
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? "–";
}
