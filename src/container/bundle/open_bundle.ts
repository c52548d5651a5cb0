import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RequestError } from "../../errors.ts";
import { isMissing } from "../../files.ts";
import { hashFiles, parseChecksums } from "../../integrity/mod.ts";
import { systemCode } from "../../system_reason.ts";
import { readWhole, UnfitFileError } from "../../whole_file.ts";
import { readSegments, type Segment } from "../archive/segments.ts";
import { readTar, type TarSource } from "../archive/tar_reader.ts";
import { BUNDLE_FILES, type BundleDescription, bundleSchema } from "./bundle.ts";
import { BundleError } from "./bundle_error.ts";
import { checkSignature } from "./signature.ts";

/** How to open a bundle. */
export interface OpenBundleOptions {
  readonly signal?: AbortSignal | undefined;
  /** Is told how many bytes have been verified, and of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** The SHA-256 of `SHA256SUMS`, where it is known from elsewhere. */
  readonly sha256?: string | undefined;
  /** The file of the public key that it must have been signed with. */
  readonly key?: string | undefined;
}

/** A bundle of which every byte is as it was written. */
export interface OpenBundle {
  readonly description: BundleDescription;
  /** Its volumes, in order. */
  readonly volumes: readonly string[];
  readonly bytes: number;
  /** The SHA-256 of `SHA256SUMS`; absent where the archive was given without it. */
  readonly sha256: string | undefined;
  /** A file of the archive. */
  read(path: string): AsyncIterable<Uint8Array>;
}

const VOLUME = /\.tar(?:\.\d{3})?$/;
/** `bundle.json` and `SHA256SUMS` are small. */
const MOST_DESCRIPTION_BYTES = 1 << 24;

/**
 * Finds a bundle's parts and verifies all of them before anything is done with them.
 *
 * @param places A bundle's folder, or one of its volumes; then other folders in which volumes lie.
 * @throws {RequestError} When a place is not there.
 * @throws {BundleError} Naming every part that is missing or damaged.
 * @throws {ArchiveError} When an archive without checksums beside it ends too early or is damaged.
 * @throws The signal's reason, when it was aborted.
 */
export async function openBundle(
  places: readonly string[],
  options: OpenBundleOptions = {},
): Promise<OpenBundle> {
  const { folders, archive } = await lookAt(places);
  const sums = await findSums(folders);
  const { sha256 } = sums ?? {};
  if (options.sha256 !== undefined && options.sha256 !== sha256) {
    throw new BundleError("damaged", {
      en: `This is another bundle: the SHA-256 of its SHA256SUMS is ${sha256 ?? "unknown"}, and ` +
        `should be ${options.sha256}.`,
      zh: `这是另一个离线包：其 SHA256SUMS 的 SHA-256 为 ${
        sha256 ?? "未知"
      }，应为 ${options.sha256}。`,
    });
  }
  if (options.key !== undefined) {
    await checkSignature(sums?.path ?? join(folders[0]!, BUNDLE_FILES.sums), options.key);
  }
  if (sums !== undefined) {
    const volumes = await verifyVolumes(folders, sums.text, options);
    return { ...await readArchive(volumes, folders[0]!), sha256 };
  }
  const [lone] = archive === undefined ? await archivesIn(folders) : [archive];
  if (lone === undefined || !lone.endsWith(".tar")) throw noBundle(folders[0]!);
  const opened = await readArchive([lone], folders[0]!);
  await verifyContents(opened, lone, options);
  return { ...opened, sha256: undefined };
}

async function lookAt(
  places: readonly string[],
): Promise<{ folders: readonly string[]; archive?: string }> {
  const folders: string[] = [];
  let archive: string | undefined;
  for (const place of places) {
    const found = await stat(place).catch(() => undefined);
    if (found === undefined) {
      throw new RequestError(`${place} is not there. Give a bundle's folder, or an archive.`, {
        zh: `${place} 不存在。请给出离线包的文件夹，或归档文件。`,
      });
    }
    if (!found.isDirectory()) archive ??= place;
    folders.push(found.isDirectory() ? place : dirname(place));
  }
  return { folders: [...new Set(folders)], ...(archive === undefined ? {} : { archive }) };
}

async function findSums(
  folders: readonly string[],
): Promise<{ path: string; text: string; sha256: string } | undefined> {
  for (const folder of folders) {
    const path = join(folder, BUNDLE_FILES.sums);
    try {
      const bytes = await readWhole(path, { most: MOST_DESCRIPTION_BYTES });
      return { path, text: Buffer.from(bytes).toString("utf8"), sha256: sha256Of(bytes) };
    } catch (error) {
      const isNoFile = error instanceof UnfitFileError || systemCode(error) === "EISDIR";
      if (isNoFile) throw noBundle(folder);
      if (!isMissing(error)) throw error;
    }
  }
}

async function archivesIn(folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all(folders.map(async (folder) => {
    const names = (await readdir(folder)).filter((name) => VOLUME.test(name));
    return names.sort().map((name) => join(folder, name));
  }));
  return found.flat();
}

