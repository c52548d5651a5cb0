/**
 * Errors meant to be read by a person. Each says what was wrong, where, what was expected and what
 * to do, in every language; positions and names are fields too, so that a program can use them.
 *
 * @module
 */

import type { Language, Texts } from "./language.ts";
import { shown, visible } from "./shown.ts";
import { systemReason } from "./system_reason.ts";
import { UnfitFileError } from "./whole_file.ts";

/**
 * A message: one line, or several. A line break within a line is shown as `\n`, so that a file's
 * name or text cannot make lines of its own.
 */
export type Message = string | readonly string[];

/** What an error knows besides its message. */
export interface NewBieErrorOptions extends ErrorOptions {
  /** The message in Chinese. */
  readonly zh: Message;
}

/**
 * The request was carried out as asked and failed: a task that meets it exits with 1.
 *
 * Whatever text of a file stands in the message cannot steer a terminal: characters that are not
 * visible are written as `\u001b`.
 */
export class NewBieError extends Error {
  override name = "NewBieError";
  readonly #zh: string;

  /**
   * @param message The message in every language, or in English with the Chinese one beside it in
   *   the options.
   */
  constructor(message: Texts<Message>, options?: ErrorOptions);
  constructor(message: Message, options: NewBieErrorOptions);
  constructor(message: Message | Texts<Message>, options?: ErrorOptions | NewBieErrorOptions) {
    const { en, zh } = textsOf(message, options);
    super(shownMessage(en), options?.cause === undefined ? {} : { cause: options.cause });
    this.#zh = shownMessage(zh);
  }

  /** The message in a language. */
  explain(language: Language): string {
    return language === "zh" ? this.#zh : this.message;
  }
}

function textsOf(
  message: Message | Texts<Message>,
  options: ErrorOptions | NewBieErrorOptions | undefined,
): Texts<Message> {
  if (typeof message === "object" && "en" in message) return message;
  // The constructor's signatures leave nothing else.
  return { en: message, zh: (options as NewBieErrorOptions).zh };
}

/** The most characters of a line, however long the texts in it are. */
const LONGEST_LINE = 4000;

function shownMessage(message: Message): string {
  const lines = typeof message === "string" ? [message] : message;
  return lines.map((line) => line.length > LONGEST_LINE ? shown(line, LONGEST_LINE) : visible(line))
    .join("\n");
}

/** A message with words before its first line. */
export function headed(head: string, message: Message): Message {
  if (typeof message === "string") return head + message;
  const [first = "", ...others] = message;
  return [head + first, ...others];
}

/** What was thrown, for people, in a language. */
export function explainError(error: unknown, language: Language): string {
  return (error instanceof NewBieError ? error : asNewBieError(error)).explain(language);
}

/** An error that is not the toolkit's own, in words: of the system, or of a library. */
function asNewBieError(error: unknown): NewBieError {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const reason = systemReason(error);
  if (reason !== undefined) {
    // Neither Deno nor Node tells the path every time.
    const path = error instanceof UnfitFileError
      ? error.path
      : /: \w+ '(.*)'(?: -> '.*')?$/s.exec(message)?.[1];
    return new NewBieError({
      en: `${path ?? "A file or folder could not be used"}: ${reason.en}.`,
      zh: `${path ?? "无法使用某个文件或文件夹"}：${reason.zh}。`,
    });
  }
  const said = `${name}: ${shown(message, LONGEST_LINE / 4)}`;
  return new NewBieError({
    en: `Something unforeseen went wrong: ${said}`,
    zh: `发生了意料之外的错误：${said}`,
  });
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

  /** @param problems What is wrong. */
  constructor(file: string, problems: readonly Texts<string>[], options?: ErrorOptions) {
    const said = (language: Language) => problems.map((problem) => problem[language]);
    super({
      en: `${file}: ${said("en").join("; ")}. Compare it with the file published with the model.`,
      zh: `${file}：${said("zh").join("；")}。请与随模型发布的文件对照。`,
    }, options);
    this.file = file;
  }
}
