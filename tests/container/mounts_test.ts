/** What a container sees of a machine; links as people set them for weights on another disk. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { extraMounts, modelMounts, outputsMount } from "../../src/container/mod.ts";

async function project() {
  const root = await Deno.realPath(await Deno.makeTempDir());
  const write = async (path: string) => {
    await Deno.mkdir(join(root, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(root, path), "");
  };
  await write("checksums.txt");
  await write("models/demo/config.json");
  return { root, write, [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
}

Deno.test("with the demo model alone nothing is mounted: it is in the image", async () => {
  await using there = await project();
  assert.deepEqual(await modelMounts(there.root), []);
  await Deno.remove(join(there.root, "models"), { recursive: true });
  assert.deepEqual(await modelMounts(there.root), []);
});

Deno.test("real models are mounted read-only, a folder at a time, with the checksums", async () => {
  await using there = await project();
  const { root, write } = there;
  await write("models/next-dit-3.5b/model.safetensors");
  await write("models/vae/taesd/config.json");
  await write("models/.hidden");
  assert.deepEqual(await modelMounts(root), [
    {
      source: `${root}/models/next-dit-3.5b`,
      target: "/app/models/next-dit-3.5b",
      isReadOnly: true,
    },
    { source: `${root}/models/vae`, target: "/app/models/vae", isReadOnly: true },
    { source: `${root}/checksums.txt`, target: "/app/checksums.txt", isReadOnly: true },
  ]);
});

Deno.test("links are followed, to folders and inside of them", async () => {
  await using there = await project();
  const { root, write } = there;
  await write("disk/model.safetensors");
  await write("models/gemma/config.json");
  await Deno.symlink("../../disk/model.safetensors", join(root, "models/gemma/model.safetensors"));
  await Deno.symlink(join(root, "disk"), join(root, "models/whole"));
  const mounts = (await modelMounts(root)).map(({ source, target }) => `${target} = ${source}`);
  assert.deepEqual(mounts, [
    `/app/models/gemma/config.json = ${root}/models/gemma/config.json`,
    `/app/models/gemma/model.safetensors = ${root}/disk/model.safetensors`,
    `/app/models/whole = ${root}/disk`,
    `/app/checksums.txt = ${root}/checksums.txt`,
  ]);
});

Deno.test("other files keep their place: in the project's folder, or their path", async () => {
  await using there = await project();
  const { root, write } = there;
  await write("prompts/one.xml");
  assert.deepEqual(await extraMounts(join(root, "prompts"), root), [
    { source: `${root}/prompts`, target: "/app/prompts", isReadOnly: true },
  ]);
  const elsewhere = await Deno.realPath(await Deno.makeTempDir());
  assert.deepEqual(await extraMounts(elsewhere, root), [
    { source: elsewhere, target: elsewhere, isReadOnly: true },
  ]);
  await Deno.remove(elsewhere);
  await assert.rejects(extraMounts(join(root, "absent"), root), { code: "ENOENT" });
  assert.deepEqual(outputsMount(root), {
    source: `${root}/outputs`,
    target: "/app/outputs",
    isReadOnly: false,
  });
});
