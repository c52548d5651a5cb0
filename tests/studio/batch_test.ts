import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { encodePng } from "../../src/image/mod.ts";
import {
  BATCH_KEYWORD,
  finishedItems,
  isInShard,
  parseShard,
  readBatch,
} from "../../src/studio/batch.ts";
import { UnfinishedFile } from "../../src/unfinished.ts";
import { filesBelow, inTempFolder } from "../_folders.ts";

const DEFAULTS = { numInferenceSteps: 30, guidanceScale: 7 };
const dot = { data: new Uint8ClampedArray(3), width: 1, height: 1 };

async function batchOf(folder: string, lines: string[], defaults = DEFAULTS, count = 1) {
  await Deno.writeTextFile(`${folder}/prompts.jsonl`, lines.join("\n"));
  return await readBatch(`${folder}/prompts.jsonl`, defaults, count);
}

const idsOf = ({ items }: Awaited<ReturnType<typeof readBatch>>) => items.map(({ id }) => id);

Deno.test("a batch has an item a line, with its place, name and request", async () => {
  await inTempFolder(async (folder) => {
    const { name, items, faults } = await batchOf(folder, [
      '\ufeff{"prompt": "a", "seed": 7}',
      "",
      '{"prompt": "b", "output": "sub/b", "steps": 5}\r',
    ]);
    assert.equal(name, "prompts");
    assert.deepEqual(faults, []);
    const [a, b] = items;
    assert.equal(items.length, 2);
    assert.deepEqual(a!.request, { ...DEFAULTS, prompt: "a", generator: { seed: 7 } });
    assert.deepEqual([a!.place, a!.name], [`${folder}/prompts.jsonl:1`, "0001.png"]);
    assert.deepEqual([b!.place, b!.name], [`${folder}/prompts.jsonl:3`, "sub/b.png"]);
    assert.equal(b!.request.numInferenceSteps, 5);
    assert.equal(b!.request.guidanceScale, 7);
  });
});

Deno.test("a batch may be a folder of XML files", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/many`);
    await Deno.writeTextFile(`${folder}/many/b.xml`, "<b>2</b>");
    await Deno.writeTextFile(`${folder}/many/a.XML`, "<a>1</a>");
    await Deno.writeTextFile(`${folder}/many/notes.txt`, "not a prompt");
    const { name, items } = await readBatch(`${folder}/many/`, DEFAULTS);
    assert.equal(name, "many");
    assert.deepEqual(items.map((item) => [item.name, item.request.prompt]), [
      ["a.png", "<a>1</a>"],
      ["b.png", "<b>2</b>"],
    ]);
  });
});

Deno.test("prompt_file is read from the batch's folder", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/deep`);
    await Deno.writeTextFile(`${folder}/deep/a.xml`, "<a>1</a>");
    await Deno.writeTextFile(
      `${folder}/deep/p.jsonl`,
      '{"prompt_file": "a.xml"}\n{"prompt_file": "none.xml"}',
    );
    const { items, faults } = await readBatch(`${folder}/deep/p.jsonl`, DEFAULTS);
    assert.deepEqual(items.map(({ request }) => request.prompt), ["<a>1</a>"]);
    assert.equal(faults[0]!.place, `${folder}/deep/p.jsonl:2`);
    assert.match(faults[0]!.error.message, /none\.xml/);
  });
});

Deno.test("lines that ask for nothing are faults with their places; the others stay", async () => {
  await inTempFolder(async (folder) => {
    const { items, faults } = await batchOf(folder, [
      '{"prompt": "a"}',
      "{",
      '{"prompt": "c", "x": 1}',
    ]);
    assert.equal(items.length, 1);
    assert.deepEqual(faults.map(({ place }) => place), [
      `${folder}/prompts.jsonl:2`,
      `${folder}/prompts.jsonl:3`,
    ]);
    await assert.rejects(readBatch(`${folder}/missing.jsonl`, DEFAULTS), RequestError);
    await assert.rejects(batchOf(folder, ["", " "]), RequestError);
  });
});

