/** The settings of a picture as options of a command. */
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type AskedSettings,
  COUNT,
  DRAFT,
  fromText,
  type Kind,
  leavesOf,
  mergeSettings,
  nested,
  SETTINGS,
  type SettingsTable,
} from "../../src/settings/mod.ts";
import type { Texts } from "../../src/language.ts";
import { inLanguage, language } from "./language.ts";

const text = inLanguage({
  en: {
    expected: (expected: string) => `Expected ${expected}.`,
    byDefault: (value: unknown) => `default: ${value}`,
    withDemo: (value: unknown, demo: unknown) => `default: ${value}, demo model ${demo}`,
    notes: (notes: readonly string[]) => ` (${notes.join("; ")})`,
    or: ", ",
  },
  zh: {
    expected: (expected: string) => `应为${expected}。`,
    byDefault: (value: unknown) => `默认：${value}`,
    withDemo: (value: unknown, demo: unknown) => `默认：${value}，演示模型为 ${demo}`,
    notes: (notes: readonly string[]) => `（${notes.join("；")}）`,
    or: "、",
  },
});

/** What `--help` and commander need to know of a setting. */
interface Described<Value> {
  readonly kind: Kind<Value>;
  readonly word: string;
  readonly about: Texts<string>;
  readonly default?: Value;
  readonly demo?: Value;
  readonly otherwise?: Texts<string>;
}

/** Adds every setting of a table to a command, with `--count` and `--draft`. */
export function addSettingOptions(command: Command, table: SettingsTable = SETTINGS): Command {
  for (const { setting } of leavesOf(table)) command.addOption(optionOf(setting));
  command.addOption(optionOf(COUNT));
  return command.option(`--${DRAFT.word}`, DRAFT.about[language]);
}

/** What was asked for on the command line. */
export function settingsOf(
  options: Readonly<Record<string, unknown>>,
  table: SettingsTable = SETTINGS,
): AskedSettings {
  const asked = nested(
    leavesOf(table).map(({ path, setting }) => [path, options[propertyOf(setting.word)]]),
  );
  return options[DRAFT.word] === true ? mergeSettings([DRAFT.settings, asked], table) : asked;
}

function optionOf<Value>(setting: Described<Value>): Option {
  const { kind, word, about } = setting;
  const flags = `--${word.replaceAll("_", "-")}`;
  const notes = notesOf(setting);
  const description = about[language] + (notes.length === 0 ? "" : text.notes(notes));
  if (kind.placeholder === undefined) return new Option(flags, description);
  return new Option(`${flags} ${kind.placeholder}`, description).argParser((argument: string) => {
    const value = fromText(kind, argument);
    if (value !== undefined) return value;
    throw new InvalidArgumentError(text.expected(kind.expected[language]));
  });
}

function notesOf<Value>(setting: Described<Value>): readonly string[] {
  const { kind: { choices }, default: usual, demo, otherwise } = setting;
  const isSaid = usual !== undefined && usual !== "" && usual !== false;
  return [
    ...(choices === undefined ? [] : [choices.join(text.or)]),
    ...(isSaid ? [demo === undefined ? text.byDefault(usual) : text.withDemo(usual, demo)] : []),
    ...(otherwise === undefined ? [] : [text.byDefault(otherwise[language])]),
  ];
}

/** Commander's name of an option's value. */
function propertyOf(word: string): string {
  return word.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
