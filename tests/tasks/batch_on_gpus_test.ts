/** A batch on GPUs that are only said to be there: the small model of the fixtures draws on the CPU. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePng } from "../../src/image/mod.ts";
import { readBatch } from "../../src/studio/batch.ts";
import { Studio } from "../../src/studio/studio.ts";
import { runBatch } from "../../tasks/create/batch.ts";
import { fixture } from "../_fixtures.ts";

/** Draws four pictures, and tells how many were being drawn at once and what came of them. */
async function draw(studio: Studio, offload: string, gpus: number) {
  const root = await Deno.makeTempDir();
  const file = join(root, "prompts.jsonl");
  const seeds = [1, 2, 3, 4];
  const lines = seeds.map((seed) =>
    JSON.stringify({ prompt: "1girl", seed, steps: 2, width: 32, height: 32 })
  );
  await Deno.writeTextFile(file, lines.join("\n"));
  let [now, most] = [0, 0];
  const { pipe } = studio;
  const shown = {
    pipe: {
      offload,
      deviceIds: Array.from({ length: gpus }, (_, id) => id),
      promptEncoders: pipe.promptEncoders,
      defaultSize: pipe.defaultSize,
      prepareLatents: pipe.prepareLatents.bind(pipe),
    },
    beyondTraining: studio.beyondTraining.bind(studio),
    make: async (...args: Parameters<Studio["make"]>) => {
      most = Math.max(most, ++now);
      try {
        return await studio.make(...args);
      } finally {
        now--;
      }
    },
  } as unknown as Studio;
  const said: unknown[] = [];
  const { pictures } = await runBatch(shown, await readBatch(file, {}), {
    folder: "prompts",
    root: join(root, "outputs"),
    shard: undefined,
    say: (line) => said.push(line),
  });
  const drawn = new Map<string, Uint8ClampedArray>();
  for (const { seed, path } of pictures) {
    drawn.set(seed, (await decodePng(await Deno.readFile(path))).image.data);
  }
  await Deno.remove(root, { recursive: true });
  return { most, drawn: seeds.map((seed) => drawn.get(String(seed))), lines: said.length };
}

Deno.test("a batch draws a picture for each GPU side by side, where the model stays loaded", async () => {
  await using studio = await Studio.open(fixture("pipeline/tiny"), { log: () => {} });
  const one = await draw(studio, "none", 1);
  assert.equal(one.most, 1);
  assert.ok(one.drawn.every((data) => data !== undefined));
  const two = await draw(studio, "none", 2);
  assert.equal(two.most, 2);
  assert.deepEqual(two.drawn, one.drawn);
  assert.equal(two.lines, one.lines);
  assert.equal((await draw(studio, "model", 2)).most, 1);
});
