import assert from "node:assert/strict";
import { join } from "node:path";
import { tellOfFastKernels } from "../../tasks/create/tell_of_fast_kernels.ts";
import { inTempFolder } from "../_folders.ts";

const permissions = { read: true, write: true, ffi: false } as const;
const card = {
  device: "cuda",
  dtype: "bfloat16",
  arithmetic: { processor: "NVIDIA H200", kernels: "onnxruntime" },
} as const;

Deno.test({
  name: "that a card draws faster with the toolkit's kernels is said once",
  permissions,
  async fn() {
    await inTempFolder(async (folder) => {
      const file = join(folder, "not yet there", "told");
      const said: string[] = [];
      const tell = (lines: readonly string[]) => void said.push(lines.join("\n"));
      await tellOfFastKernels(card, tell, file);
      await tellOfFastKernels(card, tell, file);
      assert.equal(said.length, 1);
      assert.match(said[0]!, /deno task create:fast/);
      assert.match(said[0]!, /sixth/);
    });
  },
});

Deno.test({
  name: "it is not said where those kernels draw, or none would",
  permissions,
  async fn() {
    await inTempFolder(async (folder) => {
      const others = [
        { ...card, arithmetic: { ...card.arithmetic, kernels: "toolkit" } },
        { ...card, dtype: "float32" },
        { ...card, device: "cpu", arithmetic: { processor: "AVX2" } },
      ] as const;
      for (const pipe of others) {
        await tellOfFastKernels(pipe, () => assert.fail("it was said"), join(folder, "told"));
      }
    });
  },
});

Deno.test("it is not said to who gave leave already: the log has said why they cannot be used", async () => {
  await inTempFolder(async (folder) => {
    await tellOfFastKernels(card, () => assert.fail("it was said"), join(folder, "told"));
  });
});
