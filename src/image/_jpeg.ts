/**
 * JPEG's outer form: segments, of which the application's own hold EXIF and XMP.
 *
 * Forms: ITU-T T.81, annex B; XMP in JPEG: ISO 16684-3, section 1.1.3.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { bigEndian, concat, latin1Bytes, startsWith, viewOf } from "./_bytes.ts";
import { cutShort, Fault } from "./_fault.ts";
import { COMMENT, writeExif } from "./_exif.ts";
import type { Container } from "./_container.ts";
import { writeXmp } from "./_xmp.ts";

const MARKER = 0xff;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP1 = 0xe1;
/** Start of frame: C0 to CF, of which three are something else. */
const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
/** Markers without a length: TEM, and the restarts. */
const isLone = (marker: number) => marker === 0x01 || marker >= 0xd0 && marker <= SOI;

const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_XMP = "http://ns.adobe.com/xmp/extension/\0";
/** Bytes of the MD5 in hexadecimal, of the whole length and of the place in it. */
const GUID_BYTES = 32;
const EXTENSION_HEAD = GUID_BYTES + 8;

/** What a segment may hold beside its length. */
const SEGMENT_BYTES = 0xffff - 2;

interface Segment {
  readonly marker: number;
  readonly data: Uint8Array;
}

export const isJpeg = (bytes: Uint8Array): boolean =>
  bytes[0] === MARKER && bytes[1] === SOI && bytes[2] === MARKER;

/** The segments before the picture's data. */
function* segments(bytes: Uint8Array): Generator<Segment> {
  const view = viewOf(bytes);
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== MARKER) return;
    const marker = bytes[at + 1]!;
    // Fill bytes may stand before a marker.
    if (marker === MARKER || isLone(marker)) {
      at += marker === MARKER ? 1 : 2;
      continue;
    }
    if (marker === EOI) return;
    const length = view.getUint16(at + 2);
    if (length < 2 || at + 2 + length > bytes.length) return;
    yield { marker, data: bytes.subarray(at + 4, at + 2 + length) };
    if (marker === SOS) return;
    at += 2 + length;
  }
}

/** Cyan, magenta, yellow and black, as files for print have them. */
const CMYK_COMPONENTS = 4;
const CMYK = {
  en: "its colours are CMYK, for print; save it in RGB",
  zh: "它的颜色是用于印刷的 CMYK；请另存为 RGB",
};

/** Baseline, extended and progressive frames of Huffman codes: all that programs write by default. */
const USUAL_FRAMES: readonly number[] = [0xc0, 0xc1, 0xc2];
const USUAL_BITS = 8;
const UNUSUAL = {
  en: "it is of a kind for special purposes (lossless, arithmetic coding, or more than 8 bits); " +
    "save it as an ordinary JPEG, or as a PNG",
  zh: "它是特殊用途的类型（无损、算术编码或超过 8 位）；请另存为普通的 JPEG，或 PNG",
};

/** Why a frame cannot be decoded, where it is sound. */
function unsupportedFrame(marker: number, data: Uint8Array): Container["unsupported"] {
  if (!USUAL_FRAMES.includes(marker) || data[0] !== USUAL_BITS) return UNUSUAL;
  return data[5] === CMYK_COMPONENTS ? CMYK : undefined;
}

