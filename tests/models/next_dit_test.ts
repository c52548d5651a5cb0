import { compileNextDiT, parseNextDiTConfig } from "../../src/models/next_dit.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Transformer } from "../../src/pipeline/transformer.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { assertClose, fixture, readJson, readTensors } from "../_fixtures.ts";

/** As tests/reference/next_dit.py wrote it. */
interface Run {
  readonly name: string;
  readonly timestep: number;
  readonly captionLengths: readonly number[];
}

async function load(folder: string): Promise<Transformer> {
  const weights = await openWeights(folder);
  const file = `${folder}/config.json`;
  const config = parseNextDiTConfig(await readJson(file), file, weights);
  return await Transformer.create(
    config,
    compileNextDiT(config, weights, DTYPE_POLICIES.cpu),
    "cpu",
  );
}

/** One sample of a batch, as a batch of one. */
function sample({ data, dims: [batch, ...dims] }: Tensor, index: number): Tensor {
  const length = data.length / batch!;
  return tensor(data.slice(index * length, (index + 1) * length), [1, ...dims]);
}

for (const { name: testCase } of Deno.readDirSync(fixture("next_dit"))) {
  Deno.test(`NextDiT predicts upstream's velocities: ${testCase}`, async () => {
    const folder = fixture(`next_dit/${testCase}`);
    const value = await readTensors(`${folder}/io.safetensors`);
    const { runs } = await readJson<{ runs: Run[] }>(`${folder}/io.json`);
    await using transformer = await load(folder);
    for (const { name, timestep, captionLengths } of runs) {
      const expected = value(`${name}.velocity`);
      for (const index of captionLengths.keys()) {
        const { data, dims } = value(`${name}.caption_${index}`);
        const pooled = transformer.config.clip_text_dim === undefined
          ? undefined
          : sample(value(`${name}.pooled`), index);
        const conditioning = await transformer.condition(tensor(data, [1, ...dims]), pooled);
        const latents = sample(value(`${name}.latents`), index);
        const velocity = await transformer.predict(latents, timestep, conditioning);
        assertClose(velocity, sample(expected, index), 1e-5, `${name}, sample ${index}`);
      }
    }
  });
}
