import { Readable } from "node:stream";
import { mkdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Buffer } from "node:buffer";
import { writeFileAtomically } from "../../files.ts";
import { CHECKSUM_LIST, formatChecksums, parseChecksums } from "../../integrity/checksum_list.ts";
import { hashFile } from "../../integrity/hash_file.ts";
import { HashedFile } from "../archive/hashed_file.ts";
import { BUNDLE_FILES, type BundleDescription } from "./bundle.ts";
import { asRoomError, BundleError, sizeText } from "./bundle_error.ts";
import type { OpenBundle } from "./open_bundle.ts";

/** The part of an engine that takes an image. */
export interface LoadingEngine {
  load(archive: Readable, signal?: AbortSignal): Promise<string>;
  image(name: string): Promise<{ readonly id: string } | undefined>;
}

/** How to install a bundle. */
export interface LoadOptions {
  /** Where the weights go: the top of a project. Without it they stay in the bundle. */
  readonly root?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** What goes on, and how far it has come. */
export interface LoadProgress {
  readonly stage: "weights" | "image";
  readonly done: number;
  readonly total: number;
}

/** What was installed. */
export interface LoadedBundle {
  readonly reference: string;
  /** The image's ID in the engine. */
  readonly id: string;
  /** The weights that were put in place; those that were there already are not among them. */
  readonly weights: readonly string[];
}

type Weights = BundleDescription["files"];

/**
 * Installs a bundle that was verified: the image into an engine, the weights into `models/` and
 * their checksums into `checksums.txt`. A file that is there and differs is never replaced. When it
 * fails, no weights are left that were not there.
 *
 * @throws {BundleError} When another file is in the way, the disk is full, or the engine has another
 *   image afterwards.
 * @throws {EngineError} When the engine does not take the image.
 * @throws The signal's reason, when it was aborted.
 */
export async function loadBundle(
  bundle: OpenBundle,
  engine: LoadingEngine,
  { root, signal, onProgress }: LoadOptions = {},
): Promise<LoadedBundle> {
  const { image, files } = bundle.description;
  const weights = root === undefined
    ? []
    : await weightsToInstall(files.filter(({ path }) => path.startsWith("models/")), root);
  await using placed = new Placed();
  try {
    if (root !== undefined) {
      await requireRoom(root, weights);
      await copyWeights(bundle, weights, { root, placed, signal, onProgress });
    }
    const id = await loadImage(bundle, engine, { signal, onProgress });
    // The engine has it: from here on it is done rather than undone.
    await placed.keep();
    if (root !== undefined && weights.length > 0) await listWeights(root, weights);
    return { reference: image.reference, id, weights: weights.map(({ path }) => path) };
  } catch (error) {
    signal?.throwIfAborted();
    throw root === undefined ? error : asRoomError(error, root);
  }
}

/** Those that are not there yet. */
async function weightsToInstall(weights: Weights, root: string): Promise<Weights> {
  const wanted: Weights = [];
  const inTheWay: string[] = [];
  for (const file of weights) {
    const target = join(root, file.path);
    const found = await stat(target).catch(() => undefined);
    if (found === undefined) wanted.push(file);
    else if (found.size !== file.bytes || await hashFile(target) !== file.sha256) {
      inTheWay.push(file.path);
    }
  }
  if (inTheWay.length === 0) return wanted;
  throw new BundleError("in-the-way", {
    en: `Other files are there already: ${inTheWay.join(", ")}. Nothing was installed. Move them ` +
      "away, or load the image alone: --no-models",
    zh: `已存在不同的文件：${inTheWay.join("、")}。未安装任何内容。请移走它们，` +
      "或只加载镜像：--no-models",
  }, { files: inTheWay });
}

async function copyWeights(
  bundle: OpenBundle,
  weights: Weights,
  { root, placed, signal, onProgress }: LoadOptions & {
    readonly root: string;
    readonly placed: Placed;
  },
): Promise<void> {
  const total = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const { path, sha256 } of weights) {
    await using file = await HashedFile.create(await placed.place(join(root, path)));
    for await (const piece of bundle.read(path)) {
      signal?.throwIfAborted();
      await file.write(piece);
      onProgress?.({ stage: "weights", done: done += piece.length, total });
    }
    if ((await file.finish()).sha256 === sha256) continue;
    throw new BundleError("damaged", {
      en: `${path} has other bytes in the bundle than the bundle says. Nothing was installed.`,
      zh: `离线包中的 ${path} 与其记录的校验值不符。未安装任何内容。`,
    }, { files: [path] });
  }
}

async function loadImage(
  { description: { image, files }, read }: OpenBundle,
  engine: LoadingEngine,
  { signal, onProgress }: LoadOptions,
): Promise<string> {
  const total = files.find(({ path }) => path === BUNDLE_FILES.image)?.bytes ?? 0;
  async function* pieces() {
    let done = 0;
    for await (const piece of read(BUNDLE_FILES.image)) {
      signal?.throwIfAborted();
      yield piece;
      onProgress?.({ stage: "image", done: done += piece.length, total });
    }
  }
  const archive = Readable.from(pieces(), { objectMode: false });
  try {
    await engine.load(archive, signal);
  } finally {
    archive.destroy();
  }
  const found = await engine.image(image.reference);
  // By its configuration's digest; by its manifest's where the engine keeps images as containerd does.
  if (found !== undefined && [image.configDigest, image.digest].includes(found.id)) return found.id;
  throw new BundleError("engine", {
    en: `The engine has another image under the name ${image.reference} than the bundle's: ` +
      `${found?.id ?? "none"}, and should be ${image.configDigest}.`,
    zh: `引擎中名为 ${image.reference} 的镜像与离线包不符：${found?.id ?? "无"}，` +
      `应为 ${image.configDigest}。`,
  });
}

async function listWeights(root: string, weights: Weights): Promise<void> {
  const list = join(root, CHECKSUM_LIST);
  const text = await readFile(list, "utf8").catch(() => "");
  const checksums = new Map(parseChecksums(text, list));
  for (const { path, sha256 } of weights) {
    if (!path.endsWith(".md")) checksums.set(path, sha256);
  }
  await writeFileAtomically(list, Buffer.from(formatChecksums(checksums)), `${list}.part`);
}

async function requireRoom(root: string, weights: Weights): Promise<void> {
  const bytes = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize >= bytes) return;
  throw new BundleError("no-room", {
    en: `The weights need ${sizeText(bytes)} in ${root}, and the disk has ` +
      `${sizeText(bavail * bsize)} left. Nothing was installed.`,
    zh: `权重需要 ${root} 中 ${sizeText(bytes)} 的空间，但磁盘只剩 ${sizeText(bavail * bsize)}。` +
      "未安装任何内容。",
  });
}

/** Files that get their names together, or are gone together with the folders made for them. */
class Placed implements AsyncDisposable {
  readonly #files: { readonly temporary: string; readonly path: string }[] = [];
  readonly #folders: string[] = [];

  /** @returns Where to write a file until it gets its name. */
  async place(path: string): Promise<string> {
    const made = await mkdir(dirname(path), { recursive: true });
    if (made !== undefined) this.#folders.push(made);
    const temporary = join(dirname(path), `.${basename(path)}.part`);
    this.#files.push({ temporary, path });
    return temporary;
  }

  async keep(): Promise<void> {
    for (const { temporary, path } of this.#files) await rename(temporary, path);
    this.#files.length = 0;
    this.#folders.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { temporary } of this.#files) await rm(temporary, { force: true });
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}
