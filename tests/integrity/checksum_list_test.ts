/** Lists of checksums: coreutils' sha256sum is the other side. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { join } from "node:path";
import { NewBieError } from "../../src/errors.ts";
import { ChecksumListError, formatChecksums, parseChecksums } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { sh } from "./_packages.ts";

const DIGEST = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("a list of sha256sum is read, and it reads ours", async () => {
  await using folder = await temporaryFolder();
  const names = ["a b.txt", "x/y.safetensors", "中文.json", "-dash"];
  await Deno.mkdir(join(folder.path, "x"));
  for (const name of names) await Deno.writeTextFile(join(folder.path, name), name);
  for (const mode of ["--text", "--binary"]) {
    const { out } = await sh("sha256sum", [mode, "--", ...names], folder.path);
    const checksums = parseChecksums(out, "list");
    assert.deepEqual([...checksums.keys()], names);
    await Deno.writeTextFile(join(folder.path, "list"), formatChecksums(checksums));
    const { code, err } = await sh("sha256sum", ["--check", "--strict", "list"], folder.path);
    assert.equal(code, 0, err);
  }
  await Deno.writeTextFile(join(folder.path, "-dash"), "-dosh");
  const { out } = await sh("sha256sum", ["--check", "list"], folder.path);
  assert.match(out, /^-dash: FAILED$/m);
});

Deno.test("any name that a file can have is written as sha256sum writes it, and read again", async () => {
  await using folder = await temporaryFolder();
  const names = [
    "x\ny",
    "a\\b",
    "\\n",
    "tail\r",
    "\u2028line",
    " space ",
    "*star",
    "\x1b[31m",
    "\u202e",
  ];
  for (const name of names) await Deno.writeTextFile(join(folder.path, name), "abc");
  const { out } = await sh("sha256sum", ["--", ...names], folder.path);
  assert.deepEqual([...parseChecksums(out, "list").keys()], names);
  await Deno.writeTextFile(
    join(folder.path, "list"),
    formatChecksums(new Map(names.map((name) => [name, DIGEST]))),
  );
  const { code, err } = await sh("sha256sum", ["--check", "--strict", "list"], folder.path);
  assert.equal(code, 0, err);
});

Deno.test("a name that cannot be read again is not written", () => {
  for (const name of ["", ".", "..", "../a", "/a", "a/", "a//b", "./a", "a\0b", "\ud800"]) {
    assert.throws(() => formatChecksums(new Map([[name, DIGEST]])), NewBieError, name);
  }
});

Deno.test("whatever is listed comes back, in the order of the paths", () => {
  const part = fc.string({ unit: "binary", minLength: 1 })
    .filter((name) => !/[\0/]|^\.\.?$/.test(name));
  const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
  fc.assert(fc.property(fc.array(fc.tuple(path, digest)), (entries) => {
    const checksums = new Map(entries);
    const text = formatChecksums(checksums);
    const again = parseChecksums(text, "list");
    assert.deepEqual([...again], [...checksums].sort(([a], [b]) => a < b ? -1 : 1));
    assert.equal(formatChecksums(again), text);
    assert.deepEqual(parseChecksums(text.replaceAll("\n", "\r\n"), "list"), again);
  }));
});

for (
  const [what, line] of Object.entries({
    "an MD5 sum": `${DIGEST.slice(32)}  a`,
    "a digest in capitals": `${DIGEST.toUpperCase()}  a`,
    "one space": `${DIGEST} a`,
    "no path": `${DIGEST}  `,
    "an empty line": "",
    "BSD's format": `SHA256 (a) = ${DIGEST}`,
    "an escape that is none": `\\${DIGEST}  a\\t`,
    "an escape that is cut off": `\\${DIGEST}  a\\`,
    "an absolute path": `${DIGEST}  /etc/passwd`,
    "a path that leads out": `${DIGEST}  ../a`,
    "a path that leads out on the way": `${DIGEST}  a/../../b`,
    "a path with two spellings": `${DIGEST}  ./a`,
    "the same path twice": `${DIGEST}  first`,
  })
) {
  Deno.test(`a list with ${what} is refused, and the line named`, () => {
    assert.throws(
      () => parseChecksums(`${DIGEST}  first\n${line}\n${DIGEST}  last\n`, "sums.txt"),
      (error) =>
        error instanceof ChecksumListError && error.line === 2 &&
        error.message.startsWith("sums.txt:2: ") && error.explain("zh").startsWith("sums.txt:2："),
    );
  });
}
