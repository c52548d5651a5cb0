/** Expected objects are written out by hand from the rule in parseXmlPrompt's documentation. */
import assert from "node:assert/strict";
import { parseXmlPrompt, XmlPromptError } from "../../src/prompt/mod.ts";

Deno.test("lists become arrays, single values strings, elements objects", () => {
  assert.deepEqual(
    parseXmlPrompt(`
      <character_1>
        <n>miku</n>
        <gender>1girl</gender>
        <appearance>blue_hair, long_twintails</appearance>
        <action></action>
      </character_1>
      <general_tags><style>anime_style</style></general_tags>
      <caption>A girl sings.</caption>`),
    {
      character_1: {
        n: "miku",
        gender: "1girl",
        appearance: ["blue_hair", "long_twintails"],
        action: "",
      },
      general_tags: { style: "anime_style" },
      caption: "A girl sings.",
    },
  );
});

Deno.test("an element that occurs several times becomes one array", () => {
  assert.deepEqual(
    parseXmlPrompt("<a><x>1</x><x>2, 3</x></a><b><n>miku</n></b><b><n>rin</n></b>"),
    { a: { x: ["1", "2", "3"] }, b: [{ n: "miku" }, { n: "rin" }] },
  );
});

Deno.test("attributes and text beside elements have keys of their own", () => {
  assert.deepEqual(
    parseXmlPrompt('<a w="2">x, y</a><b>solo<c>z</c></b><d v="1"/>'),
    { a: { "@w": "2", "#text": ["x", "y"] }, b: { c: "z", "#text": "solo" }, d: { "@v": "1" } },
  );
});

Deno.test("an element parts the text on its two sides", () => {
  assert.deepEqual(parseXmlPrompt("<a>x<b>z</b>y</a>"), { a: { b: "z", "#text": ["x", "y"] } });
});

Deno.test("no element's name reaches the prototype", () => {
  const found = parseXmlPrompt("<__proto__><polluted>yes</polluted></__proto__>");
  assert.deepEqual(Object.keys(found), ["__proto__"]);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  assert.equal((found as Record<string, unknown>)["polluted"], undefined);
});

Deno.test("plain text is refused", () => {
  assert.throws(() => parseXmlPrompt("1girl, >_<"), XmlPromptError);
});
