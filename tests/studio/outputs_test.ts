import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import {
  DiskError,
  diskError,
  folderName,
  folderOfDay,
  nameAfter,
  openFolderOfDay,
  pictureName,
  prepareFolder,
  savePicture,
} from "../../src/studio/outputs.ts";
import { filesBelow, inTempFolder } from "../_folders.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a folder is named by the local time", () => {
  assert.equal(folderOfDay(new Date(2026, 10, 3, 4, 5, 59)), "outputs/20261103");
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
    "a.jpg": "a.jpg",
    "a.JPEG": "a.JPEG",
    "b/a.webp": "b/a.webp",
    "a.avif": "a.avif",
    "a.gif.png": "a.gif.png",
  };
  for (const [wish, name] of Object.entries(expected)) assert.equal(pictureName(wish), name);
});

Deno.test("the ending of a format that is not written is refused by its name", () => {
  for (const ending of ["gif", "bmp", "tiff", "JXL", "heic", "psd", "txt", "mp4"]) {
    assert.throws(
      () => pictureName(`a/x.${ending}`),
      new RegExp(`not as ${ending}; .*x\\.${ending}\\.png`),
    );
  }
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

Deno.test("a name that Windows cannot hold is refused on every system, with the reason", () => {
  // Naming Files, Paths, and Namespaces (learn.microsoft.com/windows/win32/fileio/naming-a-file).
  const names = ["CON", "con.png", "a/NUL.tar.png", "COM1", "lpt9.x", "x.", "a./b", "a /b", "<a>"];
  for (const name of [...names, "ab:c", "a|b", "a?", "a*", 'a"b', "</character_1>"]) {
    for (const check of [pictureName, folderName]) {
      assert.throws(() => check(name), (error: Error) => {
        return error instanceof RequestError && /Windows|names no file/.test(error.message) &&
          /Windows|没有指明文件/.test(error.explain("zh"));
      }, name);
    }
  }
  for (const name of ["CONE", "com10", "console.png", "nul_"]) pictureName(name);
});

Deno.test("names as people write them are names", () => {
  const names = [
    "می\u200cخواهم",
    "👩\u200d🎤",
    "初音ミク、桜の木の下で微笑む、白いワンピース、猫耳、青い髪のツインテール、緑の目、ちびキャラ、アニメ風、高品質、最高傑作",
  ];
  for (const name of names) {
    assert.equal(pictureName(name), `${name}.png`);
    assert.equal(nameAfter(name), name);
  }
});

Deno.test("a picture can be called after a file of any name", () => {
  const expected: Record<string, string> = {
    "a:b?": "a_b_",
    "NUL": "_NUL",
    "x. ": "x_",
    "a/b\\c": "a_b_c",
    "": "_",
    "..": "_",
  };
  for (const [stem, name] of Object.entries(expected)) assert.equal(nameAfter(stem), name, stem);
  for (
    const stem of [
      "a\u202eb",
      "\n",
      "長".repeat(200),
      "👩\u200d🎤".repeat(60),
      ...Object.keys(expected),
    ]
  ) {
    const path = pictureName(nameAfter(stem));
    // With the number that the thousandth picture of a name gets.
    assert(new TextEncoder().encode(path.replace(".png", "-1000.png")).length <= 255, path);
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

Deno.test("outputs that are a link to a disk which is not there are told as such", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    await Deno.symlink(`${folder}/not_mounted`, root);
    await assert.rejects(openFolderOfDay(new Date(2026, 0, 5), root), (error) => {
      assert(error instanceof DiskError);
      assert.match(error.message, /is a link to .*not_mounted, and nothing is there\. Mount/);
      return true;
    });
    await Deno.mkdir(`${folder}/not_mounted`);
    await openFolderOfDay(new Date(2026, 0, 5), root);
  });
});

Deno.test("a full disk is known by Node's errors and by Deno's", () => {
  const errors = [
    Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }),
    new Error("No space left on device (os error 28)"),
  ];
  for (const error of errors) {
    const told = diskError(error, "outputs/a.png");
    assert(told instanceof DiskError);
    assert.match(told.message, /^outputs\/a\.png cannot be written: the disk is full\. Make room/);
  }
});

Deno.test("where the day's folder belongs to somebody else, the next one is taken", async () => {
  await inTempFolder(async (folder) => {
    const root = `${folder}/outputs`;
    const day = new Date(2026, 0, 5);
    assert.equal(await openFolderOfDay(day, root), `${root}/20260105`);
    assert.equal(await openFolderOfDay(day, root), `${root}/20260105`);
    await Deno.chmod(`${root}/20260105`, 0o500);
    const mayWrite = await Deno.writeTextFile(`${root}/20260105/a`, "").then(
      () => true,
      () => false,
    );
    // Root may write everywhere.
    if (mayWrite) return;
    assert.equal(await openFolderOfDay(day, root), `${root}/20260105-2`);
    assert.equal(await openFolderOfDay(day, root), `${root}/20260105-2`);
    await Deno.chmod(`${root}/20260105-2`, 0o500);
    await Deno.chmod(root, 0o500);
    await assert.rejects(openFolderOfDay(day, root), DiskError);
    for (const path of [root, `${root}/20260105`, `${root}/20260105-2`]) {
      await Deno.chmod(path, 0o700);
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
