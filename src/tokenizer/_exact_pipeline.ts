/**
 * Replaces the stages in which `@huggingface/tokenizers` 0.2.0 departs from Rust's `tokenizers`.
 *
 * | stage | the library | Rust, and here |
 * |---|---|---|
 * | Precompiled | NFKC and a fixed list of spaces | the map in the file |
 * | Strip | JavaScript's `trim`: with U+FEFF, without U+0085 | Unicode's White_Space |
 * | WhitespaceSplit | JavaScript's `\s`: with U+FEFF, without U+0085 | Unicode's White_Space |
 * | Metaspace | one piece for the whole text | a piece a word, unless the file says otherwise |
 *
 * @module
 */

import {
  MetaspacePreTokenizer,
  type Normalizer,
  PrecompiledNormalizer,
  type PreTokenizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  StripNormalizer,
  type Tokenizer,
  WhitespaceSplitPreTokenizer,
} from "@huggingface/tokenizers";
import { Charsmap } from "./_charsmap.ts";

type MetaspaceConfig = ConstructorParameters<typeof MetaspacePreTokenizer>[0];

class ExactPrecompiled extends PrecompiledNormalizer {
  readonly #charsmap: Charsmap;

  constructor(original: PrecompiledNormalizer) {
    super(original.config as ConstructorParameters<typeof PrecompiledNormalizer>[0]);
    this.#charsmap = new Charsmap(String(original.charsmap ?? ""));
  }

  override normalize(text: string): string {
    return this.#charsmap.normalize(text);
  }
}

class ExactStrip extends StripNormalizer {
  override normalize(text: string): string {
    if (this.config.strip_left) text = text.replace(/^\p{White_Space}+/u, "");
    if (this.config.strip_right) text = text.replace(/\p{White_Space}+$/u, "");
    return text;
  }
}

class ExactWhitespaceSplit extends WhitespaceSplitPreTokenizer {
  override pre_tokenize_text(text: string): string[] {
    return text.split(/\p{White_Space}+/u).filter((word) => word !== "");
  }
}

class WordMetaspace extends MetaspacePreTokenizer {
  constructor(original: MetaspacePreTokenizer) {
    const { replacement, str_rep, prepend_scheme } = original;
    super({ type: "Metaspace", replacement, str_rep, prepend_scheme } as MetaspaceConfig);
  }

  override pre_tokenize_text(
    text: string,
    options?: Parameters<MetaspacePreTokenizer["pre_tokenize_text"]>[1],
  ): string[] {
    return super.pre_tokenize_text(text, options).flatMap((piece) => this.#words(piece));
  }

  /** Cuts before every replacement character, so that each word begins with its own. */
  #words(piece: string): string[] {
    const [head = "", ...tails] = piece.split(this.replacement);
    const words = tails.map((tail) => this.replacement + tail);
    return head === "" ? words : [head, ...words];
  }
}

function exactNormalizer(normalizer: Normalizer | null): Normalizer | null {
  if (normalizer instanceof PrecompiledNormalizer) return new ExactPrecompiled(normalizer);
  if (normalizer instanceof StripNormalizer) return new ExactStrip(normalizer.config);
  if (normalizer instanceof SequenceNormalizer) {
    normalizer.normalizers = normalizer.normalizers.map(exactNormalizer);
  }
  return normalizer;
}

/** `config` is the stage's entry in tokenizer.json: the library does not keep all of it. */
function exactPreTokenizer(
  preTokenizer: PreTokenizer | null,
  config: unknown,
): PreTokenizer | null {
  if (preTokenizer instanceof WhitespaceSplitPreTokenizer) return new ExactWhitespaceSplit();
  if (preTokenizer instanceof MetaspacePreTokenizer) {
    const { split = true } = config as { readonly split?: boolean };
    return split ? new WordMetaspace(preTokenizer) : preTokenizer;
  }
  if (preTokenizer instanceof SequencePreTokenizer) {
    const { pretokenizers } = config as { readonly pretokenizers: readonly unknown[] };
    preTokenizer.tokenizers = preTokenizer.tokenizers.map((stage, index) =>
      exactPreTokenizer(stage, pretokenizers[index])
    );
  }
  return preTokenizer;
}

/**
 * Makes the library's pipeline behave as Rust's.
 *
 * @param preTokenizerConfig `pre_tokenizer` of tokenizer.json.
 * @throws {RangeError} When a precompiled character map is damaged.
 */
export function makeExact(tokenizer: Tokenizer, preTokenizerConfig: unknown): void {
  tokenizer.normalizer = exactNormalizer(tokenizer.normalizer);
  tokenizer.pre_tokenizer = exactPreTokenizer(tokenizer.pre_tokenizer, preTokenizerConfig);
}
