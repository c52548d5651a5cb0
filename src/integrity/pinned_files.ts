import { createHash } from "node:crypto";
import { chmod, type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { UnfinishedFile } from "../unfinished.ts";
import { PinError } from "./pin_error.ts";
import type { PinnedFile } from "./pins.ts";

/** A file that comes from somewhere. */
export interface NamedStream {
  /** Its path there; the last part is the file's name. */
  readonly path: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Whether a pinned file is where it belongs, and is the one that was pinned. */
export type Standing = "in-place" | "missing" | "other-bytes";

/** Readable by all, for containers that are built by one user and run by another. */
const LIBRARY_MODE = 0o755;
const CHUNK_BYTES = 1 << 20;

/** Says how a pinned file stands; the whole of it is read. */
export async function standingOf(
  { name, bytes, sha256 }: PinnedFile,
  folder: string,
): Promise<Standing> {
  let file: FileHandle;
  try {
    file = await open(join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "missing";
    throw error;
  }
  try {
    if ((await file.stat()).size !== bytes) return "other-bytes";
    const hash = createHash("sha256");
    const stream = file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false });
    for await (const chunk of stream) hash.update(chunk);
    return hash.digest("hex") === sha256 ? "in-place" : "other-bytes";
  } finally {
    await file.close();
  }
}

/**
 * Puts pinned files into a folder: all of them or none. They are written beside their places first,
 * and take their names when the last of them has proved to be the pinned one.
 *
 * @param files In the order in which they take their names.
 * @param source Where they come from; what else comes from there is passed over.
 * @throws {PinError} When a file is absent or has other bytes.
 * @throws {Error} What the source and the file system report, such as a full disk.
 */
export async function installPinnedFiles(
  files: readonly PinnedFile[],
  source: AsyncIterable<NamedStream>,
  folder: string,
): Promise<void> {
  await using written = new AsyncDisposableStack();
  const unfinished = new Map<PinnedFile, UnfinishedFile>();
  for await (const { path, body } of source) {
    const file = files.find(({ name }) => path === name || path.endsWith(`/${name}`));
    if (file === undefined || unfinished.has(file)) continue;
    const target = written.use(await UnfinishedFile.create(join(folder, file.name)));
    unfinished.set(file, target);
    await writePinned(file, body, target, path);
    if (unfinished.size === files.length) break;
  }
  const missing = files.find((file) => !unfinished.has(file));
  if (missing !== undefined) {
    throw new PinError("absent", missing.name, {
      en: `There is no ${missing.name} in it.`,
      zh: `其中没有 ${missing.name}。`,
    });
  }
  for (const file of files) await unfinished.get(file)!.keep();
}

async function writePinned(
  { bytes, sha256 }: PinnedFile,
  body: AsyncIterable<Uint8Array>,
  target: UnfinishedFile,
  path: string,
): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  const differs = (found: string) =>
    new PinError(
      "other-bytes",
      path,
      {
        en: `${path} is not the pinned file: its SHA-256 is ${found}, and should be ${sha256}.`,
        zh: `${path} 不是固定的文件：其 SHA-256 为 ${found}，应为 ${sha256}。`,
      },
    );
  for await (const chunk of body) {
    size += chunk.length;
    if (size > bytes) throw differs(`that of more than ${bytes} bytes`);
    hash.update(chunk);
    await target.write(chunk);
  }
  const found = hash.digest("hex");
  if (found !== sha256) throw differs(found);
  await chmod(target.path, LIBRARY_MODE);
}
