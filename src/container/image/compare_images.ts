import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import type { UnpackedImage } from "./image_archive.ts";
import { applyLayer, type Inode, type LayerContents, LayerTree, readLayer } from "./layer_tree.ts";
import { readFully } from "../archive/tar_reader.ts";

/** What of a file differs. */
export type FileAspect =
  | "content"
  | "type"
  | "mode"
  | "owner"
  | "time"
  | "target"
  | "device"
  | "attributes";

/**
 * Where two images differ:
 *
 * - `setting`: in what their configurations say, by its path, such as `config.Env`, or
 *   `history[2].created_by` for a step of the build;
 * - `layers`: in how many layers they have;
 * - `file`: in a file of a layer; only one of the images may have it there;
 * - `order`: in the order of a layer's entries, or in how its tar is written.
 */
export type ImageDifference =
  | { readonly kind: "setting"; readonly path: string; readonly a: unknown; readonly b: unknown }
  | { readonly kind: "layers"; readonly a: number; readonly b: number }
  | {
    readonly kind: "file";
    /** Counted from 1, the lowest. */
    readonly layer: number;
    readonly path: string;
    /** Which image alone has it; absent where both do. */
    readonly onlyIn?: "a" | "b";
    /** What differs, where both have it. */
    readonly aspects: readonly FileAspect[];
    /** In the content, counted from 0; absent where the content is the same. */
    readonly firstByte?: number;
  }
  | { readonly kind: "order"; readonly layer: number };

/** An image as its configuration, and its layers' tars on disk. */
export type ImageContents = UnpackedImage;

/**
 * Tells where two images differ, down to the byte in the file in the layer. Layers with the same
 * digest are not compared.
 *
 * @returns Nothing when they are the same.
 * @throws {ArchiveError} When a layer is damaged.
 */
export async function compareImages(
  a: ImageContents,
  b: ImageContents,
): Promise<ImageDifference[]> {
  const differences: ImageDifference[] = [...settingsOf(a.config, b.config)];
  if (a.layers.length !== b.layers.length) {
    differences.push({ kind: "layers", a: a.layers.length, b: b.layers.length });
  }
  const [treeA, treeB] = [new LayerTree(), new LayerTree()];
  for (let index = 0; index < Math.max(a.layers.length, b.layers.length); index++) {
    const [layerA, layerB] = [a.layers[index], b.layers[index]];
    const contentsA = await contentsOf(layerA, treeA);
    const contentsB = await contentsOf(layerB, treeB);
    if (layerA?.diffId === layerB?.diffId) continue;
    const found = await compareLayers(index + 1, contentsA, contentsB);
    const isOrder = found.length === 0 && layerA !== undefined && layerB !== undefined;
    differences.push(...(isOrder ? [{ kind: "order", layer: index + 1 } as const] : found));
  }
  return differences;
}

const NOTHING: LayerContents = { whiteouts: [], opaque: [], added: [] };

async function contentsOf(
  layer: ImageContents["layers"][number] | undefined,
  tree: LayerTree,
): Promise<LayerContents> {
  if (layer === undefined) return NOTHING;
  const contents = await readLayer(layer.file, layer.diffId, tree);
  applyLayer(tree, contents);
  return contents;
}

async function compareLayers(
  layer: number,
  a: LayerContents,
  b: LayerContents,
): Promise<ImageDifference[]> {
  const [inA, inB] = [entriesOf(a), entriesOf(b)];
  const found: ImageDifference[] = [];
  for (const path of [...new Set([...inA.keys(), ...inB.keys()])].sort()) {
    const name = Buffer.from(path, "latin1").toString("utf8");
    if (!inA.has(path) || !inB.has(path)) {
      const onlyIn = inA.has(path) ? "a" as const : "b" as const;
      found.push({ kind: "file", layer, path: name, onlyIn, aspects: [] });
      continue;
    }
    const [one, other] = [inA.get(path), inB.get(path)];
    // Both take the same thing away.
    if (one === undefined || other === undefined) continue;
    const firstByte = await firstDifference(one, other);
    const aspects = aspectsOf(one, other, firstByte);
    if (aspects.length === 0) continue;
    const at = firstByte === undefined ? {} : { firstByte };
    found.push({ kind: "file", layer, path: name, aspects, ...at });
  }
  return found;
}

/** What a layer holds by path; undefined for what it takes away. */
function entriesOf({ whiteouts, opaque, added }: LayerContents): Map<string, Inode | undefined> {
  return new Map<string, Inode | undefined>([
    ...whiteouts.map((path) => [`${path} (removed)`, undefined] as const),
    ...opaque.map((path) => [`${path}/* (removed)`, undefined] as const),
    ...added,
  ]);
}

function aspectsOf(a: Inode, b: Inode, firstByte: number | undefined): FileAspect[] {
  const pairs: readonly (readonly [FileAspect, boolean])[] = [
    ["content", firstByte === undefined],
    ["type", a.type === b.type],
    ["mode", a.mode === b.mode],
    ["owner", a.uid === b.uid && a.gid === b.gid],
    ["time", a.mtime === b.mtime],
    ["target", a.target === b.target],
    ["device", String(a.device) === String(b.device)],
    ["attributes", attributesText(a) === attributesText(b)],
  ];
  return pairs.filter(([, isSame]) => !isSame).map(([aspect]) => aspect);
}

function attributesText({ attributes }: Inode): string {
  return JSON.stringify([...attributes].sort(([a], [b]) => a < b ? -1 : 1));
}

const PIECE_BYTES = 1 << 20;

/** Where two contents differ first; undefined where they are the same. */
async function firstDifference(a: Inode, b: Inode): Promise<number | undefined> {
  const length = Math.min(a.content.size, b.content.size);
  await using fileA = await open(a.content.file);
  await using fileB = await open(b.content.file);
  for (let at = 0; at < length; at += PIECE_BYTES) {
    const bytes = Math.min(PIECE_BYTES, length - at);
    const one = await readFully(fileA, a.content.offset + at, bytes);
    const other = await readFully(fileB, b.content.offset + at, bytes);
    if (Buffer.compare(one, other) === 0) continue;
    return at + one.findIndex((byte, index) => byte !== other[index]);
  }
  return a.content.size === b.content.size ? undefined : length;
}

/** Where two configurations differ, but for the layers, which are compared themselves. */
function settingsOf(a: unknown, b: unknown, path = ""): ImageDifference[] {
  if (JSON.stringify(a) === JSON.stringify(b) || path === "rootfs") return [];
  if (path === "history" && Array.isArray(a) && Array.isArray(b)) {
    // Step by step: the whole of it would be a wall of text.
    return Array.from(
      { length: Math.max(a.length, b.length) },
      (_, step) => settingsOf(a[step], b[step], `${path}[${step}]`),
    ).flat();
  }
  if (!isRecord(a) || !isRecord(b)) return [{ kind: "setting", path, a, b }];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return keys.flatMap((key) => settingsOf(a[key], b[key], path === "" ? key : `${path}.${key}`));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
