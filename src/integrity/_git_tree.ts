/**
 * The files of the commit that is checked out, read without git. Every object on the way from the
 * commit to a file's hash is hashed again, so that a commit's name stands for every byte below it.
 *
 * Formats: gitrepository-layout, gitformat-pack and gitformat-index of git's documentation.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { inflateSync } from "node:zlib";
import { NewBieError } from "../errors.ts";
import { fillFrom, isMissing, readIfThere } from "../files.ts";
import { readWhole, readWholeText, requireFile } from "../whole_file.ts";

/** A file as git has it. */
export interface TrackedFile {
  /** From the top of the checkout, with `/`. */
  readonly path: string;
  /** Whether the file is a symbolic link; then git has what it leads to. */
  readonly isLink: boolean;
  readonly isExecutable: boolean;
  /** The hash of `blob`, the length and the bytes, in hexadecimal. */
  readonly id: string;
}

/** What the checked out commit has. */
export interface GitTree {
  readonly algorithm: "sha1" | "sha256";
  /** The commit's name, in hexadecimal. */
  readonly commit: string;
  /** Whether git keeps whether a file can be run, which not every file system knows. */
  readonly keepsModes: boolean;
  readonly files: readonly TrackedFile[];
}

type Algorithm = GitTree["algorithm"];
type ObjectType = "commit" | "tree" | "blob" | "tag";

interface GitObject {
  readonly type: ObjectType;
  readonly data: Buffer;
}

const HASH_BYTES: Readonly<Record<Algorithm, number>> = { sha1: 20, sha256: 32 };
/** Of a reference that leads to others. */
const MOST_STEPS = 10;
/** Of repositories that borrow from others. */
const MOST_ALTERNATES = 10;

/**
 * @param root The top of a checkout.
 * @param isWanted Whether a folder's files, or a file at the top, are asked for.
 * @returns Undefined where there is no checkout.
 * @throws {NewBieError} When there is no commit, or its objects are damaged or of a kind that is not
 *   known.
 */
