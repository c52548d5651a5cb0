/** One layer in place of those that an engine made, with nothing of chance in it. */
import { type FileHandle, open } from "node:fs/promises";
import { HashedFile, type WrittenFile } from "../archive/hashed_file.ts";
import {
  applyLayer,
  type Inode,
  type LayerContents,
  LayerTree,
  OPAQUE_NAME,
  parentOf,
  WHITEOUT_PREFIX,
} from "./layer_tree.ts";
import { plainFile } from "../archive/segments.ts";
import { encodeHeader, END_OF_ARCHIVE, paddingOf, type TarHeader } from "../archive/tar_format.ts";

/** What engines put into containers while they build, and replace when an image runs. */
const ENGINES_OWN = new Set([
  ".dockerenv",
  "dev/console",
  "dev/mqueue",
  "dev/pts",
  "dev/shm",
  "etc/hostname",
  "etc/hosts",
  "etc/mtab",
  "etc/resolv.conf",
  "proc",
  "run/.containerenv",
  "run/secrets",
  "sys",
]);

/** File capabilities are what a file may do; other attributes are where it happened to be made. */
const KEPT_ATTRIBUTES = ["security.capability"];

const PIECE_BYTES = 1 << 20;

/** What a merged layer consists of, by paths. */
interface MergedLayer {
  readonly tree: LayerTree;
  readonly whiteouts: ReadonlySet<string>;
  readonly opaque: ReadonlySet<string>;
}

/**
 * Writes several layers as one: the entries sorted by the bytes of their paths, all with one time, no
 * name of an owner, no access times, no attributes but capabilities; without what an engine left
 * behind, and without folders that are as they were.
 *
 * @param layers From the lowest to the highest.
 * @param base What they lie on.
 * @param mtime Seconds since 1970.
 * @returns Undefined where nothing is left of the layers.
 */
export async function writeCanonicalLayer(
  target: string,
  layers: readonly LayerContents[],
  base: LayerTree,
  mtime: number,
): Promise<WrittenFile | undefined> {
  const merged = merge(layers, base);
  const { tree, whiteouts, opaque } = merged;
  if (!base.isEmpty) removeChance(merged, base);
  const markers = [
    ...[...opaque].map((folder) => folder === "" ? OPAQUE_NAME : `${folder}/${OPAQUE_NAME}`),
    ...[...whiteouts].map(whiteoutOf),
  ];
  const entries = [
    ...[...tree.entries()].map(([path, inode]) => ({ path, inode })),
    ...markers.map((path) => ({ path, inode: undefined })),
  ].sort((a, b) => a.path < b.path ? -1 : 1);
  if (entries.length === 0) return undefined;

  await using output = await HashedFile.create(target);
  await using sources = new OpenFiles();
  /** The first path of each file: the others are links to it. */
  const firstPaths = new Map<Inode, string>();
  for (const { path, inode } of entries) {
    if (inode === undefined) {
      await output.write(encodeHeader(plainFile(path, 0, mtime, 0)));
      continue;
    }
    const first = firstPaths.get(inode);
    if (inode.type !== "directory") firstPaths.set(inode, first ?? path);
    await output.write(encodeHeader(headerOf(path, inode, first, mtime)));
    if (first !== undefined || inode.type !== "file") continue;
    const { file, offset, size } = inode.content;
    await copy(await sources.get(file), offset, size, output);
    await output.write(new Uint8Array(paddingOf(size)));
  }
  await output.write(END_OF_ARCHIVE);
  return await output.finish();
}

/** What several layers do to a base, said as one layer. */
function merge(layers: readonly LayerContents[], base: LayerTree): MergedLayer {
  const tree = new LayerTree();
  const whiteouts = new Set<string>();
  const opaque = new Set<string>();
  for (const layer of layers) {
    for (const folder of layer.opaque) {
      if (folder === "" || base.has(folder) || base.hasChildren(folder)) opaque.add(folder);
    }
    for (const path of layer.whiteouts) {
      if (base.has(path) || base.hasChildren(path)) whiteouts.add(path);
      opaque.delete(path);
    }
    for (const [path, { type }] of layer.added) {
      const former = tree.get(path)?.type ?? "directory";
      const wasGone = whiteouts.delete(path) || former !== "directory" && base.has(path);
      // A folder in place of one that was taken away must not show what that had in it.
      if (type !== "directory") opaque.delete(path);
      else if (wasGone) opaque.add(path);
    }
    applyLayer(tree, layer);
  }
  // What lies within something that is taken away, or replaced, needs no word of its own.
  const isGone = (path: string): boolean => {
    for (let parent = parentOf(path); parent !== ""; parent = parentOf(parent)) {
      if (whiteouts.has(parent) || opaque.has(parent)) return true;
      const inode = tree.get(parent);
      if (inode !== undefined && inode.type !== "directory") return true;
    }
    return opaque.has("");
  };
  return {
    tree,
    whiteouts: new Set([...whiteouts].filter((path) => !isGone(path))),
    opaque: new Set([...opaque].filter((path) => path === "" || !isGone(path))),
  };
}

/** Takes out what another engine, or the same on another day, would not have put in. */
function removeChance({ tree, opaque }: MergedLayer, base: LayerTree): void {
  for (const path of ENGINES_OWN) tree.delete(path);
  // From the deepest up, so that a folder is looked at when those in it are gone.
  const folders = [...tree.entries()].filter(([, { type }]) => type === "directory")
    .map(([path]) => path).sort().reverse();
  for (const path of folders) {
    const below = base.get(path);
    if (below !== undefined && !opaque.has(path) && isSameFolder(tree.get(path)!, below)) {
      tree.forget(path);
    }
  }
}

function isSameFolder(a: Inode, b: Inode): boolean {
  return a.type === b.type && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function headerOf(
  path: string,
  { type, mode, uid, gid, target, device, attributes, content }: Inode,
  first: string | undefined,
  mtime: number,
): TarHeader {
  return {
    path: type === "directory" ? `${path}/` : path,
    type: first === undefined ? type : "link",
    size: first === undefined && type === "file" ? content.size : 0,
    // Links have no permissions; engines write what they like there.
    mode: type === "symlink" ? 0o777 : mode,
    uid,
    gid,
    mtime,
    target: first ?? target,
    device,
    attributes: new Map(
      first === undefined ? [...attributes].filter(([name]) => KEPT_ATTRIBUTES.includes(name)) : [],
    ),
  };
}

function whiteoutOf(path: string): string {
  const folder = parentOf(path);
  const name = path.slice(folder === "" ? 0 : folder.length + 1);
  return `${folder === "" ? "" : `${folder}/`}${WHITEOUT_PREFIX}${name}`;
}

async function copy(
  source: FileHandle,
  offset: number,
  size: number,
  output: HashedFile,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(size, PIECE_BYTES));
  for (let at = 0; at < size;) {
    const wanted = Math.min(buffer.length, size - at);
    const { bytesRead } = await source.read(buffer, 0, wanted, offset + at);
    if (bytesRead === 0) throw new Error("a layer became shorter while it was read");
    await output.write(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** Files that stay open while they are needed. */
class OpenFiles implements AsyncDisposable {
  readonly #files = new Map<string, FileHandle>();

  async get(path: string): Promise<FileHandle> {
    const file = this.#files.get(path) ?? await open(path);
    this.#files.set(path, file);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }
}
