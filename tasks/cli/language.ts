/** The language of this process: `--lang`, or the environment's. */
import { inBoth, type Language, languageOfEnvironment, type Texts } from "../../src/language.ts";

/** Known before the command line is read, because its help is written in it. */
export const language: Language = fromArguments(Deno.args) ??
  languageOfEnvironment((name) => Deno.env.get(name));

/** The texts in this process's language. */
export function inLanguage<T>(texts: Texts<T>): T {
  return texts[language];
}

/** A task's texts: in this process's language, and in both, as errors need them. */
export interface Catalogue<T> {
  readonly text: T;
  /** Says one thing in both languages. */
  readonly both: <Said = string>(say: (text: T, language: Language) => Said) => Texts<Said>;
}

/** The texts of a task that throws errors with them. */
export function catalogue<T>(texts: Texts<T>): Catalogue<T> {
  return { text: texts[language], both: (say) => inBoth(texts, say) };
}

function fromArguments(args: readonly string[]): Language | undefined {
  const place = args.findLastIndex((arg) => arg === "--lang" || arg.startsWith("--lang="));
  if (place < 0) return undefined;
  const arg = args[place]!;
  const value = arg.includes("=") ? arg.slice(arg.indexOf("=") + 1) : args[place + 1];
  // Another word is refused, in the language of the environment.
  return value === "en" || value === "zh" ? value : undefined;
}
