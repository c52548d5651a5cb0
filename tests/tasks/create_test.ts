/** `deno task create` without questions. */
import assert from "node:assert/strict";
import { decodePng, encodePng } from "../../src/mod.ts";
import { readRecipe } from "../../src/recipe/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { ROOT, runTask } from "./_task_command.ts";

const SMALL = ["--steps", "2", "--width", "64", "--height", "48"];
const made: string[] = [];

interface Picture {
  readonly path: string;
  readonly seed: string;
  readonly width: number;
  readonly height: number;
  readonly evaluations: { readonly total: number; readonly foretold: number };
}

/** Pictures of a call that must succeed. */
async function create(...args: string[]): Promise<Picture[]> {
  const { code, out, err } = await runTask("create", [...args, "--json"]);
  assert.equal(code, 0, err);
  const { pictures } = JSON.parse(out);
  made.push(...pictures.map(({ path }: Picture) => path));
  return pictures;
}

const read = (path: string) => Deno.readFile(new URL(path, ROOT));

Deno.test.afterAll(async () => {
  for (const path of made) await Deno.remove(new URL(path, ROOT));
});

Deno.test("a picture is made from options alone, and its recipe makes it again bit for bit", async () => {
  const prompt = "<character_1><n>初音 &amp; \u{1f380}</n></character_1>";
  const [first] = await create(
    "--prompt",
    prompt,
    "--negative-prompt",
    "blurry, :<",
    "--seed",
    "18446744073709551615",
    "--guidance",
    "2.5",
    "--scheduler",
    "heun",
    ...SMALL,
  );
  assert.match(first!.path, /^outputs\/\d{8}\/output(-\d+)?\.png$/);
  assert.deepEqual([first!.seed, first!.width, first!.height], ["18446744073709551615", 64, 48]);
  const png = await read(first!.path);
  const recipe = readRecipe(png);
  assert.equal(recipe.prompt, prompt);
  assert.equal(recipe.negativePrompt, "blurry, :<");
  assert.equal(recipe.guidanceScale, 2.5);
  assert.equal(recipe.scheduler.name, "heun");
  // The checksum in the recipe is the file's own.
  const checksums = await Deno.readTextFile(new URL("checksums.txt", ROOT));
  assert(checksums.includes(`${recipe.models.transformer.sha256}  models/demo/next-dit/`));

  const [again] = await create("--from", first!.path);
  assert.notEqual(again!.path, first!.path);
  assert.deepEqual(decodePng(await read(again!.path)), decodePng(png));

  const [other] = await create("--from", first!.path, "--seed", "5");
  assert.equal(other!.seed, "5");
  assert.notDeepEqual(decodePng(await read(other!.path)).image, decodePng(png).image);
});

Deno.test("the step cache foretells some evaluations, and the recipe makes it again", async () => {
  const options = ["--prompt", "1girl", "--seed", "3", "--steps", "8", "--width", "64"];
  const [usual] = await create(...options, "--height", "48");
  assert.deepEqual(usual!.evaluations, { total: 8, foretold: 0 });
  assert.equal(readRecipe(await read(usual!.path)).stepCache, undefined);
  const [first] = await create(...options, "--height", "48", "--step-cache", "5");
  // Of eight steps the first three and the last are evaluated, and none after a foretold one.
  assert.deepEqual(first!.evaluations, { total: 8, foretold: 2 });
  const png = await read(first!.path);
  assert.equal(readRecipe(png).stepCache, 5);
  assert.notDeepEqual(decodePng(png).image, decodePng(await read(usual!.path)).image);
  const [again] = await create("--from", first!.path);
  assert.deepEqual(decodePng(await read(again!.path)), decodePng(png));
});

Deno.test("several pictures have seeds in a row, and each can be made again alone", async () => {
  const pictures = await create("--prompt", "1girl", "--seed", "10", "--count", "2", ...SMALL);
  assert.deepEqual(pictures.map(({ seed }) => seed), ["10", "11"]);
  const [alone] = await create("--prompt", "1girl", "--seed", "11", ...SMALL);
  assert.deepEqual(
    decodePng(await read(alone!.path)).image,
    decodePng(await read(pictures[1]!.path)).image,
  );
});

