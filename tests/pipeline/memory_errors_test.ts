import assert from "node:assert/strict";
import { join } from "node:path";
import { DeviceMemoryError } from "../../src/pipeline/device_memory_error.ts";
import {
  expectFinite,
  isFiniteTensor,
  NonFiniteError,
} from "../../src/pipeline/parts/non_finite_error.ts";
import { NewBieImagePipeline, tensor } from "../../src/mod.ts";
import { OutOfMemoryError, Session } from "../../src/runtime/session.ts";
import { temporaryFolder } from "../_folders.ts";

const PEAK = { none: 19e9, model: 9.4e9, sequential: 3.6e9 };

Deno.test("a part that does not fit is named, with the mode that would", () => {
  const error = new DeviceMemoryError("transformer", "cuda", "none", PEAK, {});
  assert.equal(error.suggestion, "model");
  assert.match(error.message, /^The transformer does not fit into the memory of the GPU/);
  assert.match(error.message, /--offload model, which needs about 9\.4 GB/);
  assert.match(error.explain("zh"), /--offload model/);
});

Deno.test("where no mode needs less, a smaller picture or model is advised", () => {
  const error = new DeviceMemoryError("vae", "cuda", "sequential", PEAK, {});
  assert.equal(error.suggestion, undefined);
  assert.match(error.message, /smaller picture.*deno task quantize/);
});

Deno.test("NaN and infinities are found wherever they stand, and large sums are not mistaken", () => {
  const values = (...list: number[]) => tensor(Float32Array.from(list), [list.length]);
  assert(isFiniteTensor(values(3e38, 3e38, -1)));
  for (const bad of [NaN, Infinity, -Infinity]) {
    assert.throws(() => expectFinite("transformer", values(1, bad, 2)), NonFiniteError);
  }
  assert(!isFiniteTensor(values(Infinity, -Infinity)));
});

Deno.test("a weight that is no number ends in an error that names the part, not in a black picture", async () => {
  await using temporary = await temporaryFolder();
  for (const part of ["next-dit", "transformer", "clip_model", "vae"]) {
    await copyFolder(join("models/demo", part), join(temporary.path, part));
  }
  const path = join(temporary.path, "next-dit/model.safetensors");
  const bytes = await Deno.readFile(path);
  const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const tensors = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + header)));
  const [from] = tensors["final_layer.linear.bias"].data_offsets;
  // bfloat16's NaN.
  new DataView(bytes.buffer).setUint16(8 + header + from, 0x7fc0, true);
  await Deno.writeFile(path, bytes);
  await using pipe = await NewBieImagePipeline.fromPretrained(temporary.path, {
    device: "cpu",
    log: () => {},
  });
  await assert.rejects(
    pipe.generate({ prompt: "1girl", height: 32, width: 32, numInferenceSteps: 1 }),
    (error: unknown) => error instanceof NonFiniteError && error.part === "transformer",
  );
});

Deno.test("what a part held is freed when memory runs out, and the pipeline works on", async () => {
  await using pipe = await NewBieImagePipeline.fromPretrained("models/demo", {
    device: "cpu",
    offload: "none",
    log: () => {},
  });
  const latents = pipe.prepareLatents({ height: 32, width: 32, generator: { seed: 1 } });
  const expected = await pipe.decodeLatents(latents);
  const { run, [Symbol.asyncDispose]: dispose } = Session.prototype;
  let freed = 0;
  const fail = () => Promise.reject(new OutOfMemoryError("vae", "run", new Error("out of memory")));
  Session.prototype.run = fail as unknown as typeof run;
  Session.prototype[Symbol.asyncDispose] = function () {
    freed++;
    return dispose.call(this);
  };
  try {
    await assert.rejects(
      pipe.decodeLatents(latents),
      (error: unknown) => error instanceof DeviceMemoryError && error.part === "vae",
    );
    assert.equal(freed, 1);
  } finally {
    Session.prototype.run = run;
    Session.prototype[Symbol.asyncDispose] = dispose;
  }
  assert.deepEqual(await pipe.decodeLatents(latents), expected);
});

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (isFile) await Deno.copyFile(join(from, name), join(to, name));
  }
}
