/** Random adapters for any checkpoint, and the checkpoint with them in its weights. */
import type { Adaptation, ThinChange } from "../../src/onnx/mod.ts";
import { createGenerator } from "../../src/random/mod.ts";
import { openWeights, type Weights, writeSafetensors } from "../../src/safetensors/mod.ts";
import { readTensor } from "../../bench/_tensors.ts";

/** What a random adapter is like. */
export interface RandomAdapter {
  readonly rank: number;
  readonly seed: number;
  /** alpha / rank, for each matrix in turn. */
  readonly scales: readonly number[];
  /** What values of `down` are multiplied by. */
  readonly downTimes?: number;
  /** Of some matrices only some rows, as if queries, keys and values had been apart. */
  readonly rowsOf?: (tensor: string, rows: number) => readonly (readonly [number, number])[];
  readonly isMeant?: (tensor: string) => boolean;
}

/** A change whose values are at hand, too. */
interface Drawn extends ThinChange {
  readonly tensor: string;
  readonly values: { readonly down: Float32Array; readonly up: Float32Array };
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Writes random adapters of a checkpoint's matrices, a file each. */
export async function drawAdapters(
  folder: string,
  weights: Weights,
  adapters: readonly RandomAdapter[],
): Promise<readonly Drawn[]> {
  const matrices = [...weights.tensors.values()].filter(({ shape, name }) =>
    shape.length === 2 && !/embed_tokens|embeddings/.test(name)
  );
  const drawn = adapters.map(
    async ({ rank, seed, scales, downTimes = 1, rowsOf, isMeant }, adapter) => {
      const random = createGenerator({ seed });
      const own = matrices.filter(({ name }) => isMeant?.(name) ?? true).flatMap(
        ({ name, shape: [rows, inner] }, index) =>
          (rowsOf?.(name, rows!) ?? [undefined]).map((part, place) => {
            const out = part === undefined ? rows! : part[1] - part[0];
            const draw = (count: number) => random.randn(count).map((value) => 0.2 * value);
            return {
              tensor: name,
              key: `${name}.${place}`,
              rows: part,
              inner: inner!,
              out,
              scale: scales[(index + place) % scales.length]!,
              values: {
                down: draw(rank * inner!).map((value) => value * downTimes),
                up: draw(out * rank),
              },
            };
          }),
      );
      const file = `${folder}/adapter_${adapter}.safetensors`;
      await writeSafetensors(
        file,
        own.flatMap(({ key, inner, out, values }) => [
          {
            name: `${key}.down`,
            dtype: "F32",
            shape: [rank, inner],
            bytes: () => [bytesOf(values.down)],
          },
          {
            name: `${key}.up`,
            dtype: "F32",
            shape: [out, rank],
            bytes: () => [bytesOf(values.up)],
          },
        ]),
      );
      const { tensors } = await openWeights(file);
      return own.map(({ tensor, key, rows, scale, values }): Drawn => ({
        adapter,
        tensor,
        scale,
        values,
        down: tensors.get(`${key}.down`)!,
        up: tensors.get(`${key}.up`)!,
        ...(rows === undefined ? {} : { rows }),
      }));
    },
  );
  return (await Promise.all(drawn)).flat();
}

/** As the compiler takes them. */
export function adaptationOf(
  drawn: readonly Drawn[],
  nameOf: (tensor: string) => string = (tensor) => tensor,
): Adaptation {
  const adapters = 1 + Math.max(...drawn.map(({ adapter }) => adapter));
  return {
    adapters,
    thin: Map.groupBy(drawn, ({ tensor }) => nameOf(tensor)),
    merged: new Map(),
  };
}

/** Writes the checkpoint with adapters in its weights: W + Σ strength · scale · up · down, in float64. */
export async function writeMerged(
  file: string,
  weights: Weights,
  drawn: readonly Drawn[],
  strengths: readonly number[],
): Promise<Weights> {
  const sources = await Promise.all([...weights.tensors.values()].map(async (entry) => {
    const { name, shape } = entry;
    const values = Float64Array.from((await readTensor(entry)).data);
    for (const change of drawn) {
      if (change.tensor !== name) continue;
      const { adapter, scale, down: { shape: [rank, inner] }, values: { down, up } } = change;
      const [from, to] = change.rows ?? [0, shape[0]!];
      for (let row = from; row < to; row++) {
        for (let column = 0; column < inner!; column++) {
          let sum = 0;
          for (let r = 0; r < rank!; r++) {
            sum += up[(row - from) * rank! + r]! * down[r * inner! + column]!;
          }
          values[row * inner! + column]! += strengths[adapter]! * scale * sum;
        }
      }
    }
    const rounded = Float32Array.from(values);
    return { name, dtype: "F32" as const, shape, bytes: () => [bytesOf(rounded)] };
  }));
  await writeSafetensors(file, sources);
  return await openWeights(file);
}
