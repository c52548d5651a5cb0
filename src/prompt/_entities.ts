/** What may be written for a character. */
const NAMED: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

const ENTITY = /&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,8})|#x([0-9A-Fa-f]{1,8}));/g;

/** XML's characters: no controls but tab and line ends, no halves of pairs, no U+FFFE and U+FFFF. */
const isXmlCharacter = (code: number): boolean =>
  code === 0x9 || code === 0xa || code === 0xd || code >= 0x20 && code <= 0xd7ff ||
  code >= 0xe000 && code <= 0xfffd || code >= 0x10000 && code <= 0x10ffff;

/**
 * Text with XML's five entities and character numbers replaced by their characters. Each stands for
 * one character, so nothing can grow. Any other `&`, as in `AT&T;` and `&nbsp;`, stays as it is.
 */
export function resolveEntities(text: string): string {
  return text.replace(ENTITY, (written, name?: string, decimal?: string, hex?: string) => {
    if (name !== undefined) return NAMED[name]!;
    const code = decimal === undefined ? parseInt(hex!, 16) : parseInt(decimal, 10);
    return isXmlCharacter(code) ? String.fromCodePoint(code) : written;
  });
}

/** HTML's names that are pasted most. XML does not know the others. */
const PASTED =
  /&(?:(nbsp|emsp|ensp|thinsp|amp|lt|gt|quot|apos)|(?:hearts|copy|reg|trade|hellip|star|times|middot|bull|[mn]dash|[lr][sd]quo|[aeiou](?:acute|grave|circ|uml)|ntilde|ccedil|#\d{1,8}|#x[\dA-Fa-f]{1,8}));/g;

/** An entity that stays text, with what it stands for where that is known. */
export interface LiteralEntity {
  readonly written: string;
  readonly index: number;
  readonly meant: string | undefined;
}

/**
 * The entities that are read letter by letter.
 *
 * @param isXml Whether XML's own are read as their characters.
 */
export function literalEntities(text: string, isXml: boolean): readonly LiteralEntity[] {
  return [...text.matchAll(PASTED)].flatMap(({ 0: written, 1: name, index }) => {
    const resolved = resolveEntities(written);
    if (isXml && resolved !== written) return [];
    const meant = resolved !== written ? resolved : name === undefined ? undefined : " ";
    return [{ written, index, meant }];
  });
}

/** Text in which each `&` that would be read as an entity is written as one. */
export function escapeEntities(text: string): string {
  return text.replace(
    ENTITY,
    (written) => resolveEntities(written) === written ? written : `&amp;${written.slice(1)}`,
  );
}
