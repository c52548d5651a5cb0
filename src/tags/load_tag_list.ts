import papa from "papaparse";
import { extname, join } from "node:path";
import { RequestError } from "../errors.ts";
import { isNearName } from "../prompt/mod.ts";
import { reasonOf } from "../system_reason.ts";
import { shown } from "../shown.ts";
import { TEXTS } from "./_texts.ts";

/** Where a person puts lists of tags. */
const TAG_FOLDER = "tags";
/** The largest file: five times the list of all of Danbooru's tags. */
const MOST_BYTES = 1 << 26;
/** The longest line of such a list has some thousand characters, most of them aliases. */
const MOST_LINE_LENGTH = 100_000;
/** How much of a line that is no tag is quoted. */
const MOST_QUOTED = 40;
/** Rows of a file that may be no tags, such as a heading. */
const MOST_ODD_ROWS = 100;
/** How many names are offered for one that is not there. */
const MOST_NEAR = 3;

/** A tag that people use. */
export interface KnownTag {
  /** With underscores, as Danbooru writes it. */
  readonly name: string;
  /** Danbooru's number: 0 general, 1 artist, 3 series, 4 character, 5 about the file. */
  readonly category: number;
  /** How many pictures have it. */
  readonly count: number;
  readonly aliases: readonly string[];
}

/** A tag for the beginning of a word. */
export interface TagCompletion extends KnownTag {
  /** The alias that begins so, where the name itself does not. */
  readonly alias?: string;
}

/** Tags to complete, to know aliases by and to find misspellings with. */
export class TagList {
  readonly #tags = new Map<string, KnownTag>();
  readonly #aliases = new Map<string, string>();
  /** Names and aliases in the order of their characters, for the search by their beginning. */
  #sorted: readonly string[] | undefined;
  /** By first letter and length. */
  #spellings: Map<string, Spelling[]> | undefined;

  /** @param tags Of tags with one name the first counts. */
  constructor(tags: Iterable<KnownTag>) {
    for (const tag of tags) {
      if (this.#tags.has(tag.name)) continue;
      this.#tags.set(tag.name, tag);
      for (const alias of tag.aliases) {
        if (!this.#aliases.has(alias)) this.#aliases.set(alias, tag.name);
      }
    }
  }

  /** How many tags there are, without their aliases. */
  get size(): number {
    return this.#tags.size;
  }

  /** A tag by its name, with spaces or underscores. */
  get(name: string): KnownTag | undefined {
    return this.#tags.get(normal(name));
  }

  /** What an alias is an alias of. */
  nameOf(alias: string): string | undefined {
    const plain = normal(alias);
    return this.#tags.has(plain) ? plain : this.#aliases.get(plain);
  }

  /**
   * Tags whose name or alias begins so, the most used first.
   *
   * @param most At most so many.
   */
  complete(beginning: string, most = 20): TagCompletion[] {
    const start = normal(beginning);
    if (start === "") return [];
    const found = new Map<string, TagCompletion>();
    for (const word of this.#beginningWith(start)) {
      const name = this.#tags.has(word) ? word : this.#aliases.get(word)!;
      const tag = this.#tags.get(name)!;
      if (word === name) found.set(name, tag);
      else if (!found.has(name)) found.set(name, { ...tag, alias: word });
    }
    return [...found.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
      .slice(0, most);
  }

  /** Names that a misspelt one was probably meant to be, the most used first. */
  near(name: string): string[] {
    const plain = normal(name);
    const letters = lettersOf(plain);
    // People rarely get the first letter wrong, and a slip or two changes few of the letters.
    const candidates = [-2, -1, 0, 1, 2].flatMap((more) =>
      this.#alike(plain[0] ?? "", plain.length + more)
    ).filter(({ word, letters: own }) =>
      differences(letters, own) <= MOST_OTHER_LETTERS && isNearName(plain, word)
    ).map(({ word }) => word);
    const names = [...new Set(candidates.map((word) => this.nameOf(word)!))];
    return names.sort((a, b) => this.#tags.get(b)!.count - this.#tags.get(a)!.count)
      .slice(0, MOST_NEAR);
  }

  /** Names and aliases of a first letter and a length. */
  #alike(first: string, length: number): readonly Spelling[] {
    if (this.#spellings === undefined) {
      this.#spellings = new Map();
      for (const word of this.#words()) {
        const key = `${word[0]}${word.length}`;
        const alike = this.#spellings.get(key) ?? [];
        alike.push({ word, letters: lettersOf(word) });
        this.#spellings.set(key, alike);
      }
    }
    return this.#spellings.get(`${first}${length}`) ?? [];
  }

  #words(): readonly string[] {
    return this.#sorted ??= [...new Set([...this.#tags.keys(), ...this.#aliases.keys()])].sort();
  }

  #beginningWith(start: string): readonly string[] {
    const sorted = this.#words();
    const first = lowerBound(sorted, (word) => word < start);
    const end = lowerBound(sorted, (word) => word < start || word.startsWith(start));
    return sorted.slice(first, end);
  }
}

/**
 * Reads lists of tags as a1111-sd-webui-tagcomplete and SwarmUI read them: CSV files of
 * `name,category,count,"alias,alias"`, with or without a heading. None comes with the toolkit.
 *
 * @param folder The folder; where it is missing, or no CSV is in it, the list is
 *   empty.
 * @throws {RequestError} When a file is too large or is no such list, with the line.
 */
export async function loadTagList(folder: string = TAG_FOLDER): Promise<TagList> {
  const paths: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const isList = !name.startsWith(".") && extname(name).toLowerCase() === ".csv";
      if (isList && !isDirectory) paths.push(join(folder, name));
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new TagList([]);
    throw new RequestError(TEXTS.unreadable(folder, reasonOf(error)), { cause: error });
  }
  const lists: KnownTag[][] = [];
  for (const path of paths.sort()) lists.push(tagsOf(path, await textOf(path)));
  return new TagList(lists.flat());
}

