/**
 * Expected faults are what a person who reads the prompt would say; the places are counted by hand,
 * or marked in the prompt.
 */
import assert from "node:assert/strict";
import { NEWBIE } from "../../src/families/mod.ts";
import { checkPrompt, type PromptDiagnostic, type PromptEncoder } from "../../src/prompt/mod.ts";

/** The diagnostics of a prompt in which «…» marks what they are about; the marks are taken out. */
function marked(text: string): { found: readonly PromptDiagnostic[]; places: string[] } {
  const plain = text.replaceAll(/[«»]/g, "");
  return {
    found: checkPrompt(plain).diagnostics,
    places: [...text.matchAll(/«([^»]*)»/g)].map(({ 1: place }) => place!),
  };
}

/** Prompts with one warning each, at the marked place. */
const WARNINGS: readonly (readonly [code: string, text: string, says: RegExp])[] = [
  [
    "unknown-tag",
    "<character_1>«<apearance>»x</apearance></character_1>",
    /Did you mean <appearance>\?/,
  ],
  ["unknown-tag", "«<General_Tags>»<a>x</a></General_Tags>", /Did you mean <general_tags>\?/],
  ["unknown-tag", "«<character1>»<a>x</a></character1>", /Did you mean <character_1>\?/],
  ["unknown-tag", "«<charactor_2>»<a>x</a></charactor_2>", /Did you mean <character_2>\?/],
  ["unknown-tag", "<character_1>«<name>»miku</name></character_1>", /Did you mean <n>\?/],
  ["unknown-tag", "<general_tags>«<backgroud>»x</backgroud></general_tags>", /<background>/],
  [
    "duplicate-character",
    "<character_1><n>a</n></character_1>\n«<character_1>»<n>b</n></character_1>",
    /line 1.*<character_2>/,
  ],
  [
    "duplicate-name",
    "<character_1><n>miku</n></character_1>\n<character_2>«<n>miku</n>»</character_2>",
    /called miku.*line 1/,
  ],
  ["outside-character", "«<appearance>»blue_hair</appearance>", /<appearance> belongs/],
  ["outside-character", "<general_tags>«<n>»x</n></general_tags>", /<n> belongs/],
  ["outside-character", "<img>«<action>»x</action></img>", /<action> belongs/],
  [
    "nested-character",
    "<character_1>«<character_2>»<n>a</n></character_2></character_1>",
    /Close <character_1> before it/,
  ],
  ["empty-element", "<general_tags>«<style></style>»</general_tags>", /<style> is empty/],
  ["empty-element", "<general_tags>«<style> , </style>»</general_tags>", /<style> is empty/],
  ["empty-element", "<a>«<b/>»x</a>", /<b> is empty/],
  ["stray-text", "<a>x</a>\n «best quality» \n<b>y</b>", /outside of every element/],
  ["stray-text", "«1girl, solo,» <character_1><n>a</n></character_1>", /outside/],
  ["loose-text", "«<character_1>»miku<gender>1girl</gender></character_1>", /beside elements/],
  ["tags-in-text", "1girl, «<n>»miku</n>", /plain text/],
  ["full-width-tag", "<a>x</a>«＜style／＞»<b>x</b>", /Write <style\/>/],
  ["not-a-tag", "<a>x«</1girl>»</a>", /read as text/],
  [
    "unpaired-tag",
    "<caption>a «<very>» small hat</caption>",
    /<very> is never closed.* read as text/,
  ],
  ["unpaired-tag", "<caption>a small hat«</i>»</caption>", /<\/i> closes nothing.* read as text/],
  ["misspelt-closing-tag", "<style>x«</stlye>»", /read as <\/style>/],
  ["closing-tag-content", "<a>x«</a b>»", /read as <\/a>/],
  ["attribute-value", "<a «b»>x</a>", /no value/],
  ["attribute-quotes", "<a «b=c»>x</a>", /not quoted.*b="c"/],
  ["attribute-name", "<a «1»>x</a>", /no name of an attribute/],
  ["duplicate-attribute", "<a b='1' «b='2'»>x</a>", /given twice.*first/],
  ["weighted-tag", "<a>x, «(blue_hair:1.2)»</a>", /no weights.*\(blue_hair:1\.2\)/],
  ["weighted-tag", "<a>«(blue_hair, long_hair:0.8)»</a>", /no weights/],
  ["weighted-tag", "<a>«((smile))», x</a>", /no weights/],
  ["weighted-tag", "«{{smile}}», x", /no weights/],
  ["weighted-tag", "x, «[blue_hair]»", /no weights/],
  ["weighted-tag", "«（蓝发：1.2）»", /no weights/],
  ["escaped-parenthesis", "<a>«saber_\\(fate\\)»</a>", /Write saber_\(fate\)/],
  ["lora-tag", "<a>x «<lora:style:0.8>»</a>", /asks for an adapter/],
  ["lora-tag", "<a>x «<lora:style:0.8», smile</a>", /asks for no adapter/],
  ["lora-tag", "1girl, «< lora:style:0.8 >», smile", /asks for no adapter/],
  ["lora-tag", "<a>x «<hypernet:style:0.8>»</a>", /no hypernetworks/],
  ["control-character", "<a>x«\u0007»</a>", /U\+0007/],
];

