/** Adapters of every format against the packages that wrote them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readAdapter } from "../../src/adapters/mod.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { addedBy, FOLDER, partsOf, readCases, relativeError, tensorsIn } from "./_cases.ts";

const TOLERANCE = 1e-5;
const PARTS = ["to_q", "to_k", "to_v"];

const cases = await readCases();

Deno.test("there is a case of each way to write adapters", () => {
  const formats = new Set(cases.map(({ format }) => format));
  assert.deepEqual([...formats].sort(), ["diffusers", "kohya", "lycoris", "peft"]);
  assert(cases.length >= 20);
});

for (const { name, base, path, format } of cases) {
  Deno.test(`${name} adds what its own package adds, within 1e-5`, async () => {
    const adapter = await readAdapter(path, await partsOf(base));
    assert.equal(adapter.format, format);
    const added = await addedBy(adapter, base);
    const expected = await tensorsIn(join(FOLDER, name, "expected.safetensors"));
    assert.deepEqual([...added.keys()].sort(), [...expected.keys()].sort());
    for (const [tensor, values] of expected) {
      const error = relativeError(added.get(tensor)!, values);
      assert(error <= TOLERANCE, `${tensor}: ${error}`);
    }
  });

  Deno.test(`${name} adds the same where queries, keys and values are apart`, async () => {
    const apart = `${base}_apart`;
    const parts = await partsOf(apart);
    const adapter = await readAdapter(path, parts).catch((error) => error);
    const expected = await tensorsIn(join(FOLDER, name, "expected.safetensors"));
    if (name === "lycoris_loha_dora_columns") {
      assert.match(adapter.message, /1 matrices of queries.*norms by column/);
      return;
    }
    const added = await addedBy(adapter, apart);
    const { tensors } = await openWeights(join(FOLDER, base));
    for (const [tensor, values] of expected) {
      const [rows = 1, columns = 1] = tensors.get(tensor)!.shape;
      const keys = (rows - columns) / 2;
      const cuts = tensor.includes("attention.qkv")
        ? [[0, columns], [columns, columns + keys], [columns + keys, rows]].map((
          [from, to],
          at,
        ) => ({
          name: tensor.replace("qkv", PARTS[at]!),
          part: values.subarray(from! * columns, to! * columns),
        }))
        : [{ name: tensor, part: values }];
      for (const { name, part } of cuts) {
        const error = relativeError(added.get(name)!, part);
        assert(error <= TOLERANCE, `${name}: ${error}`);
      }
    }
  });
}
