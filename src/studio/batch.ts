/**
 * Many pictures from one file, that can be interrupted, resumed and shared out.
 *
 * A picture of a batch knows by its text {@linkcode BATCH_KEYWORD} which request it answers. So a
 * batch that was killed goes on where it was, whatever its pictures are called and however its lines
 * were moved since.
 *
 * @module
 */
import {
  basename,
  dirname,
  isAbsolute,
  join,
  relative,
  resolve as resolvePath,
  sep,
} from "node:path";
import { realpath } from "node:fs/promises";
import { createHash } from "node:crypto";
import { NewBieError, RequestError } from "../errors.ts";
import { exists, isFolder, isMissing } from "../files.ts";
import { jsonProblem } from "../json_problem.ts";
import { formatOfName, ImageError, readPictureText } from "../image/mod.ts";
import { removeUnfinished } from "../unfinished.ts";
import { visible } from "../shown.ts";
import { reasonOf } from "../system_reason.ts";
import { readWhole, UnfitFileError } from "../whole_file.ts";
import { nameAfter, numbered, pictureName } from "./outputs.ts";
import { readText } from "./read_text.ts";
import type { GeneratorOptions } from "../random/mod.ts";
import { type AskedSettings, COUNT, mergeSettings, RANDOM_SEED } from "../settings/mod.ts";
import {
  type BatchLine,
  batchRequest,
  laterSeed,
  parseBatchLine,
  type PictureRequest,
} from "./request.ts";

/** A picture's keyword for the {@linkcode BatchItem.id} of the request that it answers. */
export const BATCH_KEYWORD = "newbie-batch";

/** One picture that a batch asks for. */
export interface BatchItem {
  /** Where it stands, for people: `prompts.jsonl:12`, or the path of an XML file. */
  readonly place: string;
  /** The file name it is to get. */
  readonly name: string;
  /**
   * SHA-256 over the request, in hexadecimal. The second of two equal requests has another id, and
   * so on.
   */
  readonly id: string;
  /** How many ids of the batch come before its id, in the order of their digits. */
  readonly rank: number;
  readonly request: PictureRequest & { readonly generator: GeneratorOptions };
}

/** A line of a batch that asks for nothing that can be made. */
export interface BatchFault {
  readonly place: string;
  readonly error: Error;
}

/** A batch as read. */
export interface Batch {
  /** What its folder of outputs is called: the name of its file or folder. */
  readonly name: string;
  readonly items: readonly BatchItem[];
  readonly faults: readonly BatchFault[];
}

/**
 * Reads a batch: a JSON Lines file with a request a line (see {@linkcode parseBatchLine}), a JSON
 * array of requests, a `.txt` file with a prompt a line, or a folder, of which every `.xml` file is a
 * prompt. Empty lines and hidden files are passed over.
 *
 * Paths in `prompt_file` start from the batch's own folder. A request without a seed gets one from
 * its id, so that it gets the same again.
 *
 * @param defaults What lines leave out.
 * @param count How many pictures to make of each request that does not say it, with seeds in a row.
 * @param dress What is done to each prompt, such as a preset's words around it.
 * @throws {RequestError} When there is no such file or folder, or it has no request.
 */