for (const [code, text, says] of WARNINGS) {
  Deno.test(`${code} in ${JSON.stringify(text)}`, () => {
    const { found, places: [place] } = marked(text);
    const plain = text.replaceAll(/[«»]/g, "");
    const told = found.filter((diagnostic) =>
      // An empty full-width element is empty, too.
      diagnostic.code !== "empty-element" || code === "empty-element"
    );
    assert.deepEqual(told.map(({ code }) => code), [code]);
    const [{ severity, message, suggestion, offset, length }] = told as [PromptDiagnostic];
    assert.equal(severity, "warning");
    assert.equal(plain.slice(offset, offset + length), place);
    assert.equal(offset, text.indexOf("«"));
    assert.match(`${message} ${suggestion}`, says);
    assert(checkPrompt(plain).canonical !== undefined);
  });
}

/** Characters of these genders, and a count. */
function counted(genders: readonly string[], count: string): string {
  const characters = genders.map((gender, index) =>
    `<character_${index + 1}><gender>${gender}</gender><action>x</action></character_${index + 1}>`
  );
  return `${characters.join("")}<general_tags><count>${count}</count></general_tags>`;
}

const COUNTS: readonly (readonly [genders: readonly string[], count: string, wrong?: string])[] = [
  [["1girl"], "1girl, solo"],
  [["1girl"], "2girls", "2girls"],
  [["1girl", "1girl"], "2girls, multiple_girls"],
  [["1girl", "1girl"], "multiple_girls"],
  [["1girl"], "multiple girls", "multiple girls"],
  [["1girl", "1girl"], "1girl", "1girl"],
  [["1girl", "1boy"], "1girl, 1boy"],
  [["1girl", "1boy"], "1girl", "1girl"],
  [["1girl", "1boy"], "2girls", "2girls"],
  [["1girl", "1girl"], "2girls, solo", "solo"],
  [["1girl"], "6+girls"],
  [["female", "male"], "1boy, 1girl"],
  [["", ""], "2girls"],
  [["", "1boy"], "1girl, 1boy"],
  [["", ""], "1girl, 2boys", "1girl, 2boys"],
  [[], "2girls"],
  [["1girl"], "masterpiece"],
  [["1girl", "1other"], "1girl, 1other"],
];

for (const [genders, count, wrong] of COUNTS) {
  const verdict = wrong === undefined ? "agrees with" : "contradicts";
  Deno.test(`count ${count} ${verdict} ${JSON.stringify(genders)}`, () => {
    const text = counted(genders, count);
    const told = checkPrompt(text).diagnostics.filter(({ code }) => code === "count-mismatch");
    assert.deepEqual(
      told.map(({ offset, length }) => text.slice(offset, offset + length)),
      wrong === undefined ? [] : [wrong],
    );
  });
}

Deno.test("both <count>s of two <general_tags> count", () => {
  const text = counted(["1girl"], "1girl") + "<general_tags><count>2boys</count></general_tags>";
  assert(checkPrompt(text).diagnostics.some(({ code }) => code === "count-mismatch"));
});

Deno.test("Danbooru's own brackets and faces raise no alarm", () => {
  const tags = [
    "hatsune_miku_(vocaloid)",
    "saber_(fate)",
    "artoria pendragon (fate)",
    ":)",
    ";)",
    ">:)",
    ":(",
    "(:",
    "(o)_(o)",
    "(9)",
    "(^^^)",
    "[!?]",
    "(o:3)",
    "\\(^o^)/",
    "\\m/",
    "\\||/",
    "<o>_<o>",
    "<|>_<|>",
    ">_<",
    "<3",
    "^_^",
    "@_@",
    "re:zero_kara_hajimeru_isekai_seikatsu",
    "nier:automata",
    "16:9",
    "fate/stay_night",
    "$character_1$",
    "AT&T",
    "A girl (with blue hair) sings.",
  ];
  for (const tag of tags) {
    for (const text of [tag, `1girl, ${tag}, solo`, `<a>${tag}</a>`, `<a>x, ${tag}</a>`]) {
      assert.deepEqual(checkPrompt(text).diagnostics, [], text);
    }
  }
});

