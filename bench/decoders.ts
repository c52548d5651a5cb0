/** AutoencoderTiny against AutoencoderKL: the two decoders of the demo model's latents. */
import { compileVae, parseVaeConfig } from "../src/models/autoencoder.ts";
import { DTYPE_POLICIES } from "../src/onnx/mod.ts";
import { VaeDecoder } from "../src/pipeline/vae.ts";
import { createGenerator } from "../src/random/mod.ts";
import { openWeights } from "../src/safetensors/mod.ts";
import { tensor } from "../src/tensor.ts";
import { median } from "./_statistics.ts";

const FOLDERS = { tiny: "models/demo/vae", kl: "models/demo/vae-kl" };
const SIZES = [256, 512, 1024];
const RUNS = 3;

/** Milliseconds for one picture of `size` × `size` pixels. */
export interface DecoderResult {
  readonly size: number;
  readonly tiny: number;
  readonly kl: number;
  /** How many times as fast the small one is. */
  readonly ratio: number;
}

/** Decodes the same noise with both, in turns, so that a slow moment slows both. */
export async function benchDecoders(): Promise<DecoderResult[]> {
  await using tiny = await load(FOLDERS.tiny);
  await using kl = await load(FOLDERS.kl);
  const results: DecoderResult[] = [];
  for (const size of SIZES) {
    const times = { tiny: [] as number[], kl: [] as number[] };
    for (let run = 0; run <= RUNS; run++) {
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

async function load(folder: string): Promise<VaeDecoder> {
  const weights = await openWeights(folder);
  const file = `${folder}/config.json`;
  const config = parseVaeConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
  return await VaeDecoder.create(config, compileVae(config, weights, DTYPE_POLICIES.cpu), "cpu");
}

async function decode(vae: VaeDecoder, size: number): Promise<number> {
  const side = size / vae.scaleFactor;
  const dims = [1, vae.latentChannels, side, side];
  const latents = createGenerator({ seed: 1 }).randn(dims.reduce((product, n) => product * n));
  const start = performance.now();
  await vae.decode(tensor(latents, dims));
  return performance.now() - start;
}