/** What papaparse makes of a file; the package comes without types. */
interface Rows {
  readonly data: readonly (readonly string[])[];
  readonly errors: readonly { readonly index?: number }[];
}

function tagsOf(path: string, text: string): KnownTag[] {
  refuseLongLines(path, text);
  const { data, errors }: Rows = papa.parse(text, { delimiter: "," });
  const [error] = errors;
  if (error !== undefined) {
    throw new RequestError(TEXTS.notCsv(path, linesIn(text.slice(0, error.index ?? 0)) + 1));
  }
  const tags: KnownTag[] = [];
  let odd = 0;
  let line = 1;
  let isFirst = true;
  for (const row of data) {
    const [name = "", category = "", count = "", aliases = ""] = row;
    const begin = line;
    line += 1 + row.reduce((sum, cell) => sum + linesIn(cell), 0);
    if (row.length === 1 && name.trim() === "") continue;
    if (name.trim() !== "" && /^\d+$/.test(category) && /^\d*$/.test(count)) {
      tags.push({
        name: normal(name),
        category: Number(category),
        count: Number(count),
        aliases: aliases.split(",").map(normal).filter((alias) => alias !== ""),
      });
    } else if (++odd > MOST_ODD_ROWS || !isFirst && tags.length === 0) {
      throw new RequestError(TEXTS.notTags(path, begin, quoted(row)));
    }
    isFirst = false;
  }
  if (tags.length === 0 && !isFirst) {
    throw new RequestError(TEXTS.notTags(path, 1, quoted(data[0]!)));
  }
  return tags;
}

/** @throws {RequestError} Before a file without line breaks is divided into millions of cells. */
function refuseLongLines(path: string, text: string): void {
  let [begin, line] = [0, 1];
  for (; begin < text.length; line++) {
    const end = text.indexOf("\n", begin);
    const length = (end < 0 ? text.length : end) - begin;
    if (length > MOST_LINE_LENGTH) {
      throw new RequestError(TEXTS.longLine(path, line, length, MOST_LINE_LENGTH));
    }
    begin += length + 1;
  }
}

/** The line breaks of a text. */
function linesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function quoted(row: readonly string[]): string {
  const line = row.join(",");
  return shown(line.length > MOST_QUOTED ? `${line.slice(0, MOST_QUOTED)}…` : line);
}

async function textOf(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new RequestError(TEXTS.noFile(path));
    if (size > MOST_BYTES) throw new RequestError(TEXTS.tooLarge(path, MOST_BYTES));
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(TEXTS.unreadable(path, reasonOf(error)), { cause: error });
  }
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe || bytes[0] === 0xfe && bytes[1] === 0xff;
  if (isUtf16) throw new RequestError(TEXTS.utf16(path));
  // No text has bytes of 0.
  if (bytes.includes(0)) throw new RequestError(TEXTS.notText(path));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RequestError(TEXTS.notText(path), { cause });
  }
}

/** A word, and which letters it has. */
interface Spelling {
  readonly word: string;
  readonly letters: number;
}

/** Of two slips each may bring one letter and take one. */
const MOST_OTHER_LETTERS = 4;

/** The letters of a word as bits. */
function lettersOf(word: string): number {
  let bits = 0;
  for (let at = 0; at < word.length; at++) bits |= 1 << (word.charCodeAt(at) & 31);
  return bits;
}

/** How many bits are not the same. */
function differences(a: number, b: number): number {
  let count = 0;
  for (let rest = a ^ b; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function normal(name: string): string {
  return name.trim().toLowerCase().replaceAll(" ", "_").replaceAll("\\", "");
}

/** The first place of a sorted list for which the condition no longer holds. */
function lowerBound(sorted: readonly string[], isBefore: (word: string) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}
