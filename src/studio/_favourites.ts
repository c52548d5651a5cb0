/** Pictures that somebody marked. */
import { constants, lstat, open } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { NewBieError } from "../errors.ts";
import { isMissing } from "../files.ts";
import { parseJson } from "../json_problem.ts";
import { readWholeText, UnfitFileError } from "../whole_file.ts";

/** A picture that is marked from now on, or is not any more. */
export interface Mark {
  readonly name: string;
  readonly isFavourite: boolean;
}

const line = z.object({ name: z.string(), favourite: z.boolean() });

/**
 * Marks in a file that grows by a line with each change: `{"name": "20260105/output.png",
 * "favourite": true}`; the last line of a name counts. Lines are appended whole, so that two servers
 * may write the same file, and a line that a killed process left unfinished spoils no other.
 */
export class Favourites {
  readonly #path: string;
  #names: ReadonlySet<string> = new Set();
  /** Of the file that was read last. */
  #state = "";
  #endsLine = true;

  /** @param path The file; it may be missing. */
  constructor(path: string) {
    this.#path = path;
  }

  /** The names of all pictures that are marked now. */
  async names(): Promise<ReadonlySet<string>> {
    try {
      const { size, mtime } = await Deno.stat(this.#path);
      const state = `${size} ${mtime?.getTime()}`;
      if (state !== this.#state) {
        this.#read(await readWholeText(this.#path));
        this.#state = state;
      }
    } catch (error) {
      // Where outputs are shared, others may have laid something else there.
      if (!isMissing(error) && !(error instanceof UnfitFileError)) throw error;
      this.#read("");
      this.#state = "";
    }
    return this.#names;
  }

  /** Writes changes down. */
  async mark(marks: readonly Mark[]): Promise<void> {
    if (marks.length === 0) return;
    await this.names();
    const lines = marks.map(({ name, isFavourite }) =>
      `${JSON.stringify({ name, favourite: isFavourite })}\n`
    );
    await Deno.mkdir(dirname(this.#path), { recursive: true });
    await appendText(this.#path, (this.#endsLine ? "" : "\n") + lines.join(""));
  }

  #read(text: string): void {
    const names = new Set<string>();
    for (const written of text.split("\n")) {
      const mark = line.safeParse(parseJson(written)).data;
      if (mark?.favourite) names.add(mark.name);
      else if (mark !== undefined) names.delete(mark.name);
    }
    this.#names = names;
    this.#endsLine = text === "" || text.endsWith("\n");
  }
}

/** Windows has no such flag. */
const FOLLOWING_NO_LINK = constants.O_NOFOLLOW ?? 0;

/**
 * Appends to a file, which is made where it is missing. A link is not followed: where outputs are shared,
 * somebody else may have laid it.
 *
 * @throws {NewBieError} When something else than a file is there.
 */
async function appendText(path: string, text: string): Promise<void> {
  const isOther = await lstat(path).then((found) => !found.isFile(), () => false);
  if (isOther) {
    throw new NewBieError({
      en: `${path} is no plain file, so no marks are written into it. Move it away.`,
      zh: `${path} 不是普通文件，因此不会写入收藏标记。请移走它。`,
    });
  }
  const { O_APPEND, O_CREAT, O_WRONLY } = constants;
  const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | FOLLOWING_NO_LINK);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}