Deno.test("without a seed every picture has another, and says which", async () => {
  const [one] = await create("--prompt", "1girl", ...SMALL);
  const [two] = await create("--prompt", "1girl", ...SMALL);
  assert.notEqual(one!.seed, two!.seed);
  assert.equal(String(readRecipe(await read(one!.path)).generator.seed), one!.seed);
});

Deno.test("a prompt comes from @file and from the standard input, as in parse", async () => {
  const file = "models/demo/health_check.xml";
  const prompt = (await Deno.readTextFile(new URL(file, ROOT))).trimEnd();
  const [picture] = await create("--prompt", `@${file}`, "--negative-prompt", "@_@", ...SMALL);
  const recipe = readRecipe(await read(picture!.path));
  assert.deepEqual([recipe.prompt, recipe.negativePrompt], [prompt, "@_@"]);

  const args = ["--prompt", "-", ...SMALL, "--json"];
  const { code, out, err } = await runTask("create", args, { stdin: `${prompt}\n` });
  assert.equal(code, 0, err);
  const [{ path }] = JSON.parse(out).pictures;
  made.push(path);
  assert.equal(readRecipe(await read(path)).prompt, prompt);

  const parsed = await runTask("parse", ["--prompt", `@${file}`, "--json"]);
  assert.deepEqual(JSON.parse(parsed.out).beyondTraining, []);
  assert.equal(JSON.parse(parsed.out).kind, "xml");
});

Deno.test("a draft takes few steps, and what else is asked for counts", async () => {
  const size = ["--width", "64", "--height", "48"];
  const [draft] = await create("--prompt", "1girl", "--draft", "--seed", "4", ...size);
  assert.equal(readRecipe(await read(draft!.path)).numInferenceSteps, 8);
  const [other] = await create("--prompt", "1girl", "--draft", "--scheduler", "heun", ...SMALL);
  const recipe = readRecipe(await read(other!.path));
  assert.deepEqual([recipe.numInferenceSteps, recipe.scheduler.name], [2, "heun"]);

  // The picture that was saved last, with all its steps.
  const [full] = await create("--from", "last", "--steps", "3", "--scheduler", "euler");
  assert.deepEqual([full!.seed, full!.width], [other!.seed, 64]);
});

Deno.test("what the demo model does not know is said, with what it knows", async () => {
  const args = [
    "--prompt",
    "1girl, silver_hair",
    "--width",
    "528",
    "--height",
    "16",
    "--steps",
    "1",
  ];
  const { code, out, err } = await runTask("create", [...args, "--json"]);
  assert.equal(code, 0, err);
  made.push(JSON.parse(out).pictures[0].path);
  assert.match(err, /does not know silver_hair; it knows white_hair/);
  assert.match(err, /trained on pictures of at most/);
  const chinese = await runTask("parse", ["1girl, silver_hair", "--lang", "zh"]);
  assert.match(chinese.err, /不认识 silver_hair/);
});

Deno.test("a prompt comes from a file", async () => {
  const [picture] = await create("--prompt-file", "models/demo/health_check.xml", ...SMALL);
  const prompt = await Deno.readTextFile(new URL("models/demo/health_check.xml", ROOT));
  assert.equal(readRecipe(await read(picture!.path)).prompt, prompt.trimEnd());
});

