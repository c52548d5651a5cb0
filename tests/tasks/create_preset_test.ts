/** Presets of `deno task create`. */
import assert from "node:assert/strict";
import { readPictureText } from "../../src/image/mod.ts";
import { readRecipe } from "../../src/recipe/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const SMALL = ["--width", "64", "--height", "48", "--json"];
const made = new Set<string>();

async function create(...args: string[]): Promise<Uint8Array[]> {
  const { code, out, err } = await runTask("create", [...args, ...SMALL]);
  assert.equal(code, 0, err);
  const { pictures }: { pictures: { path: string }[] } = JSON.parse(out);
  for (const { path } of pictures) made.add(path);
  return await Promise.all(pictures.map(({ path }) => Deno.readFile(new URL(path, ROOT))));
}

Deno.test.afterAll(async () => {
  for (const path of made) await Deno.remove(new URL(path, ROOT));
});

Deno.test("a preset sets what no option says, and the recipe has its name and what counted", async () => {
  await inTempFolder(async (folder) => {
    const soft = `${folder}/soft.json`;
    await Deno.writeTextFile(
      soft,
      '{"steps": 2, "guidance": 4, "negative": "blurry", "prompt": "watercolor, {prompt}, soft"}',
    );
    const [png] = await create("--prompt", "1girl", "--preset", soft, "--guidance", "2");
    const recipe = readRecipe(png!);
    assert.equal(recipe.prompt, "watercolor, 1girl, soft");
    assert.equal(recipe.negativePrompt, "blurry");
    assert.deepEqual([recipe.numInferenceSteps, recipe.guidanceScale], [2, 2]);
    assert.equal(recipe.preset, "soft");
    assert.match(readPictureText(png!).text["parameters"]!, /Preset: soft/);

    const xml = "<character_1>\n<gender>1girl</gender>\n</character_1>";
    const other = `${folder}/other.json`;
    await Deno.writeTextFile(other, '{"steps": 1, "suffix": "anime_style"}');
    const [both] = await create("--prompt", xml, "--preset", soft, "--preset", other);
    const { prompt, numInferenceSteps, preset } = readRecipe(both!);
    assert.match(prompt, /<general_tags>\n<style>watercolor, soft, anime_style<\/style>/);
    assert.deepEqual([numInferenceSteps, preset], [1, "soft, other"]);

    const lines = `${folder}/lines.jsonl`;
    await Deno.writeTextFile(lines, '{"prompt": "2girls", "steps": 1}\n');
    const output = `preset_${crypto.randomUUID()}`;
    const [line] = await create("--batch", lines, "--preset", soft, "--output", output);
    const fromBatch = readRecipe(line!);
    assert.deepEqual([fromBatch.prompt, fromBatch.numInferenceSteps, fromBatch.preset], [
      "watercolor, 2girls, soft",
      1,
      "soft",
    ]);
    for (const path of made) if (path.includes(output)) made.delete(path);
    await Deno.remove(new URL(`outputs/${output}`, ROOT), { recursive: true });
  });
});

Deno.test("a preset that is none, or is not there, exits with 2 and what was probably meant", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/x.json`;
    await Deno.writeTextFile(path, '{"stpes": 2}');
    const wrong = await runTask("create", ["--prompt", "1girl", "--preset", path, ...SMALL]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /x\.json: there is no "stpes"; did you mean "steps"\?/);
  });
  const absent = await runTask("create", [
    "--prompt",
    "1girl",
    "--preset",
    "no_such",
    "--lang",
    "zh",
  ]);
  assert.equal(absent.code, 2);
  assert.match(absent.err, /没有预设“no_such”/);
});

Deno.test("wildcards are looked up in the folder that is named", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/hair.txt`, "pink_hair\n");
    await Deno.writeTextFile(`${folder}/more.yaml`, "eyes: [red_eyes]\n");
    await Deno.writeTextFile(`${folder}/most.json`, '{"face": ["smile"]}');
    const args = ["--prompt", "1girl, __hair__, __eyes__, __face__", "--steps", "1"];
    const [png] = await create(...args, "--wildcards", folder);
    assert.equal(readRecipe(png!).prompt, "1girl, pink_hair, red_eyes, smile");
    const absent = await runTask("create", [...args, "--wildcards", `${folder}/none`, ...SMALL]);
    assert.equal(absent.code, 2);
    assert.match(absent.err, /none/);
  });
});
