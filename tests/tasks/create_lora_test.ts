/** Adapters in `deno task create`: options, prompts, batches, recipes. */
import assert from "node:assert/strict";
import { decodePng, encodePng, readPictureText } from "../../src/image/mod.ts";
import { readRecipe } from "../../src/recipe/mod.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { lowRank, writeAdapter } from "../pipeline/_adapter_files.ts";
import { ROOT, runTask } from "./_task_command.ts";

const SMALL = ["--steps", "1", "--width", "64", "--height", "48", "--seed", "5", "--json"];
const made = new Set<string>();

interface Picture {
  readonly path: string;
  readonly adapters?: readonly { readonly name: string; readonly weight: number }[];
}

/** A folder with the demo model and adapters for it. */
const folder = await Deno.makeTempDir();
await Deno.mkdir(`${folder}/models`);
await Deno.symlink(new URL("models/demo", ROOT), `${folder}/models/demo`);
const MODEL = ["--model", folder];
const LORAS = `${folder}/models/loras`;
const NIGHT = `${LORAS}/night.safetensors`;
const RIN = `${LORAS}/Rin v1.safetensors`;
const { tensors } = await openWeights(new URL("models/demo/next-dit", ROOT).pathname);
const changes = (pattern: RegExp) =>
  [...tensors.values()].filter(({ name, shape }) => shape.length === 2 && pattern.test(name))
    .map(({ name, shape }) => lowRank(name, shape, { size: 0.1 }));
await Deno.mkdir(LORAS);
await writeAdapter(NIGHT, changes(/feed_forward/));
await writeAdapter(RIN, changes(/attention\.out/));

Deno.test.afterAll(async () => {
  for (const path of made) await Deno.remove(new URL(path, ROOT));
  await Deno.remove(folder, { recursive: true });
});

async function create(...args: string[]): Promise<Picture[]> {
  const { code, out, err } = await runTask("create", [...args, ...MODEL, ...SMALL]);
  assert.equal(code, 0, err);
  const { pictures, sheet } = JSON.parse(out);
  for (const { path } of [...pictures, ...sheet === undefined ? [] : [sheet]]) made.add(path);
  return pictures;
}

async function refused(...args: string[]): Promise<string> {
  const { code, err } = await runTask("create", [...args, ...MODEL, ...SMALL]);
  assert.equal(code, 2, err);
  return err;
}

const bytesOf = (path: string) => Deno.readFile(new URL(path, ROOT));
const pixelsOf = async (path: string) => (await decodePng(await bytesOf(path))).image.data;
const weightsOf = ({ adapters = [] }: Picture) =>
  adapters.map(({ name, weight }) => [name, weight]);

Deno.test("an adapter works from an option and from the prompt, and weight 0 is without", async () => {
  const [plain] = await create("--prompt", "1girl, smile");
  const [option] = await create("--prompt", "1girl, smile", "--lora", `${NIGHT}:0.8`);
  const [prompt] = await create("--prompt", "1girl, <lora:night:0.8>, smile");
  const [zero] = await create("--prompt", "1girl, smile", "--lora", "night:0");
  assert.deepEqual(weightsOf(option!), [["night", 0.8]]);
  const [without, withOption] = [await pixelsOf(plain!.path), await pixelsOf(option!.path)];
  assert.notDeepEqual(withOption, without);
  assert.deepEqual(await pixelsOf(prompt!.path), withOption);
  assert.deepEqual(await pixelsOf(zero!.path), without);

  const png = await bytesOf(prompt!.path);
  const recipe = readRecipe(png);
  assert.equal(recipe.prompt, "1girl, smile");
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", await Deno.readFile(NIGHT)),
  );
  const sha256 = digest.toHex();
  assert.deepEqual(recipe.adapters, [{ name: "night", weight: 0.8, sha256 }]);
  const { parameters } = readPictureText(png).text;
  assert.match(parameters!, /^1girl, smile <lora:night:0\.8>\n/);
  assert.match(parameters!, new RegExp(`Lora hashes: "night: ${sha256.slice(0, 10)}"`));
  assert.equal(readRecipe(await bytesOf(plain!.path)).adapters, undefined);
});

Deno.test("adapters stand in XML, in negative prompts and in templates", async () => {
  const xml = "<general_tags><style>anime_style, <lora:night:0.5></style></general_tags>";
  const [picture] = await create("--prompt", xml, "--negative-prompt", "bad, <lora:Rin v1:-1>");
  assert.deepEqual(weightsOf(picture!).sort(), [["Rin v1", -1], ["night", 0.5]]);
  const { prompt, negativePrompt } = readRecipe(await bytesOf(picture!.path));
  assert.deepEqual([prompt, negativePrompt], [xml.replace(", <lora:night:0.5>", ""), "bad"]);
  const template = "1girl {<lora:night:0.5>|<lora:Rin v1>}";
  const drawn = await create("--prompt", template, "--combinations");
  assert.deepEqual(drawn.map(weightsOf), [[["night", 0.5]], [["Rin v1", 1]]]);
});

