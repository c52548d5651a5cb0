/** What all tasks share: options, `--json`, errors for people, exit codes. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { RequestError } from "../src/mod.ts";

/** The thing asked for failed. */
const EXIT_FAILED = 1;
/** The request was wrong. */
const EXIT_WRONG_REQUEST = 2;

/** A command line for `deno task <name>`, with `--json` and `--help`. */
export function task(name: string, description: string): Command {
  return new Command(`deno task ${name}`)
    .description(description)
    .option("--json", "print one JSON object on stdout, everything else on stderr")
    .helpOption("--help", "show this help")
    .exitOverride();
}

/**
 * Runs a task to the end of the process: exit 0 when it is done, 1 when it failed, 2 when the
 * request was wrong.
 *
 * @param action Does the work and returns what `--json` prints.
 */
export async function run<Options extends { json?: true }>(
  command: Command,
  action: (options: Options) => Promise<unknown>,
): Promise<never> {
  try {
    command.parse(Deno.args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    Deno.exit(error.exitCode === 0 ? 0 : EXIT_WRONG_REQUEST);
  }
  const options = command.opts<Options>();
  try {
    const result = await action(options);
    if (options.json) console.log(JSON.stringify(result));
    Deno.exit(0);
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    console.error(`${name}: ${message}`);
    if (options.json) console.log(JSON.stringify({ error: { name, message } }));
    Deno.exit(error instanceof RequestError ? EXIT_WRONG_REQUEST : EXIT_FAILED);
  }
}

/** Reads an option's value; commander names the option when it is refused. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}

/** Milliseconds as people read them. */
export function duration(milliseconds: number): string {
  return milliseconds < 1000
    ? `${milliseconds.toFixed(0)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}
