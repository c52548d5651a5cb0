/** Dockerfiles as Docker's reference describes them, on images that exist nowhere. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkDockerfile, type PinnedImage } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const ONE: PinnedImage = {
  name: "maker/one:1.0-cuda",
  digest: digest("1"),
  platform: "linux/amd64",
};
const TWO: PinnedImage = { name: "two:noble", digest: digest("2"), platform: "linux/amd64" };

async function check(text: string, images: readonly PinnedImage[] = [ONE]) {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(join(folder.path, "Dockerfile"), text);
  return await checkDockerfile(folder.path, images);
}

const sound: Readonly<Record<string, string>> = {
  "by name and digest": `FROM ${ONE.name}@${ONE.digest}\nRUN true\n`,
  "without its tag": `FROM maker/one@${ONE.digest}\n`,
  "from the registry that is meant anyway": `FROM docker.io/${ONE.name}@${ONE.digest}\n`,
  "in small letters, with Windows' line ends":
    `from --platform=linux/amd64 ${ONE.name}@${ONE.digest} as base\r\nfrom base\r\n`,
  "by an argument": `ARG BASE="${ONE.name}@${ONE.digest}"\nFROM \${BASE} AS x\nFROM $BASE\n`,
  "by an argument of an argument":
    `ARG ONE=${ONE.name}@${ONE.digest}\nARG BASE=\${ONE}\nFROM \${BASE}\n`,
  "over a line's end, around a comment":
    `FROM \\\n# a comment: FROM nothing\n  ${ONE.name}@${ONE.digest} \\\n  AS base\nFROM scratch\nFROM base\n`,
  "by a stage that an argument chooses":
    `ARG V=gpu\nFROM ${ONE.name}@${ONE.digest} AS base-gpu\nFROM base-\${V}\n`,
};
for (const [how, text] of Object.entries(sound)) {
  Deno.test(`a Dockerfile that names the pinned image ${how} is sound`, async () => {
    assert.deepEqual(await check(text), []);
  });
}

const noOne = { code: "no-image", expected: `${ONE.name}@${ONE.digest}` };
const drifted: Readonly<Record<string, [text: string, problems: readonly unknown[]]>> = {
  "another digest": [
    `# one\nFROM ${ONE.name}@${digest("3")}\n`,
    [{ code: "other-image", line: 2, found: `${ONE.name}@${digest("3")}` }, noOne],
  ],
  "a digest with another name": [
    `FROM maker/other:1.0-cuda@${ONE.digest}\n`,
    [{ code: "other-image", line: 1, found: `maker/other:1.0-cuda@${ONE.digest}` }, noOne],
  ],
  "a digest with another tag": [
    `FROM maker/one:1.1-cuda@${ONE.digest}\n`,
    [{ code: "other-image", line: 1, found: `maker/one:1.1-cuda@${ONE.digest}` }, noOne],
  ],
  "a tag alone": [`FROM ${ONE.name}\n`, [{ code: "no-digest", line: 1, found: ONE.name }, noOne]],
  "a second image by its tag": [
    `FROM ${ONE.name}@${ONE.digest} AS base\n\nFROM \\\n  debian:12 AS other\n`,
    [{ code: "no-digest", line: 3, found: "debian:12" }],
  ],
  "an argument without a value": [
    `ARG BASE\nFROM $BASE\n# ${ONE.digest}\n`,
    [{ code: "no-digest", line: 2, found: "$BASE" }, noOne],
  ],
};
for (const [what, [text, problems]] of Object.entries(drifted)) {
  Deno.test(`a Dockerfile with ${what} has drifted`, async () => {
    assert.deepEqual(await check(text), problems);
  });
}

Deno.test("every pinned image has to be named, and a digest that is cut off is none", async () => {
  const one = `${ONE.name}@${ONE.digest}`;
  const two = `${TWO.name}@${TWO.digest}`;
  assert.deepEqual(await check(`FROM ${one}\nFROM ${two}\n`, [ONE, TWO]), []);
  assert.deepEqual(await check(`FROM ${one}\n`, [ONE, TWO]), [{ code: "no-image", expected: two }]);
  assert.equal((await check(`FROM ${one.slice(0, -1)}\n`)).length, 2);
});

Deno.test("no Dockerfile is a problem, too", async () => {
  await using folder = await temporaryFolder();
  const [problem, ...more] = await checkDockerfile(folder.path, [ONE]);
  assert.equal(problem!.code, "unreadable");
  assert.deepEqual(more, []);
});
