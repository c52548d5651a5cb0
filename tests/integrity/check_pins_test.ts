/** The repository's own deno.json and deno.lock, drifted in every way that there is. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkPins } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { ROOT } from "./_packages.ts";

/** Both files in a folder, with a text in them replaced. */
async function drifted(file: string, from: string | RegExp, to: string) {
  const folder = await temporaryFolder();
  for (const name of ["deno.json", "deno.lock"]) {
    const text = await Deno.readTextFile(join(ROOT, name));
    const changed = name === file ? text.replace(from, to) : text;
    assert(name !== file || changed !== text, `${name} has no ${from}`);
    await Deno.writeTextFile(join(folder.path, name), changed);
  }
  return folder;
}

Deno.test("the repository's lock, packages and Deno are as pinned", async () => {
  assert.deepEqual(await checkPins(ROOT), []);
});

const drifts: Readonly<Record<string, [string, string | RegExp, string, readonly string[]]>> = {
  "a package of another version in deno.json": [
    "deno.json",
    "npm:commander@15.1.0",
    "npm:commander@15.1.1",
    [
      "not-locked npm:commander@15.1.1",
      "not-asked npm:commander@15.1.0",
    ],
  ],
  "another version in the lock": [
    "deno.lock",
    '"npm:commander@15.1.0": "15.1.0"',
    '"npm:commander@15.1.0": "15.1.1"',
    ["other-version deno.lock: npm:commander@15.1.0", "not-resolved commander@15.1.1"],
  ],
  "a range of versions": [
    "deno.json",
    "npm:commander@15.1.0",
    "npm:commander@^15.1.0",
    [
      "not-exact npm:commander@^15.1.0",
      "not-asked npm:commander@15.1.0",
    ],
  ],
  "a package of another registry": [
    "deno.json",
    "npm:commander@15.1.0",
    "jsr:@std/cli@1.0.0",
    [
      "not-exact jsr:@std/cli@1.0.0",
      "not-asked npm:commander@15.1.0",
    ],
  ],
  "another ONNX Runtime than the CUDA provider's": [
    "deno.json",
    "npm:onnxruntime-node@1.29.0",
    "npm:onnxruntime-node@1.28.0",
    [
      "not-locked npm:onnxruntime-node@1.28.0",
      "other-version deno.json: onnxruntime-node",
      "not-asked npm:onnxruntime-node@1.29.0",
    ],
  ],
  "a lock that may be changed": ["deno.json", '"frozen": true', '"frozen": false', [
    "not-frozen deno.json",
  ]],
  "a package without its checksum": [
    "deno.lock",
    /"integrity": "sha512-[^"]+"(?=\s*\}\s*\}\s*,\s*"workspace")/,
    '"integrity": ""',
    ["no-integrity zod@4.6.7"],
  ],
  "a checksum that is cut short": [
    "deno.lock",
    /(?<="zod@4\.6\.7": \{\s*"integrity": "sha512-.{40})[^"]+/,
    "",
    ["no-integrity zod@4.6.7"],
  ],
  "a package that is not there": [
    "deno.lock",
    /^ {4}"commander@15\.1\.0": \{\n.*\n {4}\},\n/m,
    "",
    ["not-resolved commander@15.1.0"],
  ],
  "a package of a package that is not there": [
    "deno.lock",
    /^ {4}"domelementtype@3\.0\.0": \{\n.*\n {4}\},\n/m,
    "",
    ["not-resolved domelementtype"],
  ],
};

for (const [what, [file, from, to, expected]] of Object.entries(drifts)) {
  Deno.test(`${what} is a drift, and named`, async () => {
    await using folder = await drifted(file, from, to);
    const problems = await checkPins(folder.path);
    assert.deepEqual(
      problems.map(({ code, subject }) => `${code} ${subject}`).sort(),
      expected.toSorted(),
    );
  });
}

Deno.test("files that are missing, cut or of another kind are named", async () => {
  await using folder = await temporaryFolder();
  const read = async () =>
    (await checkPins(folder.path)).map(({ code, subject }) => `${code} ${subject}`);
  assert.deepEqual(await read(), ["unreadable deno.json", "unreadable deno.lock"]);
  const lock = await Deno.readTextFile(join(ROOT, "deno.lock"));
  await Deno.copyFile(join(ROOT, "deno.json"), join(folder.path, "deno.json"));
  for (const text of [lock.slice(0, 1000), "[]", '{"version":"5","npm":[]}']) {
    await Deno.writeTextFile(join(folder.path, "deno.lock"), text);
    assert.deepEqual(await read(), ["unreadable deno.lock"]);
  }
});

Deno.test("an installed package of another version is named", async () => {
  await using folder = await drifted("deno.json", '"version": "0.1.0"', '"version": "0.1.1"');
  const at = join(folder.path, "node_modules/oniguruma-to-es");
  await Deno.mkdir(at, { recursive: true });
  await Deno.writeTextFile(join(at, "package.json"), '{"version":"4.3.6"}');
  assert.deepEqual(await checkPins(folder.path), []);
  await Deno.writeTextFile(join(at, "package.json"), '{"version":"4.1.9"}');
  assert.deepEqual(await checkPins(folder.path), [{
    code: "other-version",
    subject: "node_modules/oniguruma-to-es",
    found: "4.1.9",
    expected: "4.3.6",
  }]);
});
