import { listItems } from "../prompt/mod.ts";

/** A count, or a tag with an underscore: what the words of a sentence are not. */
const TAG_ALONE = /^\d\+?(?:girl|boy|other)s?$|[^_]_[^_]/;
const OPENING = /^[([{]+/;
const CLOSING = /(?<!\\)[)\]}]+$/;
/** `:1.2` behind a tag; `re:zero` is a name. */
const WEIGHT = /(?<=[\p{L}\p{N})]):[-+]?\d{0,3}\.?\d{1,4}$/u;

/**
 * The tags of a list, without the weights and escapes of other programs: `(((blue_hair, smile)))`,
 * `(blue_hair:1.2)`, `saber_\\(fate\\)`. Without a comma, the spaces part tags that have underscores.
 */
export function plainItems(text: string): readonly string[] {
  const items = listItems(text).flatMap((item) => {
    const words = item.split(/\s+/);
    const isSpaced = words.length > 2 && !/[,，、]/.test(text) &&
      words.filter((word) => TAG_ALONE.test(word)).length > 1;
    return isSpaced ? words : [item];
  });
  return items.map(withoutWeight).filter((tag) => tag !== "");
}

/** Faces such as `:)` and `(o)_(o)` keep their brackets, and so do names such as `saber_(fate)`. */
function withoutWeight(written: string): string {
  const tag = written.replaceAll(/\\(?=[()])/g, "");
  if (!/\p{L}{2}/u.test(tag)) return tag;
  const opening = OPENING.exec(tag)?.[0].length ?? 0;
  const inner = tag.slice(opening);
  // Closing brackets that belong to an opening one further in are the tag's own.
  const own = countOf(inner, /[([{]/g) - countOf(inner.replace(CLOSING, ""), /[)\]}]/g);
  const closing = Math.max(0, (CLOSING.exec(inner)?.[0].length ?? 0) - Math.max(0, own));
  const plain = inner.slice(0, inner.length - closing).trim();
  return plain.replace(WEIGHT, "").trim();
}

function countOf(text: string, marks: RegExp): number {
  return text.match(marks)?.length ?? 0;
}
