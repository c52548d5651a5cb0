/**
 * The languages in which the toolkit speaks to people.
 *
 * @module
 */

/** English or Chinese. */
export type Language = "en" | "zh";

/** What a program says, in every language. The English text decides what there is to say. */
export type Texts<T> = Readonly<Record<Language, T>>;

/** Says one thing in both languages: `say` makes it of what a language has. */
export function inBoth<T, Said = string>(
  texts: Texts<T>,
  say: (text: T, language: Language) => Said,
): Texts<Said> {
  return { en: say(texts.en, "en"), zh: say(texts.zh, "zh") };
}

/** The variables of POSIX that name the language of messages, the first that is set counts. */
const LANGUAGE_VARIABLES = ["LC_ALL", "LC_MESSAGES", "LANG"] as const;

/**
 * The language of a locale's name: Chinese for `zh`, `zh_CN.UTF-8` or `zh-Hans`, English for
 * anything else.
 *
 * @example
 * ```ts
 * languageOf("zh_CN.UTF-8"); // "zh"
 * languageOf("C"); // "en"
 * ```
 */
export function languageOf(locale: string): Language {
  return /^zh(?:$|[_.@-])/i.test(locale) ? "zh" : "en";
}

/**
 * The language that an environment asks for.
 *
 * @param system The system's own language, where no variable is set: Windows sets none.
 */
export function languageOfEnvironment(
  get: (name: string) => string | undefined,
  system: string = navigator.language,
): Language {
  for (const name of LANGUAGE_VARIABLES) {
    const locale = get(name);
    if (locale) return languageOf(locale);
  }
  return languageOf(system);
}
