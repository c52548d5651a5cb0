import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { parseXmlPrompt } from "../../src/prompt/mod.ts";
import {
  dressed,
  loadPreset,
  namesOf,
  parsePreset,
  presetNames,
  withPreset,
} from "../../src/studio/preset.ts";
import { inTempFolder } from "../_folders.ts";

const preset = (json: unknown) => parsePreset(json, "soft", "soft.json");

Deno.test("a preset holds settings by the words of a batch, and a negative prompt", () => {
  const { name, settings, before, after } = preset({
    steps: 18,
    guidance: 4,
    scheduler: "midpoint",
    seed: "18446744073709551615",
    negative: "blurry",
    description: "upstream's own",
  });
  assert.equal(name, "soft");
  assert.deepEqual(settings, {
    numInferenceSteps: 18,
    guidanceScale: 4,
    scheduler: { name: "midpoint" },
    generator: { seed: 18446744073709551615n },
    negativePrompt: "blurry",
  });
  assert.deepEqual([before, after], ["", ""]);
});

Deno.test("words stand around a prompt as styles of Fooocus and AUTOMATIC1111 say it", () => {
  // The forms of sdxl_styles in lllyasviel/Fooocus and of styles.csv in AUTOMATIC1111's web UI.
  const cases: readonly [json: unknown, prompt: string][] = [
    [
      { prompt: "anime artwork of {prompt} . key visual, studio anime" },
      "anime artwork of, 1girl, key visual, studio anime",
    ],
    [{ prompt: "watercolor, soft" }, "1girl, watercolor, soft"],
    [{ prompt: "{prompt}, by night" }, "1girl, by night"],
    [{ prefix: "best quality,", suffix: ", film grain" }, "best quality, 1girl, film grain"],
    [{ prefix: "a", prompt: "b {prompt} c", suffix: "d" }, "a, b, 1girl, c, d"],
    [{ steps: 3 }, "1girl"],
  ];
  for (const [json, prompt] of cases) assert.equal(withPreset("1girl", preset(json)), prompt);
});

Deno.test("in XML the words go into the elements that they belong into, and the rest stays as typed", () => {
  const style = preset({ prefix: "best quality", suffix: "watercolor, film still, <3" });
  const prompt = "<character_1>\n  <n>miku</n>\n</character_1>\n\n<general_tags>\n" +
    "  <style>anime, sketch</style>\n  <quality>\n    detailed\n  </quality>\n</general_tags>\n";
  const styled = withPreset(prompt, style);
  assert.deepEqual(parseXmlPrompt(styled), {
    character_1: { n: "miku" },
    general_tags: {
      style: ["anime", "sketch", "watercolor", "film still", "<3"],
      quality: ["best quality", "detailed"],
    },
  });
  assert(
    styled.startsWith(
      "<character_1>\n  <n>miku</n>\n</character_1>\n\n<general_tags>\n  <style>anime",
    ),
  );
  assert.equal(withPreset(styled, style), styled, "nothing is said twice");
});

Deno.test("XML without such elements gets them, whatever its form is", () => {
  const style = preset({ suffix: "watercolor, masterpiece" });
  const wanted = { style: "watercolor", quality: "masterpiece" };
  const character = "<character_1><n>miku</n></character_1>";
  assert.deepEqual(parseXmlPrompt(withPreset(character, style))["general_tags"], wanted);
  const empty = `${character}<general_tags><style></style><quality/></general_tags>`;
  const { style: own } = parseXmlPrompt(withPreset(empty, style))["general_tags"] as Record<
    string,
    unknown
  >;
  assert.equal(own, "watercolor");
  const wrapped = withPreset(`<img>${character}</img>`, style);
  assert.match(wrapped, /<\/general_tags>\s*<\/img>\s*$/);
  const system = "You are an assistant. <Prompt Start> ";
  const pasted = withPreset(system + character, style);
  assert(pasted.startsWith(system));
  assert.deepEqual(parseXmlPrompt(pasted)["general_tags"], wanted);
});

