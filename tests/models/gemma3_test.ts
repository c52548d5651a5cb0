import { compileGemma3, parseGemma3Config } from "../../src/models/gemma3.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { TextEncoder } from "../../src/pipeline/parts/text_encoder.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { assertClose, fixture, readJson, readTensors } from "../_fixtures.ts";
import { openCase } from "./_case.ts";

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
