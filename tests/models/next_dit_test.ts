import assert from "node:assert/strict";
import proto from "onnx-proto";
import { compileNextDiT } from "../../src/models/next_dit.ts";
import { parseNextDiTConfig } from "../../src/models/next_dit_config.ts";
import { type Adaptation, DTYPE_POLICIES, dtypePolicy, OWN_DOMAIN } from "../../src/onnx/mod.ts";
import { Transformer } from "../../src/pipeline/parts/transformer.ts";
import { openWeights, type Weights } from "../../src/safetensors/mod.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import { operatorSessions } from "../../src/runtime/native/custom_session.ts";
import { assertClose, fixture, relativeError } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { CPU_OPERATORS } from "../_own_operators.ts";
import { noise } from "../../bench/noise.ts";
import { adaptationOf, drawAdapters } from "./_adapters.ts";
import { openCase } from "./_case.ts";

const { onnx } = proto;

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

Deno.test("what nodes of our own operators give, others take: it would stay in memory", async () => {
  const { weights, json, file } = await openCase<Run>("next_dit/clip_gqa");
  const config = parseNextDiTConfig(json, file, weights);
  const { text, steps } = compileNextDiT(config, weights, DTYPE_POLICIES.cuda, 2);
  for (const { name, model } of [text, ...steps]) {
    const { graph } = onnx.ModelProto.decode(model);
    const taken = new Set(graph!.node!.flatMap(({ input }) => input!));
    const own = graph!.node!.filter(({ domain }) => domain === OWN_DOMAIN);
    assert(own.length > 0, name);
    for (const { name, output } of own) {
      for (const value of output!) assert(taken.has(value), `${name} gives ${value} to nobody`);
    }
  }
});

Deno.test("a text in another type than the steps has no operators of ours, and leaves theirs to the steps", async () => {
  const { weights, json, file } = await openCase<Run>("next_dit/clip_gqa");
  const config = parseNextDiTConfig(json, file, weights);
  const ownOperators = (dtype: "bfloat16" | "float16") => {
    const { text, steps } = compileNextDiT(config, weights, dtypePolicy("cuda", dtype)!);
    return [text, ...steps].map(({ model }) =>
      onnx.ModelProto.decode(model).graph!.node!.some(({ domain }) => domain === OWN_DOMAIN)
    );
  };
  assert.deepEqual(ownOperators("bfloat16"), [true, true]);
  assert.deepEqual(ownOperators("float16"), [false, true]);
});

Deno.test("float16 holds what the demo model computes: queries and keys of 1e14 stay in another type", async () => {
  const folder = "models/demo/next-dit";
  const file = `${folder}/config.json`;
  const weights = await openWeights(folder);
  const config = parseNextDiTConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
  const { in_channels, cap_feat_dim, clip_text_dim } = config;
  const velocityIn = async (compute: "float32" | "float16") => {
    const graphs = compileNextDiT(config, weights, { ...DTYPE_POLICIES.cpu, compute });
    await using transformer = await Transformer.create(config, graphs, {
      device: "cpu",
      resident: true,
    });
    const conditioning = await transformer.condition(
      noise([1, 8, cap_feat_dim], 1),
      noise([1, clip_text_dim!], 2),
    );
    const [velocity] = await transformer.predict(noise([1, in_channels, 8, 8], 3), 0.3, [
      conditioning,
    ]);
    return velocity!;
  };
  // Eleven bits, through nine blocks.
  const error = relativeError(await velocityIn("float16"), await velocityIn("float32"));
  assert.ok(error < 0.01, `${error}`);
});

/** The demo model's velocity for some noise, by our own operators on a CPU. */
async function demoVelocity(
  products: { readonly products?: "int8" },
  adaptation?: (weights: Weights) => Promise<Adaptation>,
): Promise<Tensor> {
  const folder = "models/demo/next-dit";
  const file = `${folder}/config.json`;
  const weights = await openWeights(folder);
  const config = parseNextDiTConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
  const policy = { ...DTYPE_POLICIES.cpu, ownOperators: true, ...products };
  const graphs = compileNextDiT(config, weights, policy, 1, await adaptation?.(weights));
  const host = operatorSessions(LIBRARIES, CPU_OPERATORS);
  const hold = { device: "cpu", resident: true, host } as const;
  await using transformer = await Transformer.create(
    config,
    graphs,
    hold,
    () => adaptation && tensor(Float32Array.of(0), [1]),
  );
  const { in_channels, cap_feat_dim, clip_text_dim } = config;
  const conditioning = await transformer.condition(
    noise([1, 3, cap_feat_dim], 1),
    noise([1, clip_text_dim!], 2),
  );
  const latents = noise([1, in_channels, 4, 4], 3);
  return (await transformer.predict(latents, 0.3, [conditioning]))[0]!;
}

Deno.test("products in 8 bits leave the demo model's velocity near what it is", async () => {
  const exact = await demoVelocity({});
  const rounded = await demoVelocity({ products: "int8" });
  // A row of normal values in 8 bits errs by about 0.7 %, and so does each of the weights.
  const error = relativeError(rounded, exact);
  assert(error > 0.002 && error < 0.05, `${error}`);
  await inTempFolder(async (folder) => {
    const adapted = await demoVelocity({ products: "int8" }, async (weights) => {
      const isMeant = (tensor: string) => tensor.startsWith("layers.");
      const adapter = { rank: 4, seed: 3, scales: [1], isMeant };
      return adaptationOf(await drawAdapters(folder, weights, [adapter]));
    });
    // With a weight of 0 an adapter adds nothing to the products, which are those of the same rows.
    assert(relativeError(adapted, rounded) < 1e-5);
  });
});

Deno.test("all matrices of the layers are rounded to 8 bits, and none of them stays as it was", async () => {
  const folder = "models/demo/next-dit";
  const file = `${folder}/config.json`;
  const weights = await openWeights(folder);
  const config = parseNextDiTConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
  const { steps: [step] } = compileNextDiT(config, weights, dtypePolicy("cuda", "int8")!);
  const blocks = config.n_layers + config.n_refiner_layers;
  // Queries, keys and values; the output; gate and value at once; what follows them.
  assert.equal(step!.ownMatrices!.length, 4 * blocks);
  const kept = onnx.ModelProto.decode(step!.model).graph!.initializer!
    .filter(({ dataLocation, dims }) => Boolean(dataLocation) && dims!.length === 2)
    .map(({ name }) => name!);
  assert.deepEqual(kept.filter((name) => /attention\.|feed_forward/.test(name)), []);
  assert(kept.some((name) => name.includes("adaLN_modulation")));
});

Deno.test("the timestep's condition is rounded to 16 bits when it is complete, and not before", async () => {
  const { weights, json, file } = await openCase<Run>("next_dit/clip_gqa");
  const config = parseNextDiTConfig(json, file, weights);
  const { steps: [step] } = compileNextDiT(config, weights, DTYPE_POLICIES.cuda);
  const { node } = onnx.ModelProto.decode(step!.model).graph!;
  const made = new Set(["timestep"]);
  const products: string[] = [];
  for (const { opType, input, output } of node!) {
    if (opType === "Cast" || !input!.some((name) => made.has(name))) continue;
    output!.forEach((name) => made.add(name));
    if (opType === "Gemm") products.push(opType);
  }
  // Two of the timestep's embedding, and one with the pooled text.
  assert.deepEqual(products, ["Gemm", "Gemm", "Gemm"]);
});
