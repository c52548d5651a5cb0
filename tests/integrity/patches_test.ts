/** Patches: what Git makes of the same patch is what is expected. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { applyPatch, inspectPatch, PatchError, readPatches } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { COMMON, layCommon, ROOT, sh } from "./_packages.ts";

const PACKAGE = "node_modules/.deno/@scope+thing@1.2.3/node_modules/@scope/thing";

/** A project with one small package; lines of `main.js` and `twin.js` are the numbers 1 to 30. */
async function project() {
  const folder = await temporaryFolder();
  const at = (path: string) => join(folder.path, path);
  await Deno.mkdir(at(PACKAGE), { recursive: true });
  await Deno.mkdir(at("patches"));
  for (const name of ["main.js", "twin.js"]) await write(name, numbers());
  async function write(name: string, text: string | Uint8Array) {
    await Deno.writeFile(at(`${PACKAGE}/${name}`), Buffer.from(text as string));
  }
  return {
    ...folder,
    write,
    at,
    path: folder.path,
    read: (name: string) => Deno.readTextFile(at(`${PACKAGE}/${name}`)),
    async patch(text: string) {
      await Deno.writeTextFile(at("patches/it.patch"), text);
      const [patch] = await readPatches(at("patches"));
      return patch!;
    },
  };
}

function numbers(change: (line: number) => string = String, ending = "\n"): string {
  return Array.from({ length: 30 }, (_, index) => change(index + 1) + ending).join("");
}

const header = (name: string) => `--- a/${PACKAGE}/${name}\n+++ b/${PACKAGE}/${name}\n`;
const hunk = (line: number, to: string) =>
  `@@ -${line - 1},3 +${line - 1},3 @@\n ${line - 1}\n-${line}\n+${to}\n ${line + 1}\n`;

Deno.test("every patch of the repository is applied as Git applies it, and Git agrees on it", async () => {
  await using ours = await temporaryFolder();
  await using gits = await temporaryFolder();
  const patches = await readPatches(join(ROOT, "patches"));
  assert(patches.length > 0);
  for (const folder of [ours.path, gits.path]) await layCommon(folder);
  for (const patch of patches) {
    const file = join(ROOT, "patches", patch.name);
    assert.equal((await inspectPatch(patch, ours.path)).state, "not-applied");
    const check = await sh("git", ["apply", "--check", file], ours.path);
    assert.equal(check.code, 0, check.err);
    const report = await applyPatch(patch, ours.path);
    assert.deepEqual(report.changed, patch.changes.map(({ path }) => path));
    assert.equal((await sh("git", ["apply", file], gits.path)).code, 0);
    for (const { path } of patch.changes) {
      assert.deepEqual(
        await Deno.readFile(join(ours.path, path)),
        await Deno.readFile(join(gits.path, path)),
      );
    }
    assert.equal((await sh("git", ["apply", "--reverse", "--check", file], ours.path)).code, 0);
    assert.equal((await inspectPatch(patch, gits.path)).state, "applied");
  }
});

Deno.test("every patch is described in patches/README.md, with what it changes", async () => {
  const text = await Deno.readTextFile(join(ROOT, "patches/README.md"));
  for (const { name, changes } of await readPatches(join(ROOT, "patches"))) {
    const section = text.split("\n## ").find((part) => part.startsWith(`${name}\n`));
    assert(section !== undefined, name);
    for (const part of ["Symptom.", "Cause.", "Upstream.", "Can go"]) {
      assert(section.includes(`\n- **${part}**`), `${name}: ${part}`);
    }
    for (const { packageName, packageVersion } of changes) {
      assert(section.includes(`${packageName} ${packageVersion}`), name);
    }
  }
});

