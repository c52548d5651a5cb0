/** The language of this process: `--lang`, or the environment's. */
import {
  type Language,
  languageOf,
  languageOfEnvironment,
  type Texts,
} from "../../src/language.ts";

/** Known before the command line is read, because its help is written in it. */
export const language: Language = fromArguments(Deno.args) ??
  languageOfEnvironment((name) => Deno.env.get(name));

/** The texts in this process's language. */
export function inLanguage<T>(texts: Texts<T>): T {
  return texts[language];
}

function fromArguments(args: readonly string[]): Language | undefined {
  const place = args.findLastIndex((arg) => arg === "--lang" || arg.startsWith("--lang="));
  if (place < 0) return undefined;
  const arg = args[place]!;
  const value = arg.includes("=") ? arg.slice(arg.indexOf("=") + 1) : args[place + 1];
  return value === undefined ? undefined : languageOf(value);
}
