/**
 * WebP's outer form: RIFF's chunks.
 *
 * Form: https://developers.google.com/speed/webp/docs/riff_container
 *
 * @module
 */
import { concat, fromLatin1, latin1Bytes, startsWith, viewOf } from "./_bytes.ts";
import type { Container } from "./_container.ts";
import { writeExif } from "./_exif.ts";
import { Fault } from "./_fault.ts";
import { writeXmp } from "./_xmp.ts";

const HEAD_BYTES = 12;
const CHUNK_HEAD_BYTES = 8;
/** Flags of the extended header. */
const ANIMATION = 0x02;
const XMP_FLAG = 0x04;
const EXIF_FLAG = 0x08;

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

export const isWebp = (bytes: Uint8Array): boolean =>
  startsWith(bytes, "RIFF") && startsWith(bytes, "WEBP", 8);

/** The chunks that are whole. */
function* chunks(bytes: Uint8Array): Generator<Chunk> {
  const view = viewOf(bytes);
  let at = HEAD_BYTES;
  while (at + CHUNK_HEAD_BYTES <= bytes.length) {
    const type = fromLatin1(bytes.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    const start = at + CHUNK_HEAD_BYTES;
    if (start + length > bytes.length) {
      // The sizes stand at the beginning of a picture that is cut short.
      if (type.startsWith("VP8")) yield { type, data: bytes.subarray(start) };
      return;
    }
    yield { type, data: bytes.subarray(start, start + length) };
    at = start + length + length % 2;
  }
}

/** What a WebP says besides its pixels. */
export function readWebp(bytes: Uint8Array): Container {
  let size: Container["size"];
  let exif: Uint8Array | undefined;
  let isAnimated = false;
  const xmp: Uint8Array[] = [];
  for (const { type, data } of chunks(bytes)) {
    const found = sizeOf(type, data);
    if (found !== undefined) {
      // The canvas and the frame may contradict each other: the larger one is what costs.
      size = {
        width: Math.max(size?.width ?? 0, found.width),
        height: Math.max(size?.height ?? 0, found.height),
      };
    }
    if (type === "VP8X") isAnimated = (data[0]! & ANIMATION) !== 0;
    else if (type === "EXIF") {
      exif ??= startsWith(data, "Exif\0\0") ? data.subarray(6) : data;
    } else if (type === "XMP ") xmp.push(data);
  }
  const stated = bytes.length < HEAD_BYTES ? Infinity : viewOf(bytes).getUint32(4, true) + 8;
  const animated = {
    en: "it is animated; give a single picture",
    zh: "它是动画；请使用单张图片",
  };
  return {
    size,
    exif,
    xmp,
    isWhole: stated <= bytes.length,
    ...(isAnimated ? { unsupported: animated } : {}),
  };
}

/** Of a frame of either kind, or of the canvas. */
function sizeOf(type: string, data: Uint8Array): Container["size"] {
  if (data.length < (type === "VP8L" ? 5 : 10)) return undefined;
  const view = viewOf(data);
  if (type === "VP8X") {
    const side = (at: number) => 1 + (view.getUint16(at, true) | data[at + 2]! << 16);
    return { width: side(4), height: side(7) };
  }
  // Fourteen bits each; the two above them scale, which decoders leave undone.
  if (type === "VP8 ") {
    return { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff };
  }
  if (type === "VP8L") {
    const bits = view.getUint32(1, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + (bits >>> 14 & 0x3fff) };
  }
  return undefined;
}

/**
 * A WebP with texts: `parameters` as EXIF's comment, all others as XMP.
 *
 * @throws {Fault} When the bytes are no WebP of one opaque picture.
 */
export function writeWebpText(
  webp: Uint8Array,
  comment: string | undefined,
  texts: Readonly<Record<string, string>>,
): Uint8Array {
  const [frame] = isWebp(webp) ? [...chunks(webp)].filter(({ type }) => type !== "VP8X") : [];
  const size = frame === undefined ? undefined : sizeOf(frame.type, frame.data);
  if (frame === undefined || size === undefined) throw new Fault("it is no WebP", "它不是 WebP");
  const hasTexts = Object.keys(texts).length > 0;
  const header = new Uint8Array(10);
  header[0] = (comment === undefined ? 0 : EXIF_FLAG) | (hasTexts ? XMP_FLAG : 0);
  if (header[0] === 0) return webp;
  const view = viewOf(header);
  view.setUint16(4, size.width - 1 & 0xffff, true);
  header[6] = size.width - 1 >> 16;
  view.setUint16(7, size.height - 1 & 0xffff, true);
  header[9] = size.height - 1 >> 16;
  const body = concat([
    latin1Bytes("WEBP"),
    chunk("VP8X", header),
    chunk(frame.type, frame.data),
    ...(comment === undefined ? [] : [chunk("EXIF", writeExif(comment))]),
    ...(hasTexts ? [chunk("XMP ", new TextEncoder().encode(writeXmp(texts)))] : []),
  ]);
  return concat([chunkHead("RIFF", body.length), body]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  return concat([chunkHead(type, data.length), data, new Uint8Array(data.length % 2)]);
}

function chunkHead(type: string, length: number): Uint8Array {
  const head = new Uint8Array(CHUNK_HEAD_BYTES);
  head.set(latin1Bytes(type));
  viewOf(head).setUint32(4, length, true);
  return head;
}
