import type { SentencePiece } from "./_sentencepiece_model.ts";

/** Two pieces that become one. */
export type Merge = readonly [left: string, right: string];

/**
 * The merges of a SentencePiece BPE, most urgent first.
 *
 * SentencePiece has none: it joins whichever neighbours make the piece of the highest score. The
 * same comes of a list of every way in which a piece is two others, by falling score; where scores
 * are equal, longer left and then longer right parts come first, counted in characters. That is the
 * order of transformers' `generate_merges`, and of the tokenizer.json published with Gemma 3.
 */
export function deriveMerges(pieces: readonly SentencePiece[]): Merge[] {
  const known = new Set(pieces.map(({ piece }) => piece));
  const ordered = pieces.toSorted((a, b) => b.score - a.score);
  const merges: Merge[] = [];
  for (let start = 0; start < ordered.length;) {
    const { score } = ordered[start]!;
    let end = start + 1;
    while (ordered[end]?.score === score) end++;
    const equal = ordered.slice(start, end).flatMap(({ piece }) => splitsOf(piece, known));
    // Nearly every score belongs to one piece only, and the ways to make that piece are in order
    // already.
    if (end - start > 1) equal.sort(byLength);
    for (const merge of equal) merges.push(merge);
    start = end;
  }
  return merges;
}

/** Every way in which a piece is two others, those with a longer left part first. */
function splitsOf(piece: string, known: ReadonlySet<string>): Merge[] {
  const splits: Merge[] = [];
  for (let at = piece.length - 1; at > 0; at--) {
    const left = piece.slice(0, at);
    if (!known.has(left)) continue;
    const right = piece.slice(at);
    if (known.has(right)) splits.push([left, right]);
  }
  return splits;
}

const byLength = (a: Merge, b: Merge) =>
  countCharacters(b[0]) - countCharacters(a[0]) || countCharacters(b[1]) - countCharacters(a[1]);

/** Half of a surrogate pair is no piece, so both parts are whole characters. */
const countCharacters = (text: string) => Array.from(text).length;
