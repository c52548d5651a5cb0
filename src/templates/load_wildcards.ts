import { extname, join } from "node:path";
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { RequestError } from "../errors.ts";
import { reasonOf } from "../system_reason.ts";
import { textOfBytes } from "../text_of_bytes.ts";
import { isPattern, matchesName } from "./_match_name.ts";
import { TEXTS } from "./_texts.ts";
import type { Wildcards, WildcardValue } from "./types.ts";

/** The most files of a folder of wildcards. */
const MOST_FILES = 20_000;
/** How many folders may lie inside each other; links that lead back end there. */
const MOST_FOLDERS_DEEP = 16;
/** The largest text file: a list of a million names has about so much. */
const MOST_TEXT_BYTES = 1 << 24;
/** The largest YAML or JSON file, which takes many times its size in memory while it is read. */
const MOST_STRUCTURED_BYTES = 1 << 22;

const STRUCTURED = [".yaml", ".yml", ".json"];

/**
 * Reads a folder of wildcards as the Python package dynamicprompts does: `hair/colour.txt` is
 * `__hair/colour__`, a value a line, lines that begin with `#` left out; a YAML or JSON file holds
 * named lists, nested or not, and `{ clothing: [coat, "2::hat"] }` in `winter.yaml` is
 * `__clothing__`; a file that is one list has the file's name. Names that begin with a dot are
 * passed over. Files are read when a wildcard of theirs is asked for, YAML and JSON at once.
 *
 * @param folder The folder, usually `wildcards`.
 * @throws {RequestError} When the folder is missing or holds too much, or a file is damaged.
 */
export async function loadWildcards(folder: string): Promise<Wildcards> {
  const { isDirectory } = await Deno.stat(folder).catch(() => ({ isDirectory: false }));
  if (!isDirectory) throw new RequestError(TEXTS.noFolder(folder));
  const lists = new Map<string, () => readonly WildcardValue[]>();
  for (const { path, name } of await filesBelow(folder)) {
    const ending = extname(path).toLowerCase();
    if (ending === ".txt") lists.set(name, once(() => textValues(path)));
    if (!STRUCTURED.includes(ending)) continue;
    const parent = name.includes("/") ? name.slice(0, name.lastIndexOf("/") + 1) : "";
    for (const [key, values] of structuredLists(path, name.slice(parent.length))) {
      lists.set(parent + key, () => values);
    }
  }
  const names = [...lists.keys()].sort();
  const known = new Map<string, readonly WildcardValue[]>();
  return {
    names,
    folder,
    values: (pattern) => {
      const cleaned = pattern.replaceAll(/[\\/]+/g, "/").replace(/^\/|\/$/g, "");
      const values = known.get(cleaned) ?? matching(lists, names, cleaned);
      known.set(cleaned, values);
      return values;
    },
  };
}

/** All values of the lists that match, or, where none does, of those that match in any folder. */
function matching(
  lists: ReadonlyMap<string, () => readonly WildcardValue[]>,
  names: readonly string[],
  pattern: string,
): readonly WildcardValue[] {
  const matches = (wanted: string) =>
    isPattern(wanted)
      ? names.filter((name) => matchesName(name, wanted))
      : names.filter((name) => name === wanted);
  let found = matches(pattern);
  if (found.length === 0 && !pattern.startsWith("**")) found = matches(`**/${pattern}`);
  const values = new Map<string, WildcardValue>();
  for (const name of found) {
    for (const value of lists.get(name)!()) {
      const key = `${value.weight}::${value.text}`;
      if (!values.has(key)) values.set(key, value);
    }
  }
  return [...values.values()].sort((a, b) => a.text < b.text ? -1 : a.text > b.text ? 1 : 0);
}

interface WildcardFile {
  readonly path: string;
  /** Below the folder, with slashes and without the ending. */
  readonly name: string;
}

