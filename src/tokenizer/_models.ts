/**
 * The models of a tokenizer.json, as Rust's `tokenizers` have them: pieces of text in, ids out.
 *
 * Rules: tokenizers/src/models of huggingface/tokenizers.
 *
 * @module
 */
import { Refusal } from "./_refusal.ts";

/** Turns a piece of text into ids. */
export interface Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  encode(piece: string): readonly number[];
}

type Config = Readonly<Record<string, unknown>>;

/** The models that are known, by their names in a file. */
export const MODELS: Readonly<Record<string, (config: Config) => Model>> = {
  BPE: (config) => new Bpe(config),
  Unigram: (config) => new Unigram(config),
  WordPiece: (config) => new WordPiece(config),
  WordLevel: (config) => new WordLevel(config),
};

/** Files of old have no type; what they hold shows which it is. */
export function typeOf(config: Config): string | undefined {
  if (config["type"] !== undefined) return String(config["type"]);
  if (Array.isArray(config["vocab"])) return "Unigram";
  if ("merges" in config) return "BPE";
  return "continuing_subword_prefix" in config ? "WordPiece" : undefined;
}

const utf8 = new TextEncoder();

/**
 * No id reaches it. The largest vocabularies have 2^18 tokens, and two ids below 2^26 make one whole
 * number that JavaScript holds exactly.
 */
const ID_LIMIT = 2 ** 26;

/** Whether it can be an id of a token. */
export const isId = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < ID_LIMIT;

function vocabularyOf(vocab: unknown): Map<string, number> {
  const entries = typeof vocab === "object" && vocab !== null && !Array.isArray(vocab)
    ? Object.entries(vocab)
    : undefined;
  if (entries === undefined || !entries.every(([, id]) => isId(id))) {
    throw new Refusal("its vocabulary is no table of ids", "词表不是编号表");
  }
  return new Map(entries as [string, number][]);
}

/** What stands before or behind the parts of a word is `##` or `</w>`; longer ones cost time. */
const LONGEST_MARK = 16;

/** A mark before or behind the parts of a word: absent, null and empty are the same. */
function markOf(value: unknown, name: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new Refusal(`"${name}" is no text`, `"${name}" 不是文本`);
  if (value.length <= LONGEST_MARK) return value;
  throw new Refusal(
    `"${name}" has ${value.length} characters, and at most ${LONGEST_MARK} can be run`,
    `"${name}" 有 ${value.length} 个字符，最多只能有 ${LONGEST_MARK} 个`,
  );
}

/** The id of the token for what is not known; absent where none is named. */
function unknownId(vocabulary: ReadonlyMap<string, number>, token: unknown): number | undefined {
  if (token === undefined || token === null) return undefined;
  const id = vocabulary.get(String(token));
  if (id !== undefined) return id;
  throw new Refusal(
    `its vocabulary lacks the unknown token ${JSON.stringify(token)}`,
    `词表里没有未知词 ${JSON.stringify(token)}`,
  );
}

/** The ids of a text's bytes, where the vocabulary has all of them. */
function byteIds(text: string, vocabulary: ReadonlyMap<string, number>): number[] | undefined {
  const ids = Array.from(
    utf8.encode(text),
    (byte) => vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  );
  return ids.every((id) => id !== undefined) ? ids : undefined;
}

interface MergeRule {
  readonly rank: number;
  readonly id: number;
}

/** How many pieces are remembered with their ids. */
const MOST_REMEMBERED = 10_000;
const LONGEST_REMEMBERED = 256;

