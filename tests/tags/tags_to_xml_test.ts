/** Expected elements: upstream's README, "XML structured prompt", and the scenes of bench/eval. */
import assert from "node:assert/strict";
import { parseXmlPrompt } from "../../src/prompt/mod.ts";
import { TagList, tagsToXml } from "../../src/tags/mod.ts";

const objectOf = (tags: string, options = {}) => parseXmlPrompt(tagsToXml(tags, options).xml);

Deno.test("one character's tags go to their elements, and none is lost or changed", () => {
  const tags = "1girl, solo, Blue_Hair, red eyes, cat_ears, school_uniform, red_hat, smile, >_<, " +
    "standing, holding_book, looking_at_viewer, left, beach, watercolor, by wlop, cozy, " +
    "rim lighting, full_body, masterpiece, 4k, book, sparkle, saber_(fate), a & b";
  const { xml, unsure, questions } = tagsToXml(tags);
  assert.deepEqual(parseXmlPrompt(xml), {
    character_1: {
      n: "saber_(fate)",
      gender: "1girl",
      appearance: ["Blue_Hair", "red eyes", "cat_ears", "a & b"],
      clothing: ["school_uniform", "red_hat"],
      expression: ["smile", ">_<"],
      action: ["standing", "holding_book", "looking_at_viewer"],
      position: "left",
    },
    general_tags: {
      count: ["1girl", "solo"],
      artist: "by wlop",
      style: "watercolor",
      background: "beach",
      perspective: "full_body",
      atmosphere: "cozy",
      lighting: "rim lighting",
      quality: ["masterpiece", "4k"],
      objects: "book",
      other: "sparkle",
    },
  });
  assert.deepEqual(unsure.map(({ tag, place }) => [tag, place]), [[
    "a & b",
    "character_1/appearance",
  ]]);
  assert.deepEqual(questions, []);
});

Deno.test("two characters are told apart by what opens them, by positions and by separators", () => {
  const lists = [
    "1girl, blue_hair, white_dress, 1boy, black_hair, red_hoodie, beach",
    "1girl, 1boy, left, blue_hair, white_dress, right, black_hair, red_hoodie, beach",
    "1girl, 1boy, blue_hair, white_dress, left, black_hair, red_hoodie, right, beach",
    "1girl, blue_hair, white_dress | 1boy, black_hair, red_hoodie | beach",
    "1girl, blue_hair, white_dress BREAK 1boy, black_hair, red_hoodie, beach",
    "1girl, blue_hair, white_dress\n\n1boy, black_hair, red_hoodie, beach",
    "miku_(vocaloid), blue_hair, white_dress, kaito_(vocaloid), black_hair, red_hoodie, 2others, beach",
  ];
  for (const list of lists) {
    const { questions } = tagsToXml(list);
    assert.deepEqual(questions, [], list);
    const { character_1, character_2, general_tags } = objectOf(list) as Record<
      string,
      Record<string, unknown>
    >;
    assert.equal(character_1?.appearance, "blue_hair", list);
    assert.equal(character_1?.clothing, "white_dress", list);
    assert.equal(character_2?.appearance, "black_hair", list);
    assert.equal(character_2?.clothing, "red_hoodie", list);
    assert.equal(general_tags?.background, "beach", list);
  }
});

Deno.test("where a list does not say whose a tag is, that is a question, and answers count", () => {
  const list = "1girl, 1boy, blue_hair, black_hair, red_hoodie, smile, beach";
  const { questions } = tagsToXml(list);
  assert.equal(questions.length, 1);
  assert.deepEqual(questions[0]!.tags, [
    "1girl",
    "1boy",
    "blue_hair",
    "black_hair",
    "red_hoodie",
    "smile",
  ]);
  assert.notEqual(questions[0]!.question.en, questions[0]!.question.zh);
  const characterOf = {
    "1girl": 2,
    "1boy": 1,
    blue_hair: 2,
    black_hair: 1,
    red_hoodie: 2,
    smile: 1,
  };
  assert.deepEqual(tagsToXml(list, { characterOf }).questions, []);
  assert.deepEqual(objectOf(list, { characterOf }), {
    character_1: {
      gender: "1boy",
      appearance: "black_hair",
      expression: "smile",
      position: "left",
    },
    character_2: {
      gender: "1girl",
      appearance: "blue_hair",
      clothing: "red_hoodie",
      position: "right",
    },
    general_tags: { count: ["1boy", "1girl"], background: "beach" },
  });
});

Deno.test("two of the same gender are two, and a place without people has no character", () => {
  const { character_1, character_2, general_tags } = objectOf(
    "2girls, red_hair, blue_hair",
  ) as Record<string, Record<string, unknown>>;
  assert.deepEqual(character_1, { gender: "1girl", appearance: "red_hair", position: "left" });
  assert.deepEqual(character_2, { gender: "1girl", appearance: "blue_hair", position: "right" });
  assert.deepEqual(general_tags, { count: "2girls" });
  const apart = objectOf("1girl, red_hair, 1girl, blue_hair, 1boy, black_hair");
  assert.deepEqual((apart as Record<string, unknown>)["general_tags"], {
    count: ["2girls", "1boy"],
  });
  assert.deepEqual(objectOf("no_humans, scenery, night_sky"), {
    general_tags: { count: "no_humans", background: ["scenery", "night_sky"] },
  });
});

