/** One forward of the full-size transformer, again and again. */
import { join } from "node:path";
import { compileNextDiT, parseNextDiTConfig } from "../src/models/mod.ts";
import { type Device, type Dtype, dtypePolicy } from "../src/onnx/mod.ts";
import { loadTransformer } from "../src/pipeline/parts/load_transformer.ts";
import { permittedPolicy } from "../src/pipeline/parts/permitted_policy.ts";
import { openWeights } from "../src/safetensors/mod.ts";
import { noise } from "./noise.ts";
import { median } from "./statistics.ts";

const WARM_UP = 3;
const TIMESTEP = 0.3;

/** What to run. */
export interface ForwardRequest {
  /** The transformer's folder. */
  readonly folder: string;
  readonly device: Device;
  readonly dtype: Dtype | "auto";
  /** Width and height of the picture in latents. */
  readonly latentSize: number;
  /** Tokens of the caption. */
  readonly caption: number;
  readonly runs: number;
}

/** Milliseconds; everything from latents in JavaScript to the velocity in JavaScript. */
export interface ForwardResult {
  readonly load: number;
  readonly median: number;
  readonly fastest: number;
}

/** Runs the transformer as the pipeline does, one sample at a time. */
async function benchForward(request: ForwardRequest): Promise<ForwardResult> {
  const { folder, device, dtype, latentSize, caption, runs } = request;
  const file = join(folder, "config.json");
  const weights = await openWeights(folder);
  const config = parseNextDiTConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
  const policy = await permittedPolicy(dtypePolicy(device, dtype)!);
  const start = performance.now();
  await using transformer = await loadTransformer(
    config,
    (policy) => compileNextDiT(config, weights, policy),
    { policy, resident: true },
  );
  const load = performance.now() - start;
  const { cap_feat_dim, clip_text_dim, in_channels } = config;
  const conditioning = await transformer.condition(
    noise([1, caption, cap_feat_dim], 1),
    clip_text_dim === undefined ? undefined : noise([1, clip_text_dim], 2),
  );
  const latents = noise([1, in_channels, latentSize, latentSize], 3);
  const times: number[] = [];
  for (let run = -WARM_UP; run < runs; run++) {
    const begin = performance.now();
    await transformer.predict(latents, TIMESTEP, [conditioning]);
    if (run >= 0) times.push(performance.now() - begin);
  }
  return { load, median: median(times), fastest: Math.min(...times) };
}

if (import.meta.main) console.log(JSON.stringify(await benchForward(JSON.parse(Deno.args[0]!))));
