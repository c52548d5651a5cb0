import { join } from "node:path";
import { UnfinishedFile } from "../unfinished.ts";
import { OUTPUTS } from "./outputs.ts";

/** The file in the folder of outputs where the prompts of earlier sittings are kept. */
export const HISTORY = ".history";
/** How much is kept: the latest. */
const MOST_PROMPTS = 200;
const MOST_BYTES = 256 * 1024;
/** Nobody but its owner may read what was typed. */
const PRIVATE = 0o600;

/**
 * The prompts that were typed, kept between sittings in a file that its owner alone may read: a JSON
 * string a line, the latest last. Where it cannot be read or written, it is done without.
 */
export class PromptHistory {
  readonly #file: string | undefined;
  #prompts: readonly string[] = [];

  private constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Reads what was kept. */
  static async open(file = join(OUTPUTS, HISTORY)): Promise<PromptHistory> {
    const history = new PromptHistory(file);
    history.#prompts = await read(file);
    return history;
  }

  /** A history that nothing outlives. */
  static empty(): PromptHistory {
    return new PromptHistory(undefined);
  }

  /** The prompts, each in one line, the latest first. */
  get latestFirst(): readonly string[] {
    return this.#prompts.toReversed();
  }

  /** Adds a prompt; one that was there before moves to the front. */
  async add(prompt: string): Promise<void> {
    const line = prompt.trim().replace(/\s*[\r\n]\s*/g, " ");
    if (line === "" || line === this.#prompts.at(-1)) return;
    this.#prompts = withLatest(this.#prompts, line);
    if (this.#file === undefined) return;
    try {
      // Another sitting may have added its own.
      const kept = withLatest(await read(this.#file), line);
      const lines = kept.map((prompt) => `${JSON.stringify(prompt)}\n`).join("");
      await using unfinished = await UnfinishedFile.create(this.#file, { mode: PRIVATE });
      await unfinished.write(new TextEncoder().encode(lines));
      await unfinished.keep();
    } catch {
      // The prompts of this sitting are still there.
    }
  }
}

function withLatest(prompts: readonly string[], latest: string): readonly string[] {
  const all = [...prompts.filter((prompt) => prompt !== latest), latest].slice(-MOST_PROMPTS);
  let bytes = 0;
  const begin = all.findLastIndex((prompt) => {
    bytes += new TextEncoder().encode(prompt).length + 3;
    return bytes > MOST_BYTES;
  });
  return all.slice(begin + 1);
}

async function read(file: string): Promise<readonly string[]> {
  try {
    const { isFile, size } = await Deno.stat(file);
    if (!isFile || size > 4 * MOST_BYTES) return [];
    return (await Deno.readTextFile(file)).split("\n").flatMap((line) => {
      try {
        const prompt: unknown = JSON.parse(line);
        return typeof prompt === "string" ? [prompt] : [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