Deno.test("characters of whom no place is said stand from left to right, and it is said that this is assumed", () => {
  const { xml, unsure } = tagsToXml("1girl, red_hair, 1boy, blue_hair, 1other, green_hair");
  assert.deepEqual([...xml.matchAll(/<position>(.*)<\/position>/g)].map(([, place]) => place), [
    "left",
    "center",
    "right",
  ]);
  assert.deepEqual(unsure.map(({ tag, place }) => [tag, place]), [
    ["left", "character_1/position"],
    ["center", "character_2/position"],
    ["right", "character_3/position"],
  ]);
  for (const list of ["1girl, red_hair", "1girl, red_hair, right, 1boy, blue_hair, left"]) {
    assert.deepEqual(tagsToXml(list).unsure, [], list);
  }
});

interface Scene {
  readonly xml: string;
  readonly tags: string;
  readonly ordered: boolean;
}

const scenes = (await Deno.readTextFile(new URL("../../bench/eval/prompts.jsonl", import.meta.url)))
  .trim().split("\n").map((line): Scene => JSON.parse(line));

/** Every tag of an element, in any character. */
function tagsOf(xml: string, element: string): string[] {
  const lists = [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, "g"))];
  return lists.flatMap(([, list]) => list!.split(", ")).sort();
}

Deno.test("the elements of 500 held-out scenes are found again from their flat tags", () => {
  for (const element of ["appearance", "clothing", "expression", "action", "background"]) {
    let [right, all] = [0, 0];
    for (const { xml, tags } of scenes) {
      const expected = tagsOf(xml, element).filter((tag) => tags.split(", ").includes(tag));
      const found = tagsOf(tagsToXml(tags).xml, element);
      all += expected.length;
      right += expected.filter((tag) => found.includes(tag)).length;
    }
    assert(all > 500 && right / all > 0.99, `${element}: ${right} of ${all}`);
  }
});

Deno.test("lists of two characters in any order are asked about, never guessed in silence", () => {
  const shuffled = scenes.filter(({ ordered }) => !ordered);
  assert(shuffled.length > 100);
  for (const { tags } of shuffled) assert.equal(tagsToXml(tags).questions.length, 1, tags);
});

Deno.test("weights and escapes of other programs are left out, and brackets of names and faces stay", () => {
  const tags = "((1girl)), (blue_hair:1.2), [[smile, happy]], :), {standing}, saber \\(fate\\), " +
    "re:zero_shirt, lily (flower), long_hair:0.8, (o)_(o)";
  assert.deepEqual(objectOf(tags), {
    character_1: {
      n: "saber (fate)",
      gender: "1girl",
      appearance: ["blue_hair", "long_hair", "(o)_(o)"],
      clothing: "re:zero_shirt",
      expression: ["smile", "happy", ":)"],
      action: "standing",
    },
    general_tags: { count: "1girl", objects: "lily (flower)" },
  });
});

Deno.test("a template's choices stay whole, also with commas and other choices in them", () => {
  const tags = "1girl, {red|{blue|dark, blue}}_hair, {2$$, $$smile|wink}, {{standing}}, __hat__";
  const { xml } = tagsToXml(tags);
  for (const choice of ["{red|{blue|dark, blue}}_hair", "{2$$, $$smile|wink}", "__hat__"]) {
    assert(xml.includes(choice), choice);
  }
  assert.match(xml, /<action>standing</);
  const began = performance.now();
  tagsToXml("1girl, " + "{|".repeat(30_000));
  tagsToXml("1girl, {" + "|".repeat(60_000));
  assert(performance.now() - began < 5000);
});

Deno.test("answers for tags or characters that there are not are named, and no tag is lost by them", () => {
  const characterOf = { red_hair: 3, green_hair: 1, blue_hair: 2 };
  const { xml, unusedAnswers, characters } = tagsToXml("2girls, red_hair, blue_hair", {
    characterOf,
  });
  assert.deepEqual([unusedAnswers, characters], [["red_hair", "green_hair"], 2]);
  assert.match(xml, /red_hair/);
});

// Danbooru's own pages write tags so.
Deno.test("tags with underscores and spaces between them are tags, and a sentence is none", () => {
  assert.deepEqual(objectOf("1girl solo long_hair school_uniform saber_(fate)"), {
    character_1: {
      n: "saber_(fate)",
      gender: "1girl",
      appearance: "long_hair",
      clothing: "school_uniform",
    },
    general_tags: { count: ["1girl", "solo"] },
  });
  const { unsure } = tagsToXml("a girl walks home in the rain");
  assert.deepEqual(unsure.map(({ tag }) => tag), ["a girl walks home in the rain"]);
});

Deno.test("of one character that has two names both are kept, and the second is unsure", () => {
  const { xml, unsure, questions } = tagsToXml("1girl, artoria_(fate), saber_(fate), green_eyes");
  assert.deepEqual(parseXmlPrompt(xml)["character_1"], {
    n: ["artoria_(fate)", "saber_(fate)"],
    gender: "1girl",
    appearance: "green_eyes",
  });
  assert.deepEqual(unsure.map(({ tag, place }) => [tag, place]), [[
    "saber_(fate)",
    "character_1/n",
  ]]);
  assert.deepEqual(questions, []);
});

Deno.test("a list of tags knows names of characters, artists and series, and aliases", () => {
  const tag = (name: string, category: number, aliases: string[] = []) => ({
    name,
    category,
    count: 1,
    aliases,
  });
  const list = new TagList([
    tag("hatsune_miku", 4, ["miku"]),
    tag("vocaloid", 3),
    tag("wlop", 1),
    tag("aqua_hair", 0, ["teal_tresses"]),
  ]);
  const { xml, unsure } = tagsToXml("1girl, miku, vocaloid, wlop, teal tresses", { list });
  assert.deepEqual(parseXmlPrompt(xml), {
    character_1: { n: "hatsune_miku", gender: "1girl", appearance: "aqua_hair" },
    general_tags: { count: "1girl", artist: "wlop", other: "vocaloid" },
  });
  assert.deepEqual(unsure, []);
});
