/** `deno task create`: pictures from prompts, one by one in a conversation, or many at once. */
import { RequestError } from "../src/errors.ts";
import { type AskedSettings, COUNT, mergeSettings, SETTINGS } from "../src/settings/mod.ts";
import { parseShard, readBatch } from "../src/studio/batch.ts";
import { folderName, pictureName } from "../src/studio/outputs.ts";
import { dressed, namesOf, presetNames } from "../src/studio/preset.ts";
import type { Studio } from "../src/studio/studio.ts";
import { runBatch } from "./create/batch.ts";
import { drawOnce } from "./create/once.ts";
import { runInteractive } from "./create/interactive.ts";
import {
  type CreateOptions,
  lorasOf,
  openStudio,
  PICTURE_NAME,
  presetsOf,
  say,
  textsOf,
} from "./create/options.ts";
import { both, text } from "./create/texts.ts";
import { addGpuOption, addModelOptions, addPartOptions } from "./cli/model_options.ts";
import { askTerminal } from "./cli/show.ts";
import { addSettingOptions, settingsOf } from "./cli/setting_options.ts";
import { outputRootHelp, outputsOf } from "./cli/output_root.ts";
import { run, task } from "./cli/task.ts";

const { options: help } = text;
const command = task("create", text.description);
addSettingOptions(command)
  .option("--prompt-file <path>", help.promptFile)
  .option("--lora <file[:weight]>", help.lora, collected)
  .option("--output <name>", help.output)
  .option("--model <folder>", help.model, ".")
  .option("--batch <path>", help.batch)
  .option("--shard <i/n>", help.shard)
  .option("--claim", help.claim)
  .option("--output-root <folder>", outputRootHelp)
  .option("--from <picture>", help.from)
  .option("--preset <name>", help.preset, collected, [])
  .option("--wildcards <folder>", help.wildcards)
  .option("--combinations", help.combinations)
  .option("--grid <axes>", help.grid)
  .option("--sheet", help.sheet)
  .option("--strict", help.strict)
  .option("--show", help.show)
  .option("--show-steps", help.showSteps)
  .addHelpText("after", text.examples)
  .addHelpText("after", text.presetsThere(await presetNames()));

addPartOptions(addGpuOption(addModelOptions(command)));

await run<CreateOptions>(command, async (options) => {
  refuseContradictions(options);
  if (options.show || options.showSteps) await askTerminal();
  if (options.batch !== undefined) return await batch(options, options.batch);
  if (
    options.prompt !== undefined || options.promptFile !== undefined || options.from !== undefined
  ) {
    return await drawOnce(options);
  }
  return await interactive(options);
});

function collected(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

async function batch(options: CreateOptions, path: string) {
  const shard = options.shard === undefined ? undefined : parseShard(options.shard);
  const presets = await presetsOf(options);
  await using studio = await openStudio(options);
  const defaults = mergeSettings([
    studioDefaults(studio),
    ...presets.map(({ settings }) => settings),
    settingsOf(options),
    await textsOf(options),
  ]);
  const loras = lorasOf(options);
  const read = await readBatch(
    path,
    loras === undefined ? defaults : { ...defaults, loras },
    options.count,
    (prompt, isRaw) => dressed(presets, prompt, isRaw),
  );
  const folder = options.output === undefined ? read.name : folderName(options.output);
  return await runBatch(studio, read, {
    folder,
    root: await outputsOf(options),
    shard,
    hasClaims: options.claim,
    preset: namesOf(presets),
    wildcards: options.wildcards,
    show: options.show,
    showSteps: options.showSteps,
    say: (line) => say(options, line),
  });
}

async function interactive(options: CreateOptions): Promise<undefined> {
  if (options.json) throw new RequestError(both((text) => text.jsonNeedsPrompt));
  const name = pictureName(options.output ?? PICTURE_NAME);
  const settings = mergeSettings([settingsOf(options), await textsOf(options)]);
  const presets = await presetsOf(options);
  await using studio = await openStudio(options);
  const { defaultSize } = studio.pipe;
  const size = { width: defaultSize, height: defaultSize };
  await runInteractive(
    studio,
    {
      request: mergeSettings([studioDefaults(studio), size, settings]),
      name,
      count: options.count ?? COUNT.default,
      presets,
      loras: lorasOf(options) ?? [],
    },
    {
      root: await outputsOf(options),
      show: options.show,
      showSteps: options.showSteps,
      wildcards: options.wildcards,
    },
  );
}

/** What is said even where nobody says it: the requests of a batch are known by it. */
function studioDefaults(studio: Studio): AskedSettings {
  const { numInferenceSteps, guidanceScale } = SETTINGS;
  return {
    numInferenceSteps: studio.default(numInferenceSteps),
    guidanceScale: studio.default(guidanceScale),
  };
}

function refuseContradictions(options: CreateOptions): void {
  const given = (["prompt", "promptFile", "batch", "from"] as const)
    .filter((name) => options[name] !== undefined)
    .map((name) => name === "promptFile" ? "--prompt-file" : `--${name}`);
  // A prompt takes the place of the recipe's.
  const others = given.filter((name) => name !== "--from" || given.includes("--batch"));
  if (others.length > 1) {
    throw new RequestError(both((text) => text.together(others[0]!, others[1]!)));
  }
  const several = (["grid", "combinations", "count"] as const)
    .filter((name) => options[name] !== undefined);
  if (several.includes("grid") && several.length > 1) {
    throw new RequestError(both((text) => text.together("--grid", `--${several[1]}`)));
  }
  for (const name of ["grid", "sheet"] as const) {
    if (options[name] === undefined) continue;
    if (options.batch !== undefined) {
      throw new RequestError(both((text) => text.together(`--${name}`, "--batch")));
    }
    if (given.length === 0) throw new RequestError(both((text) => text.needsPrompt(`--${name}`)));
  }
  for (const name of ["shard", "claim"] as const) {
    if (options[name] === undefined || options.batch !== undefined) continue;
    throw new RequestError(both((text) => text.needsBatch(`--${name}`)));
  }
  if (options.shard !== undefined && options.claim !== undefined) {
    throw new RequestError(both((text) => text.together("--shard", "--claim")));
  }
}
