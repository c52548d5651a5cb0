/** One request, given whole: by options, by a picture's recipe, or by both. */
import { RequestError } from "../../src/errors.ts";
import { ImageError } from "../../src/image/mod.ts";
import { readLoraTags } from "../../src/prompt/mod.ts";
import {
  type ForeignRecipe,
  generateOptions,
  type LeftOver,
  readRecipe,
  readUpscaleRecords,
  type Recipe,
  RecipeError,
} from "../../src/recipe/mod.ts";
import { type AskedSettings, COUNT, mergeSettings } from "../../src/settings/mod.ts";
import { shown } from "../../src/shown.ts";
import { foreignRequest } from "../../src/studio/foreign_request.ts";
import { cellCount, type Grid, parseGrid } from "../../src/studio/grid.ts";
import { LAST, latestPicture } from "../../src/studio/latest_picture.ts";
import type { LoraRequest } from "../../src/studio/lora_request.ts";
import { openFolderOfDay, pictureName } from "../../src/studio/outputs.ts";
import { dressed, namesOf } from "../../src/studio/preset.ts";
import { readBytes } from "../../src/studio/read_text.ts";
import { foreignUpscaler, recipeUpscaler } from "../../src/studio/recipe_upscaler.ts";
import type { PictureRequest } from "../../src/studio/request.ts";
import type { SavedSheet } from "../../src/studio/sheet.ts";
import type { Studio } from "../../src/studio/studio.ts";
import { isTemplate } from "../../src/templates/mod.ts";
import { outputsOf } from "../cli/output_root.ts";
import { tell } from "../cli/print.ts";
import { examinePrompt } from "../cli/prompt_check.ts";
import { settingsOf } from "../cli/setting_options.ts";
import { language } from "../cli/task.ts";
import { foreignReport } from "./foreign_report.ts";
import {
  type CreateOptions,
  lorasOf,
  openStudio,
  PICTURE_NAME,
  presetsOf,
  say,
  textsOf,
} from "./options.ts";
import { makePictures, savedLine } from "./picture.ts";
import { pictureToStartFrom } from "./start_from.ts";
import { both, text } from "./texts.ts";

/**
 * Makes the pictures of one request.
 *
 * @returns What `--json` prints of them.
 * @throws {RequestError} When the options, or the picture of `--from`, do not make a request.
 */