export async function readGitTree(
  root: string,
  isWanted: (path: string) => boolean,
): Promise<GitTree | undefined> {
  const folder = await gitFolder(root);
  if (folder === undefined) return undefined;
  try {
    // A further working tree shares all but its own HEAD with the first.
    const common = join(folder, (await readTextIfThere(join(folder, "commondir")))?.trim() ?? ".");
    const config = await readTextIfThere(join(folder, "config")) ??
      await readTextIfThere(join(common, "config")) ?? "";
    const algorithm = /^\s*objectformat\s*=\s*sha256\s*$/im.test(config) ? "sha256" : "sha1";
    const keepsModes = !/^\s*filemode\s*=\s*(?:false|no|off|0)\s*$/im.test(config);
    const commit = await resolveHead(folder, common);
    const store = await ObjectStore.open(join(common, "objects"), algorithm);
    const header = (await store.read(commit, "commit")).toString();
    const top = /^tree ([0-9a-f]+)$/m.exec(header)?.[1];
    if (top === undefined) throw new Error(`${commit} has no tree`);
    return { algorithm, commit, keepsModes, files: await filesBelow(store, top, isWanted) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NewBieError(
      `Git's commit of ${root} cannot be read, so that the sources cannot be compared with what git ` +
        `has: ${reason}. git status and git fsck tell more.`,
      {
        cause,
        zh: `无法读取 ${root} 的 git 提交，因此不能将源代码与 git 中的比较：${reason}。` +
          "详情请看 git status 和 git fsck。",
      },
    );
  }
}

/** Where git keeps what belongs to a checkout: `.git`, or what a file of this name leads to. */
async function gitFolder(root: string): Promise<string | undefined> {
  const place = join(root, ".git");
  try {
    const text = await readWholeText(place);
    const target = /^gitdir: (.+)$/m.exec(text)?.[1];
    return target === undefined ? undefined : resolve(dirname(place), target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EISDIR") return place;
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function readTextIfThere(path: string): Promise<string | undefined> {
  const bytes = await readIfThere(path);
  return bytes && Buffer.from(bytes).toString();
}

/** The name of the commit that HEAD leads to. */
async function resolveHead(folder: string, common: string): Promise<string> {
  let name = "HEAD";
  for (let step = 0; step < MOST_STEPS; step++) {
    const text = await readTextIfThere(join(folder, name)) ??
      await readTextIfThere(join(common, name)) ??
      await packedReference(common, name);
    if (text === undefined) throw new Error(`${name} names no commit`);
    const value = text.trim();
    if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value)) return value;
    const next = /^ref: (refs\/[^\0]+)$/.exec(value)?.[1];
    if (next === undefined || next.split("/").includes("..")) {
      throw new Error(`${name} is of a kind that is not known`);
    }
    name = next;
  }
  throw new Error("HEAD leads in a circle");
}

async function packedReference(common: string, name: string): Promise<string | undefined> {
  const lines = (await readTextIfThere(join(common, "packed-refs")) ?? "").split("\n");
  return lines.find((line) => line.endsWith(` ${name}`))?.split(" ", 1)[0];
}

const FOLDER_MODE = 0o040000;
const LINK_MODE = 0o120000;
const SUBMODULE_MODE = 0o160000;
const TYPE_MASK = 0o170000;
const EXECUTABLE = 0o100;

async function filesBelow(
  store: ObjectStore,
  tree: string,
  isWanted: (path: string) => boolean,
  prefix = "",
): Promise<TrackedFile[]> {
  const bytes = await store.read(tree, "tree");
  const files: TrackedFile[] = [];
  for (let at = 0; at < bytes.length;) {
    const name = bytes.indexOf(0, at);
    const [, mode, base] = /^([0-7]+) (.+)$/s.exec(bytes.toString("utf8", at, name)) ?? [];
    const end = name + 1 + store.hashBytes;
    if (name < 0 || mode === undefined || base === undefined || end > bytes.length) {
      throw new Error(`${tree} is no tree`);
    }
    const id = bytes.toString("hex", name + 1, end);
    at = end;
    const path = `${prefix}${base}`;
    const type = parseInt(mode, 8) & TYPE_MASK;
    if (type === SUBMODULE_MODE || prefix === "" && !isWanted(path)) continue;
    if (type === FOLDER_MODE) files.push(...await filesBelow(store, id, isWanted, `${path}/`));
    else {
      const isExecutable = (parseInt(mode, 8) & EXECUTABLE) !== 0;
      files.push({ path, isLink: type === LINK_MODE, isExecutable, id });
    }
  }
  return files;
}

/** Types of objects in a pack; 6 and 7 are changes to another. */
const TYPES: Readonly<Record<number, ObjectType>> = { 1: "commit", 2: "tree", 3: "blob", 4: "tag" };
const OFFSET_DELTA = 6;
const NAMED_DELTA = 7;
/** What stands in front of a packed object's bytes at most: its length, and what it changes. */
const MOST_HEADER = 64;
const INDEX_MAGIC = 0xff744f63;
const INDEX_VERSION = 2;
const INDEX_HEADER = 8;
const FANOUT = 256;
const LARGE_OFFSET = 0x80000000;

interface Pack {
  readonly path: string;
  readonly index: Buffer;
  readonly count: number;
  /** Where objects begin, in order. */
  readonly starts: readonly number[];
}

/** Objects of a repository, and of those that it borrows from. */
class ObjectStore {
  readonly hashBytes: number;
  readonly #algorithm: Algorithm;
  readonly #folders: readonly string[];
  readonly #packs: readonly Pack[];

  private constructor(algorithm: Algorithm, folders: readonly string[], packs: readonly Pack[]) {
    this.#algorithm = algorithm;
    this.hashBytes = HASH_BYTES[algorithm];
    this.#folders = folders;
    this.#packs = packs;
  }

  static async open(objects: string, algorithm: Algorithm): Promise<ObjectStore> {
    const folders = [objects];
    for (let at = 0; at < folders.length && at < MOST_ALTERNATES; at++) {
      const list = await readTextIfThere(join(folders[at]!, "info/alternates")) ?? "";
      const others = list.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      folders.push(...others.map((path) => resolve(folders[at]!, path)));
    }
    const packs = await Promise.all(
      folders.map((folder) => packsIn(folder, HASH_BYTES[algorithm])),
    );
    return new ObjectStore(algorithm, folders, packs.flat());
  }

  /** @throws {Error} When it is missing, of another type, or does not have this name. */
  async read(id: string, type: ObjectType): Promise<Buffer> {
    const found = await this.#find(id);
    if (found === undefined) throw new Error(`the ${type} ${id} is missing`);
    const { data } = found;
    const hash = createHash(this.#algorithm).update(`${found.type} ${data.length}\0`).update(data);
    if (found.type !== type || hash.digest("hex") !== id) {
      throw new Error(`the ${type} ${id} is damaged`);
    }
    return data;
  }

  async #find(id: string): Promise<GitObject | undefined> {
    for (const folder of this.#folders) {
      const path = join(folder, id.slice(0, 2), id.slice(2));
      const bytes = await readIfThere(path);
      if (bytes !== undefined) return looseObject(inflateSync(bytes));
    }
    for (const pack of this.#packs) {
      const start = startOf(pack, Buffer.from(id, "hex"));
      if (start !== undefined) return await this.#packed(pack, start);
    }
    return undefined;
  }

  async #packed(pack: Pack, start: number): Promise<GitObject> {
    const bytes = await slice(pack, start);
    let at = 0;
    let byte = bytes.readUInt8(at++);
    const kind = byte >> 4 & 7;
    // The length, which the bytes themselves tell too.
    while ((byte & 0x80) !== 0) byte = bytes.readUInt8(at++);
    const type = TYPES[kind];
    if (type !== undefined) return { type, data: inflateSync(bytes.subarray(at)) };
    if (kind === OFFSET_DELTA) {
      const [back, behind] = offsetAt(bytes, at);
      if (back <= 0 || back > start) throw new Error(`${pack.path} is damaged`);
      const base = await this.#packed(pack, start - back);
      return { type: base.type, data: changed(base.data, inflateSync(bytes.subarray(behind))) };
    }
    if (kind !== NAMED_DELTA) throw new Error(`${pack.path} is damaged`);
    const behind = at + this.hashBytes;
    const base = await this.#find(bytes.toString("hex", at, behind));
    if (base === undefined) throw new Error(`${pack.path} is not whole`);
    return { type: base.type, data: changed(base.data, inflateSync(bytes.subarray(behind))) };
  }
}

function looseObject(bytes: Buffer): GitObject {
  const end = bytes.indexOf(0);
  const type = /^(commit|tree|blob|tag) \d+$/.exec(bytes.toString("latin1", 0, end))?.[1];
  if (type === undefined) throw new Error("an object has no type");
  return { type: type as ObjectType, data: bytes.subarray(end + 1) };
}

async function packsIn(folder: string, hashBytes: number): Promise<Pack[]> {
  const place = join(folder, "pack");
  const names = await readdir(place).catch((error) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const indices = names.filter((name) => name.endsWith(".idx"));
  return await Promise.all(indices.map(async (name) => {
    const index = Buffer.from(await readWhole(join(place, name)));
    if (index.readUInt32BE(0) !== INDEX_MAGIC || index.readUInt32BE(4) !== INDEX_VERSION) {
      throw new Error(`${name} is of a version that is not known`);
    }
    const count = index.readUInt32BE(INDEX_HEADER + 4 * (FANOUT - 1));
    const pack = { path: join(place, name.replace(/idx$/, "pack")), index, count };
    const starts = Array.from({ length: count }, (_, at) => offsetOf(pack, at, hashBytes));
    return { ...pack, starts: starts.sort((a, b) => a - b) };
  }));
}

const NAMES_AT = INDEX_HEADER + 4 * FANOUT;

/** Where the object at a place of the index begins in its pack. */
function offsetOf(
  { index, count }: Pick<Pack, "index" | "count">,
  at: number,
  hashBytes: number,
): number {
  const offsets = NAMES_AT + count * (hashBytes + 4);
  const offset = index.readUInt32BE(offsets + 4 * at);
  if (offset < LARGE_OFFSET) return offset;
  return Number(index.readBigUInt64BE(offsets + 4 * count + 8 * (offset - LARGE_OFFSET)));
}

/** Where an object begins in a pack; undefined when it is not there. */
function startOf(pack: Pack, id: Buffer): number | undefined {
  const { index, count } = pack;
  const before = (first: number) => first < 0 ? 0 : index.readUInt32BE(INDEX_HEADER + 4 * first);
  let [low, high] = [before(id[0]! - 1), Math.min(before(id[0]!), count)];
  while (low < high) {
    const middle = (low + high) >> 1;
    const place = NAMES_AT + middle * id.length;
    const order = id.compare(index, place, place + id.length);
    if (order === 0) return offsetOf(pack, middle, id.length);
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return undefined;
}

/** The bytes from where an object begins to where the next one does. */
async function slice({ path, starts }: Pack, start: number): Promise<Buffer> {
  await requireFile(path);
  using file = await Deno.open(path);
  const end = starts[starts.indexOf(start) + 1] ?? (await file.stat()).size;
  const bytes = Buffer.alloc(Math.max(end - start, MOST_HEADER));
  await file.seek(start, Deno.SeekMode.Start);
  await fillFrom(file, bytes.subarray(0, end - start));
  return bytes;
}

/** What a delta makes of the object that it changes: copies of its parts, and bytes of its own. */
function changed(base: Buffer, delta: Buffer): Buffer {
  let at = 0;
  const number = () => {
    let [value, shift, byte] = [0, 1, 0];
    do {
      byte = delta.readUInt8(at++);
      value += (byte & 0x7f) * shift;
      shift *= 128;
    } while ((byte & 0x80) !== 0);
    return value;
  };
  if (number() !== base.length) throw new Error("a change is of another object");
  const length = number();
  const parts: Buffer[] = [];
  while (at < delta.length) {
    const command = delta.readUInt8(at++);
    if ((command & 0x80) === 0) {
      parts.push(delta.subarray(at, at + command));
      at += command;
      continue;
    }
    // A bit for each byte of where the part begins, and how long it is, that is not zero.
    const field = (first: number, count: number) => {
      let value = 0;
      for (let byte = 0; byte < count; byte++) {
        if ((command & 1 << first + byte) !== 0) value += delta.readUInt8(at++) * 256 ** byte;
      }
      return value;
    };
    const from = field(0, 4);
    parts.push(base.subarray(from, from + (field(4, 3) || 0x10000)));
  }
  const result = Buffer.concat(parts);
  if (result.length !== length) throw new Error("a change does not fit its object");
  return result;
}

/** A whole number in the form that git's packs have it in, and where it ends. */
function offsetAt(bytes: Buffer, at: number): readonly [value: number, behind: number] {
  let byte = bytes.readUInt8(at++);
  let value = byte & 0x7f;
  while ((byte & 0x80) !== 0) {
    byte = bytes.readUInt8(at++);
    value = (value + 1) * 128 + (byte & 0x7f);
  }
  return [value, at];
}
