/** `deno task create`: pictures from prompts, one by one in a conversation, or many at once. */
import { ImageError } from "../src/image/mod.ts";
import { type Message, RequestError } from "../src/errors.ts";
import {
  type ForeignRecipe,
  generateOptions,
  type LeftOver,
  readRecipe,
  readUpscaleRecords,
  type Recipe,
  RecipeError,
} from "../src/recipe/mod.ts";
import { readLoraTags } from "../src/prompt/mod.ts";
import { type AskedSettings, COUNT, mergeSettings, SETTINGS } from "../src/settings/mod.ts";
import { parseShard, readBatch } from "../src/studio/batch.ts";
import { foreignRequest } from "../src/studio/foreign_request.ts";
import { pictureToStartFrom } from "./create/start_from.ts";
import { cellCount, type Grid, parseGrid } from "../src/studio/grid.ts";
import { readBytes } from "../src/studio/read_text.ts";
import { type LoraRequest, parseLora, withoutNone } from "../src/studio/lora_request.ts";
import { LAST, latestPicture } from "../src/studio/latest_picture.ts";
import { folderName, openFolderOfDay, pictureName } from "../src/studio/outputs.ts";
import { dressed, loadPreset, namesOf, type Preset, presetNames } from "../src/studio/preset.ts";
import { foreignUpscaler, recipeUpscaler } from "../src/studio/recipe_upscaler.ts";
import type { SavedSheet } from "../src/studio/sheet.ts";
import { Studio } from "../src/studio/studio.ts";
import { shown } from "../src/shown.ts";
import { isTemplate } from "../src/templates/mod.ts";
import { runBatch } from "./create/batch.ts";
import { foreignReport } from "./create/foreign_report.ts";
import { runInteractive } from "./create/interactive.ts";
import { makePictures, savedLine } from "./create/picture.ts";
import { tellOfFastKernels } from "./create/tell_of_fast_kernels.ts";
import { both, text } from "./create/texts.ts";
import {
  addGpuOption,
  addModelOptions,
  addPartOptions,
  type GpuOptions,
  type ModelOptions,
  type PartOptions,
  partOptions,
} from "./cli/model_options.ts";
import { examinePrompt } from "./cli/prompt_check.ts";
import { readArgument, readPromptFile } from "./cli/prompt_input.ts";
import { askTerminal } from "./cli/show.ts";
import { addSettingOptions, settingsOf } from "./cli/setting_options.ts";
import { outputRootHelp, outputsOf } from "./cli/output_root.ts";
import { language, run, task } from "./cli/task.ts";
import { type Painted, print, tell } from "./cli/print.ts";

const NAME = "output.png";

/** The options besides the settings, which {@linkcode settingsOf} reads. */
interface Options extends ModelOptions, GpuOptions, PartOptions, Readonly<Record<string, unknown>> {
  readonly json?: true;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly negativePrompt?: string;
  readonly lora?: readonly string[];
  readonly output?: string;
  readonly count?: number;
  readonly model: string;
  readonly batch?: string;
  readonly shard?: string;
  readonly claim?: true;
  readonly outputRoot?: string;
  readonly from?: string;
  readonly strict?: true;
  readonly combinations?: true;
  readonly preset: readonly string[];
  readonly wildcards?: string;
  readonly grid?: string;
  readonly sheet?: true;
  readonly show?: true;
  readonly showSteps?: true;
}

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

await run<Options>(command, async (options) => {
  refuseContradictions(options);
  if (options.show || options.showSteps) await askTerminal();
  if (options.batch !== undefined) return await batch(options, options.batch);
  if (
    options.prompt !== undefined || options.promptFile !== undefined || options.from !== undefined
  ) {
    return await once(options);
  }
  return await interactive(options);
});

