/** Reads bytes of a file at an offset. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array | undefined>;

const MAGIC = 0x7f454c46; // \x7fELF
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const SEGMENT_LOAD = 1;
const SEGMENT_DYNAMIC = 2;
const DYNAMIC_ENTRY_BYTES = 16;
const TAG_END = 0;
const TAG_NEEDED = 1;
const TAG_STRING_TABLE = 5;
const TAG_STRING_TABLE_BYTES = 10;
/** Larger tables belong to no library that we know: the file is damaged. */
const LARGEST_TABLE_BYTES = 64 * 1024 * 1024;

/**
 * The names of the libraries that a shared library needs, its DT_NEEDED entries, in their order
 * (System V ABI, chapters 4 and 5: program headers, dynamic section).
 *
 * @returns `undefined` when the file is no 64-bit little-endian ELF file with a dynamic section.
 */
export async function neededLibraries(readAt: ReadAt): Promise<string[] | undefined> {
  const header = await view(readAt, 0, HEADER_BYTES);
  if (
    header === undefined || header.getUint32(0) !== MAGIC || header.getUint8(4) !== CLASS_64 ||
    header.getUint8(5) !== LITTLE_ENDIAN || header.getUint16(54, true) !== SEGMENT_BYTES
  ) return undefined;
  const count = header.getUint16(56, true);
  const table = await view(readAt, Number(header.getBigUint64(32, true)), count * SEGMENT_BYTES);
  if (table === undefined) return undefined;
  const segments = Array.from({ length: count }, (_, index) => {
    const at = index * SEGMENT_BYTES;
    return {
      type: table.getUint32(at, true),
      offset: Number(table.getBigUint64(at + 8, true)),
      address: Number(table.getBigUint64(at + 16, true)),
      bytes: Number(table.getBigUint64(at + 32, true)),
    };
  });
  const dynamic = segments.find(({ type }) => type === SEGMENT_DYNAMIC);
  if (dynamic === undefined) return undefined;
  const entries = await view(readAt, dynamic.offset, dynamic.bytes);
  if (entries === undefined) return undefined;

  const names: number[] = [];
  let address: number | undefined;
  let bytes = 0;
  for (let at = 0; at + DYNAMIC_ENTRY_BYTES <= dynamic.bytes; at += DYNAMIC_ENTRY_BYTES) {
    const tag = Number(entries.getBigInt64(at, true));
    const value = Number(entries.getBigUint64(at + 8, true));
    if (tag === TAG_END) break;
    if (tag === TAG_NEEDED) names.push(value);
    if (tag === TAG_STRING_TABLE) address = value;
    if (tag === TAG_STRING_TABLE_BYTES) bytes = value;
  }
  const home = segments.find((segment) =>
    segment.type === SEGMENT_LOAD && address !== undefined && address >= segment.address &&
    address < segment.address + segment.bytes
  );
  if (address === undefined || home === undefined) return undefined;
  const strings = await view(readAt, home.offset + address - home.address, bytes);
  if (strings === undefined) return undefined;
  const text = new TextDecoder("latin1").decode(strings);
  return names.map((start) => text.slice(start, text.indexOf("\0", start)));
}

async function view(
  readAt: ReadAt,
  offset: number,
  length: number,
): Promise<DataView | undefined> {
  if (length > LARGEST_TABLE_BYTES || !Number.isSafeInteger(offset)) return undefined;
  const bytes = await readAt(offset, length);
  if (bytes === undefined || bytes.length < length) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
