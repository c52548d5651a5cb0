/** What the conversation asks for, and how it reads answers. */
import { RequestError } from "../../src/errors.ts";
import {
  type AskedSettings,
  fromText,
  type Kind,
  type Leaf,
  leavesOf,
  nested,
  SETTINGS,
  toText,
  valueAt,
  wrongValue,
} from "../../src/settings/mod.ts";
import type { LoraRequest } from "../../src/studio/lora_request.ts";
import type { Preset } from "../../src/studio/preset.ts";
import { language } from "../cli/task.ts";

/** A person who wants to leave, and one who wants to change an earlier answer. */
export const LEAVES = /^(q|quit|exit)$/i;
export const GOES_BACK = "<";

/** What an answer does with the conversation. */
export type Turn = "on" | "back" | "leave";

/** What came of an answer that may be a command. */
export type Commanded = "none" | "done" | "leave";

/** What the answers begin with. */
export interface Defaults {
  readonly request: AskedSettings;
  readonly name: string;
  readonly count: number;
  /** Whose words stand around each prompt. */
  readonly presets: readonly Preset[];
  readonly loras: readonly LoraRequest[];
}

/** What one picture is asked for with. */
export type Answers = { -readonly [Key in keyof Defaults]: Defaults[Key] };

/** A question of the conversation: a setting, or several that are answered together. */
export interface Question {
  readonly label: string;
  readonly leaves: readonly Leaf[];
}

/** The questions about settings, in the order of the table. */
export function questionsOf(): readonly Question[] {
  const asked = leavesOf(SETTINGS).filter(({ setting }) => setting.question !== undefined);
  const labels = new Set(asked.map(({ setting }) => setting.question![language]));
  return [...labels].map((label) => ({
    label,
    leaves: asked.filter(({ setting }) => setting.question![language] === label),
  }));
}

/** What an empty answer means, as the question shows it. */
export function defaultShown(request: AskedSettings, leaves: readonly Leaf[]): string {
  const values = leaves.map(({ path, setting }) => {
    const value = valueAt(request, path);
    return value === undefined ? undefined : toText(setting.kind, value);
  });
  return values.includes(undefined)
    ? leaves[0]!.setting.otherwise?.[language] ?? ""
    : values.join("x");
}

/**
 * Settings with one answer.
 *
 * @throws {RequestError} When it is none.
 */
export function answerTo({ path, setting }: Leaf, answer: string): AskedSettings {
  return nested([[path, read(setting.kind, answer)]]);
}

/**
 * An answer as a setting's value.
 *
 * @throws {RequestError} When it is none.
 */
export function read<Value>(kind: Kind<Value>, answer: string): Value {
  const value = fromText(kind, answer);
  if (value !== undefined) return value;
  const { en, zh } = wrongValue({ en: "The answer", zh: "回答" }, answer, kind);
  throw new RequestError(en, { zh });
}
