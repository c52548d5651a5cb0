/** How long the graph compiler takes, and how large the graphs are, by layers. */
import { compileNextDiT, parseNextDiTConfig } from "../src/models/mod.ts";
import { DTYPE_POLICIES } from "../src/onnx/mod.ts";
import type { Weights } from "../src/safetensors/mod.ts";
import { NO_WEIGHTS, weightsWithoutFile } from "./shapes.ts";
import { median } from "./statistics.ts";

/** The published transformer; only the number of layers varies. */
const PUBLISHED = {
  _class_name: "NextDiT_3B_GQA_patch2_Adaln_Refiner_WHIT_CLIP",
  in_channels: 16,
  qk_norm: true,
  cap_feat_dim: 2560,
};
const LAYERS = [1, 9, 18, 36, 72];
const RUNS = 7;

/** One row of the table. */
export interface CompileResult {
  readonly layers: number;
  readonly milliseconds: number;
  readonly kibibytes: number;
}

/** Compiles NextDiT (both graphs, bfloat16 weights) with each number of layers. */
export function benchCompile(): CompileResult[] {
  return LAYERS.map((layers) => {
    const config = parseNextDiTConfig(
      { ...PUBLISHED, n_layers: layers },
      "config.json",
      NO_WEIGHTS,
    );
    const compile = (weights: Weights) => compileNextDiT(config, weights, DTYPE_POLICIES.cuda);
    const weights = weightsWithoutFile(compile);
    const times: number[] = [];
    let bytes = 0;
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      const { text, steps } = compile(weights);
      times.push(performance.now() - start);
      bytes = [text, ...steps].reduce((sum, { model }) => sum + model.byteLength, 0);
    }
    return { layers, milliseconds: median(times), kibibytes: bytes / 1024 };
  });
}
