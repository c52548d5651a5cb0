/** The evaluation set says the same in XML, in flat tags, and in what is compared with pictures. */
import assert from "node:assert/strict";
import { type Looks, type Position, POSITIONS } from "../../bench/eval/attributes.ts";
import { readEvalSet, readGroundTruth } from "../../bench/eval/eval_set.ts";
import { canonicalPrompt, parseXmlPrompt, type XmlPromptObject } from "../../src/prompt/mod.ts";

const scenes = await readEvalSet();
const GARMENTS = ["skirt", "jacket", "hoodie", "dress", "kimono", "shirt", "coat"];
const HATS = ["beret", "witch_hat", "straw_hat"];

/** The tags that must be said of a character. */
function tagsOf({ hair, eyes }: Looks): string[] {
  return [`${hair}_hair`, `${eyes}_eyes`];
}

/** The XML's tags about the character on that side. */
function tagsAt(xml: string, place: Position): string[] {
  const prompt = parseXmlPrompt(xml);
  const characters = ["character_1", "character_2"].map((name) => prompt[name] as XmlPromptObject);
  const there = characters.filter(({ position }) => String(position).endsWith(place));
  assert.equal(there.length, 1);
  const { appearance, clothing } = there[0]!;
  return [appearance, clothing].flat().map(String);
}

Deno.test("there are 500 scenes, each with its own name and noise", () => {
  assert.equal(scenes.length, 500);
  assert.equal(new Set(scenes.map(({ id }) => id)).size, 500);
  assert.equal(new Set(scenes.map(({ seed }) => seed)).size, 500);
  assert.equal(scenes.filter(({ ordered }) => ordered).length, 250);
});

Deno.test("XML prompts are canonical, and say of each character what is measured", () => {
  for (const { id, prompts, truth } of scenes) {
    assert.equal(canonicalPrompt(prompts.xml), prompts.xml, id);
    for (const place of POSITIONS) {
      const looks = truth[place];
      const tags = tagsAt(prompts.xml, place);
      for (const tag of tagsOf(looks)) assert(tags.includes(tag), `${id} ${place} ${tag}`);
      const garment = GARMENTS.some((name) => tags.includes(`${looks.clothing}_${name}`));
      assert(garment, `${id} ${place} ${looks.clothing}`);
      const skin = tags.find((tag) => tag === "tan" || tag === "dark_skin") ?? "fair_skin";
      assert.equal(skin.replace("_skin", ""), looks.skin, `${id} ${place}`);
      assert.equal(tags.includes("cat_ears"), looks.cat_ears, `${id} ${place}`);
      assert.equal(tags.includes("glasses"), looks.glasses, `${id} ${place}`);
      assert.equal(tags.some((tag) => HATS.includes(tag)), looks.hat, `${id} ${place}`);
    }
  }
});

Deno.test("flat tags say the same without telling whose, and half of them are in no order", () => {
  for (const { id, prompts, truth, ordered } of scenes) {
    const tags = prompts.tags.split(", ");
    assert(!tags.some((tag) => /<|^(center_)?(left|right)$/.test(tag)), id);
    const [left, right] = POSITIONS.map((place) =>
      tagsOf(truth[place]).map((tag) => tags.indexOf(tag))
    ) as [number[], number[]];
    assert([...left, ...right].every((index) => index >= 0), id);
    if (ordered) assert(Math.max(...left) < Math.min(...right), id);
  }
});

Deno.test("two characters never share the colour of hair, eyes or clothes", () => {
  for (const { id, truth: { left, right } } of scenes) {
    for (const name of ["hair", "eyes", "clothing"] as const) {
      assert.notEqual(left[name], right[name], `${id} ${name}`);
    }
  }
});

Deno.test("the evaluation set and its pictures stay small", async () => {
  const { size: prompts } = await Deno.stat("bench/eval/prompts.jsonl");
  const { size: pictures } = await Deno.stat("bench/eval/ground_truth.png");
  assert(prompts <= 600_000 && pictures <= 2_000_000, `${prompts} and ${pictures} bytes`);
  assert.equal((await readGroundTruth()).length, 48);
});
