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
import type { JobRequest } from "./picture_queue.ts";
import { batchRequest } from "./request.ts";

/** A setting, for a program that shows a form. */
export interface DescribedSetting {
  /** What a request calls it. */
  readonly word: string;
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
/** What stands in the place of a file and is none. */
const METHODS: readonly string[] = ["lanczos", "latent"];

/** Whether a value is a file's path. */
function isFile({ placeholder }: Pick<Kind<unknown>, "placeholder">): boolean {
  return placeholder === file().placeholder;
}

/** The settings that may be said from outside. */
function offered(table: SettingsTable) {
  return leavesOf(table).filter(({ path, setting }) =>
    path[0] !== "source" && !isFile(setting.kind)
  );
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
 * Reads a request: an object with the words of the settings, `count` and `draft`.
 *
 * @throws {RequestError} Naming everything that is wrong.
 */
export function wordedRequest(json: unknown, table: SettingsTable = SETTINGS): JobRequest {
  const { [DRAFT.word]: draft, ...said } =
    (typeof json === "object" && json !== null && !Array.isArray(json)
      ? json
      : { prompt: json }) as Record<string, unknown>;
  for (const word of INSIDE_ONLY) {
    if (!Object.hasOwn(said, word)) continue;
    throw new RequestError({ en: `there is no "${word}".`, zh: `没有 "${word}"。` });
  }
  if (draft !== undefined && typeof draft !== "boolean") {
    throw new RequestError({
      en: `"${DRAFT.word}" is expected to be true or false.`,
      zh: `"${DRAFT.word}" 应为 true 或 false。`,
    });
  }
  for (const { setting: { word, kind } } of leavesOf(table)) {
    if (!isFile(kind) || !Object.hasOwn(said, word)) continue;
    const value = said[word];
    if (typeof value === "string" && METHODS.includes(value)) continue;
    throw new RequestError({
      en: `"${word}" names a file of the server's machine, which nobody may choose from elsewhere.`,
      zh: `"${word}" 指定的是服务器上的文件，不允许从外部选择。`,
    });
  }
  const { request, count = COUNT.default } = batchRequest(said, table);
  const { loras } = request;
  const merged = draft ? mergeSettings([DRAFT.settings, request], table) : request;
  return {
    request: {
      ...merged,
      prompt: request.prompt!,
      ...(loras === undefined ? {} : { loras }),
    },
    count,
  };
}

/** All settings of a table, for a program that shows a form. */
export function describedSettings(
  isDemo: boolean,
  table: SettingsTable = SETTINGS,
): readonly DescribedSetting[] {
  return offered(table).map(({ setting }) => {
    const { word, about, question, otherwise, kind } = setting;
    const value = defaultOf(setting, isDemo);
    return {
      word,
      about,
      ...(question === undefined ? {} : { name: question }),
      ...(value === undefined ? {} : { default: toJson(kind, value) }),
      ...(otherwise === undefined ? {} : { otherwise }),
      schema: schemaOf(kind),
    };
  });
}

/** What a request may say, as a JSON schema. */
export function wordedSchema(
  language: Language = "en",
  table: SettingsTable = SETTINGS,
): Readonly<Record<string, unknown>> {
  const described = Object.fromEntries(
    offered(table).map(({ setting: { word, about, kind } }) => [
      word,
      { ...schemaOf(kind), description: about[language] },
    ]),
  );
  return {
    type: "object",
    properties: {
      ...described,
      [COUNT.word]: { ...schemaOf(COUNT.kind), description: COUNT.about[language] },
      [DRAFT.word]: { type: "boolean", description: DRAFT.about[language] },
    },
    required: [SETTINGS.prompt.word],
    additionalProperties: false,
  };
}

function schemaOf(
  { schema, choices }: { readonly schema: z.ZodType; readonly choices?: readonly string[] },
) {
  if (choices !== undefined) return { type: "string", enum: choices };
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return json;
}
