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
const TAG_VERSIONS = 0x6ffffffe;
const TAG_VERSION_COUNT = 0x6fffffff;
/** Of an entry for a library as well as of one for a version. */
const VERSIONS_BYTES = 16;
/** Larger tables belong to no library that we know: the file is damaged. */
const LARGEST_TABLE_BYTES = 64 * 1024 * 1024;

/** What the dynamic section of an ELF file says. */
interface Dynamic {
  /** The values of the entries with a tag, in their order. */
  readonly values: (tag: number) => readonly number[];
  /** The string that begins so far behind the start of the table of strings. */
  readonly text: (start: number) => string;
  /** The bytes from an address on. */
  readonly at: (address: number, length: number) => Promise<DataView | undefined>;
}

/**
 * The names of the libraries that a shared library needs, its DT_NEEDED entries, in their order
 * (System V ABI, chapters 4 and 5: program headers, dynamic section).
 *
 * @returns `undefined` when the file is no 64-bit little-endian ELF file with a dynamic section.
 */
export async function neededLibraries(readAt: ReadAt): Promise<string[] | undefined> {
  const dynamic = await readDynamic(readAt);
  return dynamic?.values(TAG_NEEDED).map(dynamic.text);
}

/**
 * The versions of symbols that a program or library needs, such as `GLIBC_2.28` (Linux Standard Base,
 * Core Specification, "Symbol Versioning": Elfxx_Verneed and Elfxx_Vernaux).
 *
 * @returns `undefined` when the file is no 64-bit little-endian ELF file with a dynamic section.
 */
export async function neededVersions(readAt: ReadAt): Promise<string[] | undefined> {
  const dynamic = await readDynamic(readAt);
  if (dynamic === undefined) return undefined;
  const names: string[] = [];
  let [place] = dynamic.values(TAG_VERSIONS);
  const [count = 0] = dynamic.values(TAG_VERSION_COUNT);
  for (let left = count; left > 0 && place !== undefined; left--) {
    const library = await dynamic.at(place, VERSIONS_BYTES);
    if (library === undefined) return undefined;
    let version = place + library.getUint32(8, true);
    for (let rest = library.getUint16(2, true); rest > 0; rest--) {
      const entry = await dynamic.at(version, VERSIONS_BYTES);
      if (entry === undefined) return undefined;
      names.push(dynamic.text(entry.getUint32(8, true)));
      version += entry.getUint32(12, true);
    }
    place += library.getUint32(12, true);
  }
  return names;
}

async function readDynamic(readAt: ReadAt): Promise<Dynamic | undefined> {
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
  const section = await view(readAt, dynamic.offset, dynamic.bytes);
  if (section === undefined) return undefined;

  const entries: (readonly [tag: number, value: number])[] = [];
  for (let at = 0; at + DYNAMIC_ENTRY_BYTES <= dynamic.bytes; at += DYNAMIC_ENTRY_BYTES) {
    const tag = Number(section.getBigInt64(at, true));
    if (tag === TAG_END) break;
    entries.push([tag, Number(section.getBigUint64(at + 8, true))]);
  }
  const values = (tag: number) => entries.filter(([own]) => own === tag).map(([, value]) => value);
  const at = async (address: number, length: number) => {
    const home = segments.find((segment) =>
      segment.type === SEGMENT_LOAD && address >= segment.address &&
      address < segment.address + segment.bytes
    );
    return home && await view(readAt, home.offset + address - home.address, length);
  };
  const [address = -1] = values(TAG_STRING_TABLE);
  const strings = await at(address, values(TAG_STRING_TABLE_BYTES)[0] ?? 0);
  if (strings === undefined) return undefined;
  const texts = new TextDecoder("latin1").decode(strings);
  return { values, text: (start) => texts.slice(start, texts.indexOf("\0", start)), at };
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
