/**
 * Presets: settings, a negative prompt and words around the prompt, under a name.
 *
 * @module
 */
import papa from "papaparse";
import { basename, extname, join } from "node:path";
import { RequestError } from "../errors.ts";
import { jsonProblem } from "../json_problem.ts";
import type { Texts } from "../language.ts";
import {
  isNearName,
  listItems,
  parsePrompt,
  promptKind,
  type PromptNode,
  splitSystemPrompt,
  unwrapPrompt,
} from "../prompt/mod.ts";
import {
  type AskedSettings,
  fromJson,
  type Kind,
  leavesOf,
  nested,
  SETTINGS,
  type SettingsTable,
  wrongValue,
} from "../settings/mod.ts";
import { text } from "../settings/kinds.ts";
import { shown } from "../shown.ts";
import { pictureElement } from "../tags/mod.ts";
import { readText, type ReadTextOptions } from "./read_text.ts";

/** Where presets lie that are called by their name alone. */
export const PRESET_FOLDER = "presets";
/** What stands for the prompt in a preset's `prompt`. */
const PLACE = "{prompt}";
/** The most bytes of a file of presets. */
const MOST_BYTES = 1 << 22;
/** How many names of presets a message lists. */
const MOST_LISTED = 40;

/** A preset as read. */
export interface Preset {
  readonly name: string;
  /** What it is for, where it says so. */
  readonly description?: string;
  readonly settings: AskedSettings;
  /** Words before the prompt and behind it; empty where there are none. */
  readonly before: string;
  readonly after: string;
}

/** What a preset may say besides the settings. */
const OWN = {
  name: text(),
  description: text(),
  prompt: text(),
  prefix: text(),
  suffix: text(),
  negative: text(),
} as const;

/**
 * Reads one preset: a JSON object with the words of a batch's settings (`steps`, `guidance`,
 * `negative_prompt`, also as `negative`), and the words around the prompt: `prefix`, `suffix`, or
 * `prompt` with `{prompt}` in it, as styles of Fooocus and AUTOMATIC1111 have them. A `prompt` without
 * `{prompt}` stands behind the prompt.
 *
 * @param name What it is called where it does not say so itself.
 * @param source What messages call the file.
 * @throws {RequestError} Naming everything that is wrong, with what was probably meant.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const preset = parsePreset({ prompt: "watercolor, {prompt}, soft", steps: 20 }, "soft", "soft.json");
 * assert.deepEqual([preset.before, preset.after], ["watercolor", "soft"]);
 * assert.equal(preset.settings.numInferenceSteps, 20);
 * ```
 */
export function parsePreset(
  json: unknown,
  name: string,
  source: string,
  table: SettingsTable = SETTINGS,
): Preset {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new RequestError(TEXTS.noPreset(source));
  }
  const said = json as Readonly<Record<string, unknown>>;
  const problems: Texts<string>[] = [];
  const valueOf = <Value>(word: string, kind: Kind<Value>): Value | undefined => {
    if (!Object.hasOwn(said, word)) return undefined;
    const found = said[word];
    const value = fromJson(kind, kind.fromLine === undefined ? found : kind.fromLine(found));
    if (value === undefined) problems.push(wrongValue(JSON.stringify(word), found, kind));
    return value;
  };
  const leaves = leavesOf(table).filter(({ setting }) => setting.word !== "prompt");
  const own = nested(
    leaves.map(({ path, setting: { word, kind } }) => [path, valueOf(word, kind)]),
  ) as AskedSettings;
  const negative = valueOf("negative", OWN.negative);
  const [prompt, prefix = "", suffix = "", called] =
    (["prompt", "prefix", "suffix", "name"] as const)
      .map((word) => valueOf(word, OWN[word]));
  const description = valueOf("description", OWN.description);

  const words = [...leaves.map(({ setting }) => setting.word), ...Object.keys(OWN)];
  for (const word of Object.keys(said).filter((word) => !words.includes(word))) {
    problems.push(TEXTS.unknownKey(word, words.filter((known) => isNearKey(word, known)), words));
  }
  if (negative !== undefined && own.negativePrompt !== undefined) problems.push(TEXTS.twoNegatives);
  if (problems.length > 0) {
    const en = problems.map(({ en }) => en).join(" ");
    const zh = problems.map(({ zh }) => zh).join("");
    throw new RequestError({ en: `${source}: ${en}`, zh: `${source}：${zh}` });
  }
  const place = prompt?.indexOf(PLACE) ?? -1;
  const around = prompt === undefined
    ? ["", ""]
    : place < 0
    ? ["", prompt]
    : [prompt.slice(0, place), prompt.slice(place + PLACE.length)];
  return {
    name: called ?? name,
    ...(description === undefined ? {} : { description }),
    settings: negative === undefined ? own : { ...own, negativePrompt: negative },
    before: joined([prefix, around[0]!]),
    after: joined([around[1]!, suffix]),
  };
}

