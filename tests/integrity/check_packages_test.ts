import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { checkPackages, PACKAGE_LIST, parsePackageList } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { ROOT, sh } from "./_packages.ts";

const ONE = "node_modules/.deno/one@1.0.0/node_modules/one";
const TWO = "node_modules/.deno/@s+two@2.1.0_one@1.0.0/node_modules/@s/two";
const FILES = { [`${ONE}/a.js`]: "a", [`${ONE}/b/c.js`]: "c", [`${TWO}/index.js`]: "2" };
const LINKS = {
  "node_modules/@s/two": "../.deno/@s+two@2.1.0_one@1.0.0/node_modules/@s/two",
  "node_modules/.deno/@s+two@2.1.0_one@1.0.0/node_modules/one": "../../one@1.0.0/node_modules/one",
};

/** Two packages, and the list of them, with digests that a shell made as go.sum has them. */
async function project() {
  const folder = await temporaryFolder();
  const at = (path: string) => join(folder.path, path);
  for (const [path, text] of Object.entries(FILES)) {
    await Deno.mkdir(dirname(at(path)), { recursive: true });
    await Deno.writeTextFile(at(path), text);
  }
  for (const [path, target] of Object.entries(LINKS)) {
    await Deno.mkdir(dirname(at(path)), { recursive: true });
    await Deno.symlink(target, at(path));
  }
  const digest = async (path: string, files: string) => {
    const script = `sha256sum ${files} | sha256sum | cut -c1-64`;
    const { out } = await sh("sh", ["-c", script], at(path));
    return `h1:${btoa(String.fromCharCode(...Uint8Array.fromHex(out.trim())))}`;
  };
  const [one, two] = [await digest(ONE, "a.js b/c.js"), await digest(TWO, "index.js")];
  await Deno.writeTextFile(at(PACKAGE_LIST), `@s/two@2.1.0 ${two}\none@1.0.0 ${one}\n`);
  return { ...folder, at, check: async () => await checkPackages(folder.path) };
}

Deno.test("packages as listed are sound", async () => {
  await using it = await project();
  assert.deepEqual(await it.check(), { sound: 2, problems: [] });
});

Deno.test("a file that was changed, added, moved or deleted is found", async () => {
  const changes: ((at: (path: string) => string) => Promise<void>)[] = [
    (at) => Deno.writeTextFile(at(`${ONE}/a.js`), "b"),
    (at) => Deno.writeTextFile(at(`${ONE}/new.js`), ""),
    (at) => Deno.rename(at(`${ONE}/b/c.js`), at(`${ONE}/b/d.js`)),
    (at) => Deno.remove(at(`${ONE}/a.js`)),
  ];
  for (const change of changes) {
    await using it = await project();
    await change(it.at);
    assert.deepEqual(await it.check(), {
      sound: 1,
      problems: [{ code: "other-files", subject: ONE }],
    });
  }
});

Deno.test("packages that nothing leads to are compared, too", async () => {
  await using it = await project();
  for (const path of Object.keys(LINKS)) await Deno.remove(it.at(path));
  assert.deepEqual(await it.check(), { sound: 2, problems: [] });
  await Deno.writeTextFile(it.at(`${TWO}/index.js`), "3");
  const three = "node_modules/.deno/three@1.0.0/node_modules/three";
  await Deno.mkdir(it.at(three), { recursive: true });
  assert.deepEqual((await it.check()).problems, [
    { code: "other-files", subject: TWO },
    { code: "not-listed", subject: three },
  ]);
});

Deno.test("a name that leads elsewhere is found", async () => {
  await using it = await project();
  const [link] = Object.keys(LINKS);
  await Deno.remove(it.at(link!));
  await Deno.symlink("../.deno/one@1.0.0/node_modules/one", it.at(link!));
  await Deno.mkdir(it.at("node_modules/evil"));
  assert.deepEqual((await it.check()).problems, [
    { code: "other-link", subject: "node_modules/@s/two" },
    { code: "other-entry", subject: "node_modules/evil" },
  ]);
});

