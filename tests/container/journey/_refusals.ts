/** What must not be built, and leaves nothing. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { packTar, type TarHeader } from "modern-tar";
import type { Clone } from "./_clones.ts";
import { everything, newSince } from "./_contents.ts";
import { output } from "./_engine.ts";
import { BUILD } from "./_names.ts";

export async function cancelled({ folder }: Clone): Promise<void> {
  const before = await everything();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", ...BUILD],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    // The step that patches and verifies: the longest.
    if (!said.includes("RUN deno") && (said + text).includes("RUN deno")) {
      child.kill("SIGINT");
    }
    said += text;
  }
  assert.equal((await child.status).code, 1, said);
  assert.match(said, /Cancelled; nothing is left of it\.\n$/);
  assert.deepEqual(await newSince(before), []);
}

export async function twoAtOnce(clone: Clone): Promise<void> {
  const [one, other] = await Promise.all([clone.task(...BUILD), clone.task(...BUILD)]);
  const codes = [one.code, other.code].sort();
  assert.deepEqual(codes, [0, 1], one.err + other.err);
  const refused = one.code === 0 ? other : one;
  assert.match(refused.err, /Another build is running/);
}

export async function otherArchitecture({ task }: Clone): Promise<void> {
  const name = "newbie-other:arm64";
  const archive = await Deno.makeTempFile();
  try {
    await Deno.writeFile(archive, await packTar(imageFor("arm64", name)));
    await output("docker", "load", "--input", archive);
    const before = await everything();
    const { code, err } = await task("build", "--variant", "cpu", "--base", name);
    assert.equal(code, 1, err);
    assert.match(
      err,
      /newbie-other:arm64 is for linux\/arm64, and the image is to be for linux\/amd64/,
    );
    assert.deepEqual(await newSince(before), []);
  } finally {
    await output("docker", "rmi", name).catch(() => {});
    await Deno.remove(archive);
  }
}

/** An image with nothing in it, as `docker save` writes it. */
function imageFor(architecture: string, name: string): { header: TarHeader; body: Uint8Array }[] {
  // A tar archive without an entry.
  const layer = new Uint8Array(1024);
  const digest = createHash("sha256").update(layer).digest("hex");
  const config = {
    architecture,
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  };
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return Object.entries({
    "manifest.json": json(manifest),
    "config.json": json(config),
    "layer.tar": layer,
  }).map(([name, body]) => ({ header: { name, size: body.length }, body }));
}
