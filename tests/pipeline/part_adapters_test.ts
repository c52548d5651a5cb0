/** What adapters make of one part. Expected values are sums of a few numbers. */
import assert from "node:assert/strict";
import { NEXT_DIT_MODULES } from "../../src/models/mod.ts";
import { PartAdapters } from "../../src/pipeline/adapters/part_adapters.ts";
import { openWeights, writeSafetensors } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";

Deno.test("a tensor that could not be read when it was to be changed is read again the next time", async () => {
  await inTempFolder(async (folder) => {
    const file = `${folder}/adapter.safetensors`;
    const values = Float32Array.of(1, 2, 3, 4);
    await writeSafetensors(file, [
      { name: "w", dtype: "F32", shape: [2, 2], bytes: () => [new Uint8Array(values.buffer)] },
    ]);
    const difference = (await openWeights(file)).tensors.get("w")!;
    let reads = 0;
    const part = new PartAdapters({
      adaptable: { modules: NEXT_DIT_MODULES, tensors: new Map([["w", [2, 2]]]) },
      read: () =>
        ++reads === 1
          ? Promise.reject(new Error("the disk is busy"))
          : Promise.resolve(Float32Array.of(10, 20, 30, 40)),
    });
    const change = { kind: "full", difference, scale: 1 } as const;
    part.take([{ id: "a", weight: 2, targets: [{ tensor: "w", shape: [2, 2], change }] }]);
    await assert.rejects(part.adaptation(), /the disk is busy/);
    const { merged } = (await part.adaptation())!;
    assert.deepEqual([...merged.get("w")!], [12, 24, 36, 48]);
    assert.equal(reads, 2);
    assert.equal(await part.adaptation(), await part.adaptation());
    assert.equal(reads, 2);
  });
});
