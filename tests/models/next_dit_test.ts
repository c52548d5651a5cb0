import { compileNextDiT, parseNextDiTConfig } from "../../src/models/next_dit.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Transformer } from "../../src/pipeline/transformer.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { bindingFolder } from "../../src/runtime/binding.ts";
import { operatorSessions } from "../../src/runtime/operator_session.ts";
import { assertClose, fixture } from "../_fixtures.ts";
import { CPU_OPERATORS } from "../_own_operators.ts";
import { openCase } from "./_case.ts";

/** As tests/reference/next_dit.py wrote it. */
interface Run {
  readonly name: string;
  readonly timestep: number;
  readonly captionLengths: readonly number[];
}

/** One sample of a batch, as a batch of one. */
function sample({ data, dims: [batch, ...dims] }: Tensor, index: number): Tensor {
  const length = data.length / batch!;
  return tensor(data.slice(index * length, (index + 1) * length), [1, ...dims]);
}

const LIBRARIES = bindingFolder(Deno.build);
const WAYS = [
  ["1 segment", 1, false],
  ["2 segments", 2, false],
  ["1 segment of our own operators", 1, true],
  ["2 segments of our own operators", 2, true],
] as const;

for (const { name: testCase } of Deno.readDirSync(fixture("next_dit"))) {
  for (const [how, segments, ownOperators] of WAYS) {
    Deno.test(`NextDiT predicts upstream's velocities: ${testCase}, ${how}`, async () => {
      const { weights, json, file, runs, value } = await openCase<Run>(`next_dit/${testCase}`);
      const config = parseNextDiTConfig(json, file, weights);
      const graphs = compileNextDiT(
        config,
        weights,
        { ...DTYPE_POLICIES.cpu, ownOperators },
        segments,
      );
      const host = ownOperators ? operatorSessions(LIBRARIES, CPU_OPERATORS) : undefined;
      const hold = { device: "cpu", resident: segments === 1, host } as const;
      await using transformer = await Transformer.create(config, graphs, hold);
      for (const { name, timestep, captionLengths } of runs) {
        const expected = value(`${name}.velocity`);
        for (const index of captionLengths.keys()) {
          const { data, dims } = value(`${name}.caption_${index}`);
          const pooled = transformer.config.clip_text_dim === undefined
            ? undefined
            : sample(value(`${name}.pooled`), index);
          const conditioning = await transformer.condition(tensor(data, [1, ...dims]), pooled);
          const latents = sample(value(`${name}.latents`), index);
          const [velocity] = await transformer.predict(latents, timestep, [conditioning]);
          assertClose(velocity!, sample(expected, index), 1e-5, `${name}, sample ${index}`);
        }
      }
    });
  }
}
