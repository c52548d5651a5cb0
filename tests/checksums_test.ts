/** The repository's own checksums.txt, read with nothing but a regular expression and Git. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { CUDA_PROVIDER } from "../src/integrity/pins.ts";
import { sh } from "./integrity/_packages.ts";

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

Deno.test("every listed file has the bytes that checksums.txt states", async () => {
  for (const [path, digest] of await listed()) {
    const provider = CUDA_PROVIDER.libraries.find(({ name }) => path.endsWith(`/${name}`));
    if (provider !== undefined) assert.equal(digest, provider.sha256, path);
    const bytes = await Deno.readFile(new URL(path, root)).catch((error) => {
      // The CUDA provider is not in every checkout.
      if (provider === undefined) throw error;
    });
    if (bytes === undefined) continue;
    assert.equal(createHash("sha256").update(bytes).digest("hex"), digest, path);
  }
});

Deno.test("the demo model, patches, the lock and ONNX Runtime's libraries are listed", async () => {
  const checksums = await listed();
  const args = ["ls-files", "models", "patches", "deno.lock"];
  const { out } = await sh("git", args, root.pathname);
  const tracked = out.trim().split("\n").filter((path) => !path.endsWith(".md"));
  assert(tracked.length > 20, out);
  for (const path of tracked) assert(checksums.has(path), path);
  const names = ["libonnxruntime.so.1", "onnxruntime_binding.node"];
  for (const name of [...names, ...CUDA_PROVIDER.libraries.map(({ name }) => name)]) {
    const found = [...checksums.keys()].some((path) => path.endsWith(`/linux/x64/${name}`));
    assert(found, name);
  }
});
