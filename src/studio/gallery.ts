/**
 * The pictures in the folder of outputs: listed, searched, shown small, thrown away.
 *
 * Whatever is asked for by name has to be in the list, and the list is made of real files in real
 * folders below the outputs: no name leads anywhere else.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { isMissing, readIfThere, readJson, readPart, writeFileAtomically } from "../files.ts";
import { formatOfName } from "../image/mod.ts";
import { nameBeforeBin, nameInBin, timeInBin } from "./_bin_names.ts";
import { Favourites } from "./_favourites.ts";
import { type PictureNotes, readNotes } from "./_picture_notes.ts";
import { OUTPUTS, savePicture } from "./outputs.ts";
import { type PictureFile, readPictureFile } from "./picture_file.ts";
import { PictureThread } from "./picture_thread.ts";

/** A picture of the gallery. */
export interface GalleryPicture {
  /** From the folder of outputs on, with slashes: `20260105/output.png`. */
  readonly name: string;
  readonly bytes: number;
  /** When it was saved: milliseconds since 1970. */
  readonly time: number;
  /** Whether somebody marked it. */
  readonly isFavourite: boolean;
  /** What the picture says of itself; absent until it was looked at. */
  readonly notes?: PictureNotes;
}

/** A picture that was thrown away. */
export interface BinnedPicture {
  /** What it is called in the bin. */
  readonly binned: string;
  /** What it was called. */
  readonly name: string;
  readonly bytes: number;
  /** When it was thrown away: milliseconds since 1970. */
  readonly time: number;
}

/** A part of the gallery. */
export interface GalleryPage {
  readonly pictures: readonly GalleryPicture[];
  /** How many pictures there are in all that answer the search. */
  readonly total: number;
  /** Whether all pictures were looked at; until then a search may miss some. */
  readonly isSearched: boolean;
}

/** Which part. */
export interface GalleryQuery {
  /** Words that all have to stand in the prompt, the name or the seed. */
  readonly search?: string;
  /** Only those that somebody marked. */
  readonly isFavourite?: boolean;
  /** The first so many are left out. */
  readonly skip?: number;
  readonly limit?: number;
}

/** The folder of what was thrown away, inside of the outputs. */
const BIN = ".bin";
/** The file of marks, inside of the outputs. */
const FAVOURITES = ".favourites.jsonl";
/** Notes are read from the first bytes: texts come before the pixels. */
const HEAD_BYTES = 1 << 17;
const INDEX_VERSION = 1;
/** How long the folders are believed to be as they were. */
const FRESH_MILLISECONDS = 1000;
const SEARCH_MILLISECONDS = 500;
/** How many files are looked at between two turns of the event loop. */
const AT_ONCE = 16;

/** A picture's file. */
type Found = Omit<GalleryPicture, "isFavourite" | "notes">;

interface Folder {
  readonly time: number;
  readonly folders: readonly string[];
  readonly pictures: readonly Found[];
}

/** The gallery of one folder. */
export class Gallery implements AsyncDisposable {
  readonly #root: string;
  readonly #cache: string;
  readonly #folders = new Map<string, Folder>();
  readonly #notes = new Map<string, PictureNotes>();
  readonly #thread = new PictureThread();
  readonly #favourites: Favourites;
  #newestFirst: readonly Found[] = [];
  #byName: ReadonlyMap<string, Found> = new Map();
  #scanned = -Infinity;
  #scanning: Promise<void> | undefined;
  #noting: Promise<void> | undefined;
  #isNoted = false;
  #isClosed = false;

  private constructor(root: string, cache: string) {
    this.#root = root;
    this.#cache = cache;
    this.#favourites = new Favourites(join(root, FAVOURITES));
  }

  /**
   * Opens the gallery.
   *
   * @param options `root`: the folder of outputs; `cache`: where thumbnails and notes are kept.
   */
  static async open(
    { root = OUTPUTS, cache = ".cache/gallery" }: {
      readonly root?: string;
      readonly cache?: string;
    } = {},
  ): Promise<Gallery> {
    const gallery = new Gallery(root, cache);
    await gallery.#readIndex();
    return gallery;
  }

