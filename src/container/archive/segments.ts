/** Archives that are not written anywhere: where each of their bytes comes from. */
import { open } from "node:fs/promises";
import { NewBieError } from "../../errors.ts";
import {
  encodeHeader,
  END_OF_ARCHIVE,
  paddingOf,
  type TarDialect,
  type TarHeader,
} from "./tar_format.ts";

/** Bytes that follow each other: given ones, or a file's. */
export type Segment =
  | { readonly bytes: Uint8Array }
  | { readonly file: string; readonly size: number };

const PIECE_BYTES = 1 << 20;

/** A file with a fixed time and owner, and nothing that chance put there. */
export function plainFile(path: string, size: number, mtime: number, mode = 0o644): TarHeader {
  return {
    path,
    type: "file",
    size,
    mode,
    uid: 0,
    gid: 0,
    mtime,
    target: "",
    device: [0, 0],
    attributes: new Map(),
  };
}

/** An entry of an archive, with its content. */
export interface TarPart {
  readonly header: TarHeader;
  /** Of as many bytes as the header says. */
  readonly content: readonly Segment[];
}

/** A tar archive of some entries. */
export function tarOf(parts: readonly TarPart[], dialect: TarDialect = "pax"): Segment[] {
  const segments = parts.flatMap(({ header, content }) => [
    { bytes: encodeHeader(header, dialect) },
    ...content,
    { bytes: new Uint8Array(paddingOf(header.size)) },
  ]);
  return [...segments, { bytes: END_OF_ARCHIVE }];
}

/** How many bytes they are together. */
export function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + sizeOfOne(segment), 0);
}

/**
 * The bytes from a place on, up to another, in pieces.
 *
 * @throws {Error} What the file system reports; `TornFileError` when a file is shorter than it was.
 */
export async function* readSegments(
  segments: readonly Segment[],
  from = 0,
  to = Infinity,
): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const segment of segments) {
    const size = sizeOfOne(segment);
    const first = Math.max(0, from - start);
    const end = Math.min(size, to - start);
    start += size;
    if (first >= end) continue;
    if ("bytes" in segment) yield segment.bytes.subarray(first, end);
    else yield* readFilePart(segment.file, first, end);
  }
}

/** A file has fewer bytes than it had when it was looked at. */
class TornFileError extends NewBieError {
  override name = "TornFileError";
  readonly file: string;

  constructor(file: string) {
    super(`${file} was changed while it was read. Wait until it is complete, and try again.`, {
      zh: `${file} 在读取期间发生了变化。请等它写完后再试。`,
    });
    this.file = file;
  }
}

/** The same pieces, of which the next is fetched while one is in use. */
export async function* readAhead(
  pieces: AsyncGenerator<Uint8Array, undefined>,
): AsyncGenerator<Uint8Array, undefined> {
  const fetch = () => {
    const next = pieces.next();
    // An error is reported when its piece is read; until then it must not end the process.
    next.catch(() => {});
    return next;
  };
  try {
    let next = fetch();
    while (true) {
      const { done, value } = await next;
      if (done) return;
      next = fetch();
      yield value;
    }
  } finally {
    await pieces.return(undefined);
  }
}

async function* readFilePart(
  path: string,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    for (let at = start; at < end;) {
      // A buffer of its own for each piece: the reader may still hold the one before.
      const buffer = new Uint8Array(Math.min(PIECE_BYTES, end - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new TornFileError(path);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function sizeOfOne(segment: Segment): number {
  return "bytes" in segment ? segment.bytes.length : segment.size;
}
