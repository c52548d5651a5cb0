/**
 * Expected values: torch.randn of PyTorch 2.11, with a CPU generator on x86-64 and with a CUDA
 * generator on an H100 (tests/reference/random_cpu.py and random_cuda.py).
 */
import assert from "node:assert/strict";
import { elementCount } from "../../src/tensor.ts";
import { createGenerator, type GeneratorDevice } from "../../src/random/mod.ts";
import { type Case, hex, readFixture, type Recording, sha256 } from "./_fixtures.ts";

for (const device of ["cpu", "cuda"] as const) {
  Deno.test(`every stored torch.randn with a ${device} generator is met bit for bit`, async () => {
    const { cases } = await readFixture<Recording>(`${device}.json`);
    assert.ok(cases.length > 20);
    for (const recorded of cases) await checkCase(device, recorded);
  });
}

Deno.test("the defaults of a CUDA generator are those of the GPU that was recorded", async () => {
  const { origin } = await readFixture<Recording>("cuda.json");
  const multiProcessorCount = Number(origin["multiProcessorCount"]);
  const maxThreadsPerMultiProcessor = Number(origin["maxThreadsPerMultiProcessor"]);
  const count = multiProcessorCount * maxThreadsPerMultiProcessor + 1;
  assert.deepEqual(
    hex(createGenerator({ seed: 1, device: "cuda" }).randn(count)),
    hex(
      createGenerator({ seed: 1, device: "cuda", multiProcessorCount, maxThreadsPerMultiProcessor })
        .randn(count),
    ),
  );
});

async function checkCase(device: GeneratorDevice, { seed, calls }: Case): Promise<void> {
  const generator = createGenerator({ seed: BigInt(seed), device });
  for (const [index, call] of calls.entries()) {
    const where = `seed ${seed}, call ${index}, shape ${call.shape.join(" × ")}`;
    const values = new Float32Array(elementCount(call.shape));
    generator.fillNormal(values);
    const edge = call.first.length / (2 * Float32Array.BYTES_PER_ELEMENT);
    assert.equal(hex(values.subarray(0, edge)), call.first, `${where}: first values`);
    if (call.last !== undefined) {
      assert.equal(hex(values.subarray(-edge)), call.last, `${where}: last values`);
    }
    assert.equal(await sha256(values), call.sha256, where);
  }
}
