/**
 * AVIF's outer form: the boxes of ISO's base media file format, with items for the picture, EXIF and
 * XMP.
 *
 * Forms: ISO/IEC 14496-12, section 8.11 (meta boxes); ISO/IEC 23008-12 (HEIF), section 6 and annex A;
 * https://aomediacodec.github.io/av1-avif
 *
 * @module
 */
import { bigEndian, concat, fromLatin1, latin1Bytes, startsWith, viewOf } from "./_bytes.ts";
import type { Container } from "./_container.ts";
import { writeExif } from "./_exif.ts";
import { Fault } from "./_fault.ts";
import { writeXmp } from "./_xmp.ts";

const BOX_HEAD_BYTES = 8;
const LONG_HEAD_BYTES = 16;
/** Version and flags. */
const FULL_BOX_BYTES = 4;
/** How many boxes, items and properties are looked at, which is many times what pictures have. */
const MOST_ENTRIES = 4096;

interface Box {
  readonly type: string;
  /** Where its content begins in the file. */
  readonly start: number;
  readonly data: Uint8Array;
  /** With its head. */
  readonly bytes: Uint8Array;
}

export const isAvif = (bytes: Uint8Array): boolean => {
  if (!startsWith(bytes, "ftyp", 4)) return false;
  const end = Math.min(viewOf(bytes).getUint32(0), bytes.length);
  for (let at = 8; at + 4 <= end; at += 4) {
    if (at !== 12 && /^avi[fs]$/.test(fromLatin1(bytes.subarray(at, at + 4)))) return true;
  }
  return false;
};

/** The boxes that are whole, side by side. */
function boxes(bytes: Uint8Array, from = 0, to = bytes.length): Box[] {
  const view = viewOf(bytes);
  const found: Box[] = [];
  let at = from;
  while (at + BOX_HEAD_BYTES <= to && found.length < MOST_ENTRIES) {
    const type = fromLatin1(bytes.subarray(at + 4, at + 8));
    const short = view.getUint32(at);
    const isLong = short === 1 && at + LONG_HEAD_BYTES <= to;
    const head = isLong ? LONG_HEAD_BYTES : BOX_HEAD_BYTES;
    // A size of zero reaches to the end.
    const size = isLong ? Number(view.getBigUint64(at + 8)) : short === 0 ? to - at : short;
    if (size < head || at + size > to) break;
    const start = at + head;
    const end = at + size;
    found.push({ type, start, data: bytes.subarray(start, end), bytes: bytes.subarray(at, end) });
    at = end;
  }
  return found;
}

/** The boxes inside one, behind `skipped` bytes of its own. */
const inside = (bytes: Uint8Array, { start, data }: Box, skipped: number): Box[] =>
  boxes(bytes, start + skipped, start + data.length);