Deno.test("every patch has a test of its own", async () => {
  for (const { name } of await readPatches(join(ROOT, "patches"))) {
    const test = join(ROOT, "tests/integrity", name.replace(/\.patch$/, "_test.ts"));
    assert.match(await Deno.readTextFile(test), /Deno\.test\("without the patch, /, name);
  }
});

Deno.test("a second run changes nothing, not even the files' inodes", async () => {
  await using folder = await temporaryFolder();
  await layCommon(folder.path);
  const [patch] = await readPatches(join(ROOT, "patches"));
  const files = patch!.changes.map(({ path }) => join(folder.path, path));
  const inodes = () => Promise.all(files.map(async (file) => (await Deno.stat(file)).ino));
  await applyPatch(patch!, folder.path);
  const before = await inodes();
  const again = await applyPatch(patch!, folder.path);
  assert.deepEqual(again.changed, []);
  assert.equal(again.state, "applied");
  assert.deepEqual(await inodes(), before);
});

Deno.test("a file that Deno's cache holds under another name stays there as it was", async () => {
  await using folder = await temporaryFolder();
  await layCommon(folder.path);
  const [patch] = await readPatches(join(ROOT, "patches"));
  const file = join(folder.path, COMMON, "dist/cjs/tensor-impl.js");
  const cached = join(folder.path, "cached.js");
  await Deno.link(file, cached);
  await Deno.chmod(file, 0o640);
  const published = await Deno.readTextFile(cached);
  await applyPatch(patch!, folder.path);
  assert.equal(await Deno.readTextFile(cached), published);
  assert.notEqual(await Deno.readTextFile(file), published);
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o640);
});

Deno.test("several at once come to the same end, and leave nothing behind", async () => {
  await using here = await project();
  const patch = await here.patch(header("main.js") + hunk(10, "ten") + hunk(20, "twenty"));
  const reports = await Promise.all(
    Array.from({ length: 16 }, () => applyPatch(patch, here.path)),
  );
  assert(reports.every(({ state }) => state === "applied"));
  const spelt = numbers((line) => line === 10 ? "ten" : line === 20 ? "twenty" : `${line}`);
  assert.equal(await here.read("main.js"), spelt);
  const names = [...Deno.readDirSync(here.at(PACKAGE))].map(({ name }) => name).sort();
  assert.deepEqual(names, ["main.js", "twin.js"]);
});

Deno.test("a hunk that does not fit is named, and no file is changed", async () => {
  await using here = await project();
  await here.write("twin.js", numbers((line) => line === 20 ? "other" : `${line}`));
  const patch = await here.patch(
    header("main.js") + hunk(5, "five") + header("twin.js") + hunk(5, "five") + hunk(20, "twenty"),
  );
  for (const report of [await inspectPatch(patch, here.path), await applyPatch(patch, here.path)]) {
    assert.equal(report.state, "does-not-fit");
    const [main, twin] = report.files;
    assert.equal(main!.state, "not-applied");
    assert.deepEqual(twin!.misfit, {
      code: "hunk",
      number: 2,
      header: "@@ -19,3 +19,3 @@",
      lines: [" 19", "-20", "+twenty", " 21"],
    });
  }
  assert.equal(await here.read("main.js"), numbers());
});

Deno.test("what a killed process left half done is finished", async () => {
  await using here = await project();
  await here.write("main.js", numbers((line) => line === 5 ? "five" : `${line}`));
  const patch = await here.patch(
    header("main.js") + hunk(5, "five") + header("twin.js") + hunk(5, "five"),
  );
  assert.equal((await inspectPatch(patch, here.path)).state, "not-applied");
  assert.deepEqual((await applyPatch(patch, here.path)).changed, [`${PACKAGE}/twin.js`]);
  assert.equal((await inspectPatch(patch, here.path)).state, "applied");
});

Deno.test("a package of another version is no place for a patch, and both are named", async () => {
  await using here = await project();
  const patch = await here.patch(
    (header("main.js") + hunk(5, "five")).replaceAll("1.2.3", "1.2.4"),
  );
  assert.deepEqual([patch.changes[0]!.packageName, patch.changes[0]!.packageVersion], [
    "@scope/thing",
    "1.2.4",
  ]);
  const { state, files } = await applyPatch(patch, here.path);
  assert.equal(state, "does-not-fit");
  assert.deepEqual(files[0]!.misfit, { code: "no-file", installed: ["1.2.3"] });
});

Deno.test("bytes that are no UTF-8 come through, and line ends have to be the patch's", async () => {
  await using here = await project();
  const noUtf8 = Buffer.concat([Buffer.from(numbers()), Buffer.from([0xff, 0x00, 0x80, 0x0a])]);
  await here.write("main.js", noUtf8);
  await here.write("twin.js", numbers(String, "\r\n"));
  const patch = await here.patch(header("main.js") + hunk(5, "fünf"));
  await applyPatch(patch, here.path);
  const bytes = Buffer.from(await Deno.readFile(here.at(`${PACKAGE}/main.js`)));
  assert.deepEqual(bytes.subarray(-4), noUtf8.subarray(-4));
  assert(bytes.includes(Buffer.from("fünf\n")));
  const forTwin = await here.patch(header("twin.js") + hunk(5, "fünf"));
  const { files: [twin] } = await inspectPatch(forTwin, here.path);
  assert.equal(twin!.state, "does-not-fit");
  const misfit = twin!.misfit!;
  assert(misfit.code === "hunk" && misfit.lines.includes("+fünf"));
});

const CHANGE = header("main.js") + hunk(5, "five");
const MODES = `diff --git a/${PACKAGE}/x b/${PACKAGE}/x\n`;
for (
  const [what, text] of Object.entries({
    "no diff at all": "Please change line 5.\n",
    "an empty file": "",
    "a hunk that is cut off": CHANGE.split("\n").slice(0, 4).join("\n"),
    "a hunk without a file": hunk(5, "five"),
    "a file above the project": CHANGE.replaceAll(`${PACKAGE}/`, `${PACKAGE}/../../../../../x/`),
    "an absolute path": CHANGE.replaceAll(`a/${PACKAGE}`, "/etc").replaceAll(
      `b/${PACKAGE}`,
      "/etc",
    ),
    "a file outside node_modules": CHANGE.replaceAll(PACKAGE, "src"),
    "a link in node_modules": CHANGE.replaceAll(PACKAGE, "node_modules/@scope/thing"),
    "the same file twice": CHANGE + header("main.js") + hunk(20, "twenty"),
    "a new file":
      `${MODES}new file mode 100644\n--- /dev/null\n+++ b/${PACKAGE}/x\n@@ -0,0 +1 @@\n+1\n`,
    "a removed file":
      `${MODES}deleted file mode 100644\n--- a/${PACKAGE}/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n`,
    "a file made executable": `${MODES}old mode 100644\nnew mode 100755\n`,
    "a binary file": `${MODES}Binary files a/${PACKAGE}/x and b/${PACKAGE}/x differ\n`,
  })
) {
  Deno.test(`${what} is refused with the patch's name`, async () => {
    await using here = await project();
    await assert.rejects(
      here.patch(text),
      (error) =>
        error instanceof PatchError && error.message.startsWith("it.patch: ") &&
        error.explain("zh").startsWith("it.patch："),
    );
  });
}