Deno.test("what a program could get in a package's place is found", async () => {
  const inside = "node_modules/.deno/@s+two@2.1.0_one@1.0.0/node_modules";
  const added = [
    // Node looks for a file x.js before it looks for a folder x.
    `${inside}/one.js`,
    `${inside}/optional/index.js`,
    `${inside}/@s/other/index.js`,
    "node_modules/.deno/node_modules/optional/index.js",
    "node_modules/@s/two.js",
    "node_modules/package.json",
  ];
  for (const path of added) {
    await using it = await project();
    await Deno.mkdir(dirname(it.at(path)), { recursive: true });
    await Deno.writeTextFile(it.at(path), "");
    const subject = path.replace("/index.js", "");
    assert.deepEqual(await it.check(), { sound: 2, problems: [{ code: "other-entry", subject }] });
  }
});

Deno.test("a program that tasks would find before all others is one of a package", async () => {
  await using it = await project();
  const bin = { "two-print": "./index.js" };
  await Deno.writeTextFile(it.at(`${TWO}/package.json`), JSON.stringify({ bin }));
  await Deno.mkdir(it.at("node_modules/.bin"));
  const own = `../../${TWO}/index.js`;
  const added: readonly (readonly [name: string, target: string | undefined])[] = [
    ["two-print", own],
    ["nvidia-smi", undefined],
    ["git", own],
  ];
  for (const [name, target] of added) {
    const path = it.at(`node_modules/.bin/${name}`);
    if (target === undefined) await Deno.writeTextFile(path, "#!/bin/sh\n");
    else await Deno.symlink(target, path);
  }
  const programs = async () =>
    (await it.check()).problems.filter(({ code }) => code === "other-program")
      .map(({ subject }) => subject);
  assert.deepEqual(await programs(), ["node_modules/.bin/git", "node_modules/.bin/nvidia-smi"]);
  await Deno.remove(it.at("node_modules/.bin/two-print"));
  await Deno.symlink(`../../${ONE}/a.js`, it.at("node_modules/.bin/two-print"));
  assert((await programs()).includes("node_modules/.bin/two-print"));
});

Deno.test("a pipe in a package is found, and not waited for", async () => {
  await using it = await project();
  assert.equal((await sh("mkfifo", [`${ONE}/pipe.js`], it.path)).code, 0);
  const [problem, ...others] = (await it.check()).problems;
  assert.deepEqual([problem?.code, problem?.subject, others], ["unreadable", ONE, []]);
});

Deno.test("a link in a package is found, be it to the same bytes", async () => {
  await using it = await project();
  await Deno.rename(it.at(`${ONE}/a.js`), it.at("a.js"));
  await Deno.symlink(it.at("a.js"), it.at(`${ONE}/a.js`));
  assert.deepEqual((await it.check()).problems, [{ code: "other-files", subject: ONE }]);
});

Deno.test("a package that is used and not listed is found, and a list that is none", async () => {
  await using it = await project();
  const list = await Deno.readTextFile(it.at(PACKAGE_LIST));
  await Deno.writeTextFile(it.at(PACKAGE_LIST), list.split("\n").slice(1).join("\n"));
  assert.deepEqual((await it.check()).problems, [{ code: "not-listed", subject: TWO }]);
  await Deno.writeTextFile(it.at(PACKAGE_LIST), "one@1.0.0\n");
  const [problem, ...others] = (await it.check()).problems;
  assert.deepEqual([problem?.code, problem?.subject, others], ["unreadable", PACKAGE_LIST, []]);
});

Deno.test("packages.txt lists what deno.lock locks for every platform", async () => {
  const lock = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock")));
  const locked = Object.keys(lock.npm).map((key) => /^@?[^@]+@[^_]+/.exec(key)![0]);
  const listed = parsePackageList(await Deno.readTextFile(join(ROOT, PACKAGE_LIST)));
  assert.deepEqual(locked.filter((key) => !listed.has(key)), []);
});
