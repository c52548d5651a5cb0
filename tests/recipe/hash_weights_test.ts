/** checksums.txt and the sums below are by coreutils' sha256sum. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { findCheckpoint } from "../../src/pipeline/checkpoint/find_checkpoint.ts";
import { hashWeights, identifyModels } from "../../src/recipe/mod.ts";
import { temporaryFolder } from "../_folders.ts";

/** FIPS 180-2's example. */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("the demo model's networks have the checksums of checksums.txt", async () => {
  const known = new Map(
    (await Deno.readTextFile("checksums.txt")).trim().split("\n")
      .map((line) => line.split("  ").reverse() as [string, string]),
  );
  const listed = (part: string, file: string) => known.get(`models/demo/${part}/${file}`)!;
  const of = (part: string) => ({
    name: `demo/${part}`,
    sha256: listed(part, "model.safetensors"),
    config: listed(part, "config.json"),
  });
  // What sha256sum prints of both files, summed again.
  const encoder = (part: string) => {
    const files = ["tokenizer.json", "tokenizer_config.json"];
    const list = files.map((file) => `${listed(part, file)}  ${file}\n`).join("");
    return { ...of(part), tokenizer: createHash("sha256").update(list).digest("hex") };
  };
  assert.deepEqual(await identifyModels(await findCheckpoint("models/demo")), {
    layout: "toolkit",
    transformer: of("next-dit"),
    textEncoder: encoder("transformer"),
    clipModel: encoder("clip_model"),
    vae: of("vae"),
  });
});

Deno.test("shards have the checksum of their list, in whatever order they are given", async () => {
  await using temporary = await temporaryFolder();
  const first = `${temporary.path}/model-00001-of-00002.safetensors`;
  const second = `${temporary.path}/model-00002-of-00002.safetensors`;
  await Deno.writeTextFile(first, "abc");
  await Deno.writeTextFile(second, "def");
  // cd $folder && sha256sum model-*.safetensors | sha256sum
  const list = "55ca23fecc83ece84d96001ad4de6eb668ee790f8d207627952e8514d2eafd87";
  assert.equal(await hashWeights([first, second]), list);
  assert.equal(await hashWeights([second, first]), list);
  assert.equal(await hashWeights([first]), ABC);
});

/** A file that nobody has touched for a while; its checksum is in checksums.txt. */
const OLD_FILE = "models/demo/vae/model.safetensors";
const OLD_SUM = (await Deno.readTextFile("checksums.txt")).split("\n")
  .find((line) => line.endsWith(`  ${OLD_FILE}`))!.split(" ")[0]!;

Deno.test("what the cache remembers of an unchanged file is believed", async () => {
  await using temporary = await temporaryFolder();
  const cacheFile = `${temporary.path}/made/when/needed.json`;
  assert.equal(await hashWeights([OLD_FILE], { cacheFile }), OLD_SUM);
  const remembered = await Deno.readTextFile(cacheFile);
  const lie = "0".repeat(64);
  await Deno.writeTextFile(cacheFile, remembered.replace(OLD_SUM, lie));
  assert.equal(await hashWeights([OLD_FILE], { cacheFile }), lie);

  // A file of another size, time or inode is another file.
  const { size } = await Deno.stat(OLD_FILE);
  const other = remembered.replace(OLD_SUM, lie).replace(`${size} `, `${size + 1} `);
  await Deno.writeTextFile(cacheFile, other);
  assert.equal(await hashWeights([OLD_FILE], { cacheFile }), OLD_SUM);
  assert.equal(await Deno.readTextFile(cacheFile), remembered);
});

Deno.test("a file that changes has another checksum, even if its size and times do not tell", async () => {
  await using temporary = await temporaryFolder();
  const file = `${temporary.path}/model.safetensors`;
  const cacheFile = `${temporary.path}/cache.json`;
  await Deno.writeTextFile(file, "abc");
  const long = new Date("2020-01-01");
  await Deno.utime(file, long, long);
  assert.equal(await hashWeights([file], { cacheFile }), ABC);
  // As archives and copies do, that set the time of writing back.
  await Deno.writeTextFile(file, "abd");
  await Deno.utime(file, long, long);
  const changed = "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9";
  assert.equal(await hashWeights([file], { cacheFile }), changed);
});

Deno.test("a cache that is damaged or cannot be written is done without", async () => {
  await using temporary = await temporaryFolder();
  for (const damage of ["", "[]", "{", '{"a":1}', "\0"]) {
    const cacheFile = `${temporary.path}/cache.json`;
    await Deno.writeTextFile(cacheFile, damage);
    assert.equal(await hashWeights([OLD_FILE], { cacheFile }), OLD_SUM);
    assert((await Deno.readTextFile(cacheFile)).includes(OLD_SUM), "it is made anew");
  }
  const file = `${temporary.path}/cache.json`;
  assert.equal(await hashWeights([OLD_FILE], { cacheFile: `${file}/below.json` }), OLD_SUM);
});

Deno.test("the reading ends when it is told to", async () => {
  await using temporary = await temporaryFolder();
  const file = `${temporary.path}/model.safetensors`;
  await Deno.writeTextFile(file, "abc");
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(hashWeights([file], { signal }), /enough/);
  assert.equal(await hashWeights([file]), ABC);
});

Deno.test("callers at the same time get the same answer", async () => {
  await using temporary = await temporaryFolder();
  const file = `${temporary.path}/model.safetensors`;
  await Deno.writeTextFile(file, "abc");
  const cacheFile = `${temporary.path}/cache.json`;
  const sums = await Promise.all(
    Array.from({ length: 8 }, () => hashWeights([file], { cacheFile })),
  );
  assert.deepEqual([...new Set(sums)], [ABC]);
});

Deno.test("a missing file is an error, and no answer for later", async () => {
  await using temporary = await temporaryFolder();
  const file = `${temporary.path}/model.safetensors`;
  await assert.rejects(hashWeights([file]), /model\.safetensors/);
  await Deno.writeTextFile(file, "abc");
  assert.equal(await hashWeights([file]), ABC);
});
