/**
 * SentencePiece's precompiled character map, as XLM-RoBERTa's tokenizer carries it.
 *
 * Applied the way Rust's `tokenizers` does, quirks included, because that is what the encoders were
 * trained behind.
 *
 * Layout: a little-endian uint32 with the trie's size in bytes, the trie (darts-clone's double
 * array of uint32 units), then the replacements as UTF-8, each ended by a zero byte.
 *
 * @module
 */

/** Clusters of fewer bytes than this are looked up whole; longer ones by character. */
const WHOLE_CLUSTER_BYTES = 6;

const NOT_FOUND = -1;

// A unit of darts-clone's double array: value or (offset, leaf flag, label) packed into 32 bits.
const hasLeaf = (unit: number) => ((unit >>> 8) & 1) === 1;
const leafValue = (unit: number) => unit & 0x7fff_ffff;
const label = (unit: number) => unit & 0x8000_00ff;
const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);

/** A parsed map: {@linkcode normalize} is all it does. */
export class Charsmap {
  readonly #trie: Uint32Array;
  readonly #replacements: Uint8Array;
  readonly #utf8 = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #clusters = new Intl.Segmenter("en", { granularity: "grapheme" });

  /**
   * @param base64 The map as tokenizer.json holds it.
   * @throws {RangeError} When the map is cut short.
   * @throws {SyntaxError} When it is no base64.
   */
  constructor(base64: string) {
    const bytes = Uint8Array.fromBase64(base64);
    const header = Uint32Array.BYTES_PER_ELEMENT;
    const view = new DataView(bytes.buffer);
    const trieBytes = bytes.length < header ? 0 : view.getUint32(0, true);
    if (trieBytes === 0 || trieBytes % header !== 0 || header + trieBytes > bytes.length) {
      throw new RangeError(
        `the precompiled character map of ${bytes.length} bytes states a trie of ${trieBytes}`,
      );
    }
    this.#trie = Uint32Array.from(
      { length: trieBytes / header },
      (_, index) => view.getUint32(header * (index + 1), true),
    );
    this.#replacements = bytes.subarray(header + trieBytes);
  }

  normalize(text: string): string {
    let result = "";
    for (const { segment } of this.#clusters.segment(text)) {
      const bytes = this.#utf8.encode(segment);
      // Where the map knows a prefix of the cluster, the replacement stands for the whole cluster,
      // as in the original.
      const whole = bytes.length < WHOLE_CLUSTER_BYTES ? this.#find(bytes) : NOT_FOUND;
      if (whole !== NOT_FOUND) {
        result += this.#replacement(whole);
        continue;
      }
      for (const character of segment) {
        const found = this.#find(this.#utf8.encode(character));
        result += found === NOT_FOUND ? character : this.#replacement(found);
      }
    }
    return result;
  }

  /** Where the replacement of the shortest known prefix starts. */
  #find(key: Uint8Array): number {
    const trie = this.#trie;
    let position = offset(trie[0]!);
    for (const byte of key) {
      if (byte === 0) break;
      position ^= byte;
      const unit = trie[position] ?? 0;
      if (label(unit) !== byte) return NOT_FOUND;
      position ^= offset(unit);
      if (hasLeaf(unit)) return leafValue(trie[position] ?? 0);
    }
    return NOT_FOUND;
  }

  #replacement(start: number): string {
    const end = this.#replacements.indexOf(0, start);
    return this.#decoder.decode(
      this.#replacements.subarray(start, end < 0 ? this.#replacements.length : end),
    );
  }
}
