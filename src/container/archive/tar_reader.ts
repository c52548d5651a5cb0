/** The entries of a tar archive, from a stream or from a file. */
import { Buffer } from "node:buffer";
import type { FileHandle } from "node:fs/promises";
import {
  attributesIn,
  BLOCK_BYTES,
  decodeHeader,
  decodeRecords,
  isEmptyBlock,
  paddingOf,
  type TarHeader,
  typeOf,
} from "./tar_format.ts";
import { ArchiveError } from "./archive_error.ts";

/** Bytes that are read forward. */
export interface TarSource {
  /** What the archive is called in messages. */
  readonly name: string;
  /** How many bytes were taken or passed over. */
  readonly position: number;
  /** The next bytes; fewer where the source ends before. */
  take(bytes: number): Promise<Uint8Array>;
  /** Passes over bytes, and over the end. */
  skip(bytes: number): Promise<void>;
}

/** An entry, whose content is the source's next `size` bytes. */
export interface TarEntry extends TarHeader {
  /** Where the content begins. */
  readonly offset: number;
}

/** Names and attributes are small; what claims more is damaged or meant to do harm. */
const MOST_EXTENSION_BYTES = 1 << 20;
const PIECE_BYTES = 1 << 20;
const WINDOW_BYTES = 1 << 16;

/**
 * Reads entries one after the other. What the consumer does not take of a content is passed over.
 * After the last entry the source stands behind the first of the two blocks that end an archive.
 *
 * @throws {ArchiveError} When the archive ends too early or is damaged.
 */
export async function* readTar(source: TarSource): AsyncGenerator<TarEntry> {
  let records = new Map<string, string>();
  let long: { path?: string; target?: string } = {};
  while (true) {
    const block = await source.take(BLOCK_BYTES);
    if (block.length < BLOCK_BYTES) throw truncated(source);
    if (isEmptyBlock(block)) return;
    const header = decodeHeader(block);
    if (header === undefined || !Number.isSafeInteger(header.size)) throw damaged(source);
    const size = numberIn(records, "size") ?? header.size;
    if ("xgLK".includes(header.flag)) {
      if (header.size > MOST_EXTENSION_BYTES) throw damaged(source);
      const content = await exactly(source, header.size);
      await source.skip(paddingOf(header.size));
      if (header.flag === "x") {
        const found = decodeRecords(content);
        if (found === undefined) throw damaged(source);
        records = found;
      } else if (header.flag !== "g") {
        const text = Buffer.from(content).toString("latin1").replace(/\0+$/, "");
        long = { ...long, [header.flag === "L" ? "path" : "target"]: text };
      }
      continue;
    }
    const type = typeOf(header.flag);
    if (type === undefined) throw damaged(source);
    const entry: TarEntry = {
      type,
      path: records.get("path") ?? long.path ?? header.path,
      target: type === "link" || type === "symlink"
        ? records.get("linkpath") ?? long.target ?? header.target
        : "",
      size: type === "file" ? size : 0,
      mode: header.mode,
      uid: numberIn(records, "uid") ?? header.uid,
      gid: numberIn(records, "gid") ?? header.gid,
      mtime: Math.floor(numberIn(records, "mtime") ?? header.mtime),
      device: header.device,
      attributes: attributesIn(records),
      offset: source.position,
    };
    records = new Map();
    long = {};
    yield entry;
    const end = entry.offset + entry.size + paddingOf(entry.size);
    await source.skip(end - source.position);
  }
}

/** Takes bytes that have to be there. */
async function exactly(source: TarSource, bytes: number): Promise<Uint8Array> {
  const taken = await source.take(bytes);
  if (taken.length < bytes) throw truncated(source);
  return taken;
}

/** An entry's content in pieces, as it comes from the source. */
export async function* contentOf(
  source: TarSource,
  { size }: TarEntry,
): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0;) {
    const piece = await exactly(source, Math.min(left, PIECE_BYTES));
    left -= piece.length;
    yield piece;
  }
}

/** A stream as a source. */
export class StreamSource implements TarSource {
  readonly name: string;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();
  #position = 0;

  constructor(name: string, stream: AsyncIterable<Uint8Array>) {
    this.name = name;
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  get position(): number {
    return this.#position;
  }

  async take(bytes: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    const length = await this.#forward(bytes, (piece) => pieces.push(piece));
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length);
  }

  async skip(bytes: number): Promise<void> {
    await this.#forward(bytes, () => {});
  }

  /** Reads to the end, for senders that wait until all has been read. */
  async drain(): Promise<void> {
    while (await this.#forward(PIECE_BYTES, () => {}) > 0);
  }

  /** Tells the sender that no more is wanted. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #forward(bytes: number, keep: (piece: Uint8Array) => void): Promise<number> {
    let left = bytes;
    while (left > 0) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#pieces.next();
        if (done) break;
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      keep(piece);
    }
    this.#position += bytes - left;
    return bytes - left;
  }
}

/** A part of a file as a source; passing over costs nothing. */
export class FileSource implements TarSource {
  readonly name: string;
  readonly #file: FileHandle;
  #position = 0;
  #window: { readonly start: number; readonly bytes: Uint8Array } = {
    start: 0,
    bytes: new Uint8Array(),
  };

  constructor(name: string, file: FileHandle) {
    this.name = name;
    this.#file = file;
  }

  get position(): number {
    return this.#position;
  }

  async take(bytes: number): Promise<Uint8Array> {
    const { start, bytes: window } = this.#window;
    if (this.#position < start || this.#position + bytes > start + window.length) {
      const wanted = Math.max(bytes, WINDOW_BYTES);
      this.#window = {
        start: this.#position,
        bytes: await readFully(this.#file, this.#position, wanted),
      };
    }
    const from = this.#position - this.#window.start;
    const taken = this.#window.bytes.subarray(from, from + bytes);
    this.#position += taken.length;
    return taken;
  }

  skip(bytes: number): Promise<void> {
    this.#position += bytes;
    return Promise.resolve();
  }
}

/** Bytes of a file from a place on; fewer where it ends before. */
export async function readFully(
  file: FileHandle,
  position: number,
  bytes: number,
): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await file.read(buffer, length, bytes - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function numberIn(records: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = records.get(key);
  return text === undefined || !/^-?\d+(\.\d*)?$/.test(text) ? undefined : Number(text);
}

function truncated({ name, position }: TarSource): ArchiveError {
  return new ArchiveError("truncated", {
    en: `${name} ends too early, after ${position} bytes. Copy or make it again.`,
    zh: `${name} 不完整，在 ${position} 字节处中断。请重新复制或重新生成。`,
  });
}

function damaged({ name, position }: TarSource): ArchiveError {
  return new ArchiveError("damaged", {
    en:
      `${name} is damaged before byte ${position}: there is no tar header. Copy or make it again.`,
    zh: `${name} 已损坏（第 ${position} 字节之前不是有效的 tar 头）。请重新复制或重新生成。`,
  });
}
