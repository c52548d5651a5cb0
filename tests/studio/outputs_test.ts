import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import {
  DiskError,
  folderOfTime,
  pictureName,
  prepareFolder,
  savePicture,
} from "../../src/studio/outputs.ts";
import { filesBelow, inTempFolder } from "../_folders.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a folder is named by the local time", () => {
  assert.equal(folderOfTime(new Date(2026, 10, 3, 4, 5, 59)), "outputs/20261103_0405");
});

Deno.test("a picture's name gets its ending, and may lie in a folder", () => {
  const expected: Record<string, string> = {
    "output.png": "output.png",
    " miku ": "miku.png",
    "a/b.PNG": "a/b.PNG",
    "初音 ミク": "初音 ミク.png",
    "a\\b": "a/b.png",
    "a/../b": "b.png",
    "v1.5": "v1.5.png",
    "..png": "..png",
  };
  for (const [wish, name] of Object.entries(expected)) assert.equal(pictureName(wish), name);
});

Deno.test("a name that leads out of the folder, or that no file can have, is refused", () => {
  const names = [
    "",
    " ",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/etc/x.png",
    "C:\\x",
    "\\x",
    "a/",
    "a\0b",
    ".png",
    "a\u202egnp",
    ".png",
    "a\u202egnp",
  ];
  for (const name of [...names, "a\nb", "x".repeat(300)]) {
    assert.throws(() => pictureName(name), RequestError, JSON.stringify(name));
  }
});

Deno.test("a name that is taken gets the next free number, and nothing is replaced", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    const paths: string[] = [];
    for (const text of ["a", "b", "c"]) {
      paths.push(await savePicture(`${root}/x`, "output.png", bytes(text), { root }));
    }
    const names = ["output.png", "output-2.png", "output-3.png"].map((name) => `${root}/x/${name}`);
    assert.deepEqual(paths, names);
    assert.deepEqual(names.map((name) => Deno.readTextFileSync(name)), ["a", "b", "c"]);
    assert.deepEqual(filesBelow(root), [...names].sort());
  });
});

Deno.test("pictures saved at the same moment get a name each", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    const texts = Array.from({ length: 20 }, (_, index) => String(index));
    const paths = await Promise.all(
      texts.map((text) => savePicture(root, "a.png", bytes(text), { root })),
    );
    assert.equal(new Set(paths).size, texts.length);
    assert.deepEqual(paths.map((path) => Deno.readTextFileSync(path)), texts);
  });
});

Deno.test("a picture of a batch that is there already is not saved again under another name", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    const idOf = async (path: string) => (await Deno.readTextFile(path)).split(" ")[0];
    const save = (text: string) =>
      savePicture(root, "a.png", bytes(text), { root, id: text.split(" ")[0], idOf });
    const paths = await Promise.all([save("one here"), save("one there"), save("two")]);
    assert.equal(paths[0], paths[1]);
    assert.equal(filesBelow(root).length, 2);
    assert.deepEqual(filesBelow(root), [`${root}/a-2.png`, `${root}/a.png`]);
  });
});

Deno.test("a disk that takes no picture is an error that says what to do, in both languages", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    await Deno.writeTextFile(root, "a file");
    const attempts = [
      () => prepareFolder(root, root),
      () => savePicture(root, "a.png", bytes("a"), { root }),
    ];
    for (const attempt of attempts) {
      await assert.rejects(attempt(), (error) => {
        assert(error instanceof DiskError);
        assert.match(error.message, /a file stands where a folder is needed/);
        assert.match(error.explain("zh"), /需要文件夹/);
        return true;
      });
    }
  });
});

Deno.test("a symbolic link does not lead a picture out of the outputs", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    await Deno.mkdir(root);
    await Deno.mkdir(`${folder}/elsewhere`);
    await Deno.symlink("../elsewhere", `${root}/link`);
    await assert.rejects(savePicture(root, "link/a.png", bytes("a"), { root }), RequestError);
    await assert.rejects(savePicture(root, "link/new/a.png", bytes("a"), { root }), RequestError);
    assert.deepEqual(filesBelow(`${folder}/elsewhere`), []);
    assert.deepEqual([...Deno.readDirSync(`${folder}/elsewhere`)], []);
  });
});

Deno.test("outputs may be a link to another disk as a whole", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    await Deno.mkdir(`${folder}/elsewhere`);
    await Deno.symlink("elsewhere", root);
    const path = await savePicture(`${root}/x`, "a.png", bytes("a"), { root });
    assert.equal(path, `${root}/x/a.png`);
    assert.deepEqual(filesBelow(`${folder}/elsewhere`), [`${folder}/elsewhere/x/a.png`]);
  });
});