Deno.test("upstream's example raises no alarm", async () => {
  const text = await Deno.readTextFile("models/demo/health_check.xml");
  assert.deepEqual(checkPrompt(text).diagnostics, []);
});

Deno.test("errors leave no canonical text, and warnings are told beside them", () => {
  const { canonical, tokens, diagnostics } = checkPrompt("<a>(blue_hair:1.2)</b>", {
    encoders: [words("Reader", 1)],
  });
  assert.equal(canonical, undefined);
  assert.deepEqual(tokens, []);
  assert.deepEqual(diagnostics.map(({ code, severity }) => [code, severity]), [
    ["weighted-tag", "warning"],
    ["misnamed-tag", "error"],
  ]);
});

Deno.test("of many faults of a kind twenty are listed, and the last one counts the others", () => {
  const { diagnostics } = checkPrompt("</a>".repeat(1000));
  assert.equal(diagnostics.length, 20);
  assert.deepEqual(diagnostics.map(({ more }) => more), [...Array(19).fill(undefined), 980]);
});

Deno.test("messages are Chinese when that is asked for", () => {
  for (const text of ["<n>x", "<a>(blue_hair:1.2)</a>", "<!DOCTYPE a><a/>", "<a b></a c>"]) {
    const english = checkPrompt(text).diagnostics;
    const chinese = checkPrompt(text, { language: "zh" }).diagnostics;
    assert.deepEqual(
      chinese.map(({ code, offset }) => [code, offset]),
      english.map((
        { code, offset },
      ) => [code, offset]),
    );
    for (const { message, suggestion } of chinese) {
      assert.match(message, /[\u4e00-\u9fff].*。$/);
      assert.match(suggestion!, /[\u4e00-\u9fff].*[。？]$/);
    }
  }
});

/** Counts runs of letters, digits and underscores, and one token that begins every text. */
function words(name: string, maxTokens: number, readsSystemPrompt = false): PromptEncoder {
  return {
    name,
    maxTokens,
    ...(readsSystemPrompt ? { systemPrompts: NEWBIE.systemPrompts } : {}),
    countTokens: (text) => 1 + (text.match(/\w+/g)?.length ?? 0),
  };
}

Deno.test("an encoder that reads less than the prompt is told of, with the words that fall off", () => {
  const text = "<a>\n  <b>one,two</b>\n  <c>three &amp; four, five</c>\n</a>";
  // Tokens: begin, a, b, one, two, b, c, three, four, five, c, a.
  const { tokens, diagnostics } = checkPrompt(text, {
    encoders: [words("Short", 8), words("Long", 12)],
  });
  assert.deepEqual(tokens, [
    { encoder: "Short", count: 12, maxTokens: 8 },
    { encoder: "Long", count: 12, maxTokens: 12 },
  ]);
  assert.equal(diagnostics.length, 1);
  const [{ code, message, line, column }] = diagnostics as [PromptDiagnostic];
  assert.equal(code, "too-many-tokens");
  assert.match(message, /^Short reads 8 of 12 tokens; .*: four, five<\/c> <\/a>$/);
  // "four" in the prompt as typed.
  assert.deepEqual([line, column], [3, 18]);
});

Deno.test("the system prompt takes its share of what Gemma reads", () => {
  const encoders = [words("Gemma", 100, true), words("CLIP", 100)];
  const { tokens: [gemma, clip] } = checkPrompt("1girl, solo", { encoders });
  assert.equal(clip!.count, 3);
  // finetune.py's system prompt for plain text has 25 such words.
  assert.equal(gemma!.count, 3 + 25);
  assert.equal(checkPrompt("", { encoders }).tokens[0]!.count, 1);
});

Deno.test("brackets around several tags, choices and wildcards are told of, and faces are not", () => {
  const codes = (text: string) =>
    checkPrompt(`<other>${text}</other>`).diagnostics.map(({ code }) => code);
  assert.deepEqual(codes("(((masterpiece, best quality)))"), ["weighted-tag"]);
  assert.deepEqual(codes("1girl, [red_eyes, blue_hair]"), ["weighted-tag"]);
  assert.deepEqual(codes("{red|blue} hair, __hair__"), ["template", "template"]);
  for (const face of ["^__^", "(o)_(o)", "|_|", "saber_(fate), rin_(fate)", ":|, {|}"]) {
    assert.deepEqual(codes(face), [], face);
  }
});
