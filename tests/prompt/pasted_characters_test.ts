/** What comes along with text that is copied from web pages, chats and other programs. */
import assert from "node:assert/strict";
import { checkPrompt, readLoraTags, renderDiagnostics } from "../../src/prompt/mod.ts";

const XML = "<character_1><n>a</n></character_1>";
const codesOf = (prompt: string) => checkPrompt(prompt).diagnostics.map(({ code }) => code);

/** Names from Unicode's NamesList.txt. */
const INVISIBLE: Readonly<Record<string, string>> = {
  "\u00a0": "no-break space",
  "\u200b": "zero width space",
  "\u200e": "left-to-right mark",
  "\u200f": "right-to-left mark",
  "\u2060": "word joiner",
  "\u202e": "right-to-left override",
  "\u2066": "left-to-right isolate",
  "\u00ad": "soft hyphen",
  "\ufeff": "byte order mark",
};

for (const [character, name] of Object.entries(INVISIBLE)) {
  Deno.test(`a ${name} is told by its name and place, and becomes no element`, () => {
    const code = `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    for (const [before, prompt] of [[0, character + XML], [XML.length, XML + character]] as const) {
      const { diagnostics, canonical } = checkPrompt(prompt);
      assert.equal(canonical, "<character_1>\n<n>a</n>\n</character_1>");
      assert.deepEqual(diagnostics.map(({ code, offset }) => [code, offset]), [
        ["invisible-character", before],
      ]);
      assert(diagnostics[0]!.message.includes(`${code} (${name})`), diagnostics[0]!.message);
      const [chinese] = checkPrompt(prompt, { language: "zh" }).diagnostics;
      assert(chinese!.message.includes(code) && /不可见/.test(chinese!.message));
    }
    const inside = checkPrompt(`<character_1><n>a${character}b</n></character_1>`).diagnostics;
    assert.deepEqual(inside.map(({ code, column }) => [code, column]), [
      ["invisible-character", 18],
    ]);
    assert.deepEqual(codesOf(`1girl,${character} solo`), ["invisible-character"]);
  });
}

Deno.test("joiners are part of Persian, Hindi and emoji, and long Japanese names are names", () => {
  const prompts = ["می‌خواهم", "क्‍ष", "👩‍🚀, 👨‍👩‍👧", "❤️‍🔥", "薬師寺天膳, 緋牡丹お竜"];
  for (const prompt of prompts) {
    assert.deepEqual(codesOf(prompt), [], prompt);
    assert.deepEqual(codesOf(`<character_1><n>${prompt}</n></character_1>`), [], prompt);
  }
  assert.deepEqual(codesOf("a\u200db"), ["invisible-character"]);
});

Deno.test("the advice for a full-width tag is a tag that can be written", () => {
  const advice = (prompt: string) =>
    checkPrompt(prompt).diagnostics.map(({ suggestion }) => suggestion);
  assert.deepEqual(advice("<character_1>＜n＞a＜／n＞</character_1>"), [
    "Write <n>.",
    "Write </n>.",
  ]);
  assert.deepEqual(advice("<character_1><n>a＜/n＞</character_1>"), ["Write </n>."]);
  assert(advice("<character_1><n>a</n>＜gender／＞</character_1>").includes("Write <gender/>."));
});

Deno.test("what an input method makes of the keys of < and > is read as them, titles of works are not", () => {
  for (const [opening, closing] of ["《》", "〈〉", "﹤﹥", "＜＞"].map((pair) => [...pair])) {
    const [open, close] = [`${opening}n${closing}`, `${opening}/n${closing}`];
    const { diagnostics, canonical } = checkPrompt(
      `<character_1>${open}miku${close}</character_1>`,
    );
    assert.deepEqual(diagnostics.map(({ suggestion }) => suggestion), [
      "Write <n>.",
      "Write </n>.",
    ]);
    assert.equal(canonical, "<character_1>\n<n>miku</n>\n</character_1>");
  }
  assert.deepEqual(codesOf("<character_1><n>《火影忍者》的〈鸣人〉</n></character_1>"), []);
  assert.deepEqual(readLoraTags("1girl, 《lora：night：0.8》").loras, [{
    name: "night",
    weight: 0.8,
  }]);
});

Deno.test("what is not seen between elements is told of, and no text beside them", () => {
  const prompt = "<character_1>\u200b<n>a</n>\u2060\n</character_1>";
  assert.deepEqual(codesOf(prompt), ["invisible-character", "invisible-character"]);
  assert.equal(checkPrompt(prompt).canonical, "<character_1>\n<n>a</n>\n</character_1>");
});

Deno.test("the carets for stray text stand under it, also behind wide characters", () => {
  const prompt = "<character_1><n>初音</n></character_1> \u200b余分 x <style>y</style>";
  const { diagnostics } = checkPrompt(prompt);
  const stray = diagnostics.find(({ code }) => code === "stray-text")!;
  assert.equal(prompt.slice(stray.offset, stray.offset + stray.length), "余分 x");
  const [, line, carets] = renderDiagnostics(prompt, [stray]).split("\n");
  const wide = (text: string) => text.replaceAll(/[\u3000-\u9fff]/g, "##");
  const start = carets!.indexOf("^");
  assert.equal(wide(line!).slice(start, start + 6), "#### x");
  assert.equal(carets!.slice(start), "^".repeat(6));
});

const NOTATIONS: Readonly<Record<string, string>> = {
  "(((blue_hair, smile)))": "weighted-tag",
  "((blue_hair))": "weighted-tag",
  "(blue_hair:1.2)": "weighted-tag",
  "BREAK": "break-word",
  "[blue|red]": "alternation",
  "[cat:dog:0.5]": "alternation",
  "<lora:name:0.8>": "lora-tag",
  "(blue_hair:-0.5)": "weighted-tag",
  "(blue_hair : 1.2)": "weighted-tag",
  "1.3::blue_hair::": "weighted-tag",
  "-1::red_hair, smile::": "weighted-tag",
  "(blue hair)1.3": "weighted-tag",
  "(blue hair)++": "weighted-tag",
  "ADDCOL": "break-word",
  "embedding:easynegative": "embedding-name",
  "<random:red,blue>": "swarm-tag",
  "<setvar[colour]:red>": "swarm-tag",
  "--ar 16:9": "option-in-prompt",
  '--negative_prompt "bad, worse"': "option-in-prompt",
  "&nbsp;": "literal-entity",
  "&eacute;": "literal-entity",
};

Deno.test("notations of other programs are each told once, for what they are", () => {
  for (const [notation, code] of Object.entries(NOTATIONS)) {
    const prompt = `1girl, ${notation}, solo`;
    const { diagnostics } = checkPrompt(prompt);
    assert.deepEqual(diagnostics.map(({ code }) => code), [code], notation);
    const { offset, length } = diagnostics[0]!;
    assert.equal(prompt.slice(offset, offset + length), notation);
  }
  const all = `1girl, ${Object.keys(NOTATIONS).join(", ")}`;
  assert.deepEqual(codesOf(all), Object.values(NOTATIONS));
  const plains = [
    "breakfast, BREAKING",
    "saber_(fate)",
    "(o)_(o), |_|",
    ":[, [x]",
    "ROCK AND ROLL, salt and pepper",
    "(smile :3), re::zero, 12:30::",
    "a--ar, -- no, --unknown 3",
    "<3 random: red>, AT&T; R&B;",
    "three Steps: up, Negative prompt",
    "saber_(fate)+, (c)+",
  ];
  for (const plain of plains) assert.deepEqual(codesOf(plain), [], plain);
});

Deno.test("words that stand between prompts elsewhere, and a picture's parameters, are told of", () => {
  assert.deepEqual(codesOf("1girl AND 1boy"), ["break-word"]);
  const pasted = "1girl\nNegative prompt: bad, (worse:1.2)\nSteps: 20, Sampler: Euler a, Seed: 1";
  assert.deepEqual(codesOf(pasted), ["picture-parameters", "picture-parameters"]);
  assert.deepEqual(codesOf("<caption>&amp; &#9829; &hearts;</caption>"), ["literal-entity"]);
  assert.deepEqual(codesOf("salt &amp; &#9829;"), ["literal-entity", "literal-entity"]);
});