export async function readBatch(
  path: string,
  defaults: AskedSettings & Pick<PictureRequest, "loras">,
  count: number = COUNT.default,
  dress: (prompt: string, isRaw: boolean) => string = (prompt) => prompt,
): Promise<Batch> {
  if (!await exists(path)) {
    throw new RequestError(
      `There is no ${path}. Give a file with a request a line, or a folder with .xml files.`,
      { zh: `${path} 不存在。请给出每行一个请求的文件，或存放 .xml 文件的文件夹。` },
    );
  }
  const lines = await isFolder(path) ? await xmlFiles(path) : await requestsIn(path);
  if (lines.length === 0) {
    throw new RequestError(
      `${path} asks for no picture: expected a line of JSON for each, such as {"prompt": "1girl"}, ` +
        "or a folder with .xml files.",
      {
        zh: `${path} 没有任何请求：应为每行一个 JSON，例如 {"prompt": "1girl"}，` +
          "或存放 .xml 文件的文件夹。",
      },
    );
  }
  const identify = identifier();
  const items: Omit<BatchItem, "rank">[] = [];
  const faults: BatchFault[] = [];
  for (const { place, stem, read } of lines) {
    try {
      const { output, request: own, count: ownCount = count, folder } = await read();
      const name = pictureName(output ?? `${nameAfter(stem)}.png`);
      const asked = mergeSettings([defaults, own]);
      const loras = own.loras ?? defaults.loras;
      const request = {
        ...asked,
        prompt: dress(own.prompt, asked.raw ?? false),
        ...(loras === undefined ? {} : { loras }),
      };
      const files = await filesOf(own, folder);
      for (let index = 0; index < ownCount; index++) {
        const item = identify(place, name, request, index);
        // The id is of the request as it was written, wherever the batch lies.
        items.push(
          files === undefined ? item : { ...item, request: withFiles(item.request, files) },
        );
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      faults.push({ place, error });
    }
  }
  const ranks = new Map(items.map(({ id }) => id).sort().map((id, rank) => [id, rank]));
  const ranked = items.map((item) => ({ ...item, rank: ranks.get(item.id)! }));
  const name = nameAfter(basename(resolvePath(path)).replace(/\.(jsonl|ndjson|json|txt)$/i, ""));
  return { name, items: ranked, faults };
}

/** A share of a batch: part `index` of `total`. */
export interface Shard {
  readonly index: number;
  readonly total: number;
}

/**
 * Reads `i/n`. Parts may be counted from 0, as Kubernetes and most Slurm arrays do, or from 1:
 * part n is part 0.
 *
 * @throws {RequestError} When it is none.
 */
export function parseShard(text: string): Shard {
  const [, index, total] = /^(\d{1,6})\/(\d{1,6})$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || total === undefined || total === 0 || index > total) {
    throw new RequestError(
      `${JSON.stringify(text)} is no shard: expected i/n, such as 0/4, 1/4, 2/4 and 3/4.`,
      { zh: `${JSON.stringify(text)} 不是分片：应为 i/n，例如 0/4、1/4、2/4 和 3/4。` },
    );
  }
  return { index: index % total, total };
}

/**
 * Whether a request belongs to a share: every request belongs to one, whatever its place, and no
 * share has more than one request more than another.
 */
export function isInShard({ rank }: BatchItem, { index, total }: Shard): boolean {
  return rank % total === index;
}

/**
 * The ids of the requests whose pictures are in a folder, at any depth. What killed processes left
 * there of pictures that they were saving is removed.
 */