/** What a JPEG says besides its pixels. */
export function readJpeg(bytes: Uint8Array): Container {
  let size: Container["size"];
  let exif: Uint8Array | undefined;
  let xmp: Uint8Array | undefined;
  let scan = Infinity;
  let unsupported: Container["unsupported"];
  const extended = new Map<string, Uint8Array[]>();
  for (const { marker, data } of segments(bytes)) {
    if (marker === SOS) scan = data.byteOffset - bytes.byteOffset;
    if (isFrame(marker) && data.length >= 5 && size === undefined) {
      size = { height: viewOf(data).getUint16(1), width: viewOf(data).getUint16(3) };
      unsupported = unsupportedFrame(marker, data);
    } else if (marker !== APP1) continue;
    else if (startsWith(data, EXIF)) exif ??= data.subarray(EXIF.length);
    else if (startsWith(data, XMP)) xmp ??= data.subarray(XMP.length);
    else if (startsWith(data, EXTENDED_XMP)) {
      const part = data.subarray(EXTENDED_XMP.length);
      const guid = new TextDecoder().decode(part.subarray(0, GUID_BYTES));
      const parts = extended.get(guid) ?? [];
      parts.push(part);
      extended.set(guid, parts);
    }
  }
  const main = xmp === undefined ? [] : [xmp];
  return {
    size,
    exif,
    xmp: [...main, ...[...extended.values()].flatMap((parts) => joined(parts) ?? [])],
    // Bytes may follow the end; some cameras and messengers add them.
    isWhole: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      .lastIndexOf(Uint8Array.of(MARKER, EOI)) >= scan,
    ...(unsupported === undefined ? {} : { unsupported }),
  };
}

/** The parts of one extended packet, by their places. */
function joined(parts: readonly Uint8Array[]): Uint8Array | undefined {
  const whole = parts.filter(({ length }) => length >= EXTENSION_HEAD)
    .map((part) => ({
      at: viewOf(part).getUint32(GUID_BYTES + 4),
      data: part.subarray(EXTENSION_HEAD),
    }))
    .sort((a, b) => a.at - b.at);
  let end = 0;
  for (const { at, data } of whole) {
    if (at !== end) return undefined;
    end += data.length;
  }
  return concat(whole.map(({ data }) => data));
}

/**
 * A JPEG with texts: `parameters` as EXIF's comment, where it fits into a segment, all others as XMP.
 *
 * @throws {Fault} When the bytes are no JPEG.
 */
export function writeJpegText(
  jpeg: Uint8Array,
  comment: string | undefined,
  texts: Readonly<Record<string, string>>,
): Uint8Array {
  if (!isJpeg(jpeg)) throw new Fault("it is no JPEG", "它不是 JPEG");
  const exif = comment === undefined ? undefined : concat([latin1Bytes(EXIF), writeExif(comment)]);
  const hasComment = exif !== undefined && exif.length <= SEGMENT_BYTES;
  const left = comment === undefined || hasComment ? texts : { [COMMENT]: comment, ...texts };
  const parts = Object.keys(left).length === 0 ? [] : xmpSegments(writeXmp(left));
  // JFIF's segment comes first.
  const first = [...segments(jpeg)][0];
  const start = first?.marker === APP0 ? 2 + 4 + first.data.length : 2;
  return concat([
    jpeg.subarray(0, start),
    ...(hasComment ? [segment(exif)] : []),
    ...parts,
    jpeg.subarray(start),
  ]);
}

function xmpSegments(xmp: string): Uint8Array[] {
  const bytes = new TextEncoder().encode(xmp);
  const whole = concat([latin1Bytes(XMP), bytes]);
  if (whole.length <= SEGMENT_BYTES) return [segment(whole)];
  const guid = createHash("md5").update(bytes).digest("hex").toUpperCase();
  const main = `<x:xmpmeta xmlns:x="adobe:ns:meta/">` +
    `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
    `<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" ` +
    `xmpNote:HasExtendedXMP="${guid}"/></rdf:RDF></x:xmpmeta>`;
  const room = SEGMENT_BYTES - EXTENDED_XMP.length - EXTENSION_HEAD;
  const count = Math.ceil(bytes.length / room);
  return [
    segment(latin1Bytes(XMP + main)),
    ...Array.from({ length: count }, (_, index) =>
      segment(concat([
        latin1Bytes(EXTENDED_XMP + guid),
        bigEndian(bytes.length, 4),
        bigEndian(index * room, 4),
        bytes.subarray(index * room, (index + 1) * room),
      ]))),
  ];
}

function segment(data: Uint8Array): Uint8Array {
  if (data.length > SEGMENT_BYTES) throw cutShort();
  return concat([Uint8Array.of(MARKER, APP1), bigEndian(data.length + 2, 2), data]);
}