Deno.test("an id is the request's, wherever the line stands and whatever the file is called", async () => {
  await inTempFolder(async (folder) => {
    const [a, b] = ['{"prompt": "a", "steps": 3}', '{"steps": 4, "prompt": "b", "output": "x"}'];
    const first = idsOf(await batchOf(folder, [a!, b!]));
    const [idA, idB] = first;
    assert.notEqual(idA, idB);
    assert.deepEqual(idsOf(await batchOf(folder, ["", b!, a!])), [idB, idA]);
    assert.deepEqual(idsOf(await batchOf(folder, ['{"prompt": "b", "steps": 4}'])), [idB]);
    assert.notEqual(idsOf(await batchOf(folder, ['{"prompt": "a", "steps": 5}']))[0], idA);
    // What a line leaves out is part of what it asks for.
    assert.notDeepEqual(
      idsOf(await batchOf(folder, ['{"prompt": "a"}'])),
      idsOf(await batchOf(folder, ['{"prompt": "a"}'], { ...DEFAULTS, numInferenceSteps: 9 })),
    );
  });
});

Deno.test("equal lines are pictures of their own, with seeds of their own that stay", async () => {
  await inTempFolder(async (folder) => {
    const { items } = await batchOf(folder, ['{"prompt": "a"}', '{"prompt": "a"}'], DEFAULTS, 2);
    assert.equal(new Set(items.map(({ id }) => id)).size, 4);
    assert.equal(new Set(items.map(({ request }) => request.generator.seed)).size, 4);
    const again = await batchOf(folder, ['{"prompt": "a"}', '{"prompt": "a"}'], DEFAULTS, 2);
    assert.deepEqual(again.items, items);
  });
});

Deno.test("several pictures of a seeded line have seeds in a row", async () => {
  await inTempFolder(async (folder) => {
    const { items } = await batchOf(folder, ['{"prompt": "a", "seed": 5}'], DEFAULTS, 3);
    assert.deepEqual(items.map(({ request }) => request.generator.seed), [5, 6, 7]);
  });
});

Deno.test("shards share every batch out without a rest, evenly", async () => {
  await inTempFolder(async (folder) => {
    const lines = Array.from({ length: 400 }, (_, index) => `{"prompt": "p${index}"}`);
    const { items } = await batchOf(folder, lines);
    const parts = ["0/4", "1/4", "2/4", "3/4"].map(parseShard).map((shard) =>
      items.filter((item) => isInShard(item, shard))
    );
    assert.deepEqual(parts.flat().map(({ id }) => id).sort(), items.map(({ id }) => id).sort());
    // 400 fair throws of a die with four sides stay within 100 ± 45 but once in millions.
    for (const part of parts) assert(Math.abs(part.length - 100) <= 45, String(part.length));
  });
});

Deno.test("shards count from 0 or from 1", () => {
  assert.deepEqual(parseShard("0/3"), { index: 0, total: 3 });
  assert.deepEqual(parseShard("3/3"), { index: 0, total: 3 });
  assert.deepEqual(parseShard("2/3"), { index: 2, total: 3 });
  for (const wrong of ["4/3", "1/0", "1", "a/b", "-1/3", "1/3/5"]) {
    assert.throws(() => parseShard(wrong), RequestError, wrong);
  }
});

Deno.test("a folder's finished requests are known by their pictures alone", async () => {
  await inTempFolder(async (folder) => {
    assert.deepEqual(await finishedItems(`${folder}/none`), new Set());
    await Deno.mkdir(`${folder}/o/deep`, { recursive: true });
    await Deno.writeFile(`${folder}/o/a.png`, encodePng(dot, { text: { [BATCH_KEYWORD]: "one" } }));
    await Deno.writeFile(
      `${folder}/o/deep/b.PNG`,
      encodePng(dot, { text: { [BATCH_KEYWORD]: "two" } }),
    );
    await Deno.writeFile(`${folder}/o/c.png`, encodePng(dot));
    await Deno.writeFile(`${folder}/o/broken.png`, new Uint8Array([1, 2, 3]));
    // One is being saved.
    await using three = await UnfinishedFile.create(`${folder}/o/three.png`);
    assert.deepEqual(await finishedItems(`${folder}/o`), new Set(["one", "two"]));
    assert.deepEqual(filesBelow(`${folder}/o`), [
      three.path,
      `${folder}/o/a.png`,
      `${folder}/o/broken.png`,
      `${folder}/o/c.png`,
      `${folder}/o/deep/b.PNG`,
    ]);
  });
});
