import { Readable } from "node:stream";
import { mkdir, readFile, rm, rmdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  CHECKSUM_LIST,
  type Checksums,
  formatChecksums,
  hashFile,
  parseChecksums,
} from "../../integrity/mod.ts";
import { UnfinishedFile } from "../../unfinished.ts";
import { HashedFile } from "../archive/hashed_file.ts";
import { BUNDLE_FILES, type BundleDescription } from "./bundle.ts";
import { formatBytes } from "../../format_bytes.ts";
import { asRoomError, BundleError } from "./bundle_error.ts";
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
 * their checksums into `checksums.txt`, those of weights that were there already, too. A file that
 * is there and differs is never replaced, nor is a checksum that is listed. When it fails, no
 * weights are left that were not there.
 *
 * @throws {BundleError} When another file is in the way, another checksum is listed, the disk is
 *   full, or the engine has another image afterwards.
 * @throws {ChecksumListError} When the project's list cannot be read.
 * @throws {EngineError} When the engine does not take the image.
 * @throws The signal's reason, when it was aborted.
 */
export async function loadBundle(
  bundle: OpenBundle,
  engine: LoadingEngine,
  { root, signal, onProgress }: LoadOptions = {},
): Promise<LoadedBundle> {
  const { image, files } = bundle.description;
  const bundled = files.filter(({ path }) => path.startsWith("models/"));
  await using placed = new Placed();
  try {
    if (root !== undefined) refuseOtherChecksums(bundled, await readList(root));
    const weights = root === undefined ? [] : await weightsToInstall(bundled, root);
    // Made before anything is installed, or a list that cannot be written is found out too late.
    await using list = root === undefined || bundled.length === 0
      ? undefined
      : await createList(root);
    if (root !== undefined) {
      await requireRoom(root, weights);
      await copyWeights(bundle, weights, { root, placed, signal, onProgress });
    }
    const id = await loadImage(bundle, engine, { signal, onProgress });
    // The engine has the image now: from here on the work is finished rather than taken back.
    await placed.keep();
    if (root !== undefined && list !== undefined) await listWeights(root, list, bundled);
    return { reference: image.reference, id, weights: weights.map(({ path }) => path) };
  } catch (error) {
    signal?.throwIfAborted();
    throw root === undefined ? error : asRoomError(error, root);
  }
}

/** Those that are not there yet. */
async function weightsToInstall(weights: Weights, root: string): Promise<Weights> {
  const wanted: Weights = [];
  const others: string[] = [];
  for (const file of weights) {
    const target = join(root, file.path);
    const found = await stat(target).catch(() => undefined);
    if (found === undefined) wanted.push(file);
    else if (found.size !== file.bytes || await hashFile(target) !== file.sha256) {
      others.push(file.path);
    }
  }
  if (others.length === 0) return wanted;
  throw inTheWay(others);
}

function inTheWay(files: readonly string[]): BundleError {
  return new BundleError("in-the-way", {
    en: `Other files are there already: ${files.join(", ")}. Nothing was installed. Move them ` +
      "away, or load the image alone: --no-models",
    zh: `已存在不同的文件：${files.join("、")}。未安装任何内容。请移走它们，` +
      "或只加载镜像：--no-models",
  }, { files });
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

/** Weights that are listed have to be those of the list. */
function refuseOtherChecksums(weights: Weights, listed: Checksums): void {
  const others = weights.filter(({ path, sha256 }) => (listed.get(path) ?? sha256) !== sha256);
  if (others.length === 0) return;
  const files = others.map(({ path }) => path);
  const lines = others.map(({ path, sha256 }) => `  ${path}: ${listed.get(path)} ≠ ${sha256}`);
  throw new BundleError("listed-otherwise", {
    en: [
      `${CHECKSUM_LIST} lists other checksums than the bundle has (listed ≠ bundle):`,
      ...lines,
      "Nothing was installed. If the bundle's weights are the right ones, take the lines of these " +
      `files out of ${CHECKSUM_LIST}; or load the image alone: --no-models`,
    ],
    zh: [
      `${CHECKSUM_LIST} 中的校验值与离线包不同（列表 ≠ 离线包）：`,
      ...lines,
      `未安装任何内容。若离线包中的权重才是正确的，请从 ${CHECKSUM_LIST} 中删去这些文件的行；` +
      "或只加载镜像：--no-models",
    ],
  }, { files });
}

async function readList(root: string): Promise<Checksums> {
  const list = join(root, CHECKSUM_LIST);
  const text = await readFile(list, "utf8").catch((error) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  });
  return parseChecksums(text, list);
}

/** The list under a temporary name, where this program may write. */
async function createList(root: string): Promise<UnfinishedFile> {
  const list = join(root, CHECKSUM_LIST);
  try {
    return await UnfinishedFile.create(list, { scratchIn: root });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const models = join(root, "models");
    await mkdir(models, { recursive: true });
    return await UnfinishedFile.create(list, { scratchIn: models });
  }
}

/** Adds what is not listed yet. */
async function listWeights(root: string, list: UnfinishedFile, weights: Weights): Promise<void> {
  const listed = await readList(root);
  const missing = weights.filter(({ path }) => !path.endsWith(".md") && !listed.has(path));
  if (missing.length === 0) return;
  const added = missing.map(({ path, sha256 }) => [path, sha256] as const);
  await list.write(new TextEncoder().encode(formatChecksums(new Map([...listed, ...added]))));
  await list.keep();
}

async function requireRoom(root: string, weights: Weights): Promise<void> {
  const bytes = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize >= bytes) return;
  throw new BundleError("no-room", {
    en: `The weights need ${formatBytes(bytes)} in ${root}, and the disk has ` +
      `${formatBytes(bavail * bsize)} left. Nothing was installed.`,
    zh:
      `权重需要 ${root} 中 ${formatBytes(bytes)} 的空间，但磁盘只剩 ${
        formatBytes(bavail * bsize)
      }。` +
      "未安装任何内容。",
  });
}

/** Files that get their names together, or are gone together with the folders made for them. */
class Placed implements AsyncDisposable {
  readonly #files: { readonly file: UnfinishedFile; readonly path: string }[] = [];
  /** The folders that were made, each after the one that it is in. */
  readonly #folders: string[] = [];
  readonly #kept: string[] = [];
  #isDone = false;

  /** @returns Where to write a file until it gets its name. */
  async place(path: string): Promise<string> {
    const folder = dirname(path);
    const made = await mkdir(folder, { recursive: true });
    if (made !== undefined) {
      const folders: string[] = [];
      for (let at = folder; at.length >= made.length; at = dirname(at)) folders.unshift(at);
      this.#folders.push(...folders);
    }
    const file = await UnfinishedFile.create(path);
    this.#files.push({ file, path });
    return file.path;
  }

  async keep(): Promise<void> {
    for (const { file, path } of this.#files) {
      if (!await file.keepNew()) throw inTheWay([path]);
      this.#kept.push(path);
    }
    this.#isDone = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { file } of this.#files) await file[Symbol.asyncDispose]();
    if (this.#isDone) return;
    for (const path of this.#kept) await rm(path, { force: true });
    // One that somebody else has put something into stays.
    for (const folder of this.#folders.toReversed()) await rmdir(folder).catch(() => {});
  }
}
