/** What is left of files and folders that were not finished, and what is never touched. */
import assert from "node:assert/strict";
import { writeFileAtomically } from "../src/files.ts";
import {
  isUnderWay,
  removeUnfinished,
  UnfinishedFile,
  UnfinishedFolder,
} from "../src/unfinished.ts";
import { inTempFolder } from "./_folders.ts";

const namesIn = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();

/** Leaves a file and a folder as a killed process does: a child makes them and is killed. */
async function killWhileWriting(folder: string): Promise<void> {
  const module = new URL("../src/unfinished.ts", import.meta.url);
  const script = `
    const { UnfinishedFile, UnfinishedFolder } = await import("${module}");
    const file = await UnfinishedFile.create("${folder}/a.png");
    await file.write(new Uint8Array(10));
    const made = await UnfinishedFolder.create("${folder}/model");
    await Deno.writeTextFile(made.path + "/weights", "half");
    console.log("ready");
    setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", script],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
}

Deno.test("what a killed process left is removed by the next that writes there", () =>
  inTempFolder(async (folder) => {
    await killWhileWriting(folder);
    assert.equal(namesIn(folder).length, 2);
    await writeFileAtomically(`${folder}/b.png`, Uint8Array.of(1));
    assert.deepEqual(namesIn(folder), ["b.png"]);
  }));

Deno.test("what a living process writes is left alone, and known to be under way", () =>
  inTempFolder(async (folder) => {
    {
      await using file = await UnfinishedFile.create(`${folder}/a.png`);
      await using made = await UnfinishedFolder.create(`${folder}/model`);
      await removeUnfinished(folder);
      assert.equal(namesIn(folder).length, 2);
      assert.equal(await isUnderWay(`${folder}/model`), true);
      assert.equal(await isUnderWay(`${folder}/other`), false);
      await file.write(Uint8Array.of(7));
      await file.keep();
      assert.equal(await made.keep(), true);
    }
    assert.deepEqual(namesIn(folder), ["a.png", "model"]);
    assert.equal(await isUnderWay(`${folder}/model`), false);
  }));

Deno.test("files and folders of others are never removed, however alike their names are", () =>
  inTempFolder(async (folder) => {
    const names = [
      ".a.png.0123456789abcdef01234567.tmp",
      ".a.png.part",
      "a.png.part",
      "model.part",
      ".tmp.tmp",
    ];
    for (const name of names) await Deno.mkdir(`${folder}/${name}`);
    await writeFileAtomically(`${folder}/a.png`, Uint8Array.of(1));
    await removeUnfinished(folder);
    assert.deepEqual(namesIn(folder), [...names, "a.png"].sort());
  }));

Deno.test("a link under a temporary name leads nowhere", () =>
  inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/x`);
    await killWhileWriting(`${folder}/x`);
    await Deno.mkdir(`${folder}/mine`);
    await Deno.writeTextFile(`${folder}/mine/thesis.txt`, "mine");
    const [name] = namesIn(`${folder}/x`);
    await Deno.remove(`${folder}/x/${name}`, { recursive: true });
    await Deno.symlink(`${folder}/mine`, `${folder}/x/${name}`);
    await removeUnfinished(`${folder}/x`);
    assert.deepEqual(namesIn(`${folder}/mine`), ["thesis.txt"]);
  }));

Deno.test("a folder never takes the place of another", () =>
  inTempFolder(async (folder) => {
    await using made = await UnfinishedFolder.create(`${folder}/model`);
    await Deno.mkdir(`${folder}/model`);
    await Deno.writeTextFile(`${folder}/model/mine`, "");
    assert.equal(await made.keep(), false);
    assert.deepEqual(namesIn(`${folder}/model`), ["mine"]);
  }));

Deno.test("a scratch folder is gone after the last file in it", () =>
  inTempFolder(async (folder) => {
    const write = (value: number) =>
      writeFileAtomically(`${folder}/list.txt`, new Uint8Array(1000).fill(value), {
        scratchIn: folder,
      });
    await Promise.all(Array.from({ length: 20 }, (_, value) => write(value)));
    assert.deepEqual(namesIn(folder), ["list.txt"]);
    assert.equal(new Set(await Deno.readFile(`${folder}/list.txt`)).size, 1);
  }));

Deno.test("a name of 255 bytes can be written", () =>
  inTempFolder(async (folder) => {
    const name = "初".repeat(85);
    await writeFileAtomically(`${folder}/${name}`, Uint8Array.of(1));
    assert.deepEqual(namesIn(folder), [name]);
  }));
