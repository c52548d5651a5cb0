/** `deno task build`: the container image. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Option } from "commander";
import {
  type BuildEvent,
  buildImage,
  canonicalImage,
  contextEntries,
  type ContextEntry,
  type Engine,
  labelsOf,
  LATEST,
  packagesOf,
  packContext,
  pinnedBase,
  prepareBase,
  readSources,
  REPOSITORY,
  type Sources,
  type Variant,
} from "../../src/container/mod.ts";
import { RequestError } from "../../src/errors.ts";
import { BASE_IMAGES } from "../../src/integrity/mod.ts";
import { gatherIngredients } from "./build/ingredients.ts";
import { both, texts } from "./build/texts.ts";
import { cancellable, connectEngine } from "./engine.ts";
import { duration, run, task, TaskFailure } from "../cli/task.ts";
import { ProgressLine } from "../cli/progress.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { tell } from "../cli/print.ts";

interface Options {
  readonly json?: true;
  readonly variant: Variant;
  readonly base?: string;
  readonly platform: string;
  readonly tag: readonly string[];
  readonly cache: string;
  readonly context?: true;
  readonly asBuilt?: true;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = "node_modules/.cache/newbie/downloads";
const PLATFORM = BASE_IMAGES.cuda.platform;
/** The names that Docker takes: a registry and folders, and a tag. */
const IMAGE_NAME = /^[a-z0-9][a-z0-9._/:-]*:[\w][\w.-]{0,127}$/;

const command = task("build", texts.description)
  .addOption(
    new Option("--variant <variant>", texts.variant).choices(["cuda", "cpu"]).default(
      "cuda",
    ),
  )
  .option("--base <image>", texts.base)
  .option("--platform <os/arch>", texts.platform, PLATFORM)
  .option("--tag <name>", texts.tag, (tag: string, tags: string[]) => [...tags, tag], [])
  .option("--cache <folder>", texts.cache, CACHE)
  .option("--context", texts.context)
  .option("--as-built", texts.asBuilt)
  .addHelpText("after", `\n${texts.examples}`);

await run<Options>(command, async (options) => {
  const { variant, platform, tag, context } = options;
  if (platform !== PLATFORM) {
    throw new RequestError(both((text) => text.onlyPlatform(platform, PLATFORM)));
  }
  const bad = tag.find((name) => !IMAGE_NAME.test(name));
  if (bad !== undefined) throw new RequestError(both((text) => text.badTag(bad)));
  if (context && Deno.stdout.isTerminal()) throw new RequestError(both((text) => text.noTerminal));

  return await cancellable(async (signal) => {
    // Before anything is fetched: whoever has no engine learns it at once.
    const engine = context ? undefined : await connectEngine();
    const sources = await readSources(ROOT);
    tellChanges(sources);
    await mkdir(options.cache, { recursive: true });
    using _lock = await lock(options.cache);
    if (engine !== undefined) return await build(engine, sources, options, signal);

    const entries = await gather(sources, variant, options.cache, signal);
    await pipeline(packContext(entries, sources.time), process.stdout, { signal, end: false });
    return { context: entries.length };
  });
});

async function build(
  engine: Engine,
  sources: Sources,
  { variant, platform, tag, cache, asBuilt, base: name = pinnedBase(variant) }: Options,
  signal: AbortSignal,
) {
  const start = performance.now();
  const line = new ProgressLine();
  const { product, version } = engine.facts;
  tell(texts.engine(product, version));
  const base = await prepareBase(engine, name, {
    platform,
    signal,
    onProgress: ({ done, total }) =>
      line.draw(() => texts.pulling(formatBytes(done), formatBytes(total))),
  }).finally(() => line.clear());
  tell(texts.builtOn(name), `  ${base.facts.id}`);

  const entries = await gather(sources, variant, cache, signal);
  const tags = [`${REPOSITORY}:${variant}`, LATEST, ...tag];
  const labels = labelsOf(sources, { variant, base, version: versionOf(sources) });
  const image = await buildImage(engine, {
    entries,
    time: sources.time,
    base,
    labels,
    platform,
    tags,
    canonical: asBuilt ? undefined : (id) => {
      line.clear();
      tell(texts.canonical);
      return canonicalImage(engine, id, {
        time: sources.time,
        baseLayers: base.facts.layers,
        reference: tags[0]!,
        folder: join(cache, "image"),
        signal,
      });
    },
    signal,
    onSent: (bytes) => line.draw(() => texts.sending(formatBytes(bytes))),
    onEvent: (event) => {
      line.clear();
      show(event);
    },
  }).finally(() => line.clear());
  const time = duration(performance.now() - start);
  tell(texts.built(tags.join(texts.and), formatBytes(image.bytes), image.id, time));
  return {
    image: image.id,
    tags,
    variant,
    platform,
    bytes: image.bytes,
    base: { name, id: base.facts.id },
    labels,
    engine: engine.facts,
  };
}

async function gather(
  sources: Sources,
  variant: Variant,
  cache: string,
  signal: AbortSignal,
): Promise<ContextEntry[]> {
  const { all } = packagesOf(sources);
  return await contextEntries(
    sources,
    await gatherIngredients(all, variant, { root: ROOT, cache, signal }),
  );
}

function tellChanges({ changes }: Sources): void {
  if (changes.length === 0) return;
  tell(texts.dirty(changes.length));
  for (const line of changes) tell(`  ${line}`);
  if (changes.some((line) => line.startsWith("??"))) tell(`  ${texts.untracked}`);
}

function versionOf({ files }: Sources): string {
  const { bytes } = files.find(({ path }) => path === "deno.json")!;
  return (JSON.parse(new TextDecoder().decode(bytes)) as { version: string }).version;
}

function show(event: BuildEvent): void {
  if (event.kind === "step") {
    tell(texts.step(event.number, event.total, event.text));
  } else if (event.text.trim() !== "" && Deno.stderr.isTerminal()) {
    tell(`  ${event.text}`);
  }
}

async function lock(cache: string): Promise<Deno.FsFile> {
  const file = await Deno.open(join(cache, "lock"), { write: true, create: true });
  if (await file.tryLock(true)) return file;
  file.close();
  throw new TaskFailure(texts.busy(cache), {});
}
