/** Adapters by name: what lies in the folders where people put them. */
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { RequestError } from "../../errors.ts";
import { hashCachedFile } from "../../integrity/mod.ts";
import {
  ADAPTER_ENDING,
  adapterName,
  FOLDER_FILES,
  listed,
  similarNames,
} from "./adapter_names.ts";

const OWN_LORAS = join("models", "loras");
const DEMO_LORAS = join("models", "demo", "loras");
/** Below the folder that is run in. */
const LORA_FOLDERS: readonly string[] = [OWN_LORAS, DEMO_LORAS];

/**
 * Where adapters are looked for by name: beside the model, in the layouts of this toolkit and of
 * ComfyUI, and then in the toolkit's own folders.
 *
 * @param model The folder of the model.
 */
export function loraFolders(model: string): readonly string[] {
  const isHere = join(model) === "." || join(model) === "./";
  const beside = [join(model, "models", "loras"), ...(isHere ? [] : [join(model, "loras")])];
  return [...new Set([...beside, ...LORA_FOLDERS])];
}

const MOST_LEVELS = 4;

/** An adapter that was found. */
export interface FoundAdapter {
  /** Its file's name without the ending, or its folder's; as on the disk. */
  readonly name: string;
  /** A file, or a folder of PEFT's or diffusers'. */
  readonly path: string;
  /** The file itself, where the path is that of its folder. */
  readonly file: string;
  /** Set where it comes with the demo model. */
  readonly isDemo?: true;
  /** Set where another file of the name was asked for, by its checksum. */
  readonly isOther?: true;
}

/** An adapter that is looked for. */
export interface AskedAdapter {
  readonly name: string;
  /** Its file's SHA-256, or the first digits of it, where that is known. */
  readonly sha256?: string;
  /** Whether the name may be a path: not where others than this machine's user say it. */
  readonly mayBePath?: boolean;
}

/**
 * All adapters of the folders, in the order of their names. Of two with one name, the one in the
 * earlier folder is there.
 *
 * @param folders Those that are missing have none.
 */
export async function findAdapters(
  folders: readonly string[] = LORA_FOLDERS,
): Promise<readonly FoundAdapter[]> {
  const found = new Map<string, FoundAdapter>();
  for (const folder of folders) {
    const isDemo = folder === DEMO_LORAS ? { isDemo: true as const } : {};
    for (const adapter of await adaptersBelow(folder, MOST_LEVELS)) {
      if (!found.has(adapter.name)) found.set(adapter.name, { ...adapter, ...isDemo });
    }
  }
  return [...found.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

/**
 * The adapter that is meant: one of the folders by its name, with or without the ending, or a file or
 * folder by its path. Where its checksum is known, one with that checksum counts before one with the
 * name.
 *
 * @throws {RequestError} When there is none; it says which there are.
 */
export async function findAdapter(
  { name, sha256, mayBePath = false }: AskedAdapter,
  { folders = LORA_FOLDERS, cacheFile }: {
    readonly folders?: readonly string[];
    readonly cacheFile?: string;
  } = {},
): Promise<FoundAdapter> {
  const known = await findAdapters(folders);
  const plain = name.replaceAll("\\", "/").replace(ADAPTER_ENDING, "");
  const named = known.find((adapter) => adapter.name === name || adapter.name === plain) ??
    known.find((adapter) => wayTo(adapter, folders) === plain);
  if (sha256 !== undefined) {
    // The one of that name first: the others may be gigabytes.
    const candidates = named === undefined ? known : [named, ...known.filter((it) => it !== named)];
    for (const adapter of candidates) {
      const own = await hashCachedFile(adapter.file, cacheFile);
      if (own.startsWith(sha256)) return adapter;
      const isShort = sha256.length === SHORT_DIGITS;
      if (isShort && (await hashOfData(adapter.file))?.startsWith(sha256)) return adapter;
    }
  }
  const asked = mayBePath ? await atPath(name) : undefined;
  // What is no adapter is refused by whoever reads it, who says what it is.
  const found = asked ?? named ?? (mayBePath ? await anythingAt(name) : undefined);
  if (found !== undefined) return sha256 === undefined ? found : { ...found, isOther: true };
  const names = known.map(({ name }) => name);
  const isThere = async (name: string) =>
    names.includes(name.replace(ADAPTER_ENDING, "")) ||
    mayBePath && name !== "" && await atPath(name) !== undefined;
  const several = name.split(/[,，]/).map((one) => one.replace(WEIGHTS, "").trim());
  if (several.length > 1 && (await Promise.all(several.map(isThere))).every(Boolean)) {
    throw notOne(several);
  }
  // Of `style:0.8:lbw=OUTD`, what other programs read besides weights is at fault, not the name.
  for (const { index: colon } of [...name.matchAll(/[:：]/g)].toReversed()) {
    const before = name.slice(0, colon).trim();
    if (!await isThere(before)) continue;
    const said = name.slice(colon + 1).split(/[:：]/);
    throw noWeight(before, said.find((one) => !/^\s*[-+]?\d*\.?\d+\s*$/.test(one)) ?? said[0]!);
  }
  throw missing(name, names, folders, sha256);
}

/** So many digits AUTOMATIC1111 writes, of the checksum of what follows a file's header. */
const SHORT_DIGITS = 12;
const LENGTH_BYTES = 8;

async function hashOfData(file: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  using opened = await Deno.open(file);
  const length = new Uint8Array(LENGTH_BYTES);
  if (await opened.read(length) !== LENGTH_BYTES) return undefined;
  const header = new DataView(length.buffer).getBigUint64(0, true);
  const { size } = await opened.stat();
  if (header > BigInt(size)) return undefined;
  await opened.seek(LENGTH_BYTES + Number(header), Deno.SeekMode.Start);
  const piece = new Uint8Array(1 << 20);
  for (;;) {
    const count = await opened.read(piece);
    if (count === null) return hash.digest("hex");
    hash.update(piece.subarray(0, count));
  }
}

/** A path below a folder of adapters, without the ending: `anime/style`. */
function wayTo({ path }: FoundAdapter, folders: readonly string[]): string | undefined {
  const folder = folders.find((folder) => path.startsWith(join(folder, "/")));
  return folder?.length === undefined
    ? undefined
    : path.slice(join(folder, "/").length).replaceAll("\\", "/").replace(ADAPTER_ENDING, "");
}

async function atPath(path: string): Promise<FoundAdapter | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() && ADAPTER_ENDING.test(path)) {
    return { name: adapterName(path), path, file: path };
  }
  if (!found?.isDirectory()) return undefined;
  for (const own of FOLDER_FILES) {
    const file = join(path, own);
    if (await isFile(file)) return { name: basename(resolve(path)), path, file };
  }
  return undefined;
}