export async function drawOnce(options: CreateOptions) {
  const goesOn = options.strength !== undefined && options.image === undefined;
  const from = await fromOf(options, goesOn);
  const { recipe, foreign } = from ?? {};
  const typed = [await withLastPicture(settingsOf(options), options), await textsOf(options)];
  const grid = gridOf(options, recipe);
  const presets = await presetsOf(options);
  const besides = mergeSettings([...presets.map(({ settings }) => settings), ...typed]);
  const name = pictureName(options.output ?? PICTURE_NAME);
  const root = await outputsOf(options);
  const folder = await openFolderOfDay(new Date(), root);
  await using studio = await openStudio(options);
  const taken = foreign === undefined
    ? undefined
    : await takenOver(studio, foreign, { path: from!.path, besides, goesOn });
  const own = recipe === undefined
    ? await withUpscaler(untagged(taken?.request ?? {}), besides)
    : grid === undefined || recipe.template === undefined
    ? generateOptions(recipe)
    : { ...generateOptions(recipe), prompt: recipe.template };
  const start = await pictureToStartFrom(own, besides, { recipe, from: from?.path });
  const isRecipesUpscaler = start.request.hires !== undefined &&
    besides.hires?.upscaler === undefined;
  const upscaler = recipe === undefined || !isRecipesUpscaler
    ? undefined
    : await recipeUpscaler(recipe, from!.path);
  const enlarging = upscaler && { hires: { upscaler: upscaler.file } };
  const asked = mergeSettings([start.request, enlarging ?? {}, besides, start.changed]);
  const named = namedLoras(options, typed);
  if (named === undefined && taken !== undefined && taken.loras.missing.length > 0) {
    tell(text.lorasMissing(taken.loras.missing));
  }
  const request = {
    ...asked,
    prompt: dressed(presets, asked.prompt!, asked.raw),
    loras: named ?? recipe?.adapters ?? taken?.loras.found ?? [],
  };
  const isDrawn = typed.every(({ prompt }) => prompt === undefined) &&
    (grid === undefined || recipe?.template === undefined);
  checkRequest(request, studio, isDrawn);
  const { adapters: _own, ...others } = recipe ?? {};
  const differences = recipe === undefined ? [] : [
    ...await studio.differences(named === undefined ? recipe : others as Recipe),
    ...start.differences,
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

/** A picture that is to be made again, or drawn from. */
interface From {
  readonly path: string;
  /** Its own recipe; absent where it has none. */
  readonly recipe?: Recipe;
  /** What another program wrote into it; absent where none did. */
  readonly foreign?: ForeignRecipe;
}

/**
 * Reads the picture of `--from`, and tells what is to be known of it.
 *
 * @param goesOn Whether the new picture is drawn from it.
 * @throws {RequestError} When it cannot be read, or does not say what is needed.
 */
async function fromOf(options: CreateOptions, goesOn: boolean): Promise<From | undefined> {
  if (options.from === undefined) return undefined;
  const { path, recipe, enlargedFrom } = await recipeOf(options.from, options, {
    // Who draws from the picture itself needs no recipe, only a prompt.
    mayLack: options.strength !== undefined && (options.prompt ?? options.promptFile) !== undefined,
  });
  if (enlargedFrom !== undefined && !goesOn) tell(text.enlarged(path, enlargedFrom));
  if (goesOn && recipe !== undefined && "grid" in recipe && recipe.grid !== undefined) {
    throw new RequestError(both((text) => text.sheetIsNoPicture(path)));
  }
  if (recipe === undefined) return { path };
  return "models" in recipe ? { path, recipe } : { path, foreign: recipe };
}

/**
 * Reads what a picture says of how it was made.
 *
 * @param mayLack Whether a picture that carries no recipe will do.
 * @returns Its recipe, or what another program wrote into it; and the size that the recipe's picture had
 *   before `upscale` enlarged it, where it did.
 * @throws {RequestError} When it cannot be read, or says nothing of that.
 */
async function recipeOf(
  asked: string,
  options: CreateOptions,
  { mayLack }: { mayLack: boolean },
) {
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

/** What is taken over of another program's picture. */
interface TakenOver {
  readonly request: AskedSettings;
  readonly loras: Awaited<ReturnType<Studio["foreignLoras"]>>;
}

/** Takes over what another program's picture says, and tells what could not be. */
async function takenOver(
  studio: Studio,
  foreign: ForeignRecipe,
  { path, besides, goesOn }: {
    readonly path: string;
    /** What was asked for besides. */
    readonly besides: AskedSettings;
    readonly goesOn: boolean;
  },
): Promise<TakenOver> {
  const loras = await studio.foreignLoras(foreign);
  // Adapters that are here are used.
  const isUsed = ({ name }: LeftOver) => loras.missing.length === 0 && /lora/i.test(name);
  const left = foreign.left.filter((one) => !isUsed(one));
  tell(foreignReport(path, { ...foreign, left }, language, besides));
  const { request, isResized, lacking } = foreignRequest(foreign, studio.pipe.sizeMultiple, {
    image: besides.source?.image !== undefined,
    mask: besides.source?.mask !== undefined || (besides.source?.alphaMask ?? false),
  });
  if (lacking.length > 0 && !goesOn) tell(text.pictureLacking(lacking));
  if (isResized && (besides.width ?? besides.height) === undefined) {
    tell(text.resized(`${request.width}×${request.height}`));
  }
  return { request, loras };
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
async function withLastPicture(
  asked: AskedSettings,
  options: CreateOptions,
): Promise<AskedSettings> {
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

/**
 * The adapters that are named anew, in an option or in a new prompt: they take the place of the recipe's.
 *
 * @returns Undefined where none are.
 */
function namedLoras(
  options: CreateOptions,
  typed: readonly AskedSettings[],
): readonly LoraRequest[] | undefined {
  const inPrompts = typed.some(({ prompt = "", negativePrompt = "" }) =>
    [prompt, negativePrompt].some((text) => readLoraTags(text).loras.length > 0)
  );
  return lorasOf(options) ?? (inPrompts ? [] : undefined);
}

/**
 * Looks at a prompt before anything is drawn, and tells what is odd about it.
 *
 * @param isDrawn Whether it was drawn from a template already.
 * @throws {RequestError} When it is empty, or has errors.
 */
function checkRequest(request: PictureRequest, studio: Studio, isDrawn: boolean): void {
  if (request.prompt.trim() === "") throw new RequestError(both((text) => text.emptyPrompt));
  // What a template makes is looked at when it is made.
  if (request.raw || !isDrawn && isTemplate(request.prompt)) return;
  const { report, faultyLine } = examinePrompt(request.prompt, studio.pipe.promptEncoders);
  tell(report);
  if (faultyLine !== undefined) throw new RequestError(both((text) => text.promptFaulty));
  tell(studio.beyondTraining(request)[language]);
}

/** The grid that is asked for, or that a sheet's recipe has. */
function gridOf(options: CreateOptions, recipe: Recipe | undefined): Grid | undefined {
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
