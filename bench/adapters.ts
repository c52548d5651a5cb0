/** What an adapter on every layer costs: forwards with and without, in turn. */
import { join } from "node:path";
import { compileNextDiT, parseNextDiTConfig } from "../src/models/mod.ts";
import { type Adaptation, dtypePolicy, type ThinChange } from "../src/onnx/mod.ts";
import { loadTransformer } from "../src/pipeline/parts/load_transformer.ts";
import { permittedPolicy } from "../src/pipeline/parts/permitted_policy.ts";
import type { Transformer } from "../src/pipeline/parts/transformer.ts";
import { openWeights, type TensorSource, writeSafetensors } from "../src/safetensors/mod.ts";
import { tensor } from "../src/tensor.ts";
import type { ForwardRequest } from "./forward.ts";
import { noise } from "./noise.ts";
import { median } from "./statistics.ts";

const WARM_UP = 3;
const TIMESTEP = 0.3;
/** Blocks' matrices: what trainers put adapters on. */
const LAYERS =
  /(?:layers|refiner)\.\d+\.(?:attention\.(?:qkv|out)|feed_forward\.w[123]|adaLN_modulation\.1)\.weight$/;

/** What to run. */
export interface AdaptersRequest extends ForwardRequest {
  readonly rank: number;
}

/** Milliseconds of a forward. */
export interface AdaptersResult {
  readonly rank: number;
  /** How many matrices have it. */
  readonly matrices: number;
  readonly without: number;
  /** With one adapter, and with two. */
  readonly one: number;
  readonly two: number;
  /** one / without. */
  readonly ratio: number;
  /** What one adapter adds to the arithmetic of its matrices: rank · (in + out) / (in · out). */
  readonly arithmetic: number;
  /** Loading the transformer with an adapter. */
  readonly load: number;
}

/** Runs the transformer without, with one and with two adapters, one forward of each in turn. */
async function benchAdapters(request: AdaptersRequest): Promise<AdaptersResult> {
  const { folder, device, dtype, latentSize, caption, runs, rank } = request;
  const file = join(folder, "config.json");
  const weights = await openWeights(folder);
  const config = parseNextDiTConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
  const matrices = [...weights.tensors.values()].filter(({ name }) => LAYERS.test(name));
  const own = await Deno.makeTempDir();
  try {
    const zeros = new Uint8Array(1 << 20);
    const bytes = (count: number) =>
      function* () {
        for (let left = 2 * count; left > 0; left -= zeros.length) {
          yield zeros.subarray(0, Math.min(left, zeros.length));
        }
      };
    const sources = matrices.flatMap(({ name, shape: [rows, inner] }): TensorSource[] => [
      { name: `${name}.down`, dtype: "BF16", shape: [rank, inner!], bytes: bytes(rank * inner!) },
      { name: `${name}.up`, dtype: "BF16", shape: [rows!, rank], bytes: bytes(rows! * rank) },
    ]);
    await writeSafetensors(`${own}/adapter.safetensors`, sources);
    const { tensors } = await openWeights(`${own}/adapter.safetensors`);
    const adaptation = (adapters: number): Adaptation => ({
      adapters,
      merged: new Map(),
      thin: new Map(matrices.map(({ name }) => [
        name.replace(/^.*?(?=(?:layers|noise_refiner|context_refiner)\.)/, ""),
        Array.from({ length: adapters }, (_, adapter): ThinChange => ({
          adapter,
          down: tensors.get(`${name}.down`)!,
          up: tensors.get(`${name}.up`)!,
          scale: 1,
        })),
      ])),
    });
    const policy = await permittedPolicy(dtypePolicy(device, dtype)!);
    await using stack = new AsyncDisposableStack();
    let load = 0;
    const loaded = async (adapters: number): Promise<Transformer> => {
      const start = performance.now();
      const fed = tensor(new Float32Array(adapters).fill(0.8), [adapters]);
      const adapted = adapters === 0 ? undefined : adaptation(adapters);
      const transformer = await loadTransformer(
        config,
        (policy) => compileNextDiT(config, weights, policy, 1, adapted),
        { policy, resident: true, adapterWeights: () => adapted && fed },
      );
      if (adapters === 1) load = performance.now() - start;
      return stack.use(transformer);
    };
    const transformers = [await loaded(0), await loaded(1), await loaded(2)];
    const { cap_feat_dim, clip_text_dim, in_channels } = config;
    const latents = noise([1, in_channels, latentSize, latentSize], 3);
    const times: number[][] = [[], [], []];
    const conditionings = [];
    for (const transformer of transformers) {
      conditionings.push(
        await transformer.condition(
          noise([1, caption, cap_feat_dim], 1),
          clip_text_dim === undefined ? undefined : noise([1, clip_text_dim], 2),
        ),
      );
    }
    for (let run = -WARM_UP; run < runs; run++) {
      for (const [index, transformer] of transformers.entries()) {
        const begin = performance.now();
        await transformer.predict(latents, TIMESTEP, [conditionings[index]!]);
        if (run >= 0) times[index]!.push(performance.now() - begin);
      }
    }
    const [without, one, two] = times.map(median) as [number, number, number];
    const sum = (size: (rows: number, inner: number) => number) =>
      matrices.reduce((total, { shape: [rows, inner] }) => total + size(rows!, inner!), 0);
    const arithmetic = sum((rows, inner) => rank * (rows + inner)) /
      sum((rows, inner) => rows * inner);
    const ratio = one / without;
    return { rank, matrices: matrices.length, without, one, two, ratio, arithmetic, load };
  } finally {
    await Deno.remove(own, { recursive: true });
  }
}

/** Rows for a report. */
export function adaptersTable(result: AdaptersResult): readonly string[] {
  const { rank, matrices, without, one, two, ratio, arithmetic } = result;
  const times = (milliseconds: number) => `${milliseconds.toFixed(1)} ms`;
  const more = (milliseconds: number) => `${(100 * (milliseconds / without - 1)).toFixed(1)} %`;
  return [
    `| a forward with adapters of rank ${rank} on ${matrices} matrices | | more |`,
    "| --- | --- | --- |",
    `| without | ${times(without)} | |`,
    `| one | ${times(one)} | ${(100 * (ratio - 1)).toFixed(1)} % |`,
    `| two | ${times(two)} | ${more(two)} |`,
    `| one adds to the matrices' arithmetic | | ${(100 * arithmetic).toFixed(1)} % |`,
  ];
}

if (import.meta.main) console.log(JSON.stringify(await benchAdapters(JSON.parse(Deno.args[0]!))));