/** Compares every listed part with its checksum. @returns The volumes, in order. */
async function verifyVolumes(
  folders: readonly string[],
  sums: string,
  { signal, onProgress }: OpenBundleOptions,
): Promise<string[]> {
  const listed = [...parseChecksums(sums, BUNDLE_FILES.sums)];
  const paths = await Promise.all(listed.map(([name]) => findIn(folders, name)));
  const present = paths.filter((path) => path !== undefined);
  const sizes = await Promise.all(present.map(async (path) => (await stat(path)).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const outcomes = await hashFiles(present, {
    signal,
    onProgress: (done) => onProgress?.(done, total),
  });
  const missing = listed.filter((_, index) => paths[index] === undefined).map(([name]) => name);
  const damaged = listed.flatMap(([, expected], index) => {
    const path = paths[index];
    return path === undefined || outcomes[present.indexOf(path)]!.sha256 === expected ? [] : [path];
  });
  if (damaged.length > 0) throw damagedParts([...damaged], missing);
  if (missing.length > 0) throw missingParts(missing);
  return listed.flatMap(([name], index) => VOLUME.test(name) ? [paths[index]!] : []);
}

async function findIn(folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    if (await stat(path).then((found) => found.isFile(), () => false)) return path;
  }
}

type Opened = Omit<OpenBundle, "sha256">;

/** Reads what the archive has, without its files' contents. */
async function readArchive(volumes: readonly string[], place: string): Promise<Opened> {
  const [first] = volumes;
  if (first === undefined) throw noBundle(place);
  const segments = await Promise.all(
    volumes.map(async (file) => ({ file, size: (await stat(file)).size })),
  );
  const name = basename(first);
  const source = new SegmentSource(name, segments);
  const entries = new Map<string, { readonly offset: number; readonly size: number }>();
  for await (const { path, offset, size } of readTar(source)) {
    entries.set(Buffer.from(path, "latin1").toString("utf8"), { offset, size });
  }
  const read = (path: string) => {
    const { offset, size } = entries.get(path)!;
    return readSegments(segments, offset, offset + size);
  };
  const description = await descriptionIn(entries, read);
  const isWhole =
    description?.files.every(({ path, bytes }) => entries.get(path)?.size === bytes) &&
    description.files.some(({ path }) => path === BUNDLE_FILES.image);
  if (description === undefined || !isWhole) throw noBundle(name);
  const bytes = segments.reduce((sum, { size }) => sum + size, 0);
  return { description, volumes, bytes, read };
}

async function descriptionIn(
  entries: ReadonlyMap<string, { readonly size: number }>,
  read: (path: string) => AsyncIterable<Uint8Array>,
): Promise<BundleDescription | undefined> {
  const { size = Infinity } = entries.get(BUNDLE_FILES.description) ?? {};
  if (size > MOST_DESCRIPTION_BYTES) return undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of read(BUNDLE_FILES.description)) pieces.push(piece);
  try {
    return bundleSchema.parse(JSON.parse(Buffer.concat(pieces).toString("utf8")));
  } catch {
    return undefined;
  }
}

/** Compares what is in an archive with what it says of itself. */
async function verifyContents(
  { description: { files }, read }: Opened,
  archive: string,
  { signal, onProgress }: OpenBundleOptions,
): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const damaged: string[] = [];
  let done = 0;
  for (const { path, sha256 } of files) {
    const hash = createHash("sha256");
    for await (const piece of read(path)) {
      signal?.throwIfAborted();
      hash.update(piece);
      onProgress?.(done += piece.length, total);
    }
    if (hash.digest("hex") !== sha256) damaged.push(`${basename(archive)}: ${path}`);
  }
  if (damaged.length > 0) throw damagedParts(damaged, []);
}

/** Files after each other as a source; passing over costs nothing. */
class SegmentSource implements TarSource {
  readonly name: string;
  readonly #segments: readonly Segment[];
  position = 0;

  constructor(name: string, segments: readonly Segment[]) {
    this.name = name;
    this.#segments = segments;
  }

  async take(bytes: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    const { position } = this;
    for await (const piece of readSegments(this.#segments, position, position + bytes)) {
      pieces.push(piece);
      this.position += piece.length;
    }
    return Buffer.concat(pieces);
  }

  skip(bytes: number): Promise<void> {
    this.position += bytes;
    return Promise.resolve();
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function noBundle(place: string): BundleError {
  return new BundleError("not-a-bundle", {
    en: `${place} is no bundle. Expected the folder that \`deno task bundle\` makes, with ` +
      "SHA256SUMS and the volumes in it, or its .tar file.",
    zh: `${place} 不是离线包。应为 deno task bundle 生成的文件夹（其中有 SHA256SUMS 和分卷），` +
      "或其中的 .tar 文件。",
  }, { files: [place] });
}

function damagedParts(damaged: readonly string[], missing: readonly string[]): BundleError {
  const also = (texts: (list: string) => string, separator: string) =>
    missing.length === 0 ? "" : texts(missing.join(separator));
  return new BundleError("damaged", {
    en: `Damaged or cut off: ${damaged.join(", ")}.${also((list) => ` Missing: ${list}.`, ", ")} ` +
      "Nothing was installed. Copy again what is named here.",
    zh: `已损坏或不完整：${damaged.join("、")}。${also((list) => `缺失：${list}。`, "、")}` +
      "未安装任何内容。请重新复制上述文件。",
  }, { files: [...damaged, ...missing] });
}

function missingParts(missing: readonly string[]): BundleError {
  return new BundleError("missing", {
    en: `Missing: ${missing.join(", ")}. Nothing was installed. Put them beside the others, or ` +
      "name the folders that they lie in.",
    zh: `缺失：${missing.join("、")}。未安装任何内容。请把它们与其余文件放在一起，` +
      "或给出它们所在的文件夹。",
  }, { files: missing });
}
