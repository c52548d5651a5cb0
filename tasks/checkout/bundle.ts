/** `deno task bundle`: image, weights and what installs them, in one archive for closed networks. */
import { fileURLToPath } from "node:url";
import type { Readable } from "node:stream";
import { InvalidArgumentError } from "commander";
import {
  BUNDLE_LABELS,
  BundleError,
  type Engine,
  LATEST,
  makeBundle,
  signFile,
} from "../../src/container/mod.ts";
import { RequestError } from "../../src/errors.ts";
import { texts } from "./bundle/texts.ts";
import { cancellable, connectEngine } from "./engine.ts";
import { duration, run, task, TaskFailure } from "../cli/task.ts";
import { ProgressLine } from "../cli/progress.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { tell } from "../cli/print.ts";

interface Options {
  readonly json?: true;
  readonly image: string;
  readonly out?: string;
  readonly split?: number;
  readonly models: boolean;
  readonly sign?: string;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const command = task("bundle", texts.description)
  .option("--image <name>", texts.image, LATEST)
  .option("--out <folder>", texts.out)
  .option("--split <size>", texts.split, volumeSize)
  .option("--no-models", texts.noModels)
  .option("--sign <key>", texts.sign)
  .addHelpText("after", `\n${texts.examples}`);

await run<Options>(command, async ({ image: reference, out, split, models, sign }) => {
  const start = performance.now();
  const engine = await connectEngine();
  const image = await findImage(engine, reference);
  const name = `newbie-${image.version}-${image.variant}`;
  const folder = out ?? `outputs/${name}`;
  const part = `${folder}.part`;
  const line = new ProgressLine();
  return await cancellable(async (signal) => {
    const bundle = await makeBundle({
      image: {
        id: image.id,
        bytes: image.bytes,
        // Under the name of its variant: the latest one is whatever was built or loaded last.
        reference: `newbie:${image.variant}`,
        sourceDateEpoch: image.time,
        baseLayers: image.baseLayers,
        name: reference,
        save: () => save(engine, image.id, signal),
      },
      name,
      version: image.version,
      root: ROOT,
      withModels: models,
      folder,
      volumeBytes: split,
      sign: sign === undefined ? undefined : (sums) => signFile(sums, sign),
      signal,
      onProgress({ stage, done, total = 0 }) {
        if (stage === "resumed") tell(texts.resumed(done, total));
        else if (stage === "image") line.draw(() => texts.saving(formatBytes(done)));
        else line.draw(() => texts.writing(formatBytes(done), formatBytes(total)));
      },
    }).finally(() => line.clear());
    for (const { name, bytes } of bundle.volumes) tell(`  ${name}  ${formatBytes(bytes)}`);
    const time = duration(performance.now() - start);
    tell(texts.done(bundle.folder, formatBytes(bundle.bytes), bundle.weights, time));
    tell(texts.digests(bundle.image, bundle.sha256));
    return { ...bundle, reference: `newbie:${image.variant}` };
  }, () => isThere(part) ? texts.cancelledAndKept(part) : texts.cancelled).catch((error) => {
    // Nothing is said about files that another process is making.
    const isOwn = !(error instanceof TaskFailure || error instanceof RequestError) &&
      !(error instanceof BundleError && error.code === "busy");
    if (isOwn && isThere(part)) tell(texts.kept(part));
    throw error;
  });
});

/** What the image says of itself. */
async function findImage(engine: Engine, name: string) {
  const facts = await engine.image(name);
  if (facts === undefined) throw new TaskFailure(texts.noImage(name), {});
  const { created, version, variant, baseLayers } = BUNDLE_LABELS;
  const label = (key: string) => facts.labels[key] ?? "";
  const time = Date.parse(label(created)) / 1000;
  const count = Number(label(baseLayers) || NaN);
  if (!Number.isInteger(time) || !Number.isInteger(count) || label(variant) === "") {
    throw new TaskFailure(texts.notOurs(name), {});
  }
  return {
    id: facts.id,
    bytes: facts.bytes,
    time,
    version: label(version),
    variant: label(variant),
    baseLayers: facts.layers.slice(0, count),
  };
}

/** The engine may think for long before it sends the first byte; a signal does not wait for it. */
async function save(engine: Engine, id: string, signal: AbortSignal): Promise<Readable> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  const saving = engine.save(id);
  const stream = await Promise.race([saving, aborted]);
  signal.addEventListener("abort", () => stream.destroy(signal.reason), { once: true });
  return stream;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Units as for USB sticks and discs: 4G is 4,000,000,000 bytes, which FAT32 can hold. */
function volumeSize(value: string): number {
  const [, digits, unit, binary] = /^(\d{1,9}(?:\.\d{1,3})?)([KMGT])(iB|i|B)?$/i.exec(value) ?? [];
  if (digits === undefined || unit === undefined) throw new InvalidArgumentError(texts.size);
  const base = /^i/i.test(binary ?? "") ? 1024 : 1000;
  return Math.floor(Number(digits) * base ** (1 + "KMGT".indexOf(unit.toUpperCase())));
}
