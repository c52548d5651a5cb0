/** A pinned file from the network: continued where it broke off, and proved before it is used. */
import { createHash, type Hash } from "node:crypto";
import { rm } from "node:fs/promises";
import { formatBytes } from "../../src/format_bytes.ts";
import type { DownloadProblem } from "./texts.ts";

/** The download did not come to its end, or to another than the pinned one. */
export class DownloadError extends Error {
  override name = "DownloadError";
  readonly problem: DownloadProblem;

  constructor(problem: DownloadProblem, options?: ErrorOptions) {
    super(problem.code, options);
    this.problem = problem;
  }
}

/** What is downloaded. */
export interface PinnedDownload {
  /** Where it is not known, a download that broke off begins anew. */
  readonly bytes?: number | undefined;
  /** `sha512-` or `sha256-` and the hash in base64, as npm writes it. */
  readonly integrity: string;
}

/** A server that sends nothing for so long is taken for dead. */
const PATIENCE_MILLISECONDS = 60_000;
const OK = 200;
const PARTIAL_CONTENT = 206;

/**
 * Downloads a file whose bytes are known. What is there of it already is kept and continued, where
 * the server can do that.
 *
 * @param target Holds what has come; whole and proved when this returns.
 * @param onProgress Is told how many bytes are there.
 * @param signal Ends the download; what has come stays.
 * @throws {DownloadError}
 */
export async function download(
  url: string,
  target: string,
  pinned: PinnedDownload,
  onProgress: (bytes: number) => void = () => {},
  signal?: AbortSignal,
): Promise<void> {
  const before = await receive(url, target, pinned, onProgress, signal);
  if (before.found === pinned.integrity) return;
  await rm(target, { force: true });
  // What was there may have been the wrong part.
  const { found } = before.isContinued
    ? await receive(url, target, pinned, onProgress, signal)
    : before;
  if (found === pinned.integrity) return;
  await rm(target, { force: true });
  throw new DownloadError({ code: "other-bytes", found });
}

async function receive(
  url: string,
  target: string,
  { bytes, integrity: expected }: PinnedDownload,
  onProgress: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<{ found: string; isContinued: boolean }> {
  const truncate = bytes === undefined;
  using file = await Deno.open(target, { read: true, write: true, create: true, truncate });
  const algorithm = expected.slice(0, expected.indexOf("-"));
  let hash = createHash(algorithm);
  let size = await hashAll(file, hash);
  const isContinued = size > 0;
  const integrity = () => ({ found: `${algorithm}-${hash.digest("base64")}`, isContinued });
  if (bytes !== undefined && size >= bytes) return integrity();

  const silence = new AbortController();
  const patience = setTimeout(
    () => silence.abort(new Error(`${PATIENCE_MILLISECONDS / 1000} s`)),
    PATIENCE_MILLISECONDS,
  );
  try {
    const ends = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
    const response = await request(url, size, ends);
    if (response.status !== PARTIAL_CONTENT) {
      await file.truncate();
      await file.seek(0, Deno.SeekMode.Start);
      hash = createHash(algorithm);
      size = 0;
    }
    const body = response.body ?? new ReadableStream<Uint8Array>();
    try {
      for await (const chunk of body) {
        patience.refresh();
        hash.update(chunk);
        await writeAll(file, chunk);
        size += chunk.length;
        onProgress(size);
        // More than there should be: the hash will say so.
        if (bytes !== undefined && size > bytes) break;
      }
    } catch (cause) {
      if (isOfFile(cause)) throw cause;
      throw interrupted(size, reasonOf(cause), cause);
    }
    if (bytes !== undefined && size < bytes) throw interrupted(size, "EOF");
    return integrity();
  } finally {
    clearTimeout(patience);
  }
}

async function request(url: string, from: number, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    const headers: HeadersInit = from > 0 ? { range: `bytes=${from}-` } : {};
    response = await fetch(url, { headers, signal });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    throw new DownloadError({ code: "not-reached", reason: reasonOf(cause) }, { cause });
  }
  const isThere = response.headers.get("content-range")?.startsWith(`bytes ${from}-`) ?? false;
  if (response.status === OK || response.status === PARTIAL_CONTENT && isThere) return response;
  await response.body?.cancel();
  const status = `${response.status} ${response.statusText}`.trim();
  throw new DownloadError({ code: "status", status });
}

function interrupted(size: number, reason: string, cause?: unknown): DownloadError {
  return new DownloadError({ code: "interrupted", reason, done: formatBytes(size) }, { cause });
}

/** Reads a file to its end, which is where writing goes on. */
async function hashAll(file: Deno.FsFile, hash: Hash): Promise<number> {
  const chunk = new Uint8Array(1 << 20);
  let size = 0;
  while (true) {
    const count = await file.read(chunk);
    if (count === null) return size;
    hash.update(chunk.subarray(0, count));
    size += count;
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** Whether the file system complains, and not the network. */
function isOfFile(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? "";
  return ["ENOSPC", "EDQUOT", "EFBIG", "EIO"].includes(code);
}

function reasonOf(error: unknown): string {
  // fetch says that it failed, and its cause why.
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Error) return reasonOf(cause);
  return error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
}
