/** `deno task load`: installs what `deno task bundle` made, on a machine without a network. */
import { fileURLToPath } from "node:url";
import { InvalidArgumentError } from "commander";
import { LATEST, loadBundle, openBundle } from "../../src/container/mod.ts";
import { texts } from "./bundle/texts.ts";
import { cancellable, connectEngine } from "./engine.ts";
import { duration, run, task } from "../cli/task.ts";
import { ProgressLine } from "../cli/progress.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { tell } from "../cli/print.ts";

interface Options {
  readonly json?: true;
  readonly verify?: true;
  readonly models: boolean;
  readonly sha256?: string;
  readonly key?: string;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const command = task("load", texts.loadDescription)
  .argument("<places...>", texts.places)
  .option("--verify", texts.verifyOnly)
  .option("--no-models", texts.imageOnly)
  .option("--sha256 <digest>", texts.sha256, sha256)
  .option("--key <file>", texts.key)
  .addHelpText("after", `\n${texts.loadExamples}`);

await run<Options>(command, async ({ verify, models, sha256, key }, places) => {
  const start = performance.now();
  const line = new ProgressLine();
  return await cancellable(async (signal) => {
    // Before gigabytes are read: whoever has no engine learns it at once.
    const engine = verify ? undefined : await connectEngine();
    const bundle = await openBundle(places, {
      signal,
      sha256,
      key,
      onProgress: (done, total) =>
        line.draw(() => texts.verifying(formatBytes(done), formatBytes(total))),
    }).finally(() => line.clear());
    const { description: { name, image }, volumes, bytes } = bundle;
    tell(texts.verified(name, volumes.length, formatBytes(bytes)));
    const verified = { name, image, volumes: volumes.length, bytes, sha256: bundle.sha256 };
    if (engine === undefined) return verified;

    const loaded = await loadBundle(bundle, engine, {
      root: models ? ROOT : undefined,
      signal,
      onProgress: ({ stage, done, total }) =>
        line.draw(() => texts.loading(stage, formatBytes(done), formatBytes(total))),
    }).finally(() => line.clear());
    await engine.tag(loaded.id, LATEST);
    const time = duration(performance.now() - start);
    tell(texts.loaded(loaded.reference, loaded.weights.length, time));
    return { ...verified, ...loaded };
  });
});

function sha256(value: string): string {
  if (!/^[0-9a-f]{64}$/.test(value)) throw new InvalidArgumentError(texts.sha256);
  return value;
}
