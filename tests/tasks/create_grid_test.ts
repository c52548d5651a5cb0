/** Grids and sheets of `deno task create`. */
import assert from "node:assert/strict";
import { decodePng, readPictureText } from "../../src/image/mod.ts";
import { readRecipe } from "../../src/recipe/mod.ts";
import { ROOT, runTask } from "./_task_command.ts";

const SMALL = ["--width", "64", "--height", "48"];
const made = new Set<string>();

interface Made {
  readonly pictures: readonly { path: string; seed: string; steps: number; prompt?: string }[];
  readonly sheet?: { path: string; width: number; height: number; grid: string; labels: unknown };
}

async function create(...args: string[]): Promise<Made> {
  const { code, out, err } = await runTask("create", [...args, "--json"]);
  assert.equal(code, 0, err);
  const result: Made = JSON.parse(out);
  for (const { path } of result.pictures) made.add(path);
  if (result.sheet !== undefined) made.add(result.sheet.path);
  return result;
}

const read = (path: string) => Deno.readFile(new URL(path, ROOT));
const pixels = async (path: string) => decodePng(await read(path)).image.data;

Deno.test.afterAll(async () => {
  for (const path of made) await Deno.remove(new URL(path, ROOT));
});

Deno.test("a grid makes each picture with its own recipe, and a sheet that makes the grid again", async () => {
  const prompt = "1girl, red_hair";
  const grid = ["--grid", 'seed=5,6 prompt="red|blue"', "--steps", "2"];
  const { pictures, sheet } = await create("--prompt", prompt, ...grid, ...SMALL);
  const recipes = await Promise.all(pictures.map(async ({ path }) => readRecipe(await read(path))));
  assert.deepEqual(
    recipes.map(({ generator: { seed }, prompt }) => [seed, prompt]),
    [[5, prompt], [6, prompt], [5, "1girl, blue_hair"], [6, "1girl, blue_hair"]],
  );
  const alone = await create("--from", pictures[3]!.path);
  assert.deepEqual(await pixels(alone.pictures[0]!.path), await pixels(pictures[3]!.path));

  const png = await read(sheet!.path);
  const recipe = readRecipe(png);
  assert.equal(recipe.grid, "seed=5,6 prompt=red,blue");
  assert.match(readPictureText(png).text["parameters"]!, /Grid: "seed=5,6 prompt=red/);
  const { image } = decodePng(png);
  assert.deepEqual([image.width, image.height], [sheet!.width, sheet!.height]);
  assert(image.width > 2 * 64 && image.height > 2 * 48);
  const again = await create("--from", sheet!.path);
  assert.deepEqual(await pixels(again.sheet!.path), image.data);
});

Deno.test("--count with --sheet puts seeds in a row on a sheet, templates too", async () => {
  const template = "1girl, {red|blue|green|pink}_hair, {@smile|wink|angry}";
  const args = ["--prompt", template, "--seed", "7", "--count", "5", "--sheet", "--steps", "1"];
  const { pictures, sheet } = await create(...args, ...SMALL);
  assert.equal(sheet!.grid, "seed=7,8,9,10,11");
  const again = await create("--from", sheet!.path);
  assert.deepEqual(
    again.pictures.map(({ prompt, seed }) => [seed, prompt]),
    pictures.map(({ prompt, seed }) => [seed, prompt]),
  );
});

Deno.test("all combinations can be put on a sheet", async () => {
  const args = ["--prompt", "{a|b}, {c|d}", "--combinations", "--sheet", "--steps", "1"];
  const { pictures, sheet } = await create(...args, ...SMALL);
  assert.equal(pictures.length, 4);
  const again = await create("--from", sheet!.path);
  const prompts = async ({ pictures }: Made) =>
    await Promise.all(pictures.map(async ({ path }) => readRecipe(await read(path)).prompt));
  assert.deepEqual(await prompts(again), ["a, c", "a, d", "b, c", "b, d"]);
});

Deno.test("what cannot be made is refused before the first picture, with axis and value", async () => {
  const cases: readonly [args: readonly string[], message: RegExp][] = [
    [["--prompt", "1girl", "--grid", "width=64,250"], /--grid, width: .*250/],
    [["--prompt", "1girl", "--grid", "steps=1-9", "--count", "2"], /--grid .*--count/],
    [["--batch", "x.jsonl", "--grid", "steps=1-9"], /--grid cannot be combined with --batch/],
    [["--prompt", "1girl", "--grid", "prompt=2girls|3girls"], /"2girls" does not stand/],
    [["--prompt", "<n>a</n>", "--grid", "prompt=</n>|<n>"], /<n>a<n>/],
    [["--grid", "steps=1-9"], /give --prompt/],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await runTask("create", [...args, ...SMALL]);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, message);
    assert.doesNotMatch(out, /Saved/);
  }
});
