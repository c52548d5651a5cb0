import assert from "node:assert/strict";
import proto from "onnx-proto";
import { compileGemma3 } from "../../src/models/gemma3.ts";
import { parseGemma3Config } from "../../src/models/gemma3_config.ts";
import { DTYPE_POLICIES, type DtypePolicy } from "../../src/onnx/mod.ts";
import { TextEncoder } from "../../src/pipeline/parts/text_encoder.ts";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import { operatorSessions } from "../../src/runtime/native/custom_session.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { assertClose, fixture, readJson, readTensors, relativeError } from "../_fixtures.ts";
import { CPU_OPERATORS } from "../_own_operators.ts";
import { openCase } from "./_case.ts";

const { onnx } = proto;

/** As tests/reference/gemma3.py wrote it. */
interface Run {
  readonly name: string;
  readonly ids: number[];
}

for (const { name: testCase } of Deno.readDirSync(fixture("gemma3"))) {
  for (const segments of [1, 3]) {
    Deno.test(`Gemma 3 gives the features of transformers: ${testCase}, ${segments} segments`, async () => {
      const { weights, json, file, runs, value } = await openCase<Run>(`gemma3/${testCase}`);
      const config = parseGemma3Config(json, file, weights);
      const graphs = compileGemma3(config, weights, DTYPE_POLICIES.cpu, segments);
      const hold = { device: "cpu", resident: segments === 1 } as const;
      await using encoder = await TextEncoder.create(config, graphs, hold);
      for (const { name, ids } of runs) {
        const features = await encoder.encode(Int32Array.from(ids));
        assertClose(features, value(`${name}.features`), 1e-5, name);
      }
    });
  }
}

Deno.test("Gemma 3 from GGUF gives the features of transformers with gguf-py's values", async () => {
  // tests/reference/gguf_gemma3.py: a table and matrices of every type, norms with 1 added.
  const folder = fixture("gguf_gemma3");
  const file = `${folder}/model.gguf`;
  const weights = await openWeights(file);
  const config = parseGemma3Config(undefined, file, weights);
  const graphs = compileGemma3(config, weights, DTYPE_POLICIES.cpu, 1);
  await using encoder = await TextEncoder.create(config, graphs, { device: "cpu", resident: true });
  const value = await readTensors(`${folder}/io.safetensors`);
  const { runs } = await readJson<{ runs: Run[] }>(`${folder}/io.json`);
  for (const { name, ids } of runs) {
    const features = await encoder.encode(Int32Array.from(ids));
    assertClose(features, value(`${name}.features`), 1e-5, name);
  }
});

Deno.test("with its matrices in 8 bits the demo's Gemma gives nearly the same features", async () => {
  const folder = "models/demo/transformer";
  const file = `${folder}/config.json`;
  const weights = await openWeights(folder);
  const config = parseGemma3Config(JSON.parse(await Deno.readTextFile(file)), file, weights);
  const policy = { ...DTYPE_POLICIES.cpu, ownOperators: true };
  const features = async (policy: DtypePolicy) => {
    const graphs = compileGemma3(config, weights, policy);
    const host = operatorSessions(bindingFolder(Deno.build), CPU_OPERATORS);
    const hold = { device: "cpu", resident: true, host } as const;
    await using encoder = await TextEncoder.create(config, graphs, hold);
    return await encoder.encode(Int32Array.of(2, 7, 11, 13, 17));
  };
  const exact = await features(policy);
  const rounded = await features({ ...policy, products: "int8" });
  // Each matrix errs by 0.7 %; rows are as they were.
  const error = relativeError(rounded, exact);
  assert(error > 0.001 && error < 0.03, `${error}`);

  const { graphs: [graph] } = compileGemma3(config, weights, { ...policy, products: "int8" });
  // Queries, keys, values, output, gate, value, and what follows them, in all layers but the last.
  assert.equal(graph!.ownMatrices!.length, 7 * 5);
  const kept = onnx.ModelProto.decode(graph!.model).graph!.initializer!
    .filter(({ dataLocation, dims }) => Boolean(dataLocation) && dims!.length === 2);
  assert.deepEqual(kept.map(({ name }) => name), []);
});
