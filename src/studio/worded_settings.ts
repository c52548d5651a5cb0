/**
 * Settings as programs exchange them: flat JSON, with the words of a batch's lines.
 *
 * @module
 */
import * as z from "zod";
import { RequestError } from "../errors.ts";
import type { Language, Texts } from "../language.ts";
import {
  COUNT,
  defaultOf,
  DRAFT,
  file,
  type Kind,
  leavesOf,
  mergeSettings,
  SETTINGS,
  type SettingsTable,
  toJson,
  valueAt,
} from "../settings/mod.ts";
import { upscalerNames } from "../pipeline/find_upscaler.ts";
import { type Grid, parseGrid } from "./grid.ts";
import type { JobRequest } from "./picture_queue.ts";
import { dressed, loadPreset, namesOf } from "./preset.ts";
import { batchRequest, LORA_WORD } from "./request.ts";

/** Settings that belong together in a form. */
export type SettingGroup = "prompt" | "sampling" | "size" | "seed" | "picture" | "mask" | "hires";

/** A setting, for a program that shows a form. */
export interface DescribedSetting {
  /** What a request calls it. */
  readonly word: string;
  /**
   * What it belongs to; those of `picture` say nothing without a picture to start from, and those of
   * `mask` nothing without a mask.
   */
  readonly group: SettingGroup;
  /** What it does. */
  readonly about: Texts<string>;
  /** Its short name, where it has one. */
  readonly name?: Texts<string>;
  /** What counts by default, in JSON; absent where the model decides. */
  readonly default?: unknown;
  /** What counts by default, where that is no value. */
  readonly otherwise?: Texts<string>;
  /** Of the value in JSON. */
  readonly schema: object;
}

/** What may not be said from outside: it names files of this machine. */
const INSIDE_ONLY: readonly string[] = ["prompt_file", "output"];
/** What a request may say besides the settings, `count` and `draft`. */
const GRID_WORD = "grid";
const PRESET_WORD = "preset";
/** What enlarges a picture besides the networks of {@linkcode upscalerNames}. */
const UPSCALING_METHODS: readonly string[] = ["lanczos", "latent"];

/** By the name in the API, or the first part of it; the others are the sampler's. */
const GROUPS: Readonly<Record<string, SettingGroup>> = {
  prompt: "prompt",
  negativePrompt: "prompt",
  systemPrompt: "prompt",
  raw: "prompt",
  width: "size",
  height: "size",
  generator: "seed",
  variation: "seed",
  seedResizeFrom: "seed",
  strength: "picture",
  differentialMask: "mask",
  overlay: "mask",
  maskBlur: "mask",
  source: "picture",
  "source.onlyMasked": "mask",
  hires: "hires",
};

/** Whether a value is a file's path. */
function isFile({ placeholder }: Pick<Kind<unknown>, "placeholder">): boolean {
  return placeholder === file().placeholder;
}

/** Settings by their words, as JSON: {@linkcode wordedRequest} reads them again. */
export function wordedSettings(
  settings: object,
  table: SettingsTable = SETTINGS,
): Record<string, unknown> {
  return Object.fromEntries(
    leavesOf(table).flatMap(({ path, setting }) => {
      const value = valueAt(settings, path);
      return value === undefined ? [] : [[setting.word, toJson(setting.kind, value)]];
    }),
  );
}

/**
 * Reads a request: an object with the words of the settings, `count`, `draft`, `grid`, `preset` and
 * `lora`. Whoever asks may be elsewhere: adapters, presets and what enlarges are asked for by their
 * names alone. What `image` and `mask` say is left as it is; it names no file before
 * somebody has looked what it stands for.
 *
 * @param presets The folder of presets.
 * @throws {RequestError} Naming everything that is wrong.
 */
export async function wordedRequest(
  json: unknown,
  { table = SETTINGS, presets }: {
    readonly table?: SettingsTable;
    readonly presets?: string;
  } = {},
): Promise<JobRequest> {
  const {
    [DRAFT.word]: draft = false,
    [GRID_WORD]: grid,
    [PRESET_WORD]: preset,
    ...said
  } =
    (typeof json === "object" && json !== null && !Array.isArray(json)
      ? json
      : { prompt: json }) as Record<string, unknown>;
  for (const word of INSIDE_ONLY) {
    if (!Object.hasOwn(said, word)) continue;
    throw new RequestError({ en: `there is no "${word}".`, zh: `没有 "${word}"。` });
  }
  if (typeof draft !== "boolean") {
    throw new RequestError({
      en: `"${DRAFT.word}" is expected to be true or false.`,
      zh: `"${DRAFT.word}" 应为 true 或 false。`,
    });
  }
  const { request, count } = batchRequest(said, table);
  const axes = gridOf(grid, count, table);
  const named = await Promise.all(presetsOf(preset).map((name) => loadPreset(name, presets)));
  const merged = mergeSettings([
    ...named.map(({ settings }) => settings),
    ...(draft ? [DRAFT.settings] : []),
    request,
  ], table);
  await refuseUnknownUpscaler(merged.hires?.upscaler);
  const { loras } = request;
  const names = namesOf(named);
  return {
    request: {
      ...merged,
      prompt: dressed(named, request.prompt!, merged.raw),
      ...(loras === undefined ? {} : { loras }),
    },
    ...(axes === undefined ? { count: count ?? COUNT.default } : { grid: axes }),
    ...(names === undefined ? {} : { preset: names }),
  };
}