async function filesBelow(folder: string): Promise<readonly WildcardFile[]> {
  const files: WildcardFile[] = [];
  const walk = async (path: string, prefix: string, depth: number): Promise<void> => {
    for await (const { name, isSymlink, ...entry } of Deno.readDir(path)) {
      if (name.startsWith(".")) continue;
      const inner = join(path, name);
      const { isDirectory, isFile } = isSymlink
        ? await Deno.stat(inner).catch(() => ({ isDirectory: false, isFile: false }))
        : entry;
      if (isDirectory && depth < MOST_FOLDERS_DEEP) {
        await walk(inner, `${prefix}${name}/`, depth + 1);
      }
      if (!isFile) continue;
      if (files.length === MOST_FILES) {
        throw new RequestError(TEXTS.tooManyFiles(folder, MOST_FILES));
      }
      files.push({ path: inner, name: prefix + name.slice(0, name.length - extname(name).length) });
    }
  };
  await walk(folder, "", 0);
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

function textValues(path: string): WildcardValue[] {
  const values: WildcardValue[] = [];
  for (const [index, line] of textOf(path, MOST_TEXT_BYTES).split(/\r?\n/).entries()) {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    values.push({ text, weight: 1, file: path, line: index + 1 });
  }
  return values;
}

/** Every list of a YAML or JSON file by its name. JSON is YAML, and so has its lines counted, too. */
function structuredLists(path: string, fileName: string): Map<string, WildcardValue[]> {
  const lineCounter = new LineCounter();
  const text = textOf(path, MOST_STRUCTURED_BYTES);
  const document = parseDocument(text, { lineCounter, logLevel: "silent", uniqueKeys: false });
  const [error] = document.errors;
  if (error !== undefined) {
    throw new RequestError(TEXTS.damaged(path, error.message.split("\n")[0]!));
  }
  const lists = new Map<string, WildcardValue[]>();
  const add = (name: string, items: readonly unknown[]) => {
    const values = items.flatMap((item) => valueOf(item, path, lineCounter));
    lists.set(name, values);
  };
  const visit = (node: unknown, name: readonly string[]): void => {
    if (isSeq(node)) add(name.join("/"), node.items);
    else if (isScalar(node) && typeof node.value === "string") add(name.join("/"), [node]);
    else if (isMap(node)) {
      for (const { key, value } of node.items) {
        if (isScalar(key) && typeof key.value === "string") visit(value, [...name, key.value]);
      }
    }
  };
  const root = document.contents;
  visit(root, isMap(root) ? [] : [fileName]);
  return lists;
}

/** `coat`, `7`, `2::coat`, `{ text: coat, weight: 2 }` or `{ content: coat }`; anything else is none. */
function valueOf(item: unknown, file: string, lines: LineCounter): WildcardValue[] {
  const start = (item as Node | null)?.range?.[0] ?? 0;
  const value = (text: unknown, weight: unknown): WildcardValue[] => {
    const isValue = typeof text === "string" && text !== "" && typeof weight === "number" &&
      weight >= 0;
    return isValue ? [{ text, weight, file, line: lines.linePos(start).line }] : [];
  };
  if (isScalar(item) && typeof item.value === "string") {
    const [, weight, text] = /^(\d[\d.]*)::(.*)$/s.exec(item.value) ?? [];
    return weight === undefined || Number.isNaN(Number(weight))
      ? value(item.value, 1)
      : value(text, Number(weight));
  }
  // A number is what was written: 1.50 stays so.
  if (isScalar(item) && typeof item.value === "number") {
    return value(item.source ?? String(item.value), 1);
  }
  if (!isMap(item)) return [];
  return value(item.get("text") ?? item.get("content"), item.get("weight") ?? 1);
}

function textOf(path: string, most: number): string {
  let bytes: Uint8Array;
  try {
    if (Deno.statSync(path).size > most) throw new RequestError(TEXTS.fileTooLarge(path, most));
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(TEXTS.fileUnreadable(path, reasonOf(error)), { cause: error });
  }
  const text = textOfBytes(bytes);
  if (text === undefined) throw new RequestError(TEXTS.notText(path));
  return text;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