/** One request, given whole. */
async function once(options: Options) {
  const from = options.from === undefined ? undefined : await recipeOf(options.from, options, {
    // Who draws from the picture itself needs no recipe, only a prompt.
    mayLack: options.strength !== undefined && (options.prompt ?? options.promptFile) !== undefined,
  });
  const goesOn = options.strength !== undefined && options.image === undefined;
  if (from?.enlargedFrom !== undefined && !goesOn) {
    tell(text.enlarged(from.path, from.enlargedFrom));
  }
  const source = from?.recipe;
  if (goesOn && source !== undefined && "grid" in source && source.grid !== undefined) {
    throw new RequestError(both((text) => text.sheetIsNoPicture(from!.path)));
  }
  const recipe = source !== undefined && "models" in source ? source : undefined;
  const foreign = source !== undefined && "left" in source ? source : undefined;
  const typed = [await withLastPicture(settingsOf(options), options), await textsOf(options)];
  const grid = gridOf(options, recipe);
  const presets = await presetsOf(options);
  const besides = mergeSettings([...presets.map(({ settings }) => settings), ...typed]);
  const name = pictureName(options.output ?? NAME);
  const root = await outputsOf(options);
  const folder = await openFolderOfDay(new Date(), root);
  await using studio = await open(options);
  const ofForeign = foreign === undefined ? undefined : await studio.foreignLoras(foreign);
  if (foreign !== undefined) {
    // Adapters that are here are used.
    const isUsed = ({ name }: LeftOver) => ofForeign!.missing.length === 0 && /lora/i.test(name);
    const left = foreign.left.filter((one) => !isUsed(one));
    tell(foreignReport(from!.path, { ...foreign, left }, language, besides));
  }
  const taken = foreign === undefined
    ? undefined
    : foreignRequest(foreign, studio.pipe.sizeMultiple, {
      image: besides.source?.image !== undefined,
      mask: besides.source?.mask !== undefined || (besides.source?.alphaMask ?? false),
    });
  if (taken !== undefined && taken.lacking.length > 0 && !goesOn) {
    tell(text.pictureLacking(taken.lacking));
  }
  if (taken?.isResized && (besides.width ?? besides.height) === undefined) {
    tell(text.resized(`${taken.request.width}×${taken.request.height}`));
  }
  const own = recipe === undefined
    ? await withUpscaler(untagged(taken?.request ?? {}), besides)
    : grid === undefined || recipe.template === undefined
    ? generateOptions(recipe)
    : { ...generateOptions(recipe), prompt: recipe.template };
  const { request: begun, changed, differences: pictureDifferences } = await pictureToStartFrom(
    own,
    besides,
    { recipe, from: from?.path },
  );
  const isRecipesUpscaler = begun.hires !== undefined && besides.hires?.upscaler === undefined;
  const upscaler = recipe === undefined || !isRecipesUpscaler
    ? undefined
    : await recipeUpscaler(recipe, from!.path);
  const enlarging = upscaler && { hires: { upscaler: upscaler.file } };
  const asked = mergeSettings([begun, enlarging ?? {}, besides, changed]);
  const named = lorasOf(options);
  // Adapters that are named anew, in an option or in a new prompt, take the place of the recipe's.
  const isNamed = named !== undefined ||
    typed.some(({ prompt = "", negativePrompt = "" }) =>
      [prompt, negativePrompt].some((text) => readLoraTags(text).loras.length > 0)
    );
  if (!isNamed && ofForeign !== undefined && ofForeign.missing.length > 0) {
    tell(text.lorasMissing(ofForeign.missing));
  }
  const loras = named ?? (isNamed ? [] : recipe?.adapters ?? ofForeign?.found ?? []);
  const prompt = dressed(presets, asked.prompt!, asked.raw);
  const request = { ...asked, prompt, loras };
  if (request.prompt.trim() === "") throw new RequestError(both((text) => text.emptyPrompt));
  const isDrawn = typed.every(({ prompt }) => prompt === undefined) &&
    (grid === undefined || recipe?.template === undefined);
  // What a template makes is looked at when it is made.
  if (!request.raw && (isDrawn || !isTemplate(request.prompt))) {
    const { report, faultyLine } = examinePrompt(request.prompt, studio.pipe.promptEncoders);
    tell(report);
    if (faultyLine !== undefined) throw new RequestError(both((text) => text.promptFaulty));
    tell(studio.beyondTraining(request)[language]);
  }
  const { adapters: _own, ...others } = recipe ?? {};
  const differences = recipe === undefined ? [] : [
    ...await studio.differences(isNamed ? others as Recipe : recipe),
    ...pictureDifferences,
    ...(upscaler?.isOther ? ["upscaler" as const] : []),
  ];
  if (differences.length > 0) {
    tell(text.recipeDiffers(differences.map((part) => text.parts[part])));
  }
  if (grid !== undefined) tell(gridLine(grid));
  let sheet: SavedSheet | undefined;
  const pictures = await makePictures(studio, request, {
    folder,
    root,
    name,
    count: options.count ?? COUNT.default,
    isDrawn,
    ...(options.combinations ? { combinations: { limit: options.count } } : {}),
    grid,
    wildcards: options.wildcards,
    preset: namesOf(presets) ?? recipe?.preset,
    hasSheet: options.sheet,
    show: options.show,
    showSteps: options.showSteps,
    onSaved: (picture) => say(options, savedLine(picture)),
    onSheet: (saved) => {
      sheet = saved;
      say(options, sheetLines(saved));
    },
  });
  return {
    pictures,
    ...(sheet === undefined ? {} : { sheet }),
    ...(recipe === undefined ? {} : { differences }),
  };
}