/** Reads numbers from front to back; past the end they are zero. */
class Numbers {
  #at = 0;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#data.length;
  }

  /** A number of so many bytes, the highest first. */
  next(bytes: number): number {
    let value = 0;
    for (let index = 0; index < bytes; index++) value = 256 * value + (this.#data[this.#at++] ?? 0);
    return value;
  }

  /** Latin-1 up to a zero byte. */
  text(): string {
    const end = this.#data.indexOf(0, this.#at);
    const text = fromLatin1(this.#data.subarray(this.#at, end < 0 ? undefined : end));
    this.#at += text.length + 1;
    return text;
  }
}

interface Extent {
  readonly offset: number;
  readonly length: number;
}

interface Location {
  readonly id: number;
  /** 0: places in the file; 1: places in the box `idat`. */
  readonly method: number;
  readonly extents: readonly Extent[];
}

/** Where the data of each item lie. */
function locations({ data }: Box): Location[] {
  const numbers = new Numbers(data);
  const version = numbers.next(1);
  numbers.next(3);
  const sizes = numbers.next(2);
  const [offsetSize, lengthSize] = [sizes >> 12, sizes >> 8 & 0xf];
  const [baseSize, indexSize] = [sizes >> 4 & 0xf, version === 0 ? 0 : sizes & 0xf];
  const count = Math.min(numbers.next(version < 2 ? 2 : 4), MOST_ENTRIES);
  const found: Location[] = [];
  for (let item = 0; item < count && !numbers.isAtEnd; item++) {
    const id = numbers.next(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : numbers.next(2) & 0xf;
    numbers.next(2);
    const base = numbers.next(baseSize);
    const extents: Extent[] = [];
    const extentCount = numbers.next(2);
    for (let index = 0; index < extentCount && !numbers.isAtEnd; index++) {
      numbers.next(indexSize);
      extents.push({ offset: base + numbers.next(offsetSize), length: numbers.next(lengthSize) });
    }
    found.push({ id, method, extents });
  }
  return found;
}

interface Item {
  readonly id: number;
  readonly type: string;
  readonly contentType: string;
}

function items(bytes: Uint8Array, box: Box): Item[] {
  const countBytes = box.data[0] === 0 ? 2 : 4;
  return inside(bytes, box, FULL_BOX_BYTES + countBytes).flatMap(({ type, data }) => {
    const numbers = new Numbers(data);
    const version = numbers.next(1);
    numbers.next(3);
    if (type !== "infe" || version < 2) return [];
    const id = numbers.next(version === 2 ? 2 : 4);
    numbers.next(2);
    const itemType = String.fromCharCode(...[0, 0, 0, 0].map(() => numbers.next(1)));
    numbers.text();
    return [{ id, type: itemType, contentType: itemType === "mime" ? numbers.text() : "" }];
  });
}

/** The boxes of a file's meta box by type. */
interface Meta {
  readonly box: Box;
  readonly parts: readonly Box[];
  readonly find: (type: string) => Box | undefined;
}

function metaOf(bytes: Uint8Array): Meta | undefined {
  const box = boxes(bytes).find(({ type }) => type === "meta");
  if (box === undefined) return undefined;
  const parts = inside(bytes, box, FULL_BOX_BYTES);
  return { box, parts, find: (type) => parts.find((part) => part.type === type) };
}

/** The properties of an item, in the order in which they are applied. */
function propertiesOf(bytes: Uint8Array, { find }: Meta, item: number): Box[] {
  const iprp = find("iprp");
  if (iprp === undefined) return [];
  const parts = inside(bytes, iprp, 0);
  const ipco = parts.find(({ type }) => type === "ipco");
  const known = ipco === undefined ? [] : inside(bytes, ipco, 0);
  const found: Box[] = [];
  for (const { data } of parts.filter(({ type }) => type === "ipma")) {
    const numbers = new Numbers(data);
    const version = numbers.next(1);
    const isLong = (numbers.next(3) & 1) === 1;
    const count = Math.min(numbers.next(4), MOST_ENTRIES);
    for (let entry = 0; entry < count && !numbers.isAtEnd; entry++) {
      const id = numbers.next(version < 1 ? 2 : 4);
      const associations = numbers.next(1);
      for (let index = 0; index < associations; index++) {
        // The highest bit says whether a reader must know the property.
        const property = isLong ? numbers.next(2) & 0x7fff : numbers.next(1) & 0x7f;
        const box = known[property - 1];
        if (id === item && box !== undefined) found.push(box);
      }
    }
  }
  return found;
}

/**
 * EXIF's number for a turn by quarters, anti-clockwise, and the mirroring after it: none, top for
 * bottom, left for right.
 */
const ORIENTATIONS: readonly (readonly [number, number, number])[] = [
  [1, 4, 2],
  [8, 5, 7],
  [3, 2, 4],
  [6, 7, 5],
];

/** What an AVIF says besides its pixels. */
export function readAvif(bytes: Uint8Array): Container {
  const meta = metaOf(bytes);
  const nothing = { size: undefined, exif: undefined, xmp: [], isWhole: false };
  const [pitm, iinf, iloc] = ["pitm", "iinf", "iloc"].map((type) => meta?.find(type));
  if (meta === undefined || pitm === undefined || iloc === undefined) return nothing;
  const primary = viewOf(pitm.data);
  const id = pitm.data.length < 8
    ? pitm.data.length < 6 ? 0 : primary.getUint16(4)
    : primary.getUint32(4);
  const places = locations(iloc);
  const idat = meta.find("idat")?.data ?? new Uint8Array();
  const dataOf = (item: Item): Uint8Array | undefined => {
    const place = places.find((location) => location.id === item.id);
    if (place === undefined || place.method > 1 || place.extents.length !== 1) return undefined;
    const source = place.method === 1 ? idat : bytes;
    const { offset, length } = place.extents[0]!;
    const end = length === 0 ? source.length : offset + length;
    return end > source.length ? undefined : source.subarray(offset, end);
  };
  const known = iinf === undefined ? [] : items(bytes, iinf);
  const exifItem = known.find(({ type }) => type === "Exif");
  const exif = exifItem === undefined ? undefined : dataOf(exifItem);
  const xmpItem = known.find(({ type, contentType }) =>
    type === "mime" && contentType === "application/rdf+xml"
  );
  const xmp = xmpItem === undefined ? undefined : dataOf(xmpItem);
  const properties = propertiesOf(bytes, meta, id);
  const find = (type: string) => properties.find((property) => property.type === type)?.data;
  const ispe = find("ispe");
  const turn = (find("irot")?.[0] ?? 0) & 3;
  const axis = find("imir")?.[0];
  const ends = places.flatMap(({ method, extents }) =>
    method === 0 ? extents.map(({ offset, length }) => offset + length) : []
  );
  return {
    size: ispe === undefined || ispe.length < 12
      ? undefined
      : { width: viewOf(ispe).getUint32(4), height: viewOf(ispe).getUint32(8) },
    // Before the TIFF stands how far away it is.
    exif: exif === undefined || exif.length < 4
      ? undefined
      : exif.subarray(4 + viewOf(exif).getUint32(0)),
    xmp: xmp === undefined ? [] : [xmp],
    isWhole: ends.length > 0 && ends.every((end) => end <= bytes.length),
    orientation: ORIENTATIONS[turn]![axis === undefined ? 0 : 1 + (axis & 1)]!,
  };
}

/**
 * An AVIF with texts: `parameters` as EXIF's comment, all others as XMP.
 *
 * @throws {Fault} When the bytes are no AVIF in the form that libavif writes.
 */
export function writeAvifText(
  avif: Uint8Array,
  comment: string | undefined,
  texts: Readonly<Record<string, string>>,
): Uint8Array {
  const meta = metaOf(avif);
  const [pitm, iloc, iinf] = ["pitm", "iloc", "iinf"].map((type) => meta?.find(type));
  if (meta === undefined || pitm === undefined || iloc === undefined || iinf === undefined) {
    throw new Fault("it is no AVIF", "它不是 AVIF");
  }
  const primary = viewOf(pitm.data).getUint16(4);
  const places = locations(iloc);
  if (iinf.data[0] !== 0 || places.some(({ method }) => method !== 0)) {
    throw new Fault("its items are of an unknown form", "其条目的形式未知");
  }
  const free = 1 + places.reduce((highest, { id }) => Math.max(highest, id), 0);
  const added: { readonly id: number; readonly info: Uint8Array; readonly data: Uint8Array }[] = [];
  if (comment !== undefined) {
    const data = concat([bigEndian(0, 4), writeExif(comment)]);
    added.push({ id: free, info: itemInfo(free, "Exif", "Exif\0"), data });
  }
  if (Object.keys(texts).length > 0) {
    const id = free + added.length;
    const data = new TextEncoder().encode(writeXmp(texts));
    added.push({ id, info: itemInfo(id, "mime", "XMP\0application/rdf+xml\0"), data });
  }
  if (added.length === 0) return avif;
  const references = concat(
    added.map(({ id }) => box("cdsc", bigEndian(id, 2), bigEndian(1, 2), bigEndian(primary, 2))),
  );
  const metaEnd = meta.box.start + meta.box.data.length;
  const headBytes = meta.box.bytes.length - meta.box.data.length;
  const build = (grown: number): Uint8Array => {
    let end = avif.length + grown + BOX_HEAD_BYTES;
    const moved = places.map(({ id, extents }) => ({
      id,
      extents: extents.map(({ offset, length }) => ({
        offset: offset < metaEnd ? offset : offset + grown,
        length,
      })),
    }));
    const own = added.map(({ id, data }) => {
      end += data.length;
      return { id, extents: [{ offset: end - data.length, length: data.length }] };
    });
    const count = viewOf(iinf.data).getUint16(4) + added.length;
    const parts = meta.parts.map((part) => {
      if (part.type === "iloc") return locationBox([...moved, ...own]);
      if (part.type === "iinf") {
        const rest = iinf.data.subarray(FULL_BOX_BYTES + 2);
        const infos = added.map(({ info }) => info);
        return box("iinf", bigEndian(0, 4), bigEndian(count, 2), rest, ...infos);
      }
      return part.type === "iref" ? box("iref", part.data, references) : part.bytes;
    });
    const iref = meta.find("iref") === undefined ? [box("iref", bigEndian(0, 4), references)] : [];
    return box("meta", meta.box.data.subarray(0, FULL_BOX_BYTES), ...parts, ...iref);
  };
  // Its length does not depend on the places that stand in it.
  const grown = build(0).length - meta.box.bytes.length;
  return concat([
    avif.subarray(0, meta.box.start - headBytes),
    build(grown),
    avif.subarray(metaEnd),
    box("mdat", ...added.map(({ data }) => data)),
  ]);
}

function box(type: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const data = concat(parts);
  return concat([bigEndian(BOX_HEAD_BYTES + data.length, 4), latin1Bytes(type), data]);
}

function itemInfo(id: number, type: string, names: string): Uint8Array {
  const version = Uint8Array.of(2, 0, 0, 0);
  return box("infe", version, bigEndian(id, 2), bigEndian(0, 2), latin1Bytes(type + names));
}

function locationBox(places: readonly Pick<Location, "id" | "extents">[]): Uint8Array {
  return box(
    "iloc",
    bigEndian(0, 4),
    // Four bytes for places and lengths, none for bases.
    Uint8Array.of(0x44, 0x00),
    bigEndian(places.length, 2),
    ...places.flatMap(({ id, extents }) => [
      bigEndian(id, 2),
      bigEndian(0, 2),
      bigEndian(extents.length, 2),
      ...extents.flatMap(({ offset, length }) => [bigEndian(offset, 4), bigEndian(length, 4)]),
    ]),
  );
}
