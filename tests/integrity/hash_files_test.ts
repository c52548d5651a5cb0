/** Checksums of many files. What is expected is coreutils' sha256sum, or FIPS 180-4's examples. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { hashFile, hashFiles } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { sh } from "./_packages.ts";

const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/** More than is read at once, and no multiple of it. */
const LARGE_BYTES = (9 << 20) + 5;

/** Files around every border: of nothing, of a piece, and of several. */
async function files() {
  const folder = await temporaryFolder();
  const noise = new Uint8Array(LARGE_BYTES).map((_, index) => (index * index) >> 7);
  const names: string[] = [];
  for (const bytes of [0, 1, (1 << 22) - 1, 1 << 22, (1 << 22) + 1, LARGE_BYTES]) {
    names.push(`${bytes}.bin`);
    await Deno.writeFile(join(folder.path, `${bytes}.bin`), noise.subarray(0, bytes));
  }
  const { out } = await sh("sha256sum", names, folder.path);
  const expected = out.trim().split("\n").map((line) => ({ sha256: line.slice(0, 64) }));
  return { ...folder, paths: names.map((name) => join(folder.path, name)), expected };
}

Deno.test("checksums are those of sha256sum, with any number of threads", async () => {
  await using it = await files();
  for (const threads of [1, 2, 3, undefined]) {
    assert.deepEqual(await hashFiles(it.paths, { threads }), it.expected, `${threads} threads`);
  }
  assert.deepEqual(await hashFiles([]), []);
});

Deno.test("progress goes up to the size of all files, whoever reads them", async () => {
  await using it = await files();
  const sizes = await Promise.all(it.paths.map(async (path) => (await Deno.stat(path)).size));
  const total = sizes.reduce((sum, size) => sum + size);
  for (const threads of [1, 3]) {
    const seen: number[] = [];
    await hashFiles(it.paths, {
      threads,
      onProgress(bytes, of) {
        assert.equal(of, total);
        seen.push(bytes);
      },
    });
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
    assert.equal(seen.at(-1), total);
    assert(seen.length > it.paths.length, "a large file is told of in pieces");
  }
});

Deno.test("a file that cannot be read is told of, and the others are read", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  await Deno.writeTextFile(at("abc"), "abc");
  await Deno.mkdir(at("folder"));
  for (const threads of [1, 2]) {
    const [abc, directory, missing] = await hashFiles(
      [at("abc"), at("folder"), at("missing")],
      { threads },
    );
    assert.deepEqual(abc, { sha256: ABC });
    assert.match(directory!.problem!.en, /it is a folder, not a file/);
    assert.match(missing!.problem!.en, /missing/);
  }
});

Deno.test("a signal ends the reading in every thread", async () => {
  await using it = await files();
  for (const threads of [1, 2]) {
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("enough"));
    const { signal } = controller;
    await assert.rejects(hashFiles(it.paths, { threads, signal, onProgress }), /enough/);
    await assert.rejects(hashFiles(it.paths, { threads, signal }), /enough/);
  }
});

Deno.test("a file that grows while it is read has no checksum", async () => {
  await using it = await files();
  const path = it.paths.at(-1)!;
  let isFirst = true;
  await assert.rejects(
    hashFile(path, {
      onBytes() {
        if (isFirst) Deno.writeTextFileSync(path, "more", { append: true });
        isFirst = false;
      },
    }),
    /changed while its checksum was taken/,
  );
  assert.equal(await hashFile(it.paths[0]!), EMPTY);
});
