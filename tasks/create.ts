/** `deno task create`: pictures from prompts, one by one in a conversation, or many at once. */
import { ImageError } from "../src/image/mod.ts";
import { RequestError } from "../src/mod.ts";
import { randomSeed } from "../src/random/mod.ts";
import { generateOptions, readRecipe, type Recipe, RecipeError } from "../src/recipe/mod.ts";
import { SCHEDULER_NAMES } from "../src/schedulers/mod.ts";
import { parseShard, readBatch } from "../src/studio/batch.ts";
import { readBytes, readText } from "../src/studio/read_text.ts";
import { folderOfTime, pictureName, prepareFolder } from "../src/studio/outputs.ts";
import {
  MOST_GUIDANCE,
  MOST_PICTURES,
  MOST_STEPS,
  parseSeed,
  type PictureRequest,
  type RequestDefaults,
  withoutAbsent,
} from "../src/studio/request.ts";
import { Studio } from "../src/studio/studio.ts";
import { Option } from "commander";
import { runBatch } from "./create/batch.ts";
import { runInteractive } from "./create/interactive.ts";
import { makePictures, savedLine } from "./create/picture.ts";
import { both, text } from "./create/texts.ts";
import { addModelOptions, type ModelOptions } from "./cli/model_options.ts";
import { examinePrompt } from "./cli/prompt_check.ts";
import { language, positiveNumber, run, task, wholeNumber } from "./cli/task.ts";

const STEPS = 30;
const NAME = "output.png";

interface Options extends ModelOptions {
  readonly json?: true;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly negativePrompt?: string;
  readonly systemPrompt?: string;
  readonly output?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly seed?: string;
  readonly width?: number;
  readonly height?: number;
  readonly count?: number;
  readonly scheduler?: typeof SCHEDULER_NAMES[number];
  readonly stepCache?: number;
  readonly model: string;
  readonly batch?: string;
  readonly shard?: string;
  readonly from?: string;
  readonly strict?: true;
  readonly show?: true;
  readonly showSteps?: true;
}

const { options: help } = text;
const command = task("create", text.description)
  .option("--prompt <text>", help.prompt)
  .option("--prompt-file <path>", help.promptFile)
  .option("--negative-prompt <text>", help.negativePrompt)
  .option("--system-prompt <text>", help.systemPrompt)
  .option("--output <name>", help.output)
  .option("--steps <count>", help.steps, wholeNumber)
  .option("--guidance <scale>", help.guidance, positiveNumber)
  .option("--seed <number>", help.seed)
  .option("--width <pixels>", help.width, wholeNumber)
  .option("--height <pixels>", help.height, wholeNumber)
  .option("--count <pictures>", help.count, wholeNumber)
  .addOption(new Option("--scheduler <name>", help.scheduler).choices(SCHEDULER_NAMES))
  .option("--step-cache <error>", help.stepCache, positiveNumber)
  .option("--model <folder>", help.model, ".")
  .option("--batch <path>", help.batch)
  .option("--shard <i/n>", help.shard)
  .option("--from <picture>", help.from)
  .option("--strict", help.strict)
  .option("--show", help.show)
  .option("--show-steps", help.showSteps)
  .addHelpText("after", text.examples);

addModelOptions(command);

