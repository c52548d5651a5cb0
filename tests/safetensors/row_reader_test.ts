// Refusals and lifetime; values against torch's are in python_files_test.ts.
import assert from "node:assert/strict";
import { openWeights, RowReader, SafetensorsError } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { fileBytes } from "./_writer.ts";

const fixture = new URL("../fixtures/safetensors/weights.safetensors", import.meta.url).pathname;
const { tensors } = await openWeights(fixture);
const table = tensors.get("table.bf16")!; // [9, 4]

Deno.test("a row outside the tensor is refused with the tensor's name and the row", async () => {
  await using reader = await RowReader.open(table);
  for (const row of [9, -1, 0.5, NaN, Infinity, 2 ** 53]) {
    await assert.rejects(reader.read([0, row]), (error) => {
      assert(error instanceof SafetensorsError);
      assert.equal(error.tensor, "table.bf16");
      assert.equal(error.file, table.file);
      assert(error.message.includes(`has 9 rows, counted from 0, but row ${row} was asked for`));
      return true;
    });
  }
});

Deno.test("no rows are an empty answer", async () => {
  await using reader = await RowReader.open(table);
  assert.deepEqual(await reader.read([]), new Float32Array());
});

Deno.test("a tensor of empty rows is read without values", async () => {
  await using reader = await RowReader.open(tensors.get("empty.inside")!); // [3, 0, 2]
  assert.deepEqual([reader.rowCount, reader.rowLength], [3, 0]);
  assert.deepEqual(await reader.read([2, 0]), new Float32Array());
});

Deno.test("a scalar has no rows", async () => {
  await assert.rejects(RowReader.open(tensors.get("scalar")!), /"scalar" is a scalar/);
});

Deno.test("reads that overlap in time do not disturb each other", async () => {
  await using reader = await RowReader.open(table);
  const alone = [];
  for (let row = 0; row < 9; row++) alone.push(await reader.read([row]));
  assert.deepEqual(await Promise.all(alone.map((_, row) => reader.read([row]))), alone);
  assert.notDeepEqual(alone[0], alone[1]);
});

Deno.test("a closed reader says so, and closing it again does no harm", async () => {
  const reader = await RowReader.open(table);
  await reader[Symbol.asyncDispose]();
  await reader[Symbol.asyncDispose]();
  await assert.rejects(reader.read([0]), /was closed/);
});

Deno.test("a file that became shorter or vanished is refused, before and after opening", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    const header = '{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}';
    await Deno.writeFile(path, fileBytes(header, new Uint8Array(8)));
    const entry = (await openWeights(path)).tensors.get("a")!;
    await using reader = await RowReader.open(entry);
    await Deno.truncate(path, 8 + header.length + 4);
    assert.deepEqual(await reader.read([0]), Float32Array.of(0));
    await assert.rejects(reader.read([1]), /became shorter/);
    await assert.rejects(RowReader.open(entry), /became shorter/);
    await Deno.remove(path);
    await assert.rejects(RowReader.open(entry), SafetensorsError);
  }));

Deno.test("an entry that contradicts itself is refused", async () => {
  await assert.rejects(RowReader.open({ ...table, shape: [9, 5] }), /does not take the 72 bytes/);
});
