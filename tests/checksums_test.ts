import assert from "node:assert/strict";
import { createHash } from "node:crypto";

const root = new URL("..", import.meta.url);

/** Lines of `sha256sum`: digest, two spaces, path. */
async function listed(): Promise<Map<string, string>> {
  const text = await Deno.readTextFile(new URL("checksums.txt", root));
  return new Map(
    text.trimEnd().split("\n").map((line) => {
      const match = /^([0-9a-f]{64}) {2}(\S.*)$/.exec(line);
      assert(match !== null, `not a line of sha256sum: ${line}`);
      return [match[2]!, match[1]!];
    }),
  );
}

Deno.test("every weights file in the repository has the bytes that checksums.txt states", async () => {
  const checksums = await listed();
  for (const [path, digest] of checksums) {
    const bytes = await Deno.readFile(new URL(path, root));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), digest, path);
  }
  const demo = "models/demo";
  for (const { name, isDirectory } of Deno.readDirSync(new URL(demo, root))) {
    if (!isDirectory) continue;
    for (const file of Deno.readDirSync(new URL(`${demo}/${name}`, root))) {
      if (!/\.safetensors$|^tokenizer\.json$/.test(file.name)) continue;
      assert(checksums.has(`${demo}/${name}/${file.name}`), `${name}/${file.name} is not listed`);
    }
  }
});