class Bpe implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #merges = new Map<number, MergeRule>();
  readonly #unknown: number | undefined;
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #fusesUnknown: boolean;
  readonly #hasBytes: boolean;
  readonly #ignoresMerges: boolean;
  /** Makes one number of two ids. */
  readonly #radix: number;
  readonly #remembered = new Map<string, readonly number[]>();

  constructor(config: Config) {
    const { dropout } = config;
    if (dropout !== undefined && dropout !== null && dropout !== 0) {
      throw new Refusal(
        `its dropout of ${dropout} makes other ids each time`,
        `dropout 为 ${dropout}，每次得到的编号都不同`,
      );
    }
    this.vocabulary = vocabularyOf(config["vocab"]);
    this.#radix = 1 + [...this.vocabulary.values()].reduce((a, b) => Math.max(a, b), 0);
    this.#prefix = markOf(config["continuing_subword_prefix"], "continuing_subword_prefix");
    this.#suffix = markOf(config["end_of_word_suffix"], "end_of_word_suffix");
    this.#unknown = unknownId(this.vocabulary, config["unk_token"]);
    this.#fusesUnknown = config["fuse_unk"] === true;
    this.#hasBytes = config["byte_fallback"] === true;
    this.#ignoresMerges = config["ignore_merges"] === true;
    const merges = config["merges"];
    if (!Array.isArray(merges)) throw new Refusal("it has no list of merges", "没有合并列表");
    merges.forEach((merge, rank) => this.#addMerge(merge, rank));
  }

  encode(piece: string): readonly number[] {
    if (piece === "") return [];
    const whole = this.#ignoresMerges ? this.vocabulary.get(piece) : undefined;
    if (whole !== undefined) return [whole];
    const known = this.#remembered.get(piece);
    if (known !== undefined) return known;
    const ids = this.#merged(this.#symbols(piece));
    if (piece.length <= LONGEST_REMEMBERED && this.#remembered.size < MOST_REMEMBERED) {
      this.#remembered.set(piece, ids);
    }
    return ids;
  }

  #addMerge(merge: unknown, rank: number): void {
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    const rest = typeof right === "string" ? right.slice(this.#prefix.length) : "";
    const [a, b, id] = [left, right, `${left}${rest}`].map((text) => this.vocabulary.get(text));
    if (a === undefined || b === undefined || id === undefined) {
      throw new Refusal(
        `its merge ${JSON.stringify(merge)} is not of its vocabulary`,
        `合并 ${JSON.stringify(merge)} 不在词表中`,
      );
    }
    this.#merges.set(a * this.#radix + b, { rank, id });
  }

  /** The ids of the characters, before any are joined. */
  #symbols(piece: string): number[] {
    const characters = Array.from(piece);
    const ids: number[] = [];
    let pending: number | undefined;
    characters.forEach((character, index) => {
      const text = (index === 0 ? "" : this.#prefix) + character +
        (index === characters.length - 1 ? this.#suffix : "");
      const id = this.vocabulary.get(text);
      if (id !== undefined) {
        if (pending !== undefined) ids.push(pending);
        pending = undefined;
        ids.push(id);
        return;
      }
      const bytes = this.#hasBytes ? byteIds(text, this.vocabulary) : undefined;
      // An unknown character before them comes after them: so it does in the original.
      if (bytes !== undefined) return void ids.push(...bytes);
      if (this.#unknown === undefined) return;
      if (pending !== undefined && !this.#fusesUnknown) ids.push(pending);
      pending = this.#unknown;
    });
    if (pending !== undefined) ids.push(pending);
    return ids;
  }

  /** Joins neighbours, the most urgent pair first, of equal ones the leftmost. */
  #merged(ids: number[]): readonly number[] {
    const next = ids.map((_, index) => index + 1);
    const previous = ids.map((_, index) => index - 1);
    const isGone = new Uint8Array(ids.length);
    const queue = new MergeQueue();
    const add = (at: number) => {
      const right = next[at]!;
      if (at < 0 || right >= ids.length) return;
      const rule = this.#merges.get(ids[at]! * this.#radix + ids[right]!);
      if (rule !== undefined) queue.push({ at, rank: rule.rank, id: rule.id });
    };
    for (let at = 0; at + 1 < ids.length; at++) add(at);
    for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
      const { at, id } = top;
      const right = next[at]!;
      if (isGone[at] === 1 || right >= ids.length) continue;
      if (this.#merges.get(ids[at]! * this.#radix + ids[right]!)?.id !== id) continue;
      ids[at] = id;
      isGone[right] = 1;
      next[at] = next[right]!;
      if (next[at]! < ids.length) previous[next[at]!] = at;
      if (previous[at]! >= 0) add(previous[at]!);
      add(at);
    }
    return ids.filter((_, at) => isGone[at] === 0);
  }
}

interface QueuedMerge extends MergeRule {
  readonly at: number;
}

/** The most urgent merge first: a binary heap. */
class MergeQueue {
  readonly #heap: QueuedMerge[] = [];

  push(merge: QueuedMerge): void {
    const heap = this.#heap;
    let at = heap.push(merge) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(merge, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = merge;
  }

  pop(): QueuedMerge | undefined {
    const heap = this.#heap;
    const [top] = heap;
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

const isBefore = (a: QueuedMerge, b: QueuedMerge): boolean =>
  a.rank < b.rank || a.rank === b.rank && a.at < b.at;

/** How much less likely than the least likely piece an unknown character is. */
const UNKNOWN_PENALTY = 10;

class Unigram implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #scores: readonly number[];
  /** The lengths that pieces have, in UTF-16 units, the shortest first. */
  readonly #lengths: readonly number[];
  readonly #unknown: number | undefined;
  readonly #unknownScore: number;
  readonly #hasBytes: boolean;

  constructor(config: Config) {
    const vocab: unknown = config["vocab"];
    const isVocabulary = Array.isArray(vocab) &&
      vocab.every((entry) =>
        Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number"
      );
    if (!isVocabulary) throw new Refusal("its vocabulary is no list of scores", "词表不是分数列表");
    const pieces = vocab as readonly [string, number][];
    this.vocabulary = new Map(pieces.map(([piece], id) => [piece, id]));
    this.#scores = pieces.map(([, score]) => score);
    const lengths = new Set(pieces.map(([piece]) => piece.length).filter((length) => length > 0));
    this.#lengths = [...lengths].sort((a, b) => a - b);
    const least = this.#scores.reduce((a, b) => Math.min(a, b), Infinity);
    this.#unknownScore = least - UNKNOWN_PENALTY;
    this.#hasBytes = config["byte_fallback"] === true;
    const unknown = config["unk_id"] ?? undefined;
    if (unknown !== undefined && !(isId(unknown) && unknown < pieces.length)) {
      throw new Refusal(
        `its unk_id ${unknown} is not in its vocabulary`,
        `unk_id ${unknown} 超出词表`,
      );
    }
    this.#unknown = unknown;
  }

  encode(text: string): readonly number[] {
    return this.#best(text).flatMap((piece) => {
      const id = this.vocabulary.get(piece);
      if (id !== undefined) return [id];
      const bytes = this.#hasBytes ? byteIds(piece, this.vocabulary) : undefined;
      if (bytes !== undefined) return bytes;
      if (this.#unknown !== undefined) return [this.#unknown];
      throw new Refusal(
        `it knows no piece ${JSON.stringify(piece)}, and has no unk_id for what it does not know`,
        `它不认识片段 ${JSON.stringify(piece)}，也没有用于未知内容的 unk_id`,
      );
    });
  }

  /** The most likely pieces of a text; unknown characters in a row are one. */
  #best(text: string): string[] {
    const size = text.length;
    const scores = new Float64Array(size + 1);
    const starts = new Int32Array(size + 1).fill(-1);
    const ids = new Int32Array(size + 1);
    const offer = (start: number, end: number, id: number, score: number) => {
      if (starts[end]! >= 0 && !(score > scores[end]!)) return;
      starts[end] = start;
      scores[end] = score;
      ids[end] = id;
    };
    const unknown = this.#unknown ?? -1;
    for (let start = 0; start < size;) {
      const single = text.codePointAt(start)! > 0xffff ? 2 : 1;
      let hasSingle = false;
      for (const length of this.#lengths) {
        if (start + length > size) break;
        const id = this.vocabulary.get(text.slice(start, start + length));
        if (id === undefined) continue;
        offer(start, start + length, id, scores[start]! + this.#scores[id]!);
        hasSingle ||= length === single;
      }
      if (!hasSingle) {
        offer(start, start + single, unknown, scores[start]! + this.#unknownScore);
      }
      start += single;
    }
    const pieces: string[] = [];
    let unknownEnd = -1;
    for (let end = size; end > 0;) {
      const start = starts[end]!;
      const isUnknown = ids[end] === unknown && this.#unknown !== undefined;
      if (isUnknown) unknownEnd = unknownEnd < 0 ? end : unknownEnd;
      else {
        if (unknownEnd >= 0) pieces.push(text.slice(end, unknownEnd));
        unknownEnd = -1;
        pieces.push(text.slice(start, end));
      }
      end = start;
    }
    if (unknownEnd >= 0) pieces.push(text.slice(0, unknownEnd));
    return pieces.reverse();
  }
}

/** Of a word all parts are tried: time grows with the third power of its length. */
const LONGEST_WORD = 500;

class WordPiece implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #unknown: number;
  readonly #prefix: string;
  readonly #longest: number;

  constructor(config: Config) {
    this.vocabulary = vocabularyOf(config["vocab"]);
    this.#unknown = unknownId(this.vocabulary, config["unk_token"] ?? "[UNK]")!;
    this.#prefix = markOf(config["continuing_subword_prefix"] ?? "##", "continuing_subword_prefix");
    const longest = config["max_input_chars_per_word"] ?? 100;
    if (!isId(longest) || longest > LONGEST_WORD) {
      throw new Refusal(
        `its max_input_chars_per_word of ${longest} is no whole number up to ${LONGEST_WORD}`,
        `max_input_chars_per_word 为 ${longest}，应为不超过 ${LONGEST_WORD} 的整数`,
      );
    }
    this.#longest = longest;
  }

  encode(piece: string): readonly number[] {
    const characters = Array.from(piece);
    if (characters.length > this.#longest) return [this.#unknown];
    const ids: number[] = [];
    for (let start = 0; start < characters.length;) {
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end--) {
        const part = characters.slice(start, end).join("");
        id = this.vocabulary.get(start > 0 ? this.#prefix + part : part);
        if (id !== undefined) break;
      }
      if (id === undefined) return [this.#unknown];
      ids.push(id);
      start = end;
    }
    return ids;
  }
}

class WordLevel implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #unknown: number;

  constructor(config: Config) {
    this.vocabulary = vocabularyOf(config["vocab"]);
    this.#unknown = unknownId(this.vocabulary, config["unk_token"] ?? "<unk>")!;
  }

  encode(piece: string): readonly number[] {
    return [this.vocabulary.get(piece) ?? this.#unknown];
  }
}
