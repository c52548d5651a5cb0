/** Adapter files with random values for a small pipeline, and checkpoints with them in their weights. */
import { basename } from "node:path";
import { createGenerator } from "../../src/random/mod.ts";
import { openWeights, type TensorSource, writeSafetensors } from "../../src/safetensors/mod.ts";
import { readTensor } from "../../bench/_tensors.ts";

/** A change of a tensor: its keys for a file, and its values, [rows, columns] or [n]. */
export interface DrawnChange {
  readonly tensor: string;
  readonly keys: readonly TensorSource[];
  readonly values: Float64Array;
}

const random = createGenerator({ seed: 99 });

function drawn(count: number, size: number): Float32Array {
  return random.randn(count).map((value) => size * value);
}

function source(name: string, shape: readonly number[], values: Float32Array): TensorSource {
  return { name, dtype: "F32", shape, bytes: () => [new Uint8Array(values.buffer)] };
}

/** LoRA in ComfyUI's words: lora_B · lora_A · alpha / rank. */
export function lowRank(
  tensor: string,
  [rows, columns]: readonly number[],
  { rank = 2, size = 0.3, prefix = "diffusion_model." } = {},
): DrawnChange {
  const module = prefix + tensor.replace(/\.weight$/, "");
  const [down, up] = [drawn(rank * columns!, size), drawn(rows! * rank, size)];
  const alpha = Float32Array.of(rank / 2);
  const values = new Float64Array(rows! * columns!).map((_, index) => {
    const [row, column] = [Math.floor(index / columns!), index % columns!];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += up[row * rank + r]! * down[r * columns! + column]!;
    return sum / 2;
  });
  const keys = [
    source(`${module}.lora_A.weight`, [rank, columns!], down),
    source(`${module}.lora_B.weight`, [rows!, rank], up),
    source(`${module}.alpha`, [], alpha),
  ];
  return { tensor, keys, values };
}

/** A whole difference. */
export function difference(tensor: string, shape: readonly number[], size = 0.3): DrawnChange {
  const isBias = tensor.endsWith(".bias");
  const module = `diffusion_model.${tensor.replace(/\.(?:weight|bias)$/, "")}`;
  const values = drawn(shape.reduce((product, extent) => product * extent, 1), size);
  const keys = [source(`${module}.${isBias ? "diff_b" : "diff"}`, shape, values)];
  return { tensor, keys, values: Float64Array.from(values) };
}

/** LoKr with whole factors: w1 ⊗ w2. */
export function kronecker(tensor: string, [rows, columns]: readonly number[]): DrawnChange {
  const module = `diffusion_model.${tensor.replace(/\.weight$/, "")}`;
  const factor = 2;
  const [height, width] = [rows! / factor, columns! / factor];
  const [w1, w2] = [drawn(factor * factor, 0.3), drawn(height * width, 0.3)];
  const values = new Float64Array(rows! * columns!).map((_, index) => {
    const [row, column] = [Math.floor(index / columns!), index % columns!];
    const outer = w1[Math.floor(row / height) * factor + Math.floor(column / width)]!;
    return outer * w2[(row % height) * width + column % width]!;
  });
  const keys = [
    source(`${module}.lokr_w1`, [factor, factor], w1),
    source(`${module}.lokr_w2`, [height, width], w2),
  ];
  return { tensor, keys, values };
}

/** Writes an adapter. */
export async function writeAdapter(path: string, changes: readonly DrawnChange[]): Promise<void> {
  await writeSafetensors(path, changes.flatMap(({ keys }) => keys));
}

/** Writes a transformer's folder with changes in its weights, in float64 until they are rounded. */
export async function writeMergedFolder(
  source: string,
  target: string,
  changes: readonly (DrawnChange & { readonly weight: number })[],
): Promise<void> {
  await Deno.mkdir(target);
  await Deno.copyFile(`${source}/config.json`, `${target}/config.json`);
  const { tensors, paths } = await openWeights(source);
  const merged = await Promise.all([...tensors.values()].map(async ({ name, shape }) => {
    const values = Float64Array.from((await readTensor(tensors.get(name)!)).data);
    for (const { tensor, values: own, weight } of changes) {
      if (name === tensor) own.forEach((value, index) => values[index]! += weight * value);
    }
    const rounded = Float32Array.from(values);
    return {
      name,
      dtype: "F32" as const,
      shape,
      bytes: () => [new Uint8Array(rounded.buffer)],
    };
  }));
  const file = basename(paths[0]!).replace(/-\d+-of-\d+/, "");
  await writeSafetensors(`${target}/${file}`, merged);
}
