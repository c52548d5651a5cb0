/**
 * The normalizers of a tokenizer.json, as Rust's `tokenizers` have them.
 *
 * Rules: tokenizers/src/normalizers of huggingface/tokenizers.
 *
 * @module
 */
import { byteLetters } from "./_byte_letters.ts";
import { Charsmap } from "./_charsmap.ts";
import { type Pattern, patternOf } from "./_patterns.ts";
import { Refusal, unknownStage } from "./_refusal.ts";
import {
  BERT_OLD_MARKS,
  BERT_YOUNG_CONTROLS,
  BERT_YOUNG_MARKS,
  YOUNG_COMPOSED,
  YOUNG_MARKS,
} from "./_unicode_versions.ts";

/** Changes a text before it is cut. */
export interface Normalizer {
  (text: string): string;
  /** Whether it takes away what a text begins with; absent where it never does. */
  readonly cutsStart?: (text: string) => boolean;
}

type Config = Readonly<Record<string, unknown>>;

const STAGE = { en: "the normalizer", zh: "规范化器（normalizer）" };

/** @throws {Refusal} When there is no such normalizer, or it cannot be run exactly. */
export function createNormalizer(config: unknown): Normalizer {
  const { type } = (config ?? {}) as Config;
  const create = typeof type === "string" && Object.hasOwn(NORMALIZERS, type)
    ? NORMALIZERS[type]!
    : undefined;
  if (create === undefined) throw unknownStage(STAGE, type);
  return create(config as Config);
}

const NORMALIZERS: Readonly<Record<string, (config: Config) => Normalizer>> = {
  Sequence: ({ normalizers }) => {
    return inSequence(listOf(normalizers).map(createNormalizer));
  },
  NFC: () => composed("NFC"),
  NFD: () => composed("NFD"),
  NFKC: () => composed("NFKC"),
  NFKD: () => composed("NFKD"),
  Lowercase: () => lowercase,
  StripAccents: () => removing(STRIPPED),
  Strip: ({ strip_left: left = true, strip_right: right = true }) => {
    const strip = (text: string) => {
      const start = left ? text.search(/\P{White_Space}/u) : 0;
      if (start < 0) return "";
      let end = text.length;
      while (right && end > start && /\p{White_Space}/u.test(text[end - 1]!)) end--;
      return text.slice(start, end);
    };
    return Object.assign(strip, {
      cutsStart: (text: string) => left === true && /^\p{White_Space}/u.test(text),
    });
  },
  Prepend: ({ prepend }) => {
    const before = textOf(prepend, "prepend");
    return (text) => text === "" ? text : before + text;
  },
  Replace: ({ pattern, content }) => {
    const matches = patternOf(pattern);
    const by = textOf(content, "content");
    return Object.assign((text: string) => replaced(text, matches, by), {
      cutsStart: (text: string) => {
        const first = by === "" ? matches(text).find(({ start, end }) => end > start) : undefined;
        return first?.isMatch === true;
      },
    });
  },
  Precompiled: ({ precompiled_charsmap: charsmap }) => {
    const map = new Charsmap(textOf(charsmap ?? "", "precompiled_charsmap"));
    return (text) => map.normalize(text);
  },
  ByteLevel: () => byteLetters,
  Nmt: () => inSequence([removing(NMT_REMOVED), (text) => text.replace(NMT_SPACES, " ")]),
  BertNormalizer: (config) => {
    const {
      clean_text: clean = true,
      handle_chinese_chars: parted = true,
      lowercase: lower = true,
    } = config;
    const strip = config["strip_accents"] ?? lower;
    return inSequence([
      ...(clean
        ? [removing(BERT_REMOVED), (text: string) => text.replace(/\p{White_Space}/gu, " ")]
        : []),
      ...(parted ? [(text: string) => text.replace(BERT_HAN, " $& ")] : []),
      ...(strip ? [composed("NFD"), removing(BERT_MARKS)] : []),
      ...(lower ? [lowercase] : []),
    ]);
  },
};

/** One after the other. */
function inSequence(stages: readonly Normalizer[]): Normalizer {
  const normalize = (text: string) =>
    stages.reduce((changed, stage) => bounded(stage(changed)), text);
  const cutsStart = (text: string) => {
    let changed = text;
    return stages.some((stage) => {
      const cuts = stage.cutsStart?.(changed) ?? false;
      changed = stage(changed);
      return cuts;
    });
  };
  return Object.assign(normalize, { cutsStart });
}

/** Takes characters away. */
function removing(characters: RegExp): Normalizer {
  const cutsStart = (text: string) => text.search(characters) === 0;
  return Object.assign((text: string) => text.replace(characters, ""), { cutsStart });
}

/** A normal form of Unicode, in which characters that are younger than the tables stay. */
function composed(form: "NFC" | "NFD" | "NFKC" | "NFKD"): Normalizer {
  return (text) =>
    text.split(YOUNG).map((part, index) => index % 2 === 1 ? part : part.normalize(form)).join("");
}

const YOUNG = new RegExp(`([${YOUNG_COMPOSED}])`, "u");
const STRIPPED = new RegExp(`(?![${YOUNG_MARKS}])\\p{M}`, "gu");
const BERT_MARKS = new RegExp(`(?![${BERT_YOUNG_MARKS}])\\p{Mn}|[${BERT_OLD_MARKS}]`, "gu");
const BERT_REMOVED = new RegExp(
  `(?![\\t\\n\\r${BERT_YOUNG_CONTROLS}])[\\0\\ufffd\\p{Cc}\\p{Cf}\\p{Co}]`,
  "gu",
);

/** Character by character: Greek's final sigma is none here. */
const lowercase: Normalizer = (text) =>
  Array.from(text, (character) => YOUNG_LETTERS.get(character) ?? character.toLowerCase()).join("");

/** Capitals that are younger than the platform's tables (Unicode 17). */
const YOUNG_LETTERS: ReadonlyMap<string, string> = new Map([
  ["\ua7ce", "\ua7cf"],
  ["\ua7d2", "\ua7d3"],
  ["\ua7d4", "\ua7d5"],
  ...Array.from({ length: 25 }, (_, index): [string, string] => [
    String.fromCodePoint(0x16ea0 + index),
    String.fromCodePoint(0x16ebb + index),
  ]),
]);

// deno-lint-ignore no-control-regex
const NMT_REMOVED = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g;
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

/** The blocks that BERT's authors took for Chinese. */
const BERT_HAN =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function replaced(text: string, pattern: Pattern, by: string): string {
  const stretches = pattern(text);
  const matches = stretches.reduce((count, { isMatch }) => count + (isMatch ? 1 : 0), 0);
  if (matches * by.length > LONGEST_TEXT) throw tooLong();
  return stretches.map(({ start, end, isMatch }) => isMatch ? by : text.slice(start, end)).join("");
}

/** Far beyond what any text encoder takes; stages that double a text would reach any length. */
const LONGEST_TEXT = 1_000_000;

function bounded(text: string): string {
  if (text.length > LONGEST_TEXT) throw tooLong();
  return text;
}

const tooLong = () =>
  new Refusal(
    `its normalizer makes more than ${LONGEST_TEXT} characters of a text`,
    `规范化器把文本变成了超过 ${LONGEST_TEXT} 个字符`,
  );

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Refusal("a sequence has no list of stages", "Sequence 没有阶段列表");
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new Refusal(`"${name}" is no text`, `"${name}" 不是文本`);
}