const WRONG: Readonly<Record<string, readonly string[]>> = {
  "a name outside of the outputs": ["--prompt", "a", "--output", "../x.png"],
  "an absolute name": ["--prompt", "a", "--output", "/tmp/x.png"],
  "a name that Windows keeps for a device": ["--prompt", "a", "--output", "con.png"],
  "a picture of another kind": ["--prompt", "a", "--output", "x.gif"],
  "a language that is none": ["--prompt", "a", "--lang", "fr"],
  "a size beyond the model": ["--prompt", "a", "--height", "100000"],
  "a shift beyond all numbers": ["--prompt", "a", "--shift", "1e999"],
  "the standard input twice": ["--prompt", "-", "--negative-prompt", "-"],
  "a broken prompt": ["--prompt", "<a><n>x</m></a>"],
  "a size that the model cannot make": ["--prompt", "a", "--width", "65"],
  "a wrong seed": ["--prompt", "a", "--seed", "-2"],
  "no pictures": ["--prompt", "a", "--count", "0"],
  "too many steps": ["--prompt", "a", "--steps", "1001"],
  "too many pictures": ["--prompt", "a", "--count", "10001"],
  "a step cache below 0": ["--prompt", "a", "--step-cache", "-1"],
  "a number that is none": ["--prompt", "a", "--steps", "x"],
  "a device that is none": ["--prompt", "a", "--device", "cuda:x"],
  "no GPUs": ["--prompt", "a", "--gpus", "0"],
  "several GPUs on the CPU": ["--prompt", "a", "--device", "cpu", "--gpus", "2"],
  "an unknown option": ["--prompt", "a", "--magic"],
  "an empty prompt": ["--prompt", " "],
  "a folder as prompt file": ["--prompt-file", "models"],
  "two prompts": ["--prompt", "a", "--prompt-file", "models/demo/health_check.xml"],
  "a missing prompt file": ["--prompt-file", "no/such/file.xml"],
  "a batch with a prompt": ["--prompt", "a", "--batch", "x.jsonl"],
  "a shard without a batch": ["--prompt", "a", "--shard", "0/2"],
  "a missing batch": ["--batch", "no/such/batch.jsonl"],
  "an unknown scheduler": ["--prompt", "a", "--scheduler", "magic"],
  "a picture without a recipe": ["--from", "bench/results/eval.png"],
  "questions that JSON cannot ask": [],
};

Deno.test("an option that other programs call otherwise is told by its own name", async () => {
  const { code, err } = await runTask("create", ["--prompt", "a", "--cfg-scale", "5"]);
  assert.equal(code, 2);
  assert.match(err, /unknown option '--cfg-scale', which is --guidance here\./);
  const chinese = await runTask("create", ["--prompt", "a", "--sampler", "x", "--lang", "zh"]);
  assert.match(chinese.err, /没有选项 --sampler，这里叫 --scheduler。/);
});

for (const [what, args] of Object.entries(WRONG)) {
  Deno.test(`${what}: exit 2, one message, nothing written`, async () => {
    const { code, out, err } = await runTask("create", [...args, "--json"]);
    assert.equal(code, 2, err);
    assert(err.trim() !== "" && !err.includes("    at "), err);
    assert.equal(typeof JSON.parse(out).error.message, "string");
    assert(!/\bError:/.test(err), err);

    const chinese = await runTask("create", [...args, "--json", "--lang", "zh"]);
    assert.equal(chinese.code, 2);
    assert.match(JSON.parse(chinese.out).error.message, /\p{Script=Han}/u);
  });
}

