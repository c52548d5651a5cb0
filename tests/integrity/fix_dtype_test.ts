/**
 * patches/fix_dtype.patch: float16 tensors through ONNX Runtime on the CPU, by the packages as
 * published and as patched, each in a process of its own.
 *
 * Bits of float16 are those of IEEE 754's binary16: 1 is 0x3c00, each doubling adds 0x0400 to a
 * normal number, and twice 65504, the largest, is infinity, 0x7c00.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { applyPatch, readPatches } from "../../src/integrity/mod.ts";
import { add, Graph } from "../../src/onnx/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { layBinding, layCommon, ROOT, sh } from "./_packages.ts";

const VALUES = [1, -1.5, 2 ** -14, 65504];
const BITS = [0x3c00, 0xbe00, 0x0400, 0x7bff];
const DOUBLED_BITS = [0x4000, 0xc200, 0x0800, 0x7c00];

/** Doubles the values, given in every way in which a float16 tensor can be made. */
const PROGRAM = `
const { InferenceSession, Tensor } = require("onnxruntime-node");
const [values, bits] = ${JSON.stringify([VALUES, BITS])};
const made = {
  "Uint16Array": () => new Tensor("float16", Uint16Array.from(bits), [4]),
  "Float16Array": () => new Tensor("float16", Float16Array.from(values), [4]),
  "Float16Array, its type left out": () => new Tensor(Float16Array.from(values), [4]),
  "numbers": () => new Tensor("float16", values, [4]),
  "part of a larger buffer": () =>
    new Tensor("float16", Uint16Array.from([9, ...bits, 9]).subarray(1, 5), [4]),
};
(async () => {
  const session = await InferenceSession.create("double.onnx", { executionProviders: ["cpu"] });
  const results = {};
  for (const [name, make] of Object.entries(made)) {
    try {
      const { y } = await session.run({ x: make() });
      const again = await session.run({ x: y.reshape([4]) });
      results[name] = [y, again.y].map(({ data, type }) =>
        [type, data.constructor.name, ...new Uint16Array(data.buffer, data.byteOffset, data.length)]);
    } catch (error) {
      results[name] = error.message;
    }
  }
  console.log(JSON.stringify(results));
})();
`;

async function results(folder: string): Promise<Record<string, unknown>> {
  const graph = new Graph("double");
  const x = graph.input("x", "float16", [4]);
  graph.output("y", add(x, x), [4]);
  await Deno.writeFile(join(folder, "double.onnx"), graph.compile().model);
  await Deno.writeTextFile(join(folder, "program.cjs"), PROGRAM);
  const args = ["run", "-A", "--no-config", "--no-lock", "--node-modules-dir=manual"];
  const { code, out, err } = await sh(Deno.execPath(), [...args, "program.cjs"], folder);
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

Deno.test("without the patch, no float16 tensor reaches ONNX Runtime", async () => {
  await using folder = await temporaryFolder();
  await layCommon(folder.path);
  await layBinding(folder.path);
  for (const [name, result] of Object.entries(await results(folder.path))) {
    assert.match(String(result), /not enough space: expected 8, got 0/, name);
  }
});

Deno.test("with the patch, float16 tensors made in any way give IEEE 754's bits", async () => {
  await using folder = await temporaryFolder();
  await layCommon(folder.path);
  await layBinding(folder.path);
  const patches = await readPatches(join(ROOT, "patches"));
  const patch = patches.find(({ name }) => name === "fix_dtype.patch")!;
  assert.equal((await applyPatch(patch, folder.path)).state, "applied");
  const found = await results(folder.path);
  assert.equal(Object.keys(found).length, 5);
  for (const [name, result] of Object.entries(found)) {
    const [once, twice] = result as unknown[][];
    assert.deepEqual(once, ["float16", "Uint16Array", ...DOUBLED_BITS], name);
    const [one, minusOneAndAHalf, least] = DOUBLED_BITS;
    const redoubled = [one! + 0x400, minusOneAndAHalf! + 0x400, least! + 0x400, 0x7c00];
    assert.deepEqual(twice, ["float16", "Uint16Array", ...redoubled], name);
  }
});