function isNearKey(word: string, known: string): boolean {
  const plain = word.toLowerCase().replaceAll(/[ -]/g, "_");
  return plain === known || isNearName(plain, known) || KIN[plain] === known;
}

/** What other programs call the same. */
const KIN: Readonly<Record<string, string>> = {
  cfg: "guidance",
  cfg_scale: "guidance",
  guidance_scale: "guidance",
  num_inference_steps: "steps",
  sampler: "scheduler",
  sampler_name: "scheduler",
  negativeprompt: "negative_prompt",
  style: "suffix",
  before: "prefix",
  after: "suffix",
};

/** Words with a comma between them, whatever stood at their ends. */
function joined(parts: readonly string[]): string {
  return parts.map((part) => part.replace(/^[\s,.]*[,.]\s*|\s*,\s*$/g, "").trim())
    .filter((part) => part !== "").join(", ");
}

/**
 * Loads a preset: `NAME` from the folder of presets, or a file by its path. A file may be JSON with one
 * preset or a list of them, each with its `name`, or a `styles.csv` of AUTOMATIC1111.
 *
 * @throws {RequestError} When there is none, or it is wrong.
 */
export async function loadPreset(asked: string, folder = PRESET_FOLDER): Promise<Preset> {
  if (/[\\/]|\.(json|csv)$/i.test(asked)) {
    const presets = await namedIn(asked, { mayBePipe: true });
    if (presets.length === 1) return presets[0]![1].read();
    throw new RequestError(TEXTS.several(asked, presets.length, folder));
  }
  const known = await presetsOf(folder);
  const preset = known.get(asked) ??
    [...known].find(([name]) => name.toLowerCase() === asked.toLowerCase())?.[1];
  if (preset !== undefined) return preset.read();
  const names = [...known.keys()];
  throw new RequestError(
    TEXTS.unknown(
      asked,
      names.filter((name) => isNearName(asked.toLowerCase(), name.toLowerCase())),
      names,
      folder,
    ),
  );
}

/** The names of all presets in a folder; none where it cannot be read. */
export async function presetNames(folder = PRESET_FOLDER): Promise<readonly string[]> {
  try {
    return [...(await presetsOf(folder)).keys()].sort();
  } catch {
    // Whoever asks for one of them by its name is told why.
    return [];
  }
}

/** A preset that is read when it is asked for, so that a faulty one hides no other. */
export interface UnreadPreset {
  /** The file that it stands in. */
  readonly path: string;
  /** Whether it has the file for itself. */
  readonly isAlone: boolean;
  /** @throws {RequestError} When it is wrong. */
  readonly read: () => Preset;
}

