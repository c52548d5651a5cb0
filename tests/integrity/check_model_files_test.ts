/** Weights against a list before they are used. Sums are FIPS 180-4's "abc" and sha256sum's. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  ChangedWeightsError,
  checkModelFiles,
  ChecksumListError,
} from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";

const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/** printf abd | sha256sum */
const ABD = "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9";

/** A model of two shards, one of them listed, and a file that stands alone. */
async function model() {
  const folder = await temporaryFolder();
  const at = (path: string) => join(folder.path, path);
  await Deno.mkdir(at("models/big"), { recursive: true });
  for (const name of ["big/1.safetensors", "big/2.safetensors", "one.safetensors"]) {
    await Deno.writeTextFile(at(`models/${name}`), "abc");
  }
  await Deno.writeTextFile(at("models/big/config.json"), "abc");
  const list = at("checksums.txt");
  const paths = ["models/big/1.safetensors", "models/one.safetensors", "models/big/config.json"];
  await Deno.writeTextFile(list, paths.map((path) => `${ABC}  ${path}\n`).join(""));
  return { ...folder, at, list, big: at("models/big"), one: at("models/one.safetensors") };
}

Deno.test("listed files are compared, and others are named", async () => {
  await using it = await model();
  assert.deepEqual(await checkModelFiles([it.big, it.one], it.list), {
    checked: [it.at("models/big/1.safetensors"), it.at("models/big/config.json"), it.one],
    unlisted: [it.at("models/big/2.safetensors")],
  });
});

Deno.test("changed weights are refused, each with both checksums", async () => {
  await using it = await model();
  const first = it.at("models/big/1.safetensors");
  await Deno.writeTextFile(first, "abd");
  await Deno.writeTextFile(it.one, "abd");
  await assert.rejects(checkModelFiles([it.big, it.one], it.list), (error) => {
    assert(error instanceof ChangedWeightsError);
    assert.deepEqual(
      error.files,
      [first, it.one].map((path) => ({ path, expected: ABC, found: ABD })),
    );
    for (const text of [error.message, error.explain("zh")]) {
      for (const part of [first, it.one, ABC, ABD, "deno task checksums --write"]) {
        assert(text.includes(part), part);
      }
    }
    return true;
  });
});

Deno.test("where there is no list, or weights lie elsewhere, nothing is read", async () => {
  await using it = await model();
  await using elsewhere = await model();
  const read: number[] = [];
  const options = { onRead: (bytes: number) => void read.push(bytes) };
  const nothing = { checked: [], unlisted: [] };
  assert.deepEqual(await checkModelFiles([it.big], it.at("no/such/list"), options), nothing);
  assert.deepEqual(await checkModelFiles([elsewhere.big], it.list, options), nothing);
  assert.deepEqual(read, []);
});

Deno.test("a list that is damaged is an error, not a list of nothing", async () => {
  await using it = await model();
  await Deno.writeTextFile(it.list, `${ABC.slice(1)}  models/one.safetensors\n`);
  await assert.rejects(checkModelFiles([it.one], it.list), ChecksumListError);
});

Deno.test("weights reached through a link are those of the list", async () => {
  await using it = await model();
  await using elsewhere = await temporaryFolder();
  const link = join(elsewhere.path, "link");
  await Deno.symlink(it.big, link);
  const { checked } = await checkModelFiles([link], it.list);
  assert.deepEqual(checked, [join(link, "1.safetensors"), join(link, "config.json")]);

  // And the other way round: the list's folder has a link to where the weights are.
  await Deno.rename(it.big, join(elsewhere.path, "moved"));
  await Deno.symlink(join(elsewhere.path, "moved"), it.big);
  await Deno.writeTextFile(join(elsewhere.path, "moved/1.safetensors"), "abd");
  await assert.rejects(checkModelFiles([it.big], it.list), ChangedWeightsError);
});

