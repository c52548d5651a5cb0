/**
 * The pre-tokenizers of a tokenizer.json, as Rust's `tokenizers` have them.
 *
 * Rules: tokenizers/src/pre_tokenizers of huggingface/tokenizers. `UnicodeScripts` is refused: its
 * table of scripts is older than the platform's.
 *
 * @module
 */
import { byteLetters } from "./_byte_letters.ts";
import {
  type Behavior,
  behaviorOf,
  charactersOf,
  inverted,
  matchesOf,
  type Pattern,
  patternOf,
  split,
} from "./_patterns.ts";
import { Refusal, unknownStage } from "./_refusal.ts";
import { OLD_PUNCTUATION, YOUNG_PUNCTUATION } from "./_unicode_versions.ts";

/** A part of a text. */
export interface Piece {
  readonly text: string;
  /** Whether it begins where the whole text begins. */
  readonly isFirst: boolean;
}

/** Cuts a piece into smaller ones, none of them empty. */
export type PreTokenizer = (piece: Piece) => readonly Piece[];

type Config = Readonly<Record<string, unknown>>;

const STAGE = { en: "the pre-tokenizer", zh: "预分词器（pre_tokenizer）" };

/** @throws {Refusal} When there is no such pre-tokenizer, or it cannot be run exactly. */
export function createPreTokenizer(config: unknown): PreTokenizer {
  const { type } = (config ?? {}) as Config;
  const create = typeof type === "string" && Object.hasOwn(PRE_TOKENIZERS, type)
    ? PRE_TOKENIZERS[type]!
    : undefined;
  if (create === undefined) throw unknownStage(STAGE, type);
  return create(config as Config);
}

/** ASCII's punctuation, of which Unicode counts some as symbols, and Unicode's. */
const PUNCTUATION = matchesOf(
  new RegExp(`(?![${YOUNG_PUNCTUATION}])[\\p{P}!-/:-@\\[-\`{-~${OLD_PUNCTUATION}]`, "gu"),
);
/** Numbers, with those that are younger than the platform's tables (Unicode 17). */
const NUMBERS = charactersOf("\\p{N}\\u{11de0}-\\u{11de9}\\u{16ff4}-\\u{16ff6}");
/** Rust's `\w`. */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const SPACE = "\\p{White_Space}";

const WORDS = matchesOf(new RegExp(`[${WORD}]+|[^${WORD}${SPACE}]+`, "gu"));
/** GPT-2's. */
const BYTE_LEVEL = matchesOf(
  new RegExp(
    `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|` +
      `[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`,
    "gu",
  ),
);

const PRE_TOKENIZERS: Readonly<Record<string, (config: Config) => PreTokenizer>> = {
  Sequence: ({ pretokenizers }) => {
    if (!Array.isArray(pretokenizers)) {
      throw new Refusal("a sequence has no list of stages", "Sequence 没有阶段列表");
    }
    return inSequence(pretokenizers.map(createPreTokenizer));
  },
  BertPreTokenizer: () =>
    inSequence([
      splitter(charactersOf(SPACE), "Removed"),
      splitter(PUNCTUATION, "Isolated"),
    ]),
  ByteLevel: ({ add_prefix_space: hasPrefix = true, use_regex: cuts = true }) => {
    const cut = cuts ? splitter(BYTE_LEVEL, "Isolated") : (piece: Piece) => [piece];
    return (piece) => {
      const text = hasPrefix && !piece.text.startsWith(" ") ? ` ${piece.text}` : piece.text;
      return cut({ ...piece, text })
        .map(({ text, isFirst }) => ({ text: byteLetters(text), isFirst }));
    };
  },
  CharDelimiterSplit: ({ delimiter }) =>
    splitter(matchesOf(new RegExp(RegExp.escape(characterOf(delimiter)), "gu")), "Removed"),
  Digits: ({ individual_digits: apart = false }) =>
    splitter(NUMBERS, apart ? "Isolated" : "Contiguous"),
  FixedLength: ({ length = 5 }) => {
    const most = Number(length);
    if (!Number.isSafeInteger(most) || most < 1) {
      throw new Refusal(`the length ${length} is none`, `长度 ${length} 无效`);
    }
    return ({ text, isFirst }) => {
      const characters = Array.from(text);
      const count = Math.ceil(characters.length / most);
      return Array.from({ length: count }, (_, index) => ({
        text: characters.slice(index * most, (index + 1) * most).join(""),
        isFirst: isFirst && index === 0,
      }));
    };
  },
  Metaspace: metaspace,
  Punctuation: ({ behavior = "Isolated" }) => splitter(PUNCTUATION, behaviorOf(behavior)),
  Split: ({ pattern, behavior, invert = false }) => {
    const matches = patternOf(pattern);
    return splitter(invert ? inverted(matches) : matches, behaviorOf(behavior));
  },
  Whitespace: () => splitter(inverted(WORDS), "Removed"),
  WhitespaceSplit: () => splitter(charactersOf(SPACE), "Removed"),
};

function inSequence(stages: readonly PreTokenizer[]): PreTokenizer {
  return (piece) => stages.reduce<readonly Piece[]>((pieces, cut) => pieces.flatMap(cut), [piece]);
}

function splitter(pattern: Pattern, behavior: Behavior): PreTokenizer {
  return ({ text, isFirst }) =>
    split(text, pattern, behavior).map(([start, end]) => ({
      text: text.slice(start, end),
      isFirst: isFirst && start === 0,
    }));
}

/** SentencePiece's way with spaces: they become letters, each at the beginning of its word. */
function metaspace(config: Config): PreTokenizer {
  const replacement = characterOf(config["replacement"] ?? "▁");
  // Older files say it with a flag.
  const old = config["add_prefix_space"] === false ? "never" : "always";
  const scheme = config["prepend_scheme"] ?? old;
  if (scheme !== "always" && scheme !== "first" && scheme !== "never") {
    throw new Refusal(
      `the prepend_scheme ${JSON.stringify(scheme)} is not known`,
      `prepend_scheme ${JSON.stringify(scheme)} 未知`,
    );
  }
  const cut = config["split"] === false
    ? (piece: Piece) => [piece]
    : splitter(matchesOf(new RegExp(RegExp.escape(replacement), "gu")), "MergedWithNext");
  return ({ text, isFirst }) => {
    const marked = text.replaceAll(" ", () => replacement);
    const isPrefixed = !marked.startsWith(replacement) &&
      (scheme === "always" || scheme === "first" && isFirst);
    return cut({ text: isPrefixed ? replacement + marked : marked, isFirst });
  };
}

function characterOf(value: unknown): string {
  if (typeof value === "string" && Array.from(value).length === 1) return value;
  throw new Refusal(
    `${JSON.stringify(value)} is no character`,
    `${JSON.stringify(value)} 不是单个字符`,
  );
}
