/** Pictures whose texts somebody else wrote. */
import { crc32, deflateSync } from "node:zlib";
import { readPictureText } from "../../../src/image/mod.ts";
import { readRecipe } from "../../../src/recipe/mod.ts";
import { mutateBytes, wildText } from "./mutate.ts";
import type { Dice } from "./dice.ts";
import type { FuzzCase } from "./types.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Deflated to a thousandth. */
const BOMB_BYTES = 1 << 24;
const MOST_BOMBS = 60;
const KEYWORDS: readonly string[] = [
  "parameters",
  "newbie",
  "prompt",
  "workflow",
  "Comment",
  "x",
  "",
];

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const utf8 = (text: string) => new TextEncoder().encode(text);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const named = joined(latin1(type), data);
  const numbers = new DataView(new ArrayBuffer(8));
  numbers.setUint32(0, data.length);
  numbers.setUint32(4, crc32(named));
  const [length, sum] = [0, 4].map((at) => new Uint8Array(numbers.buffer, at, 4));
  return joined(length!, named, sum!);
}

function textChunk(dice: Dice, bomb: Uint8Array): Uint8Array {
  const keyword = latin1(dice.pick(KEYWORDS));
  const text = wildText(dice);
  const zero = Uint8Array.of(0);
  switch (dice.roll(5)) {
    case 0:
      return chunk("tEXt", joined(keyword, zero, latin1(text)));
    case 1:
      return chunk("zTXt", joined(keyword, zero, zero, deflateSync(utf8(text))));
    case 2:
      return chunk("iTXt", joined(keyword, Uint8Array.of(0, 0, 0, 0, 0), utf8(text)));
    case 3:
      return chunk("iTXt", joined(keyword, Uint8Array.of(0, 1, 0, 0, 0), deflateSync(utf8(text))));
    default:
      return dice.roll(100) === 0
        ? chunk("zTXt", joined(keyword, zero, zero, bomb))
        : chunk("tEXt", utf8(text));
  }
}

/** One case in two hundred holds dozens of texts that unpack to megabytes each. */
export function pngText(): FuzzCase {
  const bomb = deflateSync(new Uint8Array(BOMB_BYTES).fill(" ".charCodeAt(0)));
  // One grey pixel.
  const header = chunk("IHDR", Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0));
  const data = chunk("IDAT", deflateSync(new Uint8Array(2)));
  const end = chunk("IEND", new Uint8Array());
  const manyBombs = (dice: Dice) =>
    Array.from(
      { length: dice.roll(MOST_BOMBS) },
      () => chunk("zTXt", joined(latin1("parameters"), Uint8Array.of(0, 0), bomb)),
    );
  return (dice) => {
    const texts = dice.roll(200) === 0
      ? manyBombs(dice)
      : Array.from({ length: dice.roll(6) }, () => textChunk(dice, bomb));
    const whole = joined(SIGNATURE, header, ...texts, data, end);
    const bytes = dice.roll(4) === 0 ? mutateBytes(whole, dice) : whole;
    if (dice.roll(2) === 0) readPictureText(bytes);
    else readRecipe(bytes);
  };
}
