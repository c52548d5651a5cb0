/** What the demo model knows is read from its own list, models/demo/words.json. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { findCheckpoint } from "../../src/pipeline/checkpoint/find_checkpoint.ts";
import { beyondTraining, KnownWords } from "../../src/studio/known_words.ts";
import { inTempFolder } from "../_folders.ts";

const WORDS = await KnownWords.of(await findCheckpoint("models/demo"));
assert(WORDS !== undefined);
const TRAINED = 256;

const said = (request: Parameters<typeof beyondTraining>[1]) =>
  beyondTraining(WORDS, request, TRAINED);
const nearOf = (prompt: string) => WORDS.unknownIn(prompt)[0]?.near ?? [];

Deno.test("of prompts that the demo model was made for nothing is said", async () => {
  for (const name of ["health_check", "two_characters"]) {
    const prompt = await Deno.readTextFile(`models/demo/${name}.xml`);
    assert.deepEqual(said({ prompt, width: TRAINED, height: TRAINED }).en, [], name);
  }
  for (const prompt of ["1girl, solo, blue hair, smile", "(blue_hair:1.2), Red_Eyes", ""]) {
    assert.deepEqual(said({ prompt }).en, [], prompt);
  }
});

Deno.test("an unknown word is named with what comes near it", () => {
  assert(nearOf("silver_hair").includes("white_hair"), nearOf("silver_hair").join());
  assert.equal(nearOf("blu_hair")[0], "blue_hair");
  assert(nearOf("aqua eyes")[0] === "blue_eyes");
  assert.deepEqual(nearOf("spaceship"), []);
  const { en, zh } = said({
    prompt: "<character_1><n>x</n><appearance>silver_hair</appearance></character_1>",
  });
  assert.match(en[0]!, /does not know silver_hair; it knows white_hair/);
  assert.match(zh[0]!, /不认识 silver_hair；它认识 white_hair/);
  assert.match(en.at(-1)!, /words\.json/);
});

Deno.test("of a word that an adapter taught nothing is said", () => {
  const request = { prompt: "1girl, tsukimi, spaceship" };
  assert.match(said(request).en[0]!, /tsukimi/);
  assert.doesNotMatch(beyondTraining(WORDS, request, TRAINED, ["tsukimi"]).en[0]!, /tsukimi/);
});

Deno.test("names of characters may be any, and sentences are read word by word", () => {
  assert.deepEqual(
    WORDS.unknownIn("<character_1><n>Zaphod</n><gender>1girl</gender></character_1>"),
    [],
  );
  const [only, ...more] = WORDS.unknownIn("A girl with blue hair is standing on a spaceship.");
  assert.deepEqual([only?.word, more], ["spaceship", []]);
});

Deno.test("another language is told, with the tag that says the same", () => {
  assert.deepEqual(nearOf("白发"), ["white_hair"]);
  const { en, zh } = said({ prompt: "1girl, 白发，猫耳" });
  assert(en.some((line) => /English tags only/.test(line)));
  assert(zh.some((line) => /只读英文标签/.test(line)));
});

Deno.test("more characters and larger pictures than those of the training are told", () => {
  const three = [1, 2, 3].map((n) => `<character_${n}><n>a</n></character_${n}>`).join("");
  assert.match(said({ prompt: three }).en.join(), /at most 2 characters; the prompt has 3/);
  assert.match(said({ prompt: `<img>${three}</img>` }).en.join(), /the prompt has 3/);
  assert.match(said({ prompt: "2girls, 1boy" }).en.join(), /the prompt has 3/);
  const most = WORDS.largestSize ?? TRAINED;
  const larger = said({ prompt: "1girl", width: most, height: most + 16 });
  assert.match(larger.en.join(), new RegExp(`at most ${most} × ${most} pixels`));
  assert.match(larger.zh.join(), new RegExp(`最大为 ${most} × ${most} 像素`));
  assert.deepEqual(said({ prompt: "1girl", width: most, height: most }).en, []);
  assert.deepEqual(said({ prompt: "1girl", width: 128 }).en, []);
});

Deno.test("a model without a list knows what it knows, and a damaged list is named", async () => {
  await inTempFolder(async (folder) => {
    assert.equal(await KnownWords.read(`${folder}/words.json`), undefined);
    for (const damaged of ["{", '{"format": 2}', "[]"]) {
      await Deno.writeTextFile(`${folder}/words.json`, damaged);
      await assert.rejects(
        KnownWords.read(`${folder}/words.json`),
        (error: ConfigError) => error instanceof ConfigError && /words\.json/.test(error.message),
      );
    }
  });
});