function gridOf(
  asked: unknown,
  count: number | undefined,
  table: SettingsTable,
): Grid | undefined {
  if (asked === undefined || asked === null || asked === "") return undefined;
  if (typeof asked !== "string") {
    throw new RequestError({
      en: `"${GRID_WORD}" is expected to be a text such as "seed=1-3 steps=10,20".`,
      zh: `"${GRID_WORD}" 应为 "seed=1-3 steps=10,20" 这样的文字。`,
    });
  }
  if (count !== undefined && count !== COUNT.default) {
    throw new RequestError({
      en: `A grid says itself how many pictures there are: leave out "${COUNT.word}".`,
      zh: `网格本身决定图片数量：请去掉 "${COUNT.word}"。`,
    });
  }
  const grid = parseGrid(asked, table);
  const file = grid.axes.find(({ word }) =>
    leavesOf(table).some(({ setting }) => setting.word === word && isFile(setting.kind))
  );
  if (file === undefined) return grid;
  throw new RequestError({
    en: `--grid: ${file.word} cannot be an axis here: it names files.`,
    zh: `--grid：${file.word} 在这里不能作为轴，因为它指定文件。`,
  });
}

function presetsOf(asked: unknown): readonly string[] {
  if (asked === undefined || asked === null || asked === "") return [];
  const names: readonly unknown[] = Array.isArray(asked) ? asked : [asked];
  return names.map((name) => {
    if (typeof name === "string" && !/[\\/]|\.(json|csv)$/i.test(name)) return name;
    throw new RequestError({
      en: `"${PRESET_WORD}" is expected to be the name of a preset, or a list of names.`,
      zh: `"${PRESET_WORD}" 应为预设的名称，或名称的列表。`,
    });
  });
}

/** A network is asked for by its name; a path might lead anywhere. */
async function refuseUnknownUpscaler(asked: string | undefined): Promise<void> {
  if (asked === undefined) return;
  const known = [...UPSCALING_METHODS, ...await upscalerNames()];
  if (known.includes(asked)) return;
  const word = SETTINGS.hires.upscaler.word;
  throw new RequestError({
    en: `"${word}" is ${JSON.stringify(asked)}; expected one of ${known.join(", ")}.`,
    zh: `"${word}" 是 ${JSON.stringify(asked)}；应为以下之一：${known.join("、")}。`,
  });
}

/**
 * All settings of a table, for a program that shows a form; but for the pictures to start from, which
 * are no words.
 *
 * @param upscalers The networks that enlarge pictures.
 */
export function describedSettings(
  isDemo: boolean,
  upscalers: readonly string[],
  table: SettingsTable = SETTINGS,
): readonly DescribedSetting[] {
  return leavesOf(table).filter(({ path, setting }) =>
    path[0] !== "source" || !isFile(setting.kind)
  )
    .map(({ path, setting }) => {
      const { word, about, question, otherwise, kind } = setting;
      const value = defaultOf(setting, isDemo);
      return {
        word,
        group: GROUPS[path.join(".")] ?? GROUPS[path[0]!] ?? "sampling",
        about,
        ...(question === undefined ? {} : { name: question }),
        ...(value === undefined ? {} : { default: toJson(kind, value) }),
        ...(otherwise === undefined ? {} : { otherwise }),
        schema: schemaOf(
          isFile(kind) ? { ...kind, choices: [...UPSCALING_METHODS, ...upscalers] } : kind,
        ),
      };
    });
}

/** What a request may say, as a JSON schema. */
export function wordedSchema(
  language: Language = "en",
  table: SettingsTable = SETTINGS,
): Readonly<Record<string, unknown>> {
  const described = Object.fromEntries(
    leavesOf(table).map(({ setting: { word, about, kind } }) => [
      word,
      { ...schemaOf(kind), description: about[language] },
    ]),
  );
  const several = (about: string) => ({
    anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
    description: about,
  });
  return {
    type: "object",
    properties: {
      ...described,
      ...Object.fromEntries(
        ["image", "mask"].map((word) => [
          word,
          { type: "string", description: ABOUT.picture[language] },
        ]),
      ),
      [COUNT.word]: { ...schemaOf(COUNT.kind), description: COUNT.about[language] },
      [DRAFT.word]: { type: "boolean", description: DRAFT.about[language] },
      [GRID_WORD]: { type: "string", description: ABOUT.grid[language] },
      [PRESET_WORD]: several(ABOUT.preset[language]),
      [LORA_WORD]: several(ABOUT.lora[language]),
    },
    required: [SETTINGS.prompt.word],
    additionalProperties: false,
  };
}

const ABOUT = {
  picture: {
    en: "the name of a picture of the gallery, the name that POST /api/pictures gave, or the " +
      "picture as data:image/png;base64,…",
    zh: "图库中图片的名称、POST /api/pictures 返回的名称，或 data:image/png;base64,… 形式的图片",
  },
  grid: {
    en: 'up to three settings with their values, "seed=1-3 steps=10,20"; instead of count',
    zh: '至多三项设置及其取值，例如 "seed=1-3 steps=10,20"；代替 count',
  },
  preset: { en: "names of presets", zh: "预设的名称" },
  lora: {
    en: "adapters by their names, with their weights: style:0.8",
    zh: "适配器的名称和权重：style:0.8",
  },
} as const;

function schemaOf(
  { schema, choices }: { readonly schema: z.ZodType; readonly choices?: readonly string[] },
) {
  if (choices !== undefined) return { type: "string", enum: choices };
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return json;
}
