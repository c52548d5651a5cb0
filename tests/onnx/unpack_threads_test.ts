import assert from "node:assert/strict";
import { dequantizeBlocks } from "../../src/gguf/mod.ts";
import { UnpackThreads, weightsInMemory } from "../../src/onnx/mod.ts";
import { SafetensorsError, type TensorEntry } from "../../src/safetensors/mod.ts";

/** Blocks of Q8_0 with scales of 0.5, and the tensors of so many blocks that lie in such a file. */
async function fileOf(counts: readonly number[]) {
  const blocks = counts.reduce((sum, count) => sum + count, 0);
  const bytes = Uint8Array.from(
    { length: blocks * 34 },
    (_, i) => i % 34 === 0 ? 0 : i % 34 === 1 ? 0x38 : i * 7,
  );
  const file = await Deno.makeTempFile();
  await Deno.writeFile(file, bytes);
  let offset = 0;
  const entries = counts.map((count, index): TensorEntry => {
    const byteLength = count * 34;
    const entry = {
      name: `w${index}`,
      dtype: "Q8_0",
      shape: [count, 32],
      file,
      offset,
      byteLength,
    };
    offset += byteLength;
    return entry as TensorEntry;
  });
  return {
    entries,
    bytes,
    memory: entries.map((entry) => ({
      entry,
      initializers: [
        { name: `${entry.name} values`, form: "values", type: "float32" },
      ] as const,
    })),
    [Symbol.asyncDispose]: () => Deno.remove(file),
  };
}

function valuesOf({ offset, byteLength }: TensorEntry, bytes: Uint8Array): Float32Array {
  const values = new Float32Array(byteLength / 34 * 32);
  dequantizeBlocks("Q8_0", bytes.subarray(offset, offset + byteLength), values);
  return values;
}

Deno.test("a large graph's weights are unpacked by threads, and each gets its own values", async () => {
  // More than is left to one thread.
  await using made = await fileOf([1, 400_000, 7, 500_000, 300_000, 33_000]);
  const graph = { name: "large", model: new Uint8Array(), inputs: [], outputs: [] };
  const found = await weightsInMemory({ ...graph, memory: made.memory });
  assert.equal(Object.keys(found).length, made.entries.length);
  for (const entry of made.entries) {
    const { buffer } = found[`${entry.name} values`]!;
    assert.deepEqual(new Float32Array(buffer), valuesOf(entry, made.bytes), entry.name);
  }
});

Deno.test("threads take more weights than there are of them, and can be asked again after their end", async () => {
  await using made = await fileOf([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3]);
  using threads = new UnpackThreads();
  let started = 0;
  using _ = watchedWorkers(() => started++);
  for (let round = 0; round < 2; round++) {
    started = 0;
    const all = await Promise.all(made.memory.map((weight) => threads.unpack(weight)));
    all.forEach((found, index) => {
      const entry = made.entries[index]!;
      const { buffer } = found[`${entry.name} values`]!;
      assert.deepEqual(new Float32Array(buffer), valuesOf(entry, made.bytes));
    });
    assert(started <= threads.atOnce, `${started}`);
    threads[Symbol.dispose]();
  }
});

/** Says when a worker begins, for as long as it is kept. */
function watchedWorkers(began: () => void): Disposable {
  const Original = globalThis.Worker;
  globalThis.Worker = class extends Original {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given);
      began();
    }
  };
  return { [Symbol.dispose]: () => void (globalThis.Worker = Original) };
}

Deno.test("a file that became shorter is named by the usual error, whichever thread found it", async () => {
  await using made = await fileOf([600_000, 700_000]);
  await Deno.truncate(made.entries[0]!.file, 1_000_000 * 34);
  const graph = { name: "shorter", model: new Uint8Array(), inputs: [], outputs: [] };
  await assert.rejects(weightsInMemory({ ...graph, memory: made.memory }), SafetensorsError);
});
