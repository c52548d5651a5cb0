/** Templates in `deno task create`: what is drawn is in the recipe, and is not drawn again. */
import assert from "node:assert/strict";
import { readPictureText } from "../../src/image/mod.ts";
import { readRecipe } from "../../src/recipe/mod.ts";
import { expandTemplate } from "../../src/templates/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const SMALL = ["--steps", "1", "--width", "64", "--height", "48", "--json"];
const TEMPLATE = "1girl, {red|blue|green|pink|white}_hair, \\{literal\\}";
const made = new Set<string>();

interface Picture {
  readonly path: string;
  readonly seed: string;
  readonly prompt?: string;
}

async function create(...args: string[]): Promise<Picture[]> {
  const { code, out, err } = await runTask("create", [...args, ...SMALL]);
  assert.equal(code, 0, err);
  const { pictures } = JSON.parse(out);
  for (const { path } of pictures) made.add(path);
  return pictures;
}

const read = (path: string) => Deno.readFile(new URL(path, ROOT));

Deno.test.afterAll(async () => {
  for (const path of made) await Deno.remove(new URL(path, ROOT));
});

Deno.test("each picture draws its own prompt by its seed; the recipe holds both and makes it again", async () => {
  const pictures = await create("--prompt", TEMPLATE, "--seed", "3", "--count", "3");
  assert.deepEqual(pictures.map(({ seed }) => seed), ["3", "4", "5"]);
  for (const { path, seed, prompt } of pictures) {
    const png = await read(path);
    const recipe = readRecipe(png);
    assert.equal(recipe.prompt, prompt);
    assert.match(prompt!, /^1girl, (red|blue|green|pink|white)_hair, \{literal\}$/);
    assert.equal(prompt, expandTemplate(TEMPLATE, { seed: Number(seed) }));
    assert.equal(recipe.template, TEMPLATE);
    assert.match(readPictureText(png).text.parameters!, /Template: "1girl, \{red/);
  }
  // The braces of what was drawn are no template any more.
  const [again] = await create("--from", pictures[1]!.path);
  assert.equal(readRecipe(await read(again!.path)).prompt, pictures[1]!.prompt);
  const [alone] = await create("--prompt", TEMPLATE, "--seed", "4");
  assert.equal(alone!.prompt, pictures[1]!.prompt);
});

Deno.test("all combinations have one seed, and --count is the most of them", async () => {
  const pictures = await create("--prompt", "{a|b} {c|d}", "--combinations", "--count", "3");
  assert.deepEqual(pictures.map(({ prompt }) => prompt), ["a c", "a d", "b c"]);
  assert.equal(new Set(pictures.map(({ seed }) => seed)).size, 1);
});

Deno.test("a batch draws templates, and goes on where it was", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/templates.jsonl`;
    await Deno.writeTextFile(path, '{"prompt": "{red|blue}_hair", "count": 2}\n');
    const args = ["--batch", path, "--output", `templates_${crypto.randomUUID()}`];
    const pictures = await create(...args);
    assert.equal(pictures.length, 2);
    for (const { prompt } of pictures) assert.match(prompt!, /^(red|blue)_hair$/);
    assert.deepEqual(await create(...args), []);
    await Deno.remove(new URL(`outputs/${args.at(-1)}`, ROOT), { recursive: true });
    for (const { path } of pictures) made.delete(path);
  });
});

Deno.test("a template that is wrong, or makes what is no prompt, exits with 2 and its place", async () => {
  const unclosed = await runTask("create", ["--prompt", "1girl, {a|b", ...SMALL]);
  assert.equal(unclosed.code, 2);
  assert.match(unclosed.err, /Line 1, column 8 of the prompt: \{ is never closed/);
  const wildcard = await runTask("create", ["--prompt", "__no_such__", "--lang", "zh", ...SMALL]);
  assert.equal(wildcard.code, 2);
  assert.match(wildcard.err, /没有通配符 __no_such__/);
  const faulty = await runTask("create", ["--prompt", "<n>{miku|rin}<n>", ...SMALL]);
  assert.equal(faulty.code, 2);
  assert.match(faulty.err, /<n>(miku|rin)<n>/);
});
