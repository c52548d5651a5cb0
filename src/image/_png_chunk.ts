/**
 * PNG's outer form: a signature, then chunks of length, type, data and checksum.
 *
 * Form: https://www.w3.org/TR/png-3/#5DataRep
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { fromLatin1, latin1Bytes, viewOf } from "./_bytes.ts";
import { Fault } from "./_fault.ts";

/** The first bytes of every PNG. */
export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Length and type before a chunk's data. */
const HEAD_BYTES = 8;
const LENGTH_BYTES = 4;
const CRC_BYTES = 4;

/** A chunk's bytes. */
export function chunk(type: string, data: Uint8Array): Uint8Array {
  const end = HEAD_BYTES + data.length;
  const bytes = new Uint8Array(end + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(latin1Bytes(type), LENGTH_BYTES);
  bytes.set(data, HEAD_BYTES);
  view.setUint32(end, crc32(bytes.subarray(LENGTH_BYTES, end)));
  return bytes;
}

/** A chunk that was read. */
export interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** Whether its checksum is right. */
  readonly isSound: boolean;
}

/** What could be read of a PNG's chunks. */
export interface Chunks {
  readonly chunks: readonly Chunk[];
  /** Why the reading ended before the end chunk. */
  readonly fault?: Fault;
}

/**
 * The chunks of a PNG, up to its end chunk; what may follow that is no part of it. A file that is cut
 * short has those before the cut.
 */
export function readChunks(png: Uint8Array): Chunks {
  if (SIGNATURE.some((byte, index) => png[index] !== byte)) {
    return { chunks: [], fault: new Fault("a PNG's signature is missing", "缺少 PNG 的签名") };
  }
  const view = viewOf(png);
  const chunks: Chunk[] = [];
  let offset = SIGNATURE.length;
  while (chunks.at(-1)?.type !== "IEND") {
    const start = offset + HEAD_BYTES;
    if (start > png.length) {
      return { chunks, fault: new Fault("the end chunk is missing", "缺少结束块") };
    }
    const type = fromLatin1(png.subarray(offset + LENGTH_BYTES, start));
    const end = start + view.getUint32(offset);
    if (end + CRC_BYTES > png.length || !CHUNK_TYPE.test(type)) {
      const [en, zh] = CHUNK_TYPE.test(type) ? [` ${type}`, ` ${type} `] : ["", ""];
      return { chunks, fault: new Fault(`the chunk${en} is cut short`, `数据块${zh}不完整`) };
    }
    const isSound = view.getUint32(end) === crc32(png.subarray(offset + LENGTH_BYTES, end));
    chunks.push({ type, data: png.subarray(start, end), isSound });
    offset = end + CRC_BYTES;
  }
  return { chunks };
}

const CHUNK_TYPE = /^[A-Za-z]{4}$/;

/** Whether no picture can be made without chunks of a type: their first letter is a capital. */
const isCritical = (type: string): boolean => /^[A-Z]/.test(type);

/**
 * The same of a PNG whose picture is to be decoded. Chunks that are no part of the picture may have
 * wrong checksums, as those of careless programs have.
 *
 * @throws {Fault} When the signature, a chunk or the end chunk is missing, or the checksum of a
 * critical chunk is wrong.
 */
export function soundChunks(png: Uint8Array): readonly Chunk[] {
  const { chunks, fault } = readChunks(png);
  if (fault !== undefined) throw fault;
  const damaged = chunks.find(({ type, isSound }) => isCritical(type) && !isSound);
  if (damaged === undefined) return chunks;
  throw new Fault(
    `the checksum of the chunk ${damaged.type} is wrong`,
    `数据块 ${damaged.type} 的校验值不对`,
  );
}