await run<Options>(command, async (options) => {
  refuseContradictions(options);
  checkRanges(options);
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
  const recipe = options.from === undefined ? undefined : await recipeOf(options.from);
  const asked = withoutAbsent({ ...requestOf(options), prompt: await promptOf(options) });
  const name = pictureName(options.output ?? NAME);
  const folder = folderOfTime(new Date());
  await prepareFolder(folder);
  await using studio = await open(options);
  const request: PictureRequest = {
    ...defaultsOf(options, studio),
    ...(recipe === undefined ? {} : requestOfRecipe(recipe)),
    ...asked,
    prompt: asked.prompt ?? recipe!.prompt,
    generator: generatorOf(options, recipe) ?? { seed: randomSeed() },
  };
  if (request.prompt.trim() === "") throw new RequestError(both((text) => text.emptyPrompt));
  if (!request.raw) {
    const { report, faultyLine } = examinePrompt(request.prompt, studio.pipe.promptEncoders);
    if (report !== "") console.error(report);
    if (faultyLine !== undefined) throw new RequestError(both((text) => text.promptFaulty));
  }
  const differences = recipe === undefined ? [] : await studio.differences(recipe);
  if (differences.length > 0) {
    console.error(text.recipeDiffers(differences.map((part) => text.parts[part])));
  }
  const pictures = await makePictures(studio, request, {
    folder,
    name,
    count: options.count ?? 1,
    show: options.show,
    showSteps: options.showSteps,
    onSaved: (picture) => say(options, savedLine(picture)),
  });
  return recipe === undefined ? { pictures } : { pictures, differences };
}

async function batch(options: Options, path: string) {
  const shard = options.shard === undefined ? undefined : parseShard(options.shard);
  const generator = generatorOf(options);
  await using studio = await open(options);
  const defaults = {
    ...defaultsOf(options, studio),
    ...requestOf(options),
    ...(generator === undefined ? {} : { generator }),
  };
  const read = await readBatch(path, defaults, options.count);
  const folder = options.output === undefined
    ? read.name
    : pictureName(`${options.output}/x`).replace(/\/x\.png$/, "");
  return await runBatch(studio, read, {
    folder,
    shard,
    show: options.show,
    showSteps: options.showSteps,
    say: (line) => say(options, line),
  });
}

async function interactive(options: Options): Promise<undefined> {
  if (options.json) throw new RequestError(both((text) => text.jsonNeedsPrompt));
  const generator = generatorOf(options);
  const name = pictureName(options.output ?? NAME);
  await using studio = await open(options);
  const { defaultSize } = studio.pipe;
  const request = {
    ...defaultsOf(options, studio),
    ...requestOf(options),
    width: options.width ?? defaultSize,
    height: options.height ?? defaultSize,
    ...(generator === undefined ? {} : { generator }),
  };
  await runInteractive(
    studio,
    { request, name, count: options.count ?? 1 },
    { show: options.show, showSteps: options.showSteps },
  );
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
  if (options.shard !== undefined && options.batch === undefined) {
    throw new RequestError(both((text) => text.shardNeedsBatch));
  }
}

function checkRanges({ steps = 1, guidance = 1, count = 1 }: Options): void {
  const check = (option: string, value: number, most: number) => {
    if (value < 1 || value > most) {
      throw new RequestError(both((text) => text.notWhole(`${option} ${value}`, most)));
    }
  };
  check("--steps", steps, MOST_STEPS);
  check("--count", count, MOST_PICTURES);
  if (guidance > MOST_GUIDANCE) {
    throw new RequestError(both((text) => text.notNumber(`--guidance ${guidance}`, MOST_GUIDANCE)));
  }
}

function open({ model, device, dtype, offload, strict }: Options): Promise<Studio> {
  const options = { device, dtype, offload, strict: strict ?? false, language };
  return Studio.open(model, { ...options, log: console.error });
}

/** What the options say of a request, without what is particular to one picture. */
function requestOf(options: Options) {
  const { negativePrompt, systemPrompt, steps, guidance, width, height, scheduler, stepCache } =
    options;
  return withoutAbsent({
    negativePrompt,
    systemPrompt,
    numInferenceSteps: steps,
    guidanceScale: guidance,
    width,
    height,
    scheduler,
    stepCache,
  });
}

function defaultsOf({ steps = STEPS, guidance }: Options, studio: Studio): RequestDefaults {
  return {
    numInferenceSteps: steps,
    guidanceScale: guidance ?? studio.defaultGuidanceScale,
  };
}

function generatorOf({ seed }: Options, recipe?: Recipe) {
  if (seed === undefined) return recipe?.generator;
  return { ...recipe?.generator, seed: parseSeed(seed) };
}

async function promptOf({ prompt, promptFile }: Options): Promise<string | undefined> {
  return promptFile === undefined ? prompt : await readText(promptFile);
}

async function recipeOf(path: string): Promise<Recipe> {
  try {
    return readRecipe(await readBytes(path));
  } catch (error) {
    if (!(error instanceof RecipeError || error instanceof ImageError)) throw error;
    throw new RequestError({
      en: `${path}: ${error.explain("en")}`,
      zh: `${path}：${error.explain("zh")}`,
    }, { cause: error });
  }
}

function requestOfRecipe(recipe: Recipe): PictureRequest {
  return generateOptions(recipe) as PictureRequest;
}

/** Beside `--json`, stdout is the JSON's. */
function say({ json }: Options, line: string): void {
  if (json) console.error(line);
  else console.log(line);
}
