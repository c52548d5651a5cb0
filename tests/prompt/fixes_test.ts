/** Expected texts are what a person makes of the prompt after reading the suggestion. */
import assert from "node:assert/strict";
import { checkPrompt, type PromptEdit } from "../../src/prompt/mod.ts";

function mended(prompt: string, code: string): string | undefined {
  const { diagnostics } = checkPrompt(prompt, { fixes: true });
  const found = diagnostics.find((diagnostic) => diagnostic.code === code);
  assert(found !== undefined, `${code} is not among ${diagnostics.map(({ code }) => code)}`);
  return found.fix && applied(prompt, found.fix);
}

function applied(prompt: string, edits: readonly PromptEdit[]): string {
  return [...edits].sort((a, b) => b.offset - a.offset).reduce(
    (text, { offset, length, text: own }) =>
      text.slice(0, offset) + own + text.slice(offset + length),
    prompt,
  );
}

const CASES: readonly (readonly [code: string, before: string, after: string | undefined])[] = [
  [
    "unclosed-inside",
    "<character_1><n>miku</character_1>",
    "<character_1><n>miku</n></character_1>",
  ],
  [
    "unclosed-tag",
    "<character_1><n>miku</n>\n",
    "<character_1><n>miku</n></character_1>\n",
  ],
  [
    "unknown-tag",
    "<character_1><apearance>blue_hair</apearance></character_1>",
    "<character_1><appearance>blue_hair</appearance></character_1>",
  ],
  [
    "misnamed-tag",
    "<character_1><n>miku</nn></character_1>",
    "<character_1><n>miku</n></character_1>",
  ],
  [
    "misspelt-closing-tag",
    "<character_1><appearance>blue_hair</apperance></character_1>",
    "<character_1><appearance>blue_hair</appearance></character_1>",
  ],
  [
    "stray-closing-tag",
    "<general_tags><style>anime</style></general_tags></style>",
    "<general_tags><style>anime</style></general_tags>",
  ],
  [
    "duplicate-character",
    "<character_1><n>a</n></character_1><character_1><n>b</n></character_1>",
    "<character_1><n>a</n></character_1><character_2><n>b</n></character_2>",
  ],
  [
    "weighted-tag",
    "<character_1><appearance>(blue_hair:1.2), smile</appearance></character_1>",
    "<character_1><appearance>blue_hair, smile</appearance></character_1>",
  ],
  ["weighted-tag", "<caption>（蓝发：1.2）, a</caption>", "<caption>蓝发, a</caption>"],
  ["weighted-tag", "<caption>1.3::red_eyes::, a</caption>", "<caption>red_eyes, a</caption>"],
  ["weighted-tag", "<caption>(long hair)++, a</caption>", "<caption>long hair, a</caption>"],
  ["weighted-tag", "<caption>(smile : -0.5), a</caption>", "<caption>smile, a</caption>"],
  [
    "literal-entity",
    "<caption>a&nbsp;b</caption>",
    "<caption>a b</caption>",
  ],
  [
    "embedding-name",
    "<general_tags><other>sky, embedding:bad, sea</other></general_tags>",
    "<general_tags><other>sky, sea</other></general_tags>",
  ],
  [
    "escaped-parenthesis",
    "<character_1><n>saber \\(fate\\)</n></character_1>",
    "<character_1><n>saber (fate)</n></character_1>",
  ],
  [
    "break-word",
    "<general_tags><other>sky, BREAK, sea</other></general_tags>",
    "<general_tags><other>sky, sea</other></general_tags>",
  ],
  [
    "count-mismatch",
    "<general_tags><count>1girl</count></general_tags><character_1><gender>1girl</gender></character_1><character_2><gender>1girl</gender></character_2>",
    "<general_tags><count>2girls</count></general_tags><character_1><gender>1girl</gender></character_1><character_2><gender>1girl</gender></character_2>",
  ],
  // Which of the two is right, only a person knows.
  [
    "duplicate-name",
    "<character_1><n>miku</n></character_1><character_2><n>miku</n></character_2>",
    undefined,
  ],
];

for (const [code, before, after] of CASES) {
  Deno.test(`the fix of ${code} ${after === undefined ? "is left to the person" : "does what the suggestion says"}`, () => {
    assert.equal(mended(before, code), after);
    if (after !== undefined) {
      const left = checkPrompt(after).diagnostics.map(({ code }) => code);
      assert(!left.includes(code), "it is still there");
    }
  });
}

Deno.test("fixes come only where they are asked for", () => {
  const { diagnostics } = checkPrompt("<character_1><n>miku</character_1>");
  assert(diagnostics.length > 0);
  assert(diagnostics.every((diagnostic) => !("fix" in diagnostic)));
});
