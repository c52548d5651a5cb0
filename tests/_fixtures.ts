/** Reading what tests/reference made, and comparing with it. */
import assert from "node:assert/strict";
import { readTensor, relativeError as relativeErrorOf } from "../bench/_tensors.ts";
import { readSafetensorsHeader } from "../src/safetensors/mod.ts";
import type { Tensor } from "../src/tensor.ts";

/** The path of a file or folder under tests/fixtures. */
export function fixture(path: string): string {
  return new URL(`./fixtures/${path}`, import.meta.url).pathname;
}

/** All tensors of a small safetensors file, as float32. */
export async function readTensors(path: string): Promise<(name: string) => Tensor> {
  const { tensors } = await readSafetensorsHeader(path);
  const values = new Map<string, Tensor>();
  for (const [name, entry] of tensors) {
    values.set(name, await readTensor(entry));
  }
  return (name) => {
    const value = values.get(name);
    assert(value !== undefined, `${path} has no ${name}`);
    return value;
  };
}

/** The parsed JSON of a file. */
export async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(path));
}

/** ‖actual − expected‖ / ‖expected‖. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  assert.deepEqual([...actual.dims], [...expected.dims]);
  return relativeErrorOf(actual.data, expected.data);
}

/** Asserts that the relative error stays within a bound; NaN fails. */
export function assertClose(actual: Tensor, expected: Tensor, bound: number, what: string): void {
  const error = relativeError(actual, expected);
  assert(error <= bound, `${what}: relative error ${error}, allowed ${bound}`);
}
