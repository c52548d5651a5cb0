/** Damages texts, bytes and JSON, and knows what readers have stumbled over. */
import type { Dice } from "./dice.ts";

/** JSON values. */
export type Json = null | boolean | number | string | readonly Json[] | {
  readonly [key: string]: Json;
};

const LONG = 20_000;

/** What a text may hold that nobody expects: controls, marks of direction, long runs, markup. */
const WILD_TEXTS: readonly ((dice: Dice) => string)[] = [
  () => "",
  () => "\x1b[31m\x1b]0;title\x07",
  () => "\r\n\u2028\u202e\u0000\x9b",
  () => "../../../etc/passwd",
  () => "/etc/passwd",
  () => "__proto__",
  () => "constructor",
  () => "NaN",
  () => "\ud800",
  () => "初音ミク 😀",
  (dice) =>
    dice.pick([" ", "a", ",", ":", '"', "\\", "\n", "(", "<", "[", "0"]).repeat(dice.roll(LONG)),
  (dice) =>
    dice.pick(["a: ", ", a", '"a", ', "1.", "\\\\", "a,\n", ": ,", "é́"]).repeat(
      dice.roll(LONG / 4),
    ),
];

const WILD_NUMBERS: readonly number[] = [
  0,
  -0,
  -1,
  0.5,
  1,
  7,
  1e-320,
  1e9,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 - 1,
  1e18,
  1e300,
  -1e300,
];

/** A value that hardly any reader waits for. */
function wildValue(dice: Dice): Json {
  switch (dice.roll(8)) {
    case 0:
      return null;
    case 1:
      return dice.roll(2) === 0;
    case 2:
      return [];
    case 3:
      return {};
    case 4:
      return wildText(dice);
    case 5:
      return Array.from({ length: dice.roll(2000) }, () => dice.pick(WILD_NUMBERS));
    default:
      return dice.pick(WILD_NUMBERS);
  }
}

/** A text that hardly any reader waits for. */
export function wildText(dice: Dice): string {
  return dice.pick(WILD_TEXTS)(dice);
}

/** Changes one to four places of a JSON value, however deep they lie. */
export function mutateJson(value: Json, dice: Dice): Json {
  let changed = value;
  for (let times = 1 + dice.roll(4); times > 0; times--) changed = mutateOnce(changed, dice);
  return changed;
}

function mutateOnce(value: Json, dice: Dice): Json {
  if (typeof value !== "object" || value === null || dice.roll(6) === 0) {
    if (typeof value === "number" && dice.roll(2) === 0) return value * dice.pick([-1, 2, 1e9, 0]);
    if (typeof value === "string" && dice.roll(2) === 0) return mutateText(value, dice);
    return wildValue(dice);
  }
  if (Array.isArray(value)) {
    const list = [...value];
    const at = dice.roll(list.length + 1);
    if (dice.roll(4) === 0 || at === list.length) list.splice(at, dice.roll(2), wildValue(dice));
    else list[at] = mutateOnce(list[at]!, dice);
    return list;
  }
  const entries = Object.entries(value);
  const at = dice.roll(entries.length + 1);
  if (at === entries.length) entries.push([wildText(dice).slice(0, 200), wildValue(dice)]);
  else if (dice.roll(6) === 0) entries.splice(at, 1);
  else entries[at] = [entries[at]![0], mutateOnce(entries[at]![1], dice)];
  return Object.fromEntries(entries);
}

/** JSON's text, sometimes damaged: numbers that JSON has and JavaScript has not, cut ends. */
export function jsonText(value: Json, dice: Dice): string {
  const text = JSON.stringify(value);
  switch (dice.roll(12)) {
    case 0:
      return mutateText(text, dice);
    case 1:
      return text.replace(
        /:(-?\d+(?:\.\d+)?)/,
        `:${dice.pick(["1e999", "-1e999", "01", "1e-999"])}`,
      );
    case 2:
      return dice.pick(["[", '{"a":', '[{"a":']).repeat(dice.roll(LONG));
    case 3:
      return `\ufeff${text}`;
    default:
      return text;
  }
}

/** Cuts, doubles, and puts into a text what does not belong there. */
export function mutateText(text: string, dice: Dice): string {
  const at = dice.roll(text.length + 1);
  const behind = Math.min(text.length, at + 1 + dice.roll(12));
  switch (dice.roll(5)) {
    case 0:
      return text.slice(0, at) + text.slice(behind);
    case 1:
      return text.slice(0, behind) + text.slice(at);
    case 2:
      return text.slice(0, at);
    default:
      return text.slice(0, at) + wildText(dice) + text.slice(behind);
  }
}

/** Flips bits, cuts, and overwrites stretches. */
export function mutateBytes(bytes: Uint8Array, dice: Dice): Uint8Array {
  const copy = bytes.slice(0, dice.roll(5) === 0 ? dice.roll(bytes.length + 1) : bytes.length);
  if (copy.length === 0) return copy;
  for (let times = dice.roll(6); times > 0; times--) {
    const at = dice.roll(copy.length);
    if (dice.roll(3) === 0) copy.fill(dice.roll(256), at, at + dice.roll(64));
    else copy[at]! ^= 1 << dice.roll(8);
  }
  return copy;
}
