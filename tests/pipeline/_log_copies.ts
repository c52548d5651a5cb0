/** Loads graphs on WebGPU with ONNX Runtime's own log on stderr, for a test that reads it. */
import * as ort from "onnxruntime-node";
import { dtypePolicy, weightsInMemory } from "../../src/onnx/mod.ts";
import { GRAPH_NAMES, partGraph } from "../../src/pipeline/part_graph.ts";

const VERBOSE = 0;
const [model] = Deno.args as [string];
ort.env.logLevel = "verbose";
const policy = dtypePolicy("webgpu", "float32")!;
for (const name of GRAPH_NAMES) {
  const graph = await partGraph(model, name, policy);
  console.error(`GRAPH ${name}`);
  const session = await ort.InferenceSession.create(graph.model, {
    executionProviders: ["webgpu", "cpu"],
    logSeverityLevel: VERBOSE,
    extra: { session: { model_external_initializers_file_folder_path: graph.weightFolder } },
    externalData: Object.entries(await weightsInMemory(graph))
      .map(([path, data]) => ({ path, data })),
  });
  await session.release();
}
