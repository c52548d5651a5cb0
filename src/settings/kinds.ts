/**
 * The kinds of values that settings have.
 *
 * @module
 */
import * as z from "zod";
import type { Kind } from "./types.ts";

/** A whole number. */
export function whole(
  { least, most, placeholder = "<number>" }: {
    readonly least: number;
    readonly most?: number;
    readonly placeholder?: string;
  },
): Kind<number> {
  return {
    schema: most === undefined ? z.int().min(least) : z.int().min(least).max(most),
    fromText: (text) => /^-?\d{1,15}$/.test(plain(text)) ? Number(plain(text)) : undefined,
    expected: most === undefined
      ? { en: `a whole number from ${least} on`, zh: `不小于 ${least} 的整数` }
      : { en: `a whole number from ${least} to ${most}`, zh: ` ${least} 到 ${most} 的整数` },
    placeholder,
  };
}

/** A width or a height. What the model can make of it, the model says. */
export function pixels(): Kind<number> {
  return whole({ least: 1, placeholder: "<pixels>" });
}

/** A number. Where it has no end, infinity is allowed too, and JSON has its largest number for it. */
export function real(
  { least = -Infinity, most = Infinity }: { readonly least?: number; readonly most?: number },
): Kind<number> {
  const json = [least, most].every(Number.isFinite)
    ? z.number().min(least).max(most)
    : Number.isFinite(least)
    ? z.number().min(least)
    : z.number();
  const isWithin = (value: unknown) => typeof value === "number" && value >= least && value <= most;
  const finite = (value: number) => Math.max(-Number.MAX_VALUE, Math.min(value, Number.MAX_VALUE));
  return {
    schema: z.codec(json, z.custom<number>(isWithin), { decode: finite, encode: finite }),
    fromText: (text) =>
      /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?$/i.test(plain(text))
        ? Number(plain(text))
        : undefined,
    expected: Number.isFinite(most)
      ? { en: `a number from ${least} to ${most}`, zh: ` ${least} 到 ${most} 的数` }
      : Number.isFinite(least)
      ? { en: `a number from ${least} on`, zh: `不小于 ${least} 的数` }
      : { en: "a number", zh: "数字" },
    placeholder: "<number>",
  };
}

/** Any text. */
export function text(): Kind<string> {
  return {
    schema: z.string(),
    fromText: (text) => text,
    expected: { en: "a text in quotes", zh: "引号中的文字" },
    placeholder: "<text>",
  };
}

/** Pixels at the edges of a picture: `left=128,top=64`. Each edge once, and some pixels in all. */
export function edges(): Kind<string> {
  const side = "(?:left|right|top|bottom)=\\d{1,5}";
  const twice = "(?!.*(left|right|top|bottom)=.*\\1=)";
  const some = "(?=.*=0*[1-9])";
  return {
    schema: z.string().regex(new RegExp(`^${twice}${some}${side}(?:,${side}){0,3}$`)),
    fromText: (text) => plain(text).toLowerCase().replaceAll(/\s+/g, "").replaceAll("，", ","),
    expected: {
      en: "edges with pixels, each once, such as left=128,top=64",
      zh: "边与像素数，每边一次，例如 left=128,top=64",
    },
    placeholder: "<edges>",
  };
}

/** Width and height in pixels: `512x768`. */
export function size(): Kind<string> {
  return {
    schema: z.string().regex(/^\d{1,5}x\d{1,5}$/),
    fromText: (text) => plain(text).toLowerCase().replaceAll(/\s*[×*x]\s*/g, "x"),
    expected: { en: "width and height such as 512x768", zh: "宽和高，例如 512x768" },
    placeholder: "<size>",
  };
}

/** The name of a file. */
export function file(): Kind<string> {
  return { ...text(), placeholder: "<path>" };
}

/** Yes or no. */
export function flag(): Kind<boolean> {
  const words: Readonly<Record<string, boolean>> = { true: true, false: false };
  return {
    schema: z.boolean(),
    fromText: (text) => words[plain(text).toLowerCase()],
    expected: { en: "true or false", zh: " true 或 false" },
  };
}

/**
 * One of a few names.
 *
 * @param others What people may write for them besides, in lower case.
 */
export function choice<const Name extends string>(
  names: readonly Name[],
  others: Readonly<Record<string, Name>> = {},
): Kind<Name> {
  const nameOf = (text: string) => {
    const written = plain(text).toLowerCase();
    return Object.hasOwn(others, written) ? others[written]! : written;
  };
  return {
    schema: z.enum(names) as z.ZodType<Name>,
    fromText: nameOf,
    fromLine: (value) => typeof value === "string" ? nameOf(value) : value,
    expected: { en: `one of ${names.join(", ")}`, zh: `以下之一：${names.join("、")}` },
    placeholder: "<name>",
    choices: names,
  };
}

/** The largest seed of a generator. */
const MOST_SEED = 2n ** 64n - 1n;
const LEAST_SEED = -(2n ** 63n);

/** What asks for a random seed, here and in other programs. */
export const RANDOM_SEED = -1;

/**
 * A seed of 64 bits. In JSON it is decimal digits in quotes, because JSON's numbers are exact up to
 * 2⁵³ − 1 only. A generator takes negative seeds as torch does; people may say −1 alone, which asks
 * for a random seed.
 */
export function seed(): Kind<number | bigint> {
  const isSeed = (value: unknown) =>
    typeof value === "bigint"
      ? value >= LEAST_SEED && value <= MOST_SEED
      : Number.isSafeInteger(value);
  const digits = z.string().regex(/^-?\d{1,20}$/);
  const fromText = (text: string) =>
    plain(text).toLowerCase() === "random"
      ? String(RANDOM_SEED)
      : /^(\d{1,20}|-1)$/.test(plain(text))
      ? plain(text)
      : undefined;
  return {
    schema: z.codec(digits, z.custom<number | bigint>(isSeed), {
      decode: (text) => exact(BigInt(text)),
      encode: String,
    }),
    fromText,
    fromLine: (json) =>
      typeof json === "string" || Number.isSafeInteger(json) ? fromText(String(json)) : undefined,
    expected: {
      en: `a whole number from 0 to ${MOST_SEED} (in JSON in quotes beyond ` +
        `${Number.MAX_SAFE_INTEGER}), or ${RANDOM_SEED} for a random one`,
      zh: ` 0 到 ${MOST_SEED} 的整数（在 JSON 中超过 ${Number.MAX_SAFE_INTEGER} 时要加引号），` +
        `或用 ${RANDOM_SEED} 表示随机`,
    },
    placeholder: "<number>",
  };
}

/** A number where it holds every digit, else a bigint. */
export function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** As typed with a Chinese or Japanese keyboard, too: ３０ is 30. */
function plain(text: string): string {
  return text.normalize("NFKC").trim();
}
