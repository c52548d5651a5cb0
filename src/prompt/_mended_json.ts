/** What may follow a backslash in a string of JSON. */
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
/** Where the string of a key ends. */
const KEY_END = /"\s*:/y;
/** Where the string of a value ends: the object ends, or another key follows. */
const VALUE_END = /"\s*(?:,?\s*[}\]]\s*(?:[,}\]]|$)|,\s*"[^"\n]{0,200}"\s*:)/y;
/** Where the string of a list's item ends. */
const ITEM_END = /"\s*[,\]]/y;
const TRAILING_COMMA = /,\s*(?=[}\]])/y;

/**
 * JSON as programs write it that put a text between two quotation marks and escape nothing of it, made
 * proper: line breaks and quotation marks inside of strings, lone backslashes, commas at the end.
 *
 * A quotation mark ends a string where what follows is what follows a string. The time it takes grows
 * with the length of the text alone.
 */
export function mendedJson(text: string): string {
  let made = "";
  /** The brackets that are open, and whether a key comes next in the innermost. */
  const open: string[] = [];
  let isKeyNext = false;
  const matches = (pattern: RegExp, at: number): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') {
      const isItem = open.at(-1) === "[";
      const end = isItem ? ITEM_END : isKeyNext ? KEY_END : VALUE_END;
      const begin = ++at;
      while (at < text.length && !(text[at] === '"' && matches(end, at) !== undefined)) {
        at += matches(ESCAPE, at)?.length ?? 1;
      }
      made += JSON.stringify(unescaped(text.slice(begin, at)));
      continue;
    }
    if (character === ",") {
      isKeyNext = open.at(-1) === "{";
      if (matches(TRAILING_COMMA, at) !== undefined) continue;
    } else if (character === "{" || character === "[") {
      open.push(character);
      isKeyNext = character === "{";
    } else if (character === "}" || character === "]") {
      open.pop();
      isKeyNext = false;
    } else if (character === ":") isKeyNext = false;
    made += character;
  }
  return made;
}

/** What a string of JSON says; a backslash that begins no escape is text. */
function unescaped(text: string): string {
  return text.replace(new RegExp(ESCAPE, "g"), (escape) => JSON.parse(`"${escape}"`));
}