export async function finishedItems(folder: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for await (const path of filesBelow(folder)) {
    if (formatOfName(path) === undefined) continue;
    const id = await batchIdOf(path);
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

/**
 * The id of the request that a picture answers, if it is a whole picture of a batch.
 *
 * @throws {NewBieError} When it may not be read.
 */
export async function batchIdOf(path: string): Promise<string | undefined> {
  try {
    const { text, isWhole } = readPictureText(await readWhole(path));
    return isWhole ? text[BATCH_KEYWORD] : undefined;
  } catch (error) {
    // Nor is anything a picture that is no file.
    if (error instanceof ImageError || error instanceof UnfitFileError || isMissing(error)) {
      return undefined;
    }
    const { en, zh } = reasonOf(error);
    throw new NewBieError({
      en:
        `${path} cannot be read: ${en}. Pictures that are there count as made, so all who share a ` +
        "batch's folder have to be able to read them.",
      zh: `无法读取 ${path}：${zh}。已有的图片视为已完成，因此共用批次文件夹的人都要能读取它们。`,
    }, { cause: error });
  }
}

/** Whether the picture of a request is in a folder, under its name or the name with a number. */
export async function isItemFinished({ id, name }: BatchItem, folder: string): Promise<boolean> {
  for (const path of numbered(join(folder, name))) {
    if (!await exists(path)) return false;
    if (await batchIdOf(path) === id) return true;
  }
  return false;
}

interface Line {
  readonly place: string;
  /** The file's name where none is asked for. */
  readonly stem: string;
  readonly read: () => Promise<ResolvedLine>;
}

interface ResolvedLine {
  readonly request: PictureRequest;
  readonly output?: string | undefined;
  readonly count?: number | undefined;
  /** Where the files that it names lie; absent where it can name none. */
  readonly folder?: string;
}

/** The requests of a file: JSON Lines, a JSON array, or in a text file a prompt a line. */
async function requestsIn(path: string): Promise<Line[]> {
  const text = await readText(path);
  const lines = text.split(/\r?\n/);
  const folder = dirname(path);
  const whole = wholeJson(text, lines, path);
  if (whole === undefined) refuseOther(path, lines);
  const entries = whole?.map((json, index) => ({
    place: visible(`${path} #${index + 1}`),
    number: index + 1,
    read: () => batchRequest(json),
  })) ?? lines.flatMap((line, index) =>
    line.trim() === "" ? [] : [{
      place: visible(`${path}:${index + 1}`),
      number: index + 1,
      read: () => isPlain(path, line) ? batchRequest(line.trim()) : parseBatchLine(line),
    }]
  );
  const digits = Math.max(4, String(lines.length).length);
  return entries.map(({ place, number, read }) => ({
    place,
    stem: String(number).padStart(digits, "0"),
    read: async () => await resolve(read(), folder),
  }));
}

/**
 * The requests of a file that is one JSON value, written over several lines perhaps: an array, an object
 * around one (`{"prompts": […]}`), or a single request. Undefined for JSON Lines.
 *
 * @throws {RequestError} When it begins as an array does, and is none.
 */
function wholeJson(
  text: string,
  lines: readonly string[],
  path: string,
): readonly unknown[] | undefined {
  const first = lines.find((line) => line.trim() !== "")?.trim() ?? "";
  if (!/^[[{]/.test(first)) return undefined;
  try {
    const json: unknown = JSON.parse(text);
    if (Array.isArray(json)) return json;
    return listInside(json) ?? (isJson(first) ? undefined : [json]);
  } catch (cause) {
    if (!first.startsWith("[") || isJson(first) || isPlain(path, first)) return undefined;
    const { en, zh } = jsonProblem(cause);
    throw new RequestError({
      en: `${path} begins like a JSON array and is ${en}. Expected an array of requests, or JSON ` +
        "Lines: one request a line, without brackets around them.",
      zh:
        `${path} 开头像 JSON 数组，但${zh}。应为请求的数组，或 JSON Lines：每行一个请求，外面不加方括号。`,
    }, { cause });
  }
}

/**
 * Refuses a file that is no batch as a whole: tables, YAML, XML over several lines. Told line by line, it
 * would be said of each line that it is no JSON.
 *
 * @throws {RequestError} When it is such a file.
 */
function refuseOther(path: string, lines: readonly string[]): void {
  if (/\.txt$/i.test(path)) {
    const opening = lines.findIndex((line) => /^\s*<[^\s<>/!?]{1,100}>\s*$/.test(line));
    if (opening < 0 || !lines.some((line) => /^\s*<\/[^\s<>/]{1,100}>\s*$/.test(line))) return;
    throw new RequestError({
      en:
        `${path}: in a text file each line is a prompt of its own, but in line ${opening + 1} an ` +
        "XML prompt begins that goes on over several lines. Give each such prompt a file " +
        "NAME.xml, and the folder of these files as the batch.",
      zh: `${path}：文本文件中每行是一个提示词，而第 ${opening + 1} 行开始的 XML 提示词跨了多行。` +
        "请把每个这样的提示词存为单独的 名称.xml，并以存放它们的文件夹作为批次。",
    });
  }
  const first = lines.findIndex((line) => line.trim() !== "");
  if (first < 0 || lines.some(isRequestLine)) return;
  const { en, zh } = problemOf(lines[first]!);
  throw new RequestError({
    en: `${path} is no batch: no line of it is JSON; line ${first + 1} is ${en}. Expected a JSON ` +
      'object a line, such as {"prompt": "1girl"}, an array of them, or prompts alone: one a line, ' +
      "in a file whose name ends in .txt.",
    zh:
      `${path} 不是批次：没有一行是 JSON，第 ${first + 1} 行${zh}。应为每行一个 JSON 对象，例如 ` +
      '{"prompt": "1girl"}，或它们的数组；若只有提示词，则每行一个，文件名以 .txt 结尾。',
  });
}

/** Lines of an array have a comma behind them. */
const isRequestLine = (line: string): boolean => isJson(line.replace(/,\s*$/, ""));

function problemOf(line: string) {
  try {
    JSON.parse(line);
  } catch (error) {
    return jsonProblem(error);
  }
  return { en: "no request", zh: "不是请求" };
}

/** The requests of an object that has nothing but a list of them: `prompts`, or under another name. */
function listInside(json: unknown): readonly unknown[] | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const [[name, list] = [], ...others] = Object.entries(json);
  if (others.length > 0 || !Array.isArray(list) || list.length === 0) return undefined;
  const isRequest = (item: unknown) =>
    typeof item === "object" && item !== null && ("prompt" in item || "prompt_file" in item);
  return name === "prompts" || list.every(isRequest) ? list : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a line is a prompt itself: in a text file, where it is not written as JSON, as `{a|b}` is not. */
function isPlain(path: string, line: string): boolean {
  return /\.txt$/i.test(path) && !/^\s*\{\s*"/.test(line) &&
    !(/^\s*"/.test(line) && isJson(line));
}

async function xmlFiles(folder: string): Promise<Line[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    // Names with a dot are companions: macOS keeps `._a.xml` beside `a.xml`.
    if (!isDirectory && !name.startsWith(".") && /\.xml$/i.test(name)) names.push(name);
  }
  return names.sort().map((name) => ({
    place: visible(join(folder, name)),
    stem: name.replace(/\.xml$/i, ""),
    read: async () => ({ request: { prompt: await readBelow(folder, name) } }),
  }));
}

async function resolve(
  { request, promptFile, output, count }: BatchLine,
  folder: string,
): Promise<ResolvedLine> {
  const prompt = request.prompt ?? await readBelow(folder, promptFile!);
  return { request: { ...request, prompt }, output, count, folder };
}

function withFiles<Request extends PictureRequest>(
  request: Request,
  { source, hires }: Pick<AskedSettings, "source" | "hires">,
): Request {
  return {
    ...request,
    ...(source === undefined ? {} : { source: { ...request.source, ...source } }),
    ...(hires === undefined ? {} : { hires: { ...request.hires, ...hires } }),
  };
}

/**
 * The files that a line names, which lie below the batch's folder as its prompts do: pictures, and what
 * enlarges them where it is no name.
 *
 * @throws {RequestError} When one lies elsewhere.
 */
async function filesOf(
  { source: { image, mask } = {}, hires: { upscaler } = {} }: AskedSettings,
  folder = ".",
): Promise<Pick<AskedSettings, "source" | "hires"> | undefined> {
  const isFile = upscaler !== undefined && /[\\/]/.test(upscaler);
  if (image === undefined && mask === undefined && !isFile) return undefined;
  return {
    ...(image === undefined && mask === undefined ? {} : {
      source: {
        ...(image === undefined ? {} : { image: await placeBelow(folder, image) }),
        ...(mask === undefined ? {} : { mask: await placeBelow(folder, mask) }),
      },
    }),
    ...(isFile ? { hires: { upscaler: await placeBelow(folder, upscaler) } } : {}),
  };
}

/**
 * The text of a file of a batch. A batch may come from somebody else, and pictures carry their
 * prompts: what lies elsewhere must not get into them.
 *
 * @throws {RequestError} When it lies elsewhere or cannot be read.
 */
async function readBelow(folder: string, path: string): Promise<string> {
  return await readText(await placeBelow(folder, path), { mayBePipe: false });
}

/** @throws {RequestError} When it lies elsewhere. */
async function placeBelow(folder: string, path: string): Promise<string> {
  const wanted = join(folder, path);
  const outside = new RequestError({
    en:
      `${path} lies outside of the batch's folder, ${folder}: its prompts and pictures may only ` +
      "come from files inside it. Copy the file there.",
    zh:
      `${path} 在批次的文件夹 ${folder} 之外：提示词和图片只能取自其中的文件。请把该文件复制进去。`,
  });
  if (isAbsolute(path) || isOutside(relative(folder, wanted))) throw outside;
  const [real, root] = await Promise.all([realpath(wanted).catch(() => wanted), realpath(folder)]);
  if (real !== wanted && isOutside(relative(root, real))) throw outside;
  return wanted;
}

function isOutside(way: string): boolean {
  return way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way);
}

/** Numbers equal requests, so that each has an id of its own. */
function identifier() {
  const seen = new Map<string, number>();
  return (
    place: string,
    name: string,
    open: PictureRequest,
    index: number,
  ): Omit<BatchItem, "rank"> => {
    const { generator: { seed = RANDOM_SEED, ...device } = {}, ...rest } = open;
    const given = seed === RANDOM_SEED ? undefined : laterSeed({ ...device, seed }, index);
    const hasDevice = Object.keys(device).length > 0;
    const generator = given ?? (hasDevice ? device : undefined);
    const content = JSON.stringify(
      Object.entries(generator === undefined ? rest : { ...rest, generator }).sort(),
      (_, value) => typeof value === "bigint" ? String(value) : value,
    );
    const occurrence = seen.get(content) ?? 0;
    seen.set(content, occurrence + 1);
    const id = createHash("sha256").update(`${occurrence}\n${content}`).digest("hex");
    const own = given ??
      { ...device, seed: Number.parseInt(id.slice(0, ID_DIGITS_OF_SEED), 16) };
    return { place, name, id, request: { ...rest, generator: own } };
  };
}

const ID_DIGITS_OF_SEED = 8;

async function* filesBelow(folder: string): AsyncGenerator<string> {
  await removeUnfinished(folder);
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isDirectory) yield* filesBelow(path);
      else if (!name.startsWith(".")) yield path;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
