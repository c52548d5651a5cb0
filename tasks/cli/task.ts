/** What all tasks share: options, `--json`, `--lang`, errors for people, exit codes. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { explainError, headed, type Message, RequestError } from "../../src/errors.ts";
import type { Language, Texts } from "../../src/language.ts";
import { MissingPlaceError } from "../../src/pipeline/checkpoint/missing_place_error.ts";
import { ownWordFor } from "../../src/settings/mod.ts";
import { visible } from "../../src/shown.ts";
import { catalogue, inLanguage, language } from "./language.ts";
import { print, printJson, tell } from "./print.ts";
import { duration } from "./progress.ts";
import { heedNohup } from "./signals.ts";

/** What commander says, and how to say it in Chinese. */
const COMMAND_LINE_FAULTS: readonly (readonly [RegExp, string])[] = [
  [/^unknown option '(.*)', which is (.*) here\.$/s, "没有选项 $1，这里叫 $2。"],
  [/^unknown option '(.*)'.*$/s, "未知的选项 $1。"],
  [/^option '(.*)' argument missing$/, "选项 $1 缺少参数。"],
  [/^option '(.*)' argument '(.*)' is invalid\. (.*)$/s, "选项 $1 的参数 “$2” 无效：$3"],
  [/^too many arguments.*$/s, "参数过多。"],
  [/^missing required argument '(.*)'$/, "缺少参数 $1。"],
  [/^required option '(.*)' not specified$/, "缺少必需的选项 $1。"],
  [
    /^command-argument value '(.*)' is invalid for argument '(.*)'\. Allowed choices are (.*)$/s,
    "参数 $2 的值 “$1” 无效，可选：$3",
  ],
];

function inChinese(message: string): string {
  const fault = COMMAND_LINE_FAULTS.find(([pattern]) => pattern.test(message));
  return fault === undefined ? message : message.replace(...fault);
}

/** The thing asked for failed. */
const EXIT_FAILED = 1;
/** The request was wrong. */
const EXIT_WRONG_REQUEST = 2;

const text = inLanguage({
  en: {
    json: "print one JSON object on stdout, everything else on stderr",
    lang:
      "language of messages: en or zh (default: that of LC_ALL, LC_MESSAGES, LANG or the system)",
    help: "show this help",
    languages: "Expected en or zh.",
    wholeNumber: "Expected a whole number.",
    titles: {} as Readonly<Record<string, string>>,
    options: "[options]",
    or: ", ",
    semicolon: "; ",
    byDefault: "default: ",
    note: (description: string, notes: string) => `${description} (${notes})`,
    error: "error: ",
    commandLine: (message: string) => message,
  },
  zh: {
    json: "在标准输出打印一个 JSON 对象，其余内容打印到标准错误",
    lang: "消息的语言：en 或 zh（默认取自 LC_ALL、LC_MESSAGES、LANG 或系统）",
    help: "显示本帮助",
    languages: "应为 en 或 zh。",
    wholeNumber: "应为非负整数。",
    titles: { "Usage:": "用法：", "Options:": "选项：", "Arguments:": "参数：" },
    options: "[选项]",
    or: "、",
    semicolon: "；",
    byDefault: "默认：",
    note: (description: string, notes: string) => `${description}（${notes}）`,
    error: "错误：",
    commandLine: inChinese,
  },
});

/** A command line for `deno task <name>`, with `--json`, `--lang` and `--help`. */
export function task(name: string, description: string): Command {
  return new Command(`deno task ${name}`)
    .description(description)
    .option("--json", text.json)
    .option("--lang <language>", text.lang, knownLanguage)
    .helpOption("--help", text.help)
    .configureHelp({
      styleTitle: (title) => text.titles[title] ?? title,
      styleUsage: (usage) => usage.replace("[options]", text.options),
      optionDescription: ({ description, defaultValue, argChoices }) => {
        const notes = [
          ...(argChoices === undefined ? [] : [argChoices.join(text.or)]),
          ...(defaultValue === undefined || defaultValue === ""
            ? []
            : [`${text.byDefault}${defaultValue}`]),
        ];
        return notes.length === 0
          ? description
          : text.note(description, notes.join(text.semicolon));
      },
    })
    .configureOutput({ outputError: () => {} })
    .exitOverride();
}