Deno.test("a picture is made again with its adapters, under whatever names they lie now", async () => {
  const loras = ["--lora", "night:0.7", "--lora", "Rin v1:0.5"];
  const [first] = await create("--prompt", "1girl", ...loras);
  const pixels = await pixelsOf(first!.path);
  await Deno.rename(NIGHT, `${LORAS}/dark.safetensors`);
  try {
    const [again] = await create("--from", first!.path);
    assert.deepEqual(await pixelsOf(again!.path), pixels);
    const { adapters } = readRecipe(await bytesOf(again!.path));
    assert(adapters!.some(({ name }) => name === "dark"));
    // Another file of the name is no other adapter in silence.
    await Deno.copyFile(RIN, NIGHT);
    await Deno.remove(`${LORAS}/dark.safetensors`);
    const { code, err } = await runTask("create", ["--from", first!.path, ...MODEL, ...SMALL]);
    assert.equal(code, 0, err);
    made.add(/outputs\S+\.png/.exec(err)![0]);
    assert.match(err, /different adapters|adapters/);
    await Deno.remove(NIGHT);
    assert.match(await refused("--from", first!.path), /adapter night \(SHA-256 [0-9a-f]{10}…\)/);
    // What is named anew takes their place.
    const [none] = await create("--from", first!.path, "--lora", "none");
    assert.deepEqual(weightsOf(none!), []);
  } finally {
    await writeAdapter(NIGHT, changes(/feed_forward/));
  }
});

Deno.test("lines of a batch have adapters of their own", async () => {
  const path = `${folder}/lines.jsonl`;
  const lines = [
    { prompt: "1girl", lora: "night:0.5" },
    { prompt: "1girl", lora: ["night:0.5", { name: "Rin v1", weight: -0.5 }] },
    { prompt: "1girl <lora:night:1>" },
    { prompt: "1girl", lora: "none" },
    { prompt: "1girl", lora: "no such" },
  ];
  await Deno.writeTextFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  const output = `loras_${crypto.randomUUID()}`;
  const args = ["--batch", path, "--output", output, "--lora", "Rin v1:0.25", ...MODEL, ...SMALL];
  try {
    const { code, out } = await runTask("create", args);
    assert.equal(code, 1);
    const { pictures, failures } = JSON.parse(out);
    assert.deepEqual(pictures.map((picture: Picture) => weightsOf(picture).sort()), [
      [["night", 0.5]],
      [["Rin v1", -0.5], ["night", 0.5]],
      [["Rin v1", 0.25], ["night", 1]],
      [],
    ]);
    assert.match(failures[0].message, /There is no adapter no such/);
  } finally {
    await Deno.remove(new URL(`outputs/${output}`, ROOT), { recursive: true });
  }
});

Deno.test("a grid gives an adapter several weights", async () => {
  const pictures = await create(
    "--prompt",
    "1girl",
    "--grid",
    "lora=night:0,night:0.5,night+Rin v1:2",
  );
  assert.deepEqual(pictures.map((picture) => weightsOf(picture).sort()), [
    [],
    [["night", 0.5]],
    [["Rin v1", 2], ["night", 1]],
  ]);
});

Deno.test("one file that is asked for under several names has the sum of its weights", async () => {
  const [once] = await create("--prompt", "1girl", "--lora", "night:0.5");
  const [several] = await create(
    ...["--prompt", "1girl <lora:night:0.25>", "--lora", `${NIGHT}:0.5`],
    ...["--lora", `${LORAS}/../loras/night.safetensors:-0.5`, "--lora", "night.safetensors:0.25"],
  );
  assert.deepEqual(weightsOf(several!), [["night", 0.5]]);
  assert.deepEqual(await pixelsOf(several!.path), await pixelsOf(once!.path));
});

Deno.test("an adapter is found by an unusual name, or in a folder that diffusers wrote", async () => {
  const names = ["夜光 v1.5", "a:b", "x<y>"];
  for (const name of names) await Deno.copyFile(NIGHT, `${LORAS}/${name}.safetensors`);
  await Deno.mkdir(`${LORAS}/trained`);
  await Deno.copyFile(NIGHT, `${LORAS}/trained/pytorch_lora_weights.safetensors`);
  await Deno.mkdir(`${folder}/elsewhere`);
  await Deno.copyFile(NIGHT, `${folder}/elsewhere/step_100.safetensors`);
  try {
    const asked = [...names.map((name) => `${name}:0.5`), "trained:0.5", `${folder}/elsewhere:0.5`];
    for (const [index, lora] of [...asked, `${LORAS}/x<y>.safetensors:0.5`].entries()) {
      const [picture] = await create("--prompt", "1girl", "--lora", lora);
      const name = [...names, "trained", "elsewhere", "x<y>"][index];
      assert.deepEqual(weightsOf(picture!), [[name, 0.5]]);
    }
  } finally {
    for (const name of names) await Deno.remove(`${LORAS}/${name}.safetensors`);
    await Deno.remove(`${LORAS}/trained`, { recursive: true });
    await Deno.remove(`${folder}/elsewhere`, { recursive: true });
  }
});