/** All presets in a folder by their names; none where there is no such folder. */
export async function presetsOf(
  folder = PRESET_FOLDER,
): Promise<ReadonlyMap<string, UnreadPreset>> {
  const paths: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory && /^[^.].*\.(json|csv)$/i.test(name)) paths.push(join(folder, name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const found = new Map<string, UnreadPreset>();
  for (const path of paths.sort()) {
    const named = await namedIn(path).catch((error): readonly Named[] => {
      const read = () => {
        throw error;
      };
      return [[stemOf(path), { path, isAlone: true, read }]];
    });
    for (const [name, read] of named) if (!found.has(name)) found.set(name, read);
  }
  return found;
}

type Named = readonly [name: string, preset: UnreadPreset];

/** @throws {RequestError} When a file is no text, too large, or no JSON. */
async function namedIn(
  path: string,
  options: ReadTextOptions = { mayBePipe: false },
): Promise<readonly Named[]> {
  const { size } = await Deno.stat(path).catch(() => ({ size: 0 }));
  if (size > MOST_BYTES) throw new RequestError(TEXTS.tooLarge(path, MOST_BYTES));
  const written = await readText(path, options);
  if (extname(path).toLowerCase() === ".csv") return stylesIn(path, written);
  let json: unknown;
  try {
    json = JSON.parse(written);
  } catch (cause) {
    const { en, zh } = jsonProblem(cause);
    throw new RequestError({ en: `${path}: ${en}.`, zh: `${path}：${zh}。` }, { cause });
  }
  if (!Array.isArray(json)) {
    const name = stemOf(path);
    return [[name, { path, isAlone: true, read: () => parsePreset(json, name, path) }]];
  }
  return json.map((entry: unknown, index) => {
    const name = nameOf(entry) ?? `${stemOf(path)} ${index + 1}`;
    const read = () => parsePreset(entry, name, `${path}, ${name}`);
    return [name, { path, isAlone: false, read }];
  });
}

function nameOf(entry: unknown): string | undefined {
  const name = (entry as { readonly name?: unknown } | null)?.name;
  return typeof name === "string" ? name : undefined;
}

const stemOf = (path: string) => basename(path, extname(path));

/** AUTOMATIC1111's `styles.csv`: `name,prompt,negative_prompt` with a heading. */
function stylesIn(path: string, written: string): readonly Named[] {
  const { data }: { readonly data: readonly Readonly<Record<string, string>>[] } = papa.parse(
    written,
    { header: true, skipEmptyLines: true, delimiter: "," },
  );
  if (data[0]?.["name"] === undefined || data[0]["prompt"] === undefined) {
    throw new RequestError(TEXTS.noStyles(path));
  }
  return data.flatMap(({ name = "", prompt = "", negative_prompt: negative = "" }) => {
    // Its editors put lines between groups of styles.
    if (name.trim() === "" || prompt.trim() === "" && negative.trim() === "") return [];
    const json = { prompt, ...(negative.trim() === "" ? {} : { negative }) };
    const read = () => parsePreset(json, name.trim(), `${path}, ${name.trim()}`);
    return [[name.trim(), { path, isAlone: false, read }]];
  });
}

/**
 * A prompt with a preset's words around it. Around text they stand with commas between; in XML each
 * goes into the element of `<general_tags>` that it belongs into, so that the prompt stays whole.
 *
 * @param isRaw Whether XML is to be left alone: then the words stand around it.
 * @throws {XmlPromptError} When the prompt is malformed XML.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const preset = { name: "soft", settings: {}, before: "best quality", after: "watercolor" };
 * assert.equal(withPreset("1girl", preset), "best quality, 1girl, watercolor");
 * assert.equal(
 *   withPreset("<general_tags><style>anime</style></general_tags>", preset),
 *   "<general_tags><style>anime, watercolor</style>\n<quality>best quality</quality>\n</general_tags>",
 * );
 * ```
 */
export function withPreset(prompt: string, { before, after }: Preset, isRaw = false): string {
  if (before === "" && after === "") return prompt;
  const { text, systemPrompt = "" } = isRaw ? splitSystemPrompt(prompt) : unwrapPrompt(prompt);
  const own = systemPrompt === "" ? text : text.trimStart();
  const isXml = promptKind(prompt) === "xml";
  if (!isXml || isRaw || /<[^>]*>/.test(before + after)) {
    const parts = [before, own, after].filter((part) => part.trim() !== "");
    return systemPrompt + parts.join(isXml ? "\n" : ", ");
  }
  return systemPrompt + withWords(own, listItems(before), listItems(after));
}

/** A prompt with the words of several presets around it, those of the first one innermost. */
export function dressed(presets: readonly Preset[], prompt: string, isRaw = false): string {
  return presets.reduce((prompt, preset) => withPreset(prompt, preset, isRaw), prompt);
}

/** What a recipe calls presets; undefined where there is none. */
export function namesOf(presets: readonly Preset[]): string | undefined {
  return presets.length === 0 ? undefined : presets.map(({ name }) => name).join(", ");
}

/** A place of a text, and what is put there. */
interface Insertion {
  readonly at: number;
  readonly text: string;
}

function withWords(xml: string, before: readonly string[], after: readonly string[]): string {
  const parsed = parsePrompt(xml);
  if (parsed.kind === "text") return [...before, xml, ...after].join(", ");
  const general = find(parsed.roots, "general_tags");
  const elements = [...new Set([...before, ...after].map(pictureElement))];
  const insertions: Insertion[] = [];
  const added: string[] = [];
  for (const name of elements) {
    const node = general?.children.find((child) =>
      child.name === name && child.children.length === 0
    );
    const present = new Set(listItems(node?.text ?? ""));
    const own = (words: readonly string[]) =>
      words.filter((word) => pictureElement(word) === name && !present.has(word)).map(escaped);
    const [first, last] = [own(before), own(after)];
    if (first.length + last.length === 0) continue;
    const inside = node === undefined ? undefined : insideOf(xml, node);
    if (inside === undefined) {
      added.push(`<${name}>${[...first, ...last].join(", ")}</${name}>\n`);
      continue;
    }
    const isEmpty = present.size === 0;
    const list = (words: readonly string[]) => words.join(", ");
    if (isEmpty) insertions.push({ at: inside.start, text: list([...first, ...last]) });
    else {
      if (first.length > 0) insertions.push({ at: inside.start, text: `${list(first)}, ` });
      if (last.length > 0) insertions.push({ at: inside.end, text: `, ${list(last)}` });
    }
  }
  if (added.length > 0) insertions.push(placeFor(xml, parsed.roots, general, added.join("")));
  return insertions.sort((a, b) => b.at - a.at).reduce(
    (text, { at, text: part }) => text.slice(0, at) + part + text.slice(at),
    xml,
  );
}

/** Elements that hold a whole prompt. */
const WRAPPERS: ReadonlySet<string> = new Set(["img", "image", "document"]);

/** Where new elements go: into `<general_tags>`, or into one of their own. */
function placeFor(
  xml: string,
  roots: readonly PromptNode[],
  general: PromptNode | undefined,
  elements: string,
): Insertion {
  const inside = general === undefined ? undefined : insideOf(xml, general);
  if (inside !== undefined) {
    const lead = /\n\s*$/.test(xml.slice(0, inside.end)) ? "" : "\n";
    return { at: inside.end, text: lead + elements };
  }
  const own = `\n<general_tags>\n${elements}</general_tags>\n`;
  const [root, ...others] = roots;
  const wrapper = others.length === 0 && WRAPPERS.has(root!.name)
    ? insideOf(xml, root!)
    : undefined;
  return { at: wrapper?.end ?? xml.length, text: own };
}

/** Between an element's tags; undefined where either was not written as one. */
function insideOf(xml: string, { offset, length }: PromptNode) {
  const written = xml.slice(offset, offset + length);
  const start = /^[<＜][^>＞]*[^/／>＞][>＞]/.exec(written)?.[0].length;
  const end = /[<＜]\s*[/／][^<>＜＞]*[>＞]$/.exec(written);
  if (start === undefined || end === null) return undefined;
  // White space before the end stays behind what is put in.
  const inner = written.slice(start, end.index);
  const isBlock = /^\s*</.test(inner);
  return {
    start: offset + start,
    end: offset + start + (isBlock ? inner : inner.trimEnd()).length,
  };
}

function find(nodes: readonly PromptNode[], name: string): PromptNode | undefined {
  for (const node of nodes) {
    const found = node.name === name ? node : find(node.children, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function escaped(word: string): string {
  return word.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

const TEXTS = {
  noPreset: (source: string): Texts<string> => ({
    en: `${source} is no preset: expected an object such as ` +
      '{"steps": 20, "negative": "blurry", "suffix": "watercolor"}.',
    zh:
      `${source} 不是预设：应为 {"steps": 20, "negative": "blurry", "suffix": "watercolor"} 这样的对象。`,
  }),
  unknownKey: (
    word: string,
    near: readonly string[],
    words: readonly string[],
  ): Texts<string> => ({
    en: `there is no "${shown(word)}"` +
      (near.length === 0
        ? `; a preset may have: ${words.join(", ")}.`
        : `; did you mean ${near.map((name) => `"${name}"`).join(" or ")}?`),
    zh: `没有 "${shown(word)}"` +
      (near.length === 0
        ? `；预设可以有：${words.join("、")}。`
        : `；是否想写 ${near.map((name) => `"${name}"`).join(" 或 ")}？`),
  }),
  twoNegatives: {
    en: 'expected one of "negative" and "negative_prompt", found both.',
    zh: '"negative" 与 "negative_prompt" 只能有一个。',
  },
  unknown: (
    name: string,
    near: readonly string[],
    names: readonly string[],
    folder: string,
  ): Texts<string> => {
    const some = (near.length > 0 ? near : names).slice(0, MOST_LISTED).map((name) => shown(name));
    const said = { en: some.join(", "), zh: some.join("、") };
    return {
      en: `There is no preset "${shown(name)}" in ${folder}/. ` +
        (near.length > 0
          ? `Did you mean ${said.en}?`
          : names.length > 0
          ? `There are: ${said.en}.`
          : `Put ${shown(name)}.json there, or give the path of a file.`),
      zh: `${folder}/ 中没有预设“${shown(name)}”。` +
        (near.length > 0
          ? `是否想写 ${said.zh}？`
          : names.length > 0
          ? `现有：${said.zh}。`
          : `请把 ${shown(name)}.json 放在那里，或给出文件的路径。`),
    };
  },
  several: (path: string, count: number, folder: string): Texts<string> => ({
    en: `${path} holds ${count} presets. Put it into ${folder}/ and give the name of one.`,
    zh: `${path} 中有 ${count} 个预设。请把它放进 ${folder}/，再给出其中一个的名字。`,
  }),
  tooLarge: (path: string, most: number): Texts<string> => ({
    en: `${path} is too large for presets: at most ${most} bytes are read.`,
    zh: `${path} 作为预设文件太大：最多读取 ${most} 字节。`,
  }),
  noStyles: (path: string): Texts<string> => ({
    en: `${path} is no list of styles: expected a heading with name,prompt,negative_prompt.`,
    zh: `${path} 不是样式列表：应有标题行 name,prompt,negative_prompt。`,
  }),
} as const;
