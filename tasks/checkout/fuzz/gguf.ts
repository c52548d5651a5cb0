/** Headers of GGUF files, damaged in one place or in many. */
import { parseGgufHeader } from "../../../src/gguf/parse_gguf_header.ts";
import { GgufError, type GgufHeader, readGgufHeader } from "../../../src/gguf/mod.ts";
import type { Dice } from "./dice.ts";
import { mutateBytes } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const ALIGNMENT = 32;
const MOST_TENSORS = 8;
const MOST_KEYS = 8;
/** What is read of a header at once. */
const WINDOW_BYTES = 1 << 16;
/** One case in so many goes through a real file, whose data is a hole. */
const THROUGH_FILE_EVERY = 100;

/** Types by number, with the values and the bytes of a block. */
const TYPES: readonly (readonly [type: number, values: number, bytes: number])[] = [
  [0, 1, 4],
  [1, 1, 2],
  [2, 32, 18],
  [8, 32, 34],
  [14, 256, 210],
  [20, 32, 18],
  [30, 1, 2],
];

/** Numbers that parsers have stumbled over. */
const HOSTILE: readonly bigint[] = [
  0n,
  1n,
  3n,
  4n,
  7n,
  9n,
  13n,
  31n,
  33n,
  99n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  2n ** 53n,
  2n ** 61n,
  2n ** 63n,
  2n ** 64n - 32n,
  2n ** 64n - 1n,
];

/** A number of 32 or 64 bits. */
interface Numeral {
  readonly bits: 32 | 64;
  value: bigint;
}

/** A number, or bytes that stand for themselves. */
type Field = Numeral | Uint8Array;

const utf8 = (text: string) => new TextEncoder().encode(text);
const uint32 = (value: number): Field => ({ bits: 32, value: BigInt(value) });

function bytesOf(fields: readonly Field[]): Uint8Array {
  const parts = fields.map((field) => {
    if (field instanceof Uint8Array) return field;
    const bytes = new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, field.value)).buffer);
    return bytes.subarray(0, field.bits / 8);
  });
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

function valueFields(dice: Dice, count: (value: number) => Field, depth = 0): Field[] {
  switch (dice.roll(depth < 3 ? 5 : 4)) {
    case 0:
      return [uint32(4), uint32(dice.roll(1000))];
    case 1: {
      // What follows is read at the end of one window and the beginning of the next.
      const isLong = dice.roll(10) === 0;
      const long = "a".repeat(isLong ? WINDOW_BYTES - dice.roll(400) : dice.roll(300));
      const text = utf8(isLong ? long : dice.pick(["", "gemma3", "𝌆é", "\x1b[31m", long]));
      return [uint32(8), count(text.length), text];
    }
    case 2:
      return [uint32(7), Uint8Array.of(dice.roll(2))];
    case 3:
      return [uint32(12), new Uint8Array(Float64Array.of(dice.roll(9) / 3).buffer)];
    default: {
      if (dice.roll(3) === 0) {
        const inner = valueFields(dice, count, 3);
        return [uint32(9), inner[0]!, count(1), ...inner.slice(1)];
      }
      const length = dice.roll(200);
      return [uint32(9), uint32(4), count(length), new Uint8Array(4 * length)];
    }
  }
}

/** A well-formed header, as fields; and how long the data behind it has to be. */
function draft(dice: Dice): { readonly fields: Field[]; readonly dataBytes: number } {
  const version = dice.roll(6) === 0 ? 1 : 2 + dice.roll(2);
  const count = (value: number): Field => ({ bits: version === 1 ? 32 : 64, value: BigInt(value) });
  const name = (text: string) => [count(utf8(text).length), utf8(text)];
  const keys = dice.roll(MOST_KEYS);
  const tensors = dice.roll(MOST_TENSORS);
  const fields: Field[] = [utf8("GGUF"), uint32(version), count(tensors), count(keys)];
  for (let i = 0; i < keys; i++) {
    fields.push(...name(dice.pick(["general.name", "tokenizer.ggml.tokens", "__proto__"]) + i));
    fields.push(...valueFields(dice, count));
  }
  let dataBytes = 0;
  for (let i = 0; i < tensors; i++) {
    const [type, values, bytes] = dice.pick(TYPES);
    const extents = Array.from({ length: dice.roll(4) }, () => 1 + dice.roll(4));
    const whole = [values * (1 + dice.roll(3)), ...extents];
    fields.push(...name(`blk.${i}.weight`), uint32(whole.length), ...whole.map(count));
    fields.push(uint32(type), { bits: 64, value: BigInt(dataBytes) });
    const length = whole.reduce((product, extent) => product * extent, 1) / values * bytes;
    dataBytes = Math.ceil((dataBytes + length) / ALIGNMENT) * ALIGNMENT;
  }
  return { fields, dataBytes };
}

/** What a header says may be so: each tensor in the file, none in another. */
function judge({ tensors }: GgufHeader, size: number): string | undefined {
  const names = new Set(tensors.map(({ name }) => name));
  if (names.size !== tensors.length) return "two tensors have one name";
  const ordered = [...tensors].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = 0;
  for (const { name, offset, byteLength, shape } of ordered) {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(byteLength)) {
      return `${name} lies nowhere`;
    }
    if (offset < end || offset + byteLength > size) return `${name} lies in another, or outside`;
    if (!shape.every(Number.isSafeInteger)) return `${name} has no extents`;
    end = offset + byteLength;
  }
}

/** A header is refused, or describes tensors that lie in the file, each by itself. */
export function gguf(folder: string): FuzzCase {
  const path = `${folder}/case.gguf`;
  let cases = 0;
  return async (dice) => {
    const { fields, dataBytes } = draft(dice);
    const numbers = fields.filter((field): field is Numeral => !(field instanceof Uint8Array));
    const changes = dice.roll(4);
    for (let i = 0; i < changes; i++) {
      const field = dice.pick(numbers);
      const near = field.value + BigInt(dice.roll(5) - 2);
      field.value = dice.roll(2) === 0 ? dice.pick(HOSTILE) : near;
    }
    const [isShorter, isLonger, isMutated] = [10, 10, 5].map((sides) => dice.roll(sides) === 0);
    if (isShorter) fields.splice(dice.roll(fields.length), 1 + dice.roll(3));
    if (isLonger) {
      const from = dice.roll(fields.length);
      fields.splice(from, 0, ...fields.slice(from, from + dice.roll(8)));
    }
    let head = bytesOf(fields);
    if (isMutated) head = mutateBytes(head, dice);
    const isOtherHole = dice.roll(8) === 0;
    const isSound = changes === 0 && !isShorter && !isLonger && !isMutated && !isOtherHole;
    const hole = isOtherHole ? dice.pick([0, 1, 1 << 20, 1 << 30]) : dataBytes + ALIGNMENT;
    const size = head.length + hole;
    if (cases++ % THROUGH_FILE_EVERY === 0) {
      await Deno.writeFile(path, head);
      await Deno.truncate(path, size);
      return judge(await readGgufHeader(path), size);
    }
    const source = {
      size,
      read(place: number, into: Uint8Array) {
        into.fill(0);
        into.set(head.subarray(place, place + into.length));
        return into.length;
      },
    };
    try {
      return judge(parseGgufHeader(source, "case.gguf"), size);
    } catch (error) {
      if (isSound && error instanceof GgufError) {
        return `a sound header is refused: ${error.message}`;
      }
      throw error;
    }
  };
}
