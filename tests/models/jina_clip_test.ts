import { compileJinaClip, parseJinaClipConfig } from "../../src/models/jina_clip.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { ClipModel } from "../../src/pipeline/parts/clip_model.ts";
import { assertClose, fixture } from "../_fixtures.ts";
import { openCase } from "./_case.ts";

/** As tests/reference/jina_clip.py wrote it. */
interface Run {
  readonly name: string;
  readonly ids: number[];
}

for (const { name: testCase } of Deno.readDirSync(fixture("jina_clip"))) {
  Deno.test(`Jina CLIP pools as the public implementations do: ${testCase}`, async () => {
    const { weights, json, file, runs, value } = await openCase<Run>(`jina_clip/${testCase}`);
    const config = parseJinaClipConfig(json, file, weights);
    const graph = compileJinaClip(config, weights, DTYPE_POLICIES.cpu);
    await using model = await ClipModel.create(config, graph, "cpu");
    for (const { name, ids } of runs) {
      const pooled = await model.encode(Int32Array.from(ids));
      assertClose(pooled, value(`${name}.pooled`), 1e-5, name);
    }
  });
}