function collected(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

/** The presets that are asked for, in their order. */
async function presetsOf({ preset }: Options): Promise<readonly Preset[]> {
  return await Promise.all(preset.map((name) => loadPreset(name)));
}

/** The grid that is asked for, or that a sheet's recipe has. */
function gridOf(options: Options, recipe: Recipe | undefined): Grid | undefined {
  const asked = options.grid ?? (options.count === undefined ? recipe?.grid : undefined);
  return asked === undefined ? undefined : parseGrid(asked);
}

function gridLine(grid: Grid): string {
  const shown = grid.axes.map(({ word, values }) =>
    `${word} ${values.map(({ text }) => text).join(", ")}`
  );
  return text.gridStart(cellCount(grid), shown.join(" × "));
}

function sheetLines({ path, scale, labels }: SavedSheet): readonly string[] {
  return [
    text.sheetSaved(path, scale === 1 ? undefined : Math.round(100 * scale)),
    ...Object.entries(labels).map(([label, meant]) => text.sheetLabel(label, shown(meant))),
  ];
}

async function batch(options: Options, path: string) {
  const shard = options.shard === undefined ? undefined : parseShard(options.shard);
  const presets = await presetsOf(options);
  await using studio = await open(options);
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

async function interactive(options: Options): Promise<undefined> {
  if (options.json) throw new RequestError(both((text) => text.jsonNeedsPrompt));
  const name = pictureName(options.output ?? NAME);
  const settings = mergeSettings([settingsOf(options), await textsOf(options)]);
  const presets = await presetsOf(options);
  await using studio = await open(options);
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

function refuseContradictions(options: Options): void {
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

async function open(asked: Options): Promise<Studio> {
  const { model, device, gpus, dtype, offload, threads, strict = false } = asked;
  const options = { device, gpus, dtype, offload, threads, strict, language, log: tell };
  const studio = await Studio.open(model, { ...options, ...partOptions(asked) });
  await tellOfFastKernels(studio.pipe, tell);
  return studio;
}

/** The prompts, from wherever the options say. */
async function textsOf(
  { prompt, promptFile, negativePrompt }: Options,
): Promise<Pick<AskedSettings, "prompt" | "negativePrompt">> {
  const positive = promptFile !== undefined
    ? await readPromptFile(promptFile)
    : prompt !== undefined
    ? await readArgument(prompt, "--prompt")
    : undefined;
  const negative = negativePrompt === undefined
    ? undefined
    : await readArgument(negativePrompt, "--negative-prompt");
  return {
    ...(positive === undefined ? {} : { prompt: positive.text }),
    ...(negative === undefined ? {} : { negativePrompt: negative.text }),
  };
}

/** Another program's prompts without the adapters that stand in them. */
function untagged(request: AskedSettings): AskedSettings {
  const { prompt, negativePrompt } = request;
  return {
    ...request,
    ...(prompt === undefined ? {} : { prompt: readLoraTags(prompt).text }),
    ...(negativePrompt === undefined ? {} : { negativePrompt: readLoraTags(negativePrompt).text }),
  };
}

/** Settings in which `--image last` has become the path of the picture that was saved last. */
async function withLastPicture(asked: AskedSettings, options: Options): Promise<AskedSettings> {
  if (asked.source?.image !== LAST) return asked;
  const image = await latestPicture(await outputsOf(options));
  return { ...asked, source: { ...asked.source, image } };
}

/** Another program's settings with an upscaler that is here, if one is asked for at all. */
async function withUpscaler(
  request: AskedSettings,
  besides: AskedSettings,
): Promise<AskedSettings> {
  const { upscaler, ...hires } = request.hires ?? {};
  if (upscaler === undefined || besides.hires?.upscaler !== undefined) return request;
  const found = await foreignUpscaler(upscaler);
  if (found === undefined) tell(text.upscalerMissing(shown(upscaler)));
  return { ...request, hires: found === undefined ? hires : { ...hires, upscaler: found } };
}

/** The adapters that options name; undefined where none does. */
function lorasOf({ lora }: Options): readonly LoraRequest[] | undefined {
  if (lora === undefined) return undefined;
  return withoutNone(lora.map((text) => ({ ...parseLora(text), mayBePath: true })));
}

/** A picture that is to be made again, or drawn from. */
interface From {
  readonly path: string;
  /** Its recipe, or what another program wrote into it; absent where there is neither. */
  readonly recipe: Recipe | ForeignRecipe | undefined;
  /** The size that the recipe's picture had before `upscale` enlarged it; absent where it did not. */
  readonly enlargedFrom?: string;
}

/** @param mayLack Whether a picture that carries no recipe will do. */
async function recipeOf(
  asked: string,
  options: Options,
  { mayLack }: { mayLack: boolean },
): Promise<From> {
  const path = asked === LAST ? await latestPicture(await outputsOf(options)) : asked;
  try {
    const bytes = await readBytes(path);
    const recipe = readRecipe(bytes);
    const [first] = readUpscaleRecords(bytes);
    if (first === undefined) return { path, recipe };
    return { path, recipe, enlargedFrom: `${first.image.width}×${first.image.height}` };
  } catch (error) {
    const problem = error instanceof RecipeError ? error.problem : undefined;
    if (problem?.kind === "foreign" && problem.recipe.settings.prompt !== undefined) {
      return { path, recipe: problem.recipe };
    }
    if (mayLack && problem !== undefined) return { path, recipe: undefined };
    if (!(error instanceof RecipeError || error instanceof ImageError)) throw error;
    throw new RequestError({
      en: `${path}: ${error.explain("en")}`,
      zh: `${path}：${error.explain("zh")}`,
    }, { cause: error });
  }
}

/** Beside `--json`, stdout is the JSON's. */
function say({ json }: Options, line: Message | Painted): void {
  if (json) tell(line);
  else print(line);
}
