/** AutoencoderTiny against AutoencoderKL, from latents to the pixels of a picture. */
import { compileVae, parseVaeConfig } from "../src/models/mod.ts";
import { type Device, DTYPE_POLICIES } from "../src/onnx/mod.ts";
import { Vae } from "../src/pipeline/parts/vae.ts";
import { createGenerator } from "../src/random/mod.ts";
import { openWeights } from "../src/safetensors/mod.ts";
import { tensor } from "../src/tensor.ts";
import { median } from "./statistics.ts";

/** What to compare. */
export interface DecodersRequest {
  readonly device: Device;
  /** The folder of an AutoencoderTiny. */
  readonly tiny: string;
  /** The folder of an AutoencoderKL for the same latents. */
  readonly kl: string;
  /** Sides of the pictures, in pixels. */
  readonly sizes: readonly number[];
  readonly runs: number;
}

/** The decoders of the demo model's latents. */
export const DEMO_DECODERS: DecodersRequest = {
  device: "cpu",
  tiny: "models/demo/vae",
  kl: "models/demo/vae-kl",
  sizes: [256, 512, 1024],
  runs: 3,
};

/** Milliseconds for one picture of `size` × `size` pixels. */
export interface DecoderResult {
  readonly size: number;
  readonly tiny: number;
  readonly kl: number;
  /** How many times as fast the small one is. */
  readonly ratio: number;
}

/** Decodes the same noise with both, in turns, so that a slow moment slows both. */
export async function benchDecoders(request: DecodersRequest): Promise<DecoderResult[]> {
  const { device, sizes, runs } = request;
  await using tiny = await load(request.tiny, device);
  await using kl = await load(request.kl, device);
  const results: DecoderResult[] = [];
  for (const size of sizes) {
    const times = { tiny: [] as number[], kl: [] as number[] };
    for (let run = 0; run <= runs; run++) {
      const taken = { tiny: await decode(tiny, size), kl: await decode(kl, size) };
      // The first run of a size also allocates.
      if (run === 0) continue;
      times.tiny.push(taken.tiny);
      times.kl.push(taken.kl);
    }
    const ratio = median(times.kl.map((kl, index) => kl / times.tiny[index]!));
    results.push({ size, tiny: median(times.tiny), kl: median(times.kl), ratio });
  }
  return results;
}

async function load(folder: string, device: Device): Promise<Vae> {
  const weights = await openWeights(folder);
  const file = `${folder}/config.json`;
  const config = parseVaeConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
  const graphs = compileVae(config, weights, DTYPE_POLICIES[device]);
  return await Vae.create(config, graphs, device);
}

async function decode(vae: Vae, size: number): Promise<number> {
  const side = size / vae.scaleFactor;
  const dims = [1, vae.latentChannels, side, side];
  const latents = createGenerator({ seed: 1 }).randn(dims.reduce((product, n) => product * n));
  const start = performance.now();
  await vae.decodeImages(tensor(latents, dims));
  return performance.now() - start;
}

if (import.meta.main) console.log(JSON.stringify(await benchDecoders(JSON.parse(Deno.args[0]!))));
