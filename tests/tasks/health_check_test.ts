/** The health check must fail when something is wrong: each fault here is made on purpose. */
import assert from "node:assert/strict";
import { DEMO_MODEL, judge, runHealthCheck } from "../../src/studio/health_check.ts";
import { readSafetensorsHeader } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";

const silent = () => {};

/** A copy of the demo model to spoil. */
async function withCopy(work: (folder: string) => Promise<void>): Promise<void> {
  await inTempFolder(async (folder) => {
    for (const part of ["next-dit", "transformer", "clip_model", "vae"]) {
      await Deno.mkdir(`${folder}/${part}`);
      for (const { name } of Deno.readDirSync(`${DEMO_MODEL}/${part}`)) {
        await Deno.copyFile(`${DEMO_MODEL}/${part}/${name}`, `${folder}/${part}/${name}`);
      }
    }
    await work(folder);
  });
}

/** What the health check has to say about a spoilt copy. */
async function problemsAfter(spoil: (folder: string) => Promise<void>): Promise<readonly string[]> {
  let said: readonly string[] = [];
  await withCopy(async (folder) => {
    await spoil(folder);
    const { problems } = await judge(await runHealthCheck({ model: folder, log: silent }));
    said = problems.map(({ en }) => en);
  });
  return said;
}

/** Changes the stored bytes of one tensor. */
async function spoilTensor(
  folder: string,
  tensor: string,
  change: (bytes: Uint8Array) => void,
): Promise<void> {
  const path = `${folder}/next-dit/model.safetensors`;
  const { tensors } = await readSafetensorsHeader(path);
  const { offset, byteLength } = tensors.get(tensor)!;
  const bytes = await Deno.readFile(path);
  change(bytes.subarray(offset, offset + byteLength));
  await Deno.writeFile(path, bytes);
}

Deno.test("an unspoilt copy of the demo model passes the health check", async () => {
  assert.deepEqual(await problemsAfter(async () => {}), []);
});

Deno.test("a wrong weight fails the health check", async () => {
  const problems = await problemsAfter((folder) =>
    // Zeroes one matrix of one layer.
    spoilTensor(folder, "layers.2.feed_forward.w2.weight", (bytes) => void bytes.fill(0))
  );
  assert(problems.length > 0);
  assert.match(problems.join(), /PSNR|latents/);
});

Deno.test("a wrong scheduler fails the health check", async () => {
  const run = await runHealthCheck({ scheduler: "dpm-solver++", log: silent });
  assert((await judge(run)).problems.length > 0);
});

Deno.test("a wrong shift fails the health check", async () => {
  const problems = await problemsAfter(async (folder) => {
    await Deno.mkdir(`${folder}/scheduler`);
    await Deno.writeTextFile(`${folder}/scheduler/scheduler_config.json`, '{"shift": 1}');
  });
  assert(problems.length > 0);
});

Deno.test("a wrong dtype fails the health check", async () => {
  const problems = await problemsAfter(async (folder) => {
    // The same bytes, read as float16 instead of bfloat16: no size changes, every value does.
    const path = `${folder}/next-dit/model.safetensors`;
    const bytes = await Deno.readFile(path);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = bytes.subarray(8, 8 + length);
    const text = new TextDecoder().decode(header).replaceAll('"BF16"', '"F16"');
    header.set(new TextEncoder().encode(text.padEnd(length, " ")));
    await Deno.writeFile(path, bytes);
  });
  assert(problems.length > 0);
});
