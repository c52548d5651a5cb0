/** Adapters that PEFT and LyCORIS wrote, with what they add; tests/reference/adapters.py made them. */
import { join } from "node:path";
import { adaptablePart, type Adapter, denseChange } from "../../src/adapters/mod.ts";
import type { AdaptableParts } from "../../src/adapters/mod.ts";
import { NEWBIE } from "../../src/families/mod.ts";
import { openWeights, RowReader, type TensorEntry } from "../../src/safetensors/mod.ts";

export const FOLDER = "tests/fixtures/adapters";

export interface Case {
  readonly name: string;
  readonly base: string;
  /** The file or folder. */
  readonly path: string;
  readonly format: string;
}

export async function readCases(): Promise<Case[]> {
  const cases: Case[] = [];
  for await (const { name } of Deno.readDir(FOLDER)) {
    if (name.startsWith("base_")) continue;
    const text = await Deno.readTextFile(join(FOLDER, name, "case.json"));
    const { base, adapter, format } = JSON.parse(text);
    cases.push({ name, base, format, path: join(FOLDER, name, adapter) });
  }
  return cases.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** The parts of a model that is a transformer alone. */
export async function partsOf(base: string): Promise<AdaptableParts> {
  const weights = await openWeights(join(FOLDER, base));
  return { transformer: adaptablePart(NEWBIE.networks.transformer, weights)! };
}

export async function valuesOf(entry: TensorEntry): Promise<Float32Array> {
  const count = entry.shape.reduce((product, extent) => product * extent, 1);
  await using reader = await RowReader.open({ ...entry, shape: [1, count] });
  return await reader.read([0]);
}

export async function tensorsIn(path: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await openWeights(path);
  const values = new Map<string, Float32Array>();
  for (const [name, entry] of tensors) values.set(name, await valuesOf(entry));
  return values;
}

/** What an adapter adds to a base's transformer, by the architecture's names. */
export async function addedBy(adapter: Adapter, base: string): Promise<Map<string, Float32Array>> {
  const weights = await openWeights(join(FOLDER, base));
  const { nameInFile, shape } = NEWBIE.networks.transformer.names(weights)!;
  const added = new Map<string, Float32Array>();
  for (const target of adapter.parts.get("transformer") ?? []) {
    const { tensor, rows } = target;
    const [all = 1, columns = 1] = shape(tensor)!;
    const stored = await valuesOf(weights.tensors.get(nameInFile(tensor))!);
    const [from, to] = rows ?? [0, all];
    const base = stored.slice(from * columns, to * columns);
    const change = await denseChange(target, base);
    const sum = added.get(tensor) ?? new Float32Array(all * columns);
    change.forEach((value, index) => sum[from * columns + index]! += value);
    added.set(tensor, sum);
  }
  return added;
}

/** ‖v − ref‖ / ‖ref‖ */
export function relativeError(found: Float32Array, expected: Float32Array): number {
  let [error, norm] = [0, 0];
  expected.forEach((value, index) => {
    error += (value - found[index]!) ** 2;
    norm += value ** 2;
  });
  return found.length === expected.length ? Math.sqrt(error / norm) : Infinity;
}