/** Whatever lies at a path; in a folder its only file of weights. */
async function anythingAt(path: string): Promise<FoundAdapter | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  const entries = found.isDirectory() ? await readdir(path).catch(() => []) : [];
  const [only, ...others] = entries.filter((entry) => ADAPTER_ENDING.test(entry));
  const file = only !== undefined && others.length === 0 ? join(path, only) : path;
  return { name: basename(resolve(path)), path, file };
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then((found) => found.isFile(), () => false);
}

async function adaptersBelow(folder: string, levels: number): Promise<FoundAdapter[]> {
  const entries = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    entries.sort().map(async (entry): Promise<FoundAdapter[]> => {
      if (entry.startsWith(".")) return [];
      const path = join(folder, entry);
      const own = await atPath(path);
      if (own !== undefined) {
        // It lies in no folder of its own.
        return [
          FOLDER_FILES.includes(entry) ? { ...own, name: entry.replace(ADAPTER_ENDING, "") } : own,
        ];
      }
      const isFolder = levels > 1 && await stat(path).then((it) => it.isDirectory(), () => false);
      return isFolder ? await adaptersBelow(path, levels - 1) : [];
    }),
  );
  return found.flat();
}

/** What stands behind a name. */
const WEIGHTS = /[:：].*$/s;

function notOne(names: readonly string[]): RequestError {
  const each = names.map((name) => `--lora ${name}`).join(" ");
  const tags = names.map((name) => `<lora:${name}>`).join(" ");
  return new RequestError({
    en: `${names.join(", ")} are several adapters: name each by itself, as in ${each} or ${tags}.`,
    zh: `${names.join("、")} 是多个适配器：请分别指定，例如 ${each} 或 ${tags}。`,
  });
}

function noWeight(name: string, weight: string): RequestError {
  return new RequestError({
    en:
      `The adapter ${name} is there, but "${weight}" is no weight: expected a number such as 0.8, ` +
      `as in ${name}:0.8.`,
    zh: `适配器 ${name} 存在，但“${weight}”不是权重：应为 0.8 这样的数字，例如 ${name}:0.8。`,
  });
}

function missing(
  name: string,
  names: readonly string[],
  folders: readonly string[],
  sha256: string | undefined,
): RequestError {
  const similar = similarNames(name, names);
  const places = { en: folders.join(" and "), zh: folders.join(" 和 ") };
  const digits = sha256?.slice(0, 10);
  return new RequestError({
    en: (digits === undefined
      ? `There is no adapter ${name}: no such file, and none of that name in ${places.en}. `
      : `The adapter ${name} (SHA-256 ${digits}…) is not in ${places.en}, under no name. `) +
      (similar.length > 0
        ? `Did you mean ${similar.join(", ")}?`
        : names.length > 0
        ? `There are: ${listed(names, ", ")}.`
        : `Put adapters into ${folders[0]}.`),
    zh: (digits === undefined
      ? `没有适配器 ${name}：没有这个文件，${places.zh} 中也没有这个名字。`
      : `适配器 ${name}（SHA-256 ${digits}…）不在 ${places.zh} 中，换了名字的也没有。`) +
      (similar.length > 0
        ? `是否是 ${similar.join("、")}？`
        : names.length > 0
        ? `现有：${listed(names, "、")}。`
        : `请把适配器放进 ${folders[0]}。`),
  });
}
