/** A byte order mark, white space, an XML declaration and comments: what may stand before a tag. */
const PROLOGUE = /^\ufeff?(?:\s|<\?[\s\S]*?\?>|<!--[\s\S]*?-->)*/;

/** A tag's beginning. A name with a colon is left out: `<lora:style:0.8>` is no XML. */
const TAG = /^<\/?[\p{L}_][\p{L}\p{N}\p{M}_.-]*(?=[\s/>])/u;

/** Two equal eyes around a mouth: Danbooru's `<o>_<o>`. */
const FACE = /^(<\w+>)_\1/;

/** How many characters from the start of a text are no content. */
export function prologueLength(text: string): number {
  return PROLOGUE.exec(text)![0].length;
}

/**
 * Whether a prompt is meant as XML: behind white space, comments and an XML declaration it begins
 * with `<name` or `</name`, followed by white space, `/` or `>`.
 *
 * So `>_<, 1girl`, `<3`, `<|>_<|>` and `<lora:style:0.8>, 1girl` are plain text, and so is a
 * sentence with tags further in. `<o>_<o>` is the one face that looks like a tag.
 */
export function isXml(text: string): boolean {
  const start = text.slice(prologueLength(text));
  return TAG.test(start) && !FACE.test(start);
}