Deno.test("a picture that was made with another model is made, with a warning", async () => {
  const [first] = await create("--prompt", "1girl", "--seed", "1", ...SMALL);
  const { image, text } = decodePng(await read(first!.path));
  const json = text["newbie"]!.replaceAll(/"sha256":\s*"[0-9a-f]{4}/g, '"sha256":"0000')
    .replace('"cpu","dtype"', '"cuda","dtype"');
  const other = await Deno.makeTempFile({ suffix: ".png" });
  try {
    await Deno.writeFile(other, encodePng(image, { text: { ...text, newbie: json } }));
    const { code, out, err } = await runTask("create", ["--from", other, "--json"]);
    assert.equal(code, 0, err);
    const { pictures, differences } = JSON.parse(out);
    made.push(pictures[0].path);
    for (const part of ["transformer", "textEncoder", "vae"]) assert(differences.includes(part));
    assert.match(err, /another transformer/);
  } finally {
    await Deno.remove(other);
  }
});

Deno.test("a broken prompt through a pipe ends with exit 2, and answers nothing else", async () => {
  const { code, out } = await runTask("create", [], { stdin: "<a><b></a>\nname\n1\n\n\n\n\n" });
  assert.equal(code, 2);
  assert(!out.includes("Saved"));
});

Deno.test("answers through a pipe make a picture", async () => {
  const stdin = "<character_1>\n<n>miku</n>\n</character_1>\n\n<general_tags><count>1girl</count>" +
    "</general_tags>\npiped\n2\n\n3\n64x64\n\nq\n";
  const { code, out, err } = await runTask("create", [], { stdin });
  assert.equal(code, 0, err);
  const path = /Saved to (\S+piped(?:-\d+)?\.png) \(seed 3/.exec(out)?.[1];
  assert(path !== undefined, out);
  made.push(path);
  assert.match(readRecipe(await read(path)).prompt, /miku[^]*1girl/);
});

// Each stands in the lines in which the programs write it; the next line is the next answer.
Deno.test("a prompt in several lines through a pipe is read to its end, whatever is around it", async () => {
  const system = "You are an assistant. <Prompt Start>";
  const xml = "<character_1>\n<n>miku</n>\n</character_1>";
  const prompts = [
    `${system}\n${xml}`,
    `${system}\n{\n"image": {\n"tags": "\n${xml}\n",\n"caption": "A "girl"."\n}\n}`,
    `{\n${xml}\n}`,
    "```json\n" + JSON.stringify({ image: { tags: xml } }) + "\n```",
    `[\n{"image": {"tags": "1girl"}}\n]`,
  ];
  const negative = "You are no painter. <Prompt Start>";
  const stdin = prompts.map((prompt) => `${prompt}\nwrapped\n1\n\n3\n64x64\n\n`).join("") +
    `/negative ${negative}\n<danbooru_tags>lowres</danbooru_tags>\n` +
    `/negative ${negative}\n1girl\nwrapped\n1\n\n3\n64x64\n\nq\n`;
  const { code, out, err } = await runTask("create", [], { stdin });
  assert.equal(code, 0, err);
  const paths = [...out.matchAll(/Saved to (\S+wrapped(?:-\d+)?\.png) \(seed 3/g)].map(([, path]) =>
    path!
  );
  made.push(...paths);
  const recipes = await Promise.all(paths.map(async (path) => readRecipe(await read(path))));
  assert.deepEqual(recipes.map(({ prompt }) => prompt), [...prompts, "1girl"]);
  assert.match(out + err, /Negative prompt: .*<Prompt Start>.*<danbooru_tags>lowres/);
  assert.equal(recipes.at(-1)!.negativePrompt, negative);
});

Deno.test("help and messages follow the locale", async () => {
  const { out } = await runTask("create", ["--help"], { env: { LC_ALL: "zh_CN.UTF-8" } });
  assert.match(out, /提示词/);
  const { err } = await runTask("create", ["--prompt", "a", "--count", "0", "--lang", "zh"]);
  assert.match(err, /整数/);
});

Deno.test("a path with no model or part there is a wrong request, whatever task it was given to", async () => {
  await inTempFolder(async (folder) => {
    const none = `${folder}/none`;
    for (
      const [task, ...args] of [
        ["create", "--prompt", "1girl", "--model", none],
        ["create", "--prompt", "1girl", "--vae", none],
        ["serve", "--port", "0", "--model", none],
        ["quantize", none, "--bits", "8", "--format", "gguf", "--out", `${folder}/out`],
      ] as const
    ) {
      const { code, err } = await runTask(task, args);
      assert.match(
        err,
        /none(?: is neither a folder nor a file|, named with --vae, does not exist)\./,
      );
      assert.equal(code, 2, err);
    }
  });
});

Deno.test("a model that cannot be loaded is explained in the person's language", async () => {
  await inTempFolder(async (folder) => {
    const load = async (language: string) => {
      const args = ["--prompt", "1girl", "--model", folder, "--lang", language];
      const { code, err } = await runTask("create", args);
      assert.equal(code, 1, err);
      return err;
    };
    assert.match(await load("en"), /error: No model was found in /);
    assert.match(await load("zh"), /错误：.* 里没有找到模型。/);

    for (const part of ["next-dit", "transformer", "clip_model", "vae"]) {
      await Deno.symlink(new URL(`models/demo/${part}`, ROOT), `${folder}/${part}`);
    }
    await Deno.remove(`${folder}/vae`);
    await Deno.mkdir(`${folder}/vae`);
    await Deno.writeTextFile(`${folder}/vae/config.json`, '{"_class_name":"AutoencoderTiny"}');
    await Deno.writeTextFile(`${folder}/vae/model.safetensors`, "damaged");
    assert.match(await load("en"), /vae\/model\.safetensors: the file has 7 bytes/);
    assert.match(await load("zh"), /vae\/model\.safetensors：文件只有 7 字节/);
  });
});
