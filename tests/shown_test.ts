/** What is foreign is visible. The characters' meanings are Unicode's (UAX #9, #44, UTS #51). */
import assert from "node:assert/strict";
import { MOST_SHOWN, shown, visible } from "../src/shown.ts";

const HOSTILE: Readonly<Record<string, string>> = {
  "an escape sequence": "\x1b[31m",
  "a title and its bell": "\x1b]0;title\x07",
  "an eight-bit escape": "\x9b31m",
  "a line break": "a\nb",
  "a carriage return": "a\rb",
  "a backspace": "a\bb",
  "a line separator": "a\u2028b",
  "a paragraph separator": "a\u2029b",
  "an override of direction": "a\u202eb",
  "an isolate": "a\u2067b",
  "a mark of direction": "a\u200fb",
  "a space without width": "a\u200bb",
  "a byte order mark": "a\ufeffb",
  "a soft hyphen": "a\u00adb",
  "a filler": "a\u3164b",
  "a joiner between Latin letters": "a\u200db",
  "a tag without a flag": "a\u{e0041}b",
  "half a surrogate pair": "a\ud800b",
};

for (const [what, text] of Object.entries(HOSTILE)) {
  Deno.test(`${what} is shown as its escape`, () => {
    const result = shown(text);
    assert.match(result, /\\(?:u[0-9a-f]{4}|n|r|t)/);
    assert.doesNotMatch(result, /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
    // Nothing is lost: JSON reads the escapes as what they stand for.
    assert.equal(JSON.parse(`"${result}"`), text);
  });
}

const READABLE: Readonly<Record<string, string>> = {
  "Persian with its non-joiner": "می‌خواهم",
  "Hindi with a joiner": "क्‍ष",
  "a family of emoji": "👩‍👩‍👧‍👦",
  "an emoji with a skin tone and a profession": "👨🏽‍💻",
  "a heart with its selector": "❤️",
  "a keycap": "1️⃣",
  "the flag of England": "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
  "a Han character with its variant": "葛󠄀",
  "Vietnamese in composed accents": "Vie\u0302\u0323t Nam",
  "a long Japanese name": "魔法少女まどか☆マギカ 叛逆の物語 – ほむらちゃん（私服）",
  "a Windows path": "C:\\Users\\новый\\a b.png",
};

for (const [what, text] of Object.entries(READABLE)) {
  Deno.test(`${what} is shown as it is`, () => {
    assert.equal(shown(text), text);
  });
}

Deno.test("what was shown once is not changed by showing it again", () => {
  for (const text of [...Object.values(HOSTILE), ...Object.values(READABLE)]) {
    assert.equal(visible(visible(text)), visible(text));
  }
});

Deno.test("of a long text the beginning and the end are shown, and characters stay whole", () => {
  const text = `begin${"👩".repeat(10_000)}end`;
  const result = shown(text);
  assert.equal(Array.from(result).length, MOST_SHOWN);
  assert(result.startsWith("begin👩") && result.endsWith("👩end"));
  assert.match(result, /👩…👩/u);
});

Deno.test("a text of many megabytes is bounded without being gone through", () => {
  const result = shown("\x1b".repeat(50_000_000));
  assert(Array.from(result).length <= MOST_SHOWN);
  assert.doesNotMatch(result, /\p{Cc}/u);
});

Deno.test("accents piled on one character cannot be drawn over other lines", () => {
  assert.equal(shown(`a${"\u0301".repeat(50)}`).match(/\u0301/gu)?.length, 4);
});