/**
 * Runs a task to the end of the process: exit 0 when it is done, 1 when it failed, 2 when the
 * request was wrong.
 *
 * @param action Does the work and returns what `--json` prints. Its second argument are the
 *   command's arguments.
 */
export async function run<Options extends { json?: true }>(
  command: Command,
  action: (options: Options, args: readonly string[]) => Promise<unknown>,
): Promise<never> {
  await heedNohup();
  try {
    command.parse(Deno.args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) Deno.exit(0);
    // The nearest option stands on a line of its own, and what was typed may not make lines.
    const said = error.message.replace(/^error: /, "").replace(/\n(?=\(Did you mean .*\?\)$)/, " ");
    const message = text.commandLine(withOwnWord(said, command));
    tell(`${text.error}${message}`);
    if (Deno.args.includes("--json")) report("RequestError", message);
    Deno.exit(EXIT_WRONG_REQUEST);
  }
  const options = command.opts<Options>();
  try {
    const result = await action(options, command.args);
    if (options.json) printJson(result);
    Deno.exit(0);
  } catch (error) {
    const { name, message, details, exitCode } = asFailure(error);
    tell(error instanceof TaskFailure ? message : headed(text.error, message));
    if (options.json) report(name, [message].flat().join("\n"), details);
    Deno.exit(exitCode);
  }
}

/** A command line's fault, with the option that is meant where another program calls it so. */
function withOwnWord(said: string, command: Command): string {
  const [, option] = /^unknown option '(--[^']*)'/.exec(said) ?? [];
  const own = option === undefined ? undefined : ownWordFor(option);
  const name = own === undefined ? undefined : `--${own.replaceAll("_", "-")}`;
  const isThere = command.options.some(({ long }) => long === name);
  return isThere ? `unknown option '${option}', which is ${name} here.` : said;
}

/** Says an error in JSON, too; where that cannot be printed, the words alone have to do. */
function report(name: string, message: string, details: object = {}): void {
  try {
    printJson({ error: { name, message }, ...details });
  } catch {
    // It may be this very error.
  }
}

/** A task failed, and has more to tell a program than a message in this process's language. */
export class TaskFailure extends Error {
  override name = "TaskFailure";
  /** The message, line by line. */
  readonly lines: readonly string[];
  /** Stands beside `error` in the JSON object. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly exitCode: number;

  constructor(
    message: Message,
    details: Readonly<Record<string, unknown>>,
    { isRequestWrong = false } = {},
  ) {
    const lines = [message].flat().map(visible);
    super(lines.join("\n"));
    this.lines = lines;
    this.details = details;
    this.exitCode = isRequestWrong ? EXIT_WRONG_REQUEST : EXIT_FAILED;
  }
}

function asFailure(error: unknown) {
  if (error instanceof TaskFailure) {
    const { name, lines, details, exitCode } = error;
    return { name, message: lines, details, exitCode };
  }
  const { name } = error instanceof Error ? error : new Error();
  const message = messageOf(error).split("\n");
  const isRequestWrong = error instanceof RequestError || error instanceof MissingPlaceError;
  const exitCode = isRequestWrong ? EXIT_WRONG_REQUEST : EXIT_FAILED;
  return { name, message, details: {}, exitCode };
}

/** An error's message in this process's language. */
export function messageOf(error: unknown): string {
  return explainError(error, language);
}

/** An error's message in both languages, line by line, for another error. */
export function linesOfBoth(error: unknown): Texts<readonly string[]> {
  const lines = (language: Language) => explainError(error, language).split("\n");
  return { en: lines("en"), zh: lines("zh") };
}

function knownLanguage(value: string): string {
  if (value !== "en" && value !== "zh") throw new InvalidArgumentError(text.languages);
  return value;
}

/** Reads an option's value; commander names the option when it is refused. */
export function wholeNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError(text.wholeNumber);
  return Number(value);
}

export { catalogue, duration, inLanguage, language, print, tell };
