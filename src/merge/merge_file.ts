import { type AdapterTarget, denseChange } from "../adapters/mod.ts";
import { NewBieError, RequestError } from "../errors.ts";
import {
  copiedTensor,
  type FloatDtype,
  QUANTIZED_BITS_KEY,
  RowReader,
  type TensorEntry,
  type TensorSource,
  type Weights,
  writeSafetensors,
} from "../safetensors/mod.ts";
import { shown } from "../shown.ts";
import { elementCount } from "../tensor.ts";
import { largestOf, storedBytes } from "./_rounding.ts";

/** A change of one tensor, and how strongly it is put into it. */
export interface Application {
  /** The adapter's file, for messages. */
  readonly file: string;
  readonly target: AdapterTarget;
  readonly weight: number;
}

/** The changes of a file's tensors, by their names in the file. */
export type Applications = ReadonlyMap<string, readonly Application[]>;

/** What merging did to one file. */
export interface MergedFile {
  /** How many tensors were changed, and how many there are. */
  readonly changed: number;
  readonly tensors: number;
  readonly bytes: number;
  /** ‖W′ − W‖ / ‖W‖ of the changed tensors: the one in the middle. */
  readonly medianChange: number;
}

/** The key of `__metadata__` that says what was put into a file. */
export const MERGED_KEY = "merged_adapters";

/**
 * Refuses weights that adapters cannot be put into: what was rounded once would be rounded again.
 *
 * @throws {RequestError} When the tensors are quantised, or in a format of 8 bits.
 */
export function refuseQuantized(weights: Weights, applications: Applications): void {
  const gguf = weights.paths.find((path) => /\.gguf$/i.test(path));
  if (gguf !== undefined) {
    throw new RequestError(
      `${gguf} is a GGUF file, and adapters are put into safetensors alone. Take the original that it ` +
        "was made of, or let the adapter run beside these weights: deno task create --lora.",
      {
        zh: `${gguf} 是 GGUF 文件，而适配器只能合并到 safetensors。请使用它的原模型，` +
          "或让适配器在这些权重之外运行：deno task create --lora。",
      },
    );
  }
  const [problem] = weights.unusable.values();
  if (problem !== undefined) throw problem;
  const isQuantized = QUANTIZED_BITS_KEY in weights.metadata;
  for (const name of applications.keys()) {
    const entry = weights.tensors.get(name)!;
    if (!isQuantized && isFloat(entry)) continue;
    const { source } = weights;
    const said = `${shown(name)} (${entry.dtype})`;
    throw new RequestError(
      `${source} is quantised: ${said}. Adapters are put into the original, in F32, F16 or BF16; ` +
        "quantise the result afterwards. Or let the adapter run beside these weights: deno task " +
        "create --lora.",
      {
        zh: `${source} 是量化的：${said}。适配器应合并到 F32、F16 或 BF16 的原模型，之后再量化。` +
          "也可以让适配器在这些权重之外运行：deno task create --lora。",
      },
    );
  }
}

function isFloat({ dtype, scale, quantization }: TensorEntry): boolean {
  return ["F32", "F16", "BF16"].includes(dtype) && scale === undefined &&
    quantization === undefined;
}

/**
 * The tensors of a file with changes in them: in float32 before they are rounded to the file's dtype,
 * each when it is asked for, so that no more than one is held.
 *
 * @param weights The file, or several, whose tensors go into one.
 * @param onTensor Told by how much each tensor was changed.
 */
function mergedTensors(
  weights: Weights,
  applications: Applications,
  onTensor: (relativeChange: number) => void,
): TensorSource[] {
  const stored = [
    ...weights.tensors.values(),
    ...weights.opaque.entries().map(([name, entry]) => ({ name, ...entry })),
  ];
  if (weights.files.length === 1) stored.sort((a, b) => a.offset - b.offset);
  return stored.map((entry): TensorSource => {
    const changes = applications.get(entry.name);
    if (changes === undefined) return copiedTensor(entry);
    const { name, shape } = entry;
    const dtype = entry.dtype as FloatDtype;
    return {
      name,
      dtype,
      shape,
      bytes: async function* () {
        const { values, relativeChange } = await merged(entry as TensorEntry, changes);
        yield storedBytes(values, dtype);
        onTensor(relativeChange);
      },
    };
  });
}

/**
 * Writes a file with changes in it. It appears when all of it is on disk.
 *
 * @param merged What the metadata say was put into it.
 * @param onTensor Told after each changed tensor.
 */
export async function mergeFile(
  weights: Weights,
  applications: Applications,
  target: string,
  merged: string,
  onTensor: () => void = () => {},
): Promise<MergedFile> {
  const relativeChanges: number[] = [];
  const tensors = mergedTensors(weights, applications, (relativeChange) => {
    relativeChanges.push(relativeChange);
    onTensor();
  });
  const metadata = { ...weights.metadata, [MERGED_KEY]: merged };
  const bytes = await writeSafetensors(target, tensors, metadata);
  return {
    changed: applications.size,
    tensors: tensors.length,
    bytes,
    medianChange: relativeChanges.sort((a, b) => a - b)[relativeChanges.length >> 1] ?? 0,
  };
}

/** A tensor's values with all changes added, each of the weight as it was. */
async function merged(
  entry: TensorEntry,
  changes: readonly Application[],
) {
  const { shape } = entry;
  const rowLength = elementCount(shape.slice(1));
  await using reader = await RowReader.open({ ...entry, shape: [1, elementCount(shape)] });
  const values = await reader.read([0]);
  const parts: { start: number; end: number; weight: number; change: Float32Array }[] = [];
  for (const { target, weight } of changes) {
    const [from, to] = target.rows ?? [0, shape[0] ?? 1];
    const [start, end] = [from * rowLength, to * rowLength];
    const change = await denseChange(target, values.subarray(start, end));
    parts.push({ start, end, weight, change });
  }
  const largest = largestOf(entry.dtype as FloatDtype);
  let [difference, norm] = [0, 0];
  // In the place of the old values: a large matrix has hundreds of megabytes.
  for (let i = 0; i < values.length; i++) {
    const before = values[i]!;
    let value = before;
    for (const { start, end, weight, change } of parts) {
      if (start <= i && i < end) value += weight * change[i - start]!;
    }
    // Also where it is no number. What was not finite before stays what it was.
    if (!(Math.abs(value) <= largest) && Number.isFinite(before)) {
      throw outOfRange(entry, changes, value);
    }
    difference += (value - before) ** 2;
    norm += before ** 2;
    values[i] = value;
  }
  const relativeChange = norm === 0 ? 0 : Math.sqrt(difference / norm);
  return { values, relativeChange };
}

function outOfRange(
  { name, dtype }: TensorEntry,
  changes: readonly Application[],
  value: number,
): NewBieError {
  const files = [...new Set(changes.map(({ file }) => file))];
  const tensor = shown(name);
  return new NewBieError(
    `${
      files.join(", ")
    }: put into ${tensor}, this gives ${value}, which ${dtype} cannot hold. The ` +
      "adapter is damaged, or its weight is far too high.",
    {
      zh: `${files.join("、")}：合并到 ${tensor} 得到 ${value}，${dtype} 无法表示。` +
        "适配器已损坏，或权重过大。",
    },
  );
}
