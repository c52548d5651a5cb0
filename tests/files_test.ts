/** What is left in a folder after writing, and after failing to. */
import assert from "node:assert/strict";
import { writeFileAtomically } from "../src/files.ts";
import { inTempFolder } from "./_folders.ts";

const namesIn = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();

Deno.test("a file is written whole, and replaces one of its name", () =>
  inTempFolder(async (folder) => {
    await writeFileAtomically(`${folder}/a.png`, Uint8Array.of(1, 2, 3));
    await writeFileAtomically(`${folder}/a.png`, Uint8Array.of(4));
    assert.deepEqual([...await Deno.readFile(`${folder}/a.png`)], [4]);
    assert.deepEqual(namesIn(folder), ["a.png"]);
  }));

Deno.test("a name that cannot be taken leaves everything as it was", () =>
  inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/taken`);
    await assert.rejects(writeFileAtomically(`${folder}/taken`, Uint8Array.of(1)));
    assert.deepEqual(namesIn(folder), ["taken"]);
  }));

Deno.test("a folder that does not exist is reported by name", () =>
  inTempFolder(async (folder) => {
    await assert.rejects(writeFileAtomically(`${folder}/no/a.png`, Uint8Array.of(1)), /no/);
    assert.deepEqual(namesIn(folder), []);
  }));

Deno.test("writers of one name at the same time leave one whole file", () =>
  inTempFolder(async (folder) => {
    const contents = [1, 2, 3, 4].map((value) => new Uint8Array(10_000).fill(value));
    await Promise.all(contents.map((bytes) => writeFileAtomically(`${folder}/a`, bytes)));
    const found = await Deno.readFile(`${folder}/a`);
    assert.equal(new Set(found).size, 1);
    assert.equal(found.length, 10_000);
    assert.deepEqual(namesIn(folder), ["a"]);
  }));
