/**
 * Whether a wildcard's name matches a pattern as Python's `fnmatch` has it: `*` is any text, slashes
 * too, `?` one character, `[abc]`, `[a-c]` and `[!a]` one of a set.
 *
 * A star takes as little as it can and goes on by one where the rest does not fit, so that the time
 * is at most the product of both lengths.
 */
export function matchesName(name: string, pattern: string): boolean {
  const characters = [...name];
  const tokens = tokensOf(pattern);
  let [at, token] = [0, 0];
  let star: { readonly token: number; at: number } | undefined;
  while (at < characters.length) {
    const wanted = tokens[token];
    if (wanted === "star") {
      star = { token: ++token, at };
    } else if (wanted?.(characters[at]!)) {
      at++;
      token++;
    } else if (star !== undefined) {
      at = ++star.at;
      token = star.token;
    } else {
      return false;
    }
  }
  return tokens.slice(token).every((rest) => rest === "star");
}

/** Whether a text is a pattern and not a plain name. */
export function isPattern(text: string): boolean {
  return /[*?[]/.test(text);
}

type Token = "star" | ((character: string) => boolean);

function tokensOf(pattern: string): Token[] {
  const characters = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    // The first character of a set may be the bracket that closes others.
    const end = character === "["
      ? characters.indexOf("]", at + (characters[at + 1] === "!" ? 3 : 2))
      : -1;
    if (character === "*") tokens.push("star");
    else if (character === "?") tokens.push(() => true);
    else if (end < 0) tokens.push((other) => other === character);
    else {
      tokens.push(setOf(characters.slice(at + 1, end)));
      at = end;
    }
  }
  return tokens;
}

function setOf(characters: readonly string[]): (character: string) => boolean {
  const isNegated = characters[0] === "!";
  const members = isNegated ? characters.slice(1) : characters;
  const has = (character: string) => {
    for (let at = 0; at < members.length; at++) {
      const isRange = members[at + 1] === "-" && at + 2 < members.length;
      const last = isRange ? members[at + 2]! : members[at]!;
      if (character >= members[at]! && character <= last) return true;
      if (isRange) at += 2;
    }
    return false;
  };
  return (character) => has(character) !== isNegated;
}