  /** Pictures, the newest first. */
  async list(
    { search = "", isFavourite = false, skip = 0, limit = 60 }: GalleryQuery = {},
  ): Promise<GalleryPage> {
    await this.#scan();
    const favourites = await this.#favourites.names();
    this.#noting ??= this.#noteAll().finally(() => this.#noting = undefined);
    if (search !== "") await Promise.race([this.#noting, patience()]);
    const words = fold(search).split(/\s+/).filter((word) => word !== "");
    const all = isFavourite
      ? this.#newestFirst.filter(({ name }) => favourites.has(name))
      : this.#newestFirst;
    const found = words.length === 0 ? all : all.filter((picture) => {
      const notes = this.#notes.get(keyOf(picture));
      const text = fold(`${picture.name} ${notes?.prompt ?? ""} ${notes?.seed ?? ""}`);
      return words.every((word) => text.includes(word));
    });
    const pictures = found.slice(skip, skip + limit).map((picture) =>
      this.#described(picture, favourites)
    );
    return { pictures, total: found.length, isSearched: this.#isNoted };
  }

  /** A picture by its name; undefined where the gallery has none of it. */
  async find(name: string): Promise<GalleryPicture | undefined> {
    await this.#scan();
    let picture = this.#byName.get(name);
    if (picture === undefined) {
      await this.#scan(true);
      picture = this.#byName.get(name);
    }
    return picture && this.#described(picture, await this.#favourites.names());
  }

  /**
   * Marks pictures, or takes the marks off.
   *
   * @returns How many there were of the names, and stood differently.
   */
  async mark(names: readonly string[], isFavourite: boolean): Promise<number> {
    const found = await Promise.all([...new Set(names)].map((name) => this.find(name)));
    const changed = found.flatMap((picture) =>
      picture === undefined || picture.isFavourite === isFavourite ? [] : [picture.name]
    );
    await this.#favourites.mark(changed.map((name) => ({ name, isFavourite })));
    return changed.length;
  }

  /** What lies in the bin, the last that was thrown away first. */
  async bin(): Promise<readonly BinnedPicture[]> {
    const pictures: BinnedPicture[] = [];
    try {
      for await (const { name: binned, isFile } of Deno.readDir(join(this.#root, BIN))) {
        const name = nameBeforeBin(binned);
        if (!isFile || name === undefined) continue;
        const { size } = await Deno.lstat(join(this.#root, BIN, binned));
        pictures.push({ binned, name, bytes: size, time: timeInBin(binned) });
      }
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    return pictures.sort((a, b) => b.time - a.time);
  }

  /** The bytes of a picture in the bin; undefined where none lies there under the name. */
  async readBinned(binned: string): Promise<PictureFile | undefined> {
    const format = formatOfName(binned);
    if (nameBeforeBin(binned) === undefined || format === undefined) return undefined;
    const path = join(this.#root, BIN, binned);
    return await this.#isInside(path) ? await readPictureFile(path, format) : undefined;
  }

  /**
   * Removes what lies in the bin for good.
   *
   * @returns How many pictures there were.
   */
  async emptyBin(): Promise<number> {
    const binned = await this.bin();
    for (const picture of binned) {
      await Deno.remove(join(this.#root, BIN, picture.binned)).catch((error) => {
        if (!isMissing(error)) throw error;
      });
    }
    return binned.length;
  }

  /** What a file below the outputs is called here. */
  nameOf(path: string): string {
    return nameOf(relative(this.#root, path));
  }

  /** Where a picture lies, if it still lies below the outputs; undefined where there is none of the name. */
  async pathOf(name: string): Promise<string | undefined> {
    if (await this.find(name) === undefined) return undefined;
    const path = join(this.#root, ...name.split("/"));
    return await this.#isInside(path) ? path : undefined;
  }

  /** The bytes of a picture; undefined where the gallery has none of the name. */
  async read(name: string): Promise<PictureFile | undefined> {
    return await readPictureFile(await this.pathOf(name), formatOfName(name)!);
  }

  /**
   * A picture made small, as WebP. It is made once.
   *
   * @returns Undefined where the gallery has no such picture.
   * @throws {ImageError} When the file is damaged.
   */
  async thumbnail(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = await this.pathOf(name);
    if (path === undefined) return undefined;
    const key = createHash("sha256").update(keyOf(this.#byName.get(name)!)).digest("hex");
    const file = join(this.#cache, key.slice(0, 2), `${key}.webp`);
    const made = await readIfThere(file);
    if (made !== undefined) return made;
    const small = await this.#thread.thumbnail(await Deno.readFile(path));
    try {
      await Deno.mkdir(dirname(file), { recursive: true });
      await writeFileAtomically(file, small);
    } catch {
      // It is made again next time.
    }
    return small;
  }

  /**
   * Throws a picture into the bin.
   *
   * @returns Its name in the bin; undefined where the gallery has none of the name.
   */
  async remove(name: string): Promise<string | undefined> {
    const path = await this.pathOf(name);
    if (path === undefined) return undefined;
    const binned = nameInBin(name, new Date());
    await Deno.mkdir(join(this.#root, BIN), { recursive: true });
    const isFavourite = (await this.#favourites.names()).has(name);
    await Deno.rename(path, join(this.#root, BIN, binned));
    // The next picture of the name is another one.
    if (isFavourite) {
      await this.#favourites.mark([
        { name, isFavourite: false },
        { name: inBinOf(binned), isFavourite: true },
      ]);
    }
    await this.#scan(true);
    return binned;
  }

  /**
   * Takes a picture out of the bin, to where it was or, where that name is taken, beside it.
   *
   * @returns Its name; undefined where there is no such thing in the bin.
   */
  async restore(binned: string): Promise<string | undefined> {
    const before = nameBeforeBin(binned);
    if (before === undefined) return undefined;
    const inBin = join(this.#root, BIN, binned);
    if (!(await Deno.lstat(inBin).catch(() => undefined))?.isFile) return undefined;
    const path = join(this.#root, ...before.split("/"));
    await Deno.mkdir(dirname(path), { recursive: true });
    if (!await this.#isInside(dirname(path))) return undefined;
    const bytes = await Deno.readFile(inBin);
    const time = (await Deno.stat(inBin)).mtime ?? new Date();
    const saved = await savePicture(dirname(path), basename(path), bytes, { root: this.#root });
    await Deno.utime(saved, time, time).catch(() => {});
    await Deno.remove(inBin);
    const name = nameOf(relative(this.#root, saved));
    if ((await this.#favourites.names()).has(inBinOf(binned))) {
      await this.#favourites.mark([
        { name: inBinOf(binned), isFavourite: false },
        { name, isFavourite: true },
      ]);
    }
    await this.#scan(true);
    return name;
  }

  /** Looks for new pictures the next time, however short ago it looked. */
  refresh(): void {
    this.#scanned = -Infinity;
  }

  /** Resolves when all pictures were looked at. */
  async noted(): Promise<void> {
    await this.list({ limit: 0 });
    await this.#noting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#noting;
    this.#thread[Symbol.dispose]();
  }

  async #isInside(path: string): Promise<boolean> {
    try {
      const [real, root] = await Promise.all([realpath(path), realpath(this.#root)]);
      return `${real}${sep}`.startsWith(root + sep) &&
        real === join(root, relative(this.#root, path));
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  #described(picture: Found, favourites: ReadonlySet<string>): GalleryPicture {
    const notes = this.#notes.get(keyOf(picture));
    const isFavourite = favourites.has(picture.name);
    return { ...picture, isFavourite, ...(notes === undefined ? {} : { notes }) };
  }

  async #scan(isForced = false): Promise<void> {
    if (!isForced && performance.now() - this.#scanned < FRESH_MILLISECONDS) return;
    this.#scanning ??= this.#scanAll().finally(() => this.#scanning = undefined);
    await this.#scanning;
  }

  async #scanAll(): Promise<void> {
    const known = this.#newestFirst.length;
    let isChanged = false;
    const seen = new Set<string>();
    const pictures: Found[] = [];
    const visit = async (folder: string): Promise<void> => {
      seen.add(folder);
      const { folder: found, isNew } = await this.#look(folder);
      isChanged ||= isNew;
      pictures.push(...found.pictures);
      for (const inner of found.folders) await visit(inner);
    };
    await visit("");
    for (const folder of this.#folders.keys()) {
      if (!seen.has(folder)) this.#folders.delete(folder);
    }
    if (isChanged || pictures.length !== known) {
      pictures.sort((a, b) => b.time - a.time || (a.name < b.name ? 1 : -1));
      this.#newestFirst = pictures;
      this.#byName = new Map(pictures.map((picture) => [picture.name, picture]));
      this.#isNoted = pictures.every((picture) => this.#notes.has(keyOf(picture)));
    }
    this.#scanned = performance.now();
  }

  /** A folder changes its own time when a file in it is added, removed or renamed. */
  async #look(folder: string): Promise<{ folder: Folder; isNew: boolean }> {
    const path = join(this.#root, folder);
    try {
      const time = (await Deno.lstat(folder === "" ? `${path}/.` : path)).mtime?.getTime() ?? 0;
      const known = this.#folders.get(folder);
      // What changed in the same moment may have been missed.
      if (known?.time === time && Date.now() - time > 2 * FRESH_MILLISECONDS) {
        return { folder: known, isNew: false };
      }
      const folders: string[] = [];
      const names: string[] = [];
      for await (const { name, isDirectory, isFile } of Deno.readDir(path)) {
        if (name.startsWith(".")) continue;
        const inner = folder === "" ? name : `${folder}/${name}`;
        if (isDirectory) folders.push(inner);
        else if (isFile && formatOfName(name) !== undefined) names.push(inner);
      }
      const pictures = (await Promise.all(names.map((name) => this.#stat(name)))).flat();
      const found = { time, folders, pictures };
      this.#folders.set(folder, found);
      return { folder: found, isNew: true };
    } catch (error) {
      if (!isMissing(error)) throw error;
      return { folder: { time: 0, folders: [], pictures: [] }, isNew: this.#folders.has(folder) };
    }
  }

  async #stat(name: string): Promise<Found[]> {
    try {
      const { isFile, size, mtime } = await Deno.lstat(join(this.#root, name));
      return isFile ? [{ name: nameOf(name), bytes: size, time: mtime?.getTime() ?? 0 }] : [];
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Looks at the pictures that nobody looked at yet. */
  async #noteAll(): Promise<void> {
    const missing = this.#newestFirst.filter((picture) => !this.#notes.has(keyOf(picture)));
    for (let index = 0; index < missing.length && !this.#isClosed; index += AT_ONCE) {
      await Promise.all(
        missing.slice(index, index + AT_ONCE).map((picture) => this.#note(picture)),
      );
    }
    if (missing.length > 0) await this.#writeIndex();
    this.#isNoted = !this.#isClosed;
  }

  async #note(picture: Found): Promise<void> {
    try {
      using file = await Deno.open(join(this.#root, picture.name));
      const head = await readPart(file, 0, Math.min(HEAD_BYTES, picture.bytes));
      this.#notes.set(keyOf(picture), readNotes(head));
    } catch {
      // Nothing can be shown of it; whoever opens it is told why.
      this.#notes.set(keyOf(picture), {});
    }
  }

  get #index(): string {
    return join(this.#cache, "index.json");
  }

  async #readIndex(): Promise<void> {
    const { value } = await readJson(this.#index);
    const { version, notes } = (value ?? {}) as { version?: unknown; notes?: unknown };
    if (version !== INDEX_VERSION || typeof notes !== "object" || notes === null) return;
    for (const [key, note] of Object.entries(notes)) this.#notes.set(key, note as PictureNotes);
  }

  async #writeIndex(): Promise<void> {
    const kept = this.#newestFirst.flatMap((picture) => {
      const notes = this.#notes.get(keyOf(picture));
      return notes === undefined ? [] : [[keyOf(picture), notes] as const];
    });
    const json = JSON.stringify({ version: INDEX_VERSION, notes: Object.fromEntries(kept) });
    try {
      await Deno.mkdir(this.#cache, { recursive: true });
      await writeFileAtomically(this.#index, new TextEncoder().encode(json));
    } catch {
      // It is made again next time.
    }
  }
}

/** A search waits so long for pictures that nobody looked at yet. */
function patience(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SEARCH_MILLISECONDS));
}

/** A file that was written anew has another key. */
function keyOf({ name, bytes, time }: Found): string {
  return `${name}\n${bytes}\n${time}`;
}

/** What the marks call a picture in the bin. */
function inBinOf(binned: string): string {
  return `${BIN}/${binned}`;
}

function nameOf(path: string): string {
  return path.replaceAll(sep, "/");
}

function fold(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}
