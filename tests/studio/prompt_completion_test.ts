import assert from "node:assert/strict";
import { KnownWords } from "../../src/studio/known_words.ts";
import { completePrompt } from "../../src/studio/prompt_completion.ts";
import { TagList } from "../../src/tags/mod.ts";

const words = await KnownWords.read("models/demo/words.json");
const tag = (name: string, count: number, ...aliases: string[]) => ({
  name,
  category: 0,
  count,
  aliases,
});
const tags = new TagList([
  tag("long_hair", 500),
  tag("looking_at_viewer", 400, "looking_at_camera"),
  tag("longhair_cat", 3),
  tag("saber_(fate)", 20, "arturia"),
]);
const candidates = (line: string, before = "") =>
  completePrompt(line, before, { words, tags }).candidates;

Deno.test("a tag is completed from the demo's words and from the person's list, the most used first", () => {
  const { typed, candidates } = completePrompt("1girl, lon", "", { tags });
  assert.equal(typed, "lon");
  assert.deepEqual(candidates, ["long_hair", "longhair_cat"]);
  assert(completePrompt("1girl, blue_h", "", { words }).candidates.includes("blue_hair"));
});

Deno.test("an alias leads to the name, and a misspelt tag to those that come near", () => {
  assert.deepEqual(candidates("artur"), ["saber_(fate)"]);
  assert.deepEqual(completePrompt("logn_hair", "", { tags }).candidates, ["long_hair"]);
  assert(candidates("<appearance>bleu_hair").includes("blue_hair"));
  assert.deepEqual(candidates("zz"), []);
});

Deno.test("what is typed with spaces is completed with spaces", () => {
  const { typed, candidates } = completePrompt("1girl, looking at v", "", { tags });
  assert.equal(typed, "looking at v");
  assert.deepEqual(candidates, ["looking at viewer"]);
});

Deno.test("behind < stand the elements of the model, and behind </ the one that is open", () => {
  assert.deepEqual(candidates("<app"), ["appearance>"]);
  assert.deepEqual(candidates("<n>miku</n><posit"), ["position>"]);
  assert.deepEqual(candidates("<backgruond"), ["background>"]);
  assert.deepEqual(candidates("<char"), ["character_1", "character_2"]);
  assert.deepEqual(candidates("smile</", "<character_1>\n<expression>"), ["expression>"]);
  assert.deepEqual(candidates("</ch", "<character_1>\n<n>miku</n>"), ["character_1>"]);
  assert.deepEqual(candidates("</"), []);
});

Deno.test("where nothing is typed yet, nothing is offered", () => {
  for (const line of ["", "1girl, ", "<", "<n>", "\t"]) {
    assert.deepEqual(candidates(line), [], line);
  }
});

Deno.test("what is longer than any tag is compared with none, and stray ends close nothing", () => {
  assert.deepEqual(candidates("long_hair".repeat(20)), []);
  assert.deepEqual(candidates("</", "<a><b></c></c><d></b></e>"), ["a>"]);
});
