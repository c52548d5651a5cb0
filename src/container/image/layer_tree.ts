/** What layers make of each other: the files that are there in the end, and those that are taken away. */
import { open } from "node:fs/promises";
import { FileSource, readFully, readTar, type TarEntry } from "../archive/tar_reader.ts";
import type { TarEntryType } from "../archive/tar_format.ts";
import { ArchiveError } from "../archive/archive_error.ts";

/** A file of a layer. Several paths may lead to the same one: hard links. */
export interface Inode {
  readonly type: Exclude<TarEntryType, "link">;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly target: string;
  readonly device: readonly [number, number];
  readonly attributes: ReadonlyMap<string, string>;
  /** Where its content lies. */
  readonly content: { readonly file: string; readonly offset: number; readonly size: number };
}

/** In a layer, `.wh.name` takes `name` of the layers below away. */
export const WHITEOUT_PREFIX = ".wh.";
/** And this takes away all that the layers below have in its folder. */
export const OPAQUE_NAME = ".wh..wh..opq";

/**
 * A layer's path without what tools put around it (`./`, a slash at the end); undefined for the root
 * itself.
 *
 * @throws {ArchiveError} When the path leads out of the root.
 */
function layerPath(path: string, archive: string): string | undefined {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new ArchiveError("damaged", {
      en: `${archive}: the path ${path} leads out of the image.`,
      zh: `${archive}：路径 ${path} 指向镜像之外。`,
    });
  }
  return parts.length === 0 ? undefined : parts.join("/");
}

/** The folder of a path; empty at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Files under their paths, as layers on top of each other make them. */
export class LayerTree {
  readonly #inodes = new Map<string, Inode>();
  /** The names in each folder: what goes when the folder goes. */
  readonly #children = new Map<string, Set<string>>();

  get isEmpty(): boolean {
    return this.#inodes.size === 0;
  }

  get(path: string): Inode | undefined {
    return this.#inodes.get(path);
  }

  has(path: string): boolean {
    return this.#inodes.has(path);
  }

  /** Whether anything lies in a folder. */
  hasChildren(path: string): boolean {
    return (this.#children.get(path)?.size ?? 0) > 0;
  }

  entries(): IterableIterator<[string, Inode]> {
    return this.#inodes.entries();
  }

  /** Puts a file there; where a folder was and another thing comes, what lies in it goes. */
  set(path: string, inode: Inode): void {
    if (inode.type !== "directory") this.deleteChildren(path);
    this.#inodes.set(path, inode);
    // A folder may lack an entry of its own, and still has children.
    for (let child = path; child !== ""; child = parentOf(child)) {
      const parent = parentOf(child);
      const siblings = this.#children.get(parent);
      if (siblings?.has(child)) break;
      if (siblings === undefined) this.#children.set(parent, new Set([child]));
      else siblings.add(child);
    }
  }

  delete(path: string): void {
    this.deleteChildren(path);
    this.#inodes.delete(path);
    this.#children.get(parentOf(path))?.delete(path);
  }

  /** Takes a folder's own entry away; what lies in it stays. */
  forget(path: string): void {
    this.#inodes.delete(path);
  }

  deleteChildren(path: string): void {
    const children = this.#children.get(path);
    if (children === undefined) return;
    this.#children.delete(path);
    for (const child of children) {
      this.deleteChildren(child);
      this.#inodes.delete(child);
    }
  }
}

/** One layer: what it takes away from those below, and what it adds. */
export interface LayerContents {
  readonly whiteouts: readonly string[];
  /** Folders of which the layers below have nothing to say. */
  readonly opaque: readonly string[];
  readonly added: readonly (readonly [path: string, inode: Inode])[];
}

/**
 * Reads what a layer's tar holds, without its files' contents.
 *
 * @param name What the layer is called in messages.
 * @param below The layers below, where hard links may lead to.
 * @throws {ArchiveError} When it is damaged, or holds what no layer may.
 */
export async function readLayer(
  path: string,
  name: string,
  below: LayerTree,
): Promise<LayerContents> {
  const whiteouts: string[] = [];
  const opaque: string[] = [];
  const added = new Map<string, Inode>();
  const file = await open(path);
  try {
    for await (const entry of readTar(new FileSource(name, file))) {
      const place = layerPath(entry.path, name);
      if (place === undefined) continue;
      const folder = parentOf(place);
      const base = place.slice(folder === "" ? 0 : folder.length + 1);
      if (base === OPAQUE_NAME) opaque.push(folder);
      else if (base.startsWith(WHITEOUT_PREFIX)) {
        whiteouts.push((folder === "" ? "" : `${folder}/`) + base.slice(WHITEOUT_PREFIX.length));
      } else if (entry.type === "link") {
        const target = layerPath(entry.target, name) ?? "";
        const inode = added.get(target) ?? below.get(target);
        if (inode === undefined) throw deadLink(name, place, target);
        added.set(place, inode);
      } else {
        added.set(place, inodeOf(entry, entry.type, path));
      }
    }
  } finally {
    await file.close();
  }
  return { whiteouts, opaque, added: [...added] };
}

/** Puts a layer on top of a tree. */
export function applyLayer(tree: LayerTree, { whiteouts, opaque, added }: LayerContents): void {
  for (const folder of opaque) tree.deleteChildren(folder);
  for (const path of whiteouts) tree.delete(path);
  for (const [path, inode] of added) tree.set(path, inode);
}

function inodeOf(entry: TarEntry, type: Inode["type"], file: string): Inode {
  const { mode, uid, gid, mtime, target, device, attributes, offset, size } = entry;
  const content = { file, offset, size };
  return { type, mode, uid, gid, mtime, target, device, attributes, content };
}

function deadLink(layer: string, path: string, target: string): ArchiveError {
  return new ArchiveError("damaged", {
    en: `${layer}: ${path} is a hard link to ${target}, which is not there.`,
    zh: `${layer}：${path} 是指向 ${target} 的硬链接，但后者不存在。`,
  });
}

const PIECE_BYTES = 1 << 20;

/** The bytes of a file of a layer, piece by piece. */
export async function* piecesOf(
  { content: { file, offset, size } }: Inode,
): AsyncGenerator<Uint8Array> {
  const opened = await open(file);
  try {
    for (let at = 0; at < size; at += PIECE_BYTES) {
      yield await readFully(opened, offset + at, Math.min(PIECE_BYTES, size - at));
    }
  } finally {
    await opened.close();
  }
}

/** All bytes of a small file of a layer. */
export async function contentOf(inode: Inode): Promise<Uint8Array> {
  const pieces = await Array.fromAsync(piecesOf(inode));
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}