Deno.test("a second check reads nothing, unless it is strict or the file is another one", async () => {
  await using it = await model();
  const cacheFile = it.at("cache/sums.json");
  const read: number[] = [];
  const check = async (strict = false) => {
    read.length = 0;
    await checkModelFiles([it.one], it.list, {
      cacheFile,
      strict,
      onRead: (bytes) => read.push(bytes),
    });
    return [...read];
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve, 2100));
  assert.deepEqual(await check(), [3]);
  assert.deepEqual(await check(), [3], "a file that was written a moment ago is not remembered");
  await settle();
  assert.deepEqual(await check(), [3]);
  assert.deepEqual(await check(), []);
  assert.deepEqual(await check(true), [3]);

  // Strict believes its eyes, and mends the cache.
  const cached = await Deno.readTextFile(cacheFile);
  await Deno.writeTextFile(cacheFile, cached.replace(ABC, ABD));
  await assert.rejects(check(), ChangedWeightsError);
  assert.deepEqual(await check(true), [3]);
  assert.equal(await Deno.readTextFile(cacheFile), cached);

  // Another inode, with the size and the time of writing that the old one had.
  const { mtime } = await Deno.stat(it.one);
  await Deno.writeTextFile(it.at("new"), "abd");
  await Deno.utime(it.at("new"), mtime!, mtime!);
  await Deno.rename(it.at("new"), it.one);
  await assert.rejects(check(), ChangedWeightsError);
  await settle();
  await assert.rejects(check(), ChangedWeightsError);
  await assert.rejects(check(), ChangedWeightsError, "what is remembered is compared as well");
});

Deno.test("a cache that others could have written is not believed, and not written", async () => {
  await using it = await model();
  await Deno.mkdir(it.at("cache"), { mode: 0o700 });
  const cacheFile = it.at("cache/sums.json");
  const read: number[] = [];
  const check = async () => {
    read.length = 0;
    await checkModelFiles([it.one], it.list, { cacheFile, onRead: (bytes) => read.push(bytes) });
    return [...read];
  };
  await new Promise((resolve) => setTimeout(resolve, 2100));
  assert.deepEqual([await check(), await check()], [[3], []]);
  assert.equal((await Deno.stat(cacheFile)).mode! & 0o777, 0o600);
  const changes: Record<string, [string, number]> = {
    "the file is writable for all": [cacheFile, 0o666],
    "the file is writable for its group": [cacheFile, 0o620],
    "the folder is writable for all": [it.at("cache"), 0o777],
  };
  for (const [what, [path, mode]] of Object.entries(changes)) {
    const before = (await Deno.stat(path)).mode! & 0o777;
    await Deno.chmod(path, mode);
    assert.deepEqual(await check(), [3], what);
    await Deno.chmod(path, before);
    if (path === cacheFile) assert.deepEqual(await check(), [], "it was written anew");
  }
  await Deno.rename(cacheFile, it.at("elsewhere.json"));
  await Deno.symlink(it.at("elsewhere.json"), cacheFile);
  assert.deepEqual(await check(), [3], "a link");
});

Deno.test("a changed or absent configuration or tokenizer is refused like a weight", async () => {
  await using it = await model();
  const config = it.at("models/big/config.json");
  const places = [it.big, config];
  await checkModelFiles(places, it.list);
  await Deno.writeTextFile(it.at("models/big/tokenizer.json"), "{}");
  const { unlisted } = await checkModelFiles(places, it.list);
  assert(unlisted.includes(it.at("models/big/tokenizer.json")));
  await Deno.writeTextFile(config, "abd");
  await assert.rejects(checkModelFiles(places, it.list), ChangedWeightsError);
  await Deno.writeTextFile(config, "abc");
  await Deno.remove(it.at("models/big/1.safetensors"));
  await assert.rejects(checkModelFiles(places, it.list), (error) => {
    assert(error instanceof ChangedWeightsError);
    assert.deepEqual(error.missing, ["models/big/1.safetensors"]);
    assert.match(error.explain("zh"), /缺少 models\/big\/1\.safetensors/);
    return true;
  });
});