Deno.test("words stand around the prompt alone, whatever programs have put around that", () => {
  const style = preset({ prefix: "best quality", suffix: "watercolor" });
  const system = "You are an assistant. <Prompt Start> ";
  assert.equal(withPreset(`${system}1girl`, style), `${system}best quality, 1girl, watercolor`);
  assert.equal(
    withPreset(`${system}1girl`, style, true),
    `${system}best quality, 1girl, watercolor`,
  );
  assert.equal(
    withPreset('{"image": {"tags": "1girl, pier"}}', style),
    "best quality, 1girl, pier, watercolor",
  );
  const xml = "<character_1><n>rin</n></character_1>";
  const styled = { style: "watercolor", quality: "best quality" };
  for (
    const prompt of [
      `${xml}<general tags><style>anime</style></general tags>`,
      `{ ${xml}<general_tags><style>anime</style></general_tags> }`,
      JSON.stringify([{ tags: `${xml}<general_tags><style>anime</style></general_tags>` }]),
      `＜general_tags＞<style>anime</style>＜／general_tags＞${xml}`,
    ]
  ) {
    const { general_tags } = parseXmlPrompt(withPreset(prompt, style));
    assert.deepEqual(general_tags, { ...styled, style: ["anime", "watercolor"] }, prompt);
  }
  const image = withPreset(`<image>${xml}</image>`, style);
  assert.deepEqual(
    (parseXmlPrompt(image)["image"] as Record<string, unknown>)["general_tags"],
    styled,
  );
});

Deno.test("raw XML is left alone, and words with tags of their own stand around", () => {
  const xml = "<general_tags><style>anime</style></general_tags>";
  assert.equal(withPreset(xml, preset({ suffix: "soft" }), true), `${xml}\nsoft`);
  const own = preset({ suffix: "<general_tags><style>soft</style></general_tags>" });
  assert.equal(withPreset("<n>a</n>", own), `<n>a</n>\n${own.after}`);
});

Deno.test("several presets stand around each other", () => {
  const presets = [preset({ prefix: "a" }), parsePreset({ prefix: "b" }, "other", "x")];
  assert.equal(dressed(presets, "1girl"), "b, a, 1girl");
  assert.equal(namesOf(presets), "soft, other");
  assert.equal(namesOf([]), undefined);
});

Deno.test("what a preset cannot say is refused with what was probably meant, in both languages", () => {
  const cases: readonly [json: unknown, en: RegExp, zh: RegExp][] = [
    [[], /soft\.json is no preset/, /不是预设/],
    [{ stpes: 3 }, /no "stpes"; did you mean "steps"\?/, /没有 "stpes"；是否想写 "steps"/],
    [{ cfg_scale: 3 }, /did you mean .*"guidance"/, /"guidance"/],
    [{ lorem: 3 }, /no "lorem"; a preset may have: .*steps.*prefix/, /没有 "lorem"；预设可以有/],
    [{ steps: 0 }, /"steps" is 0; expected a whole number/, /"steps" 是 0；应为/],
    [{ prefix: 3 }, /"prefix" is 3; expected a text/, /"prefix" 是 3/],
    [{ negative: "a", negative_prompt: "b" }, /found both/, /只能有一个/],
  ];
  for (const [json, en, zh] of cases) {
    assert.throws(() => preset(json), (error: unknown) => {
      assert(error instanceof RequestError);
      assert.match(error.message, en);
      assert.match(error.explain("zh"), zh);
      return true;
    }, JSON.stringify(json));
  }
});

Deno.test("a folder of presets is known by names: of files, of lists, of AUTOMATIC1111's styles", async () => {
  await inTempFolder(async (folder) => {
    const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
    await write("soft.json", '{"steps": 12}');
    await write(
      "fooocus.json",
      '[{"name": "Oil", "prompt": "oil of {prompt}", "negative_prompt": "flat"}]',
    );
    await write(
      "styles.csv",
      '\ufeffname,prompt,negative_prompt\n----,,\nNight,"{prompt}, night, ""neon""","day, sun"\n',
    );
    await write("broken.json", "{");
    await write("notes.txt", "no preset");
    assert.deepEqual(await presetNames(folder), ["Night", "Oil", "broken", "soft"]);
    assert.equal((await loadPreset("soft", folder)).settings.numInferenceSteps, 12);
    const oil = await loadPreset("oil", folder);
    assert.deepEqual([oil.before, oil.settings.negativePrompt], ["oil of", "flat"]);
    const night = await loadPreset("Night", folder);
    assert.deepEqual([night.after, night.settings.negativePrompt], ['night, "neon"', "day, sun"]);
    assert.equal((await loadPreset(`${folder}/soft.json`)).settings.numInferenceSteps, 12);
    await assert.rejects(loadPreset("sotf", folder), /Did you mean soft\?/);
    await assert.rejects(loadPreset("zzz", folder), /There are: /);
    await assert.rejects(loadPreset("broken", folder), /broken\.json: /);
    await write("two.json", '[{"name": "a"}, {"name": "b"}]');
    await assert.rejects(loadPreset(`${folder}/two.json`), /holds 2 presets/);
    await write("odd.csv", "tag,count\n1girl,3\n");
    await assert.rejects(loadPreset(`${folder}/odd.csv`), /no list of styles/);
  });
  assert.deepEqual(await presetNames("no/such/folder"), []);
  await assert.rejects(loadPreset("soft", "no/such/folder"), /Put soft\.json there/);
});
