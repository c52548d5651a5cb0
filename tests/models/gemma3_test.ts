import { compileGemma3, parseGemma3Config } from "../../src/models/gemma3.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { TextEncoder } from "../../src/pipeline/parts/text_encoder.ts";
import { assertClose, fixture } from "../_fixtures.ts";
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