Deno.test("what is there and is no adapter is named as what it is", async () => {
  const message = async (lora: string) => {
    const { code, err } = await runTask("create", [
      ...["--prompt", "1girl", "--lora", lora],
      ...MODEL,
      ...SMALL,
    ]);
    assert.notEqual(code, 0);
    assert.doesNotMatch(err, /no such file/);
    return err;
  };
  await Deno.writeFile(`${folder}/old.pt`, new Uint8Array(64));
  assert.match(await message(`${folder}/old.pt:0.5`), /pickle/);
  assert.match(await message(`${folder}/models/demo/next-dit`), /names of a whole checkpoint/);
  assert.match(await message(LORAS), /a folder with several files.*Rin v1\.safetensors, night/);
  assert.match(await message("night:strong"), /night is there, but "strong" is no weight/);
  assert.match(await message("night:0,5"), /"0,5" is no weight/);
  assert.match(await message(`${NIGHT}:lbw=ALL`), /"lbw=ALL" is no weight/);
  assert.match(await message("night:0.8:lbw=OUTD"), /night is there, but "lbw=OUTD" is no weight/);
  assert.match(await message("night:1:1:OUTD"), /night is there, but "OUTD" is no weight/);
  assert.match(
    await message("night:0.8,night"),
    /night, night are several adapters: .*--lora night --lora night/,
  );
  const { err } = await runTask("create", [
    ...["--prompt", "1girl", "--transformer", NIGHT],
    ...MODEL,
    ...SMALL,
  ]);
  assert.match(err, /It is an adapter: give it as --lora/);
});

Deno.test("an adapter with values that are no numbers spoils no other picture", async () => {
  const { name, shape } = tensors.get("layers.0.attention.qkv.weight")!;
  await writeAdapter(`${LORAS}/broken.safetensors`, [lowRank(name, shape, { size: NaN })]);
  const path = `${folder}/spoiled.jsonl`;
  const lines = [{ prompt: "1girl", lora: "broken:0.5" }, { prompt: "1girl" }];
  await Deno.writeTextFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  const output = `loras_${crypto.randomUUID()}`;
  try {
    const { code, out } = await runTask("create", [
      ...["--batch", path, "--output", output],
      ...MODEL,
      ...SMALL,
    ]);
    assert.equal(code, 1);
    const { pictures, failures } = JSON.parse(out);
    assert.equal(pictures.length, 1);
    assert.match(failures[0].message, /values that are no finite numbers/);
  } finally {
    await Deno.remove(`${LORAS}/broken.safetensors`);
    await Deno.remove(new URL(`outputs/${output}`, ROOT), { recursive: true });
  }
});

Deno.test("an adapter that is not there, or of another model, is one clear error", async () => {
  assert.match(await refused("--prompt", "1girl", "--lora", "nigth"), /Did you mean night\?/);
  assert.match(await refused("--prompt", "1girl", "--lora", ":0.5"), /names no adapter/);
  const zh = await refused("--prompt", "1girl <lora:none such:1>", "--lang", "zh");
  assert.match(zh, /没有适配器 none such.*现有：.*night/s);
  const other = `${LORAS}/other.safetensors`;
  await writeAdapter(other, [lowRank("single_blocks.0.linear1.weight", [8, 8])]);
  try {
    const { code, err } = await runTask("create", [
      ...["--prompt", "1girl", "--lora", "other"],
      ...MODEL,
      ...SMALL,
    ]);
    assert.equal(code, 1, err);
    assert.match(err, /other\.safetensors/);
  } finally {
    await Deno.remove(other);
  }
});

Deno.test("another program's picture brings the adapters that are here, by checksum or name", async () => {
  // The web UI's checksum leaves out the file's header.
  const bytes = await Deno.readFile(RIN);
  const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const digest = await crypto.subtle.digest("SHA-256", bytes.slice(8 + header));
  const hash = new Uint8Array(digest).toHex().slice(0, 12);
  const parameters = `1girl, <lora:night:0.5>, <lora:other name:-1>, <lora:gone:1>\n` +
    `Steps: 20, Seed: 1, Size: 64x48, Lora hashes: "night: 0123456789ab, other name: ${hash}"`;
  const image = { data: new Uint8ClampedArray(3), width: 1, height: 1 };
  const path = `${folder}/foreign.png`;
  await Deno.writeFile(path, await encodePng(image, { text: { parameters } }));
  const { code, out, err } = await runTask("create", ["--from", path, ...MODEL, ...SMALL]);
  assert.equal(code, 0, err);
  const { pictures: [picture] } = JSON.parse(out);
  made.add(picture.path);
  assert.deepEqual(weightsOf(picture).sort(), [["Rin v1", -1], ["night", 0.5]]);
  assert.equal(readRecipe(await bytesOf(picture.path)).prompt, "1girl");
  assert.match(err, /not used: gone\./);
});
