/**
 * Errors meant to be read by a person. Each says what was wrong, where, what was expected and what
 * to do; positions and names are fields too, so that a program can use them.
 *
 * @module
 */

import type { Language, Texts } from "./language.ts";

/** What an error knows besides its message. */
export interface NewBieErrorOptions extends ErrorOptions {
  /** The message in Chinese; without it there is only the English one. */
  readonly zh?: string;
}

/** The request was carried out as asked and failed: a task that meets it exits with 1. */
export class NewBieError extends Error {
  override name = "NewBieError";
  readonly #zh: string | undefined;

  constructor(message?: string, options?: NewBieErrorOptions) {
    super(message, options);
    this.#zh = options?.zh;
  }

  /** The message in a language. */
  explain(language: Language): string {
    return language === "zh" ? this.#zh ?? this.message : this.message;
  }
}

/** What was thrown, for people: in a language, where it knows it. */
export function explainError(error: unknown, language: Language): string {
  if (error instanceof NewBieError) return error.explain(language);
  return error instanceof Error ? error.message : String(error);
}

/** The request itself was wrong, so nothing was tried: a task that meets it exits with 2. */
export class RequestError extends NewBieError {
  override name = "RequestError";
}

/** A configuration file that does not say what is needed, or says what cannot be done. */
export class ConfigError extends NewBieError {
  override name = "ConfigError";
  /** The file that was read. */
  readonly file: string;

  /** @param problems What is wrong; what has but one text is said in it in both languages. */
  constructor(file: string, problems: readonly (string | Texts<string>)[], options?: ErrorOptions) {
    const said = (language: Language) =>
      problems.map((problem) => typeof problem === "string" ? problem : problem[language]);
    super(
      `${file}: ${said("en").join("; ")}. Compare it with the file published with the model.`,
      { ...options, zh: `${file}：${said("zh").join("；")}。请与随模型发布的文件对照。` },
    );
    this.file = file;
  }
}
