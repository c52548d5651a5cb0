/**
 * Matrices that were quantised by programs whose forms are not read: they are known by the tensors
 * beside them, so that one sentence can say what a file is.
 */
import { refusal } from "./_refusal.ts";
import type { SafetensorsError } from "./safetensors_error.ts";
import type { OpaqueEntry, TensorEntry } from "./types.ts";

/** A name that only such a form has, the weight that it belongs to, and whose form that is. */
const SIGNS: readonly (readonly [name: RegExp, weight: string, program: string])[] = [
  [/^(.*\.weight)\.quant_state\.bitsandbytes__\w+$/, "$1", "bitsandbytes"],
  [/^(.*)\.SCB$/, "$1.weight", "bitsandbytes"],
  [/^(.*)\._weight_qdata$/, "$1.weight", "torchao"],
  [/^(.*\.weight)\._data$/, "$1", "optimum-quanto"],
  [/^(.*)\.qweight$/, "$1.weight", "GPTQ, AWQ"],
  [/^(.*)\.weight_packed$/, "$1.weight", "compressed-tensors"],
];
/** What MLX puts beside numbers of few bits, which are packed into this dtype. */
const MLX = { dtype: "U32", beside: ".biases" };

/** Notes of each such matrix, by the name that its weight has or would have, who made it. */
export function noteForeignQuantization(
  { tensors, opaque, unusable }: {
    readonly tensors: ReadonlyMap<string, TensorEntry>;
    readonly opaque: ReadonlyMap<string, OpaqueEntry>;
    readonly unusable: Map<string, SafetensorsError>;
  },
  source: string,
): void {
  const note = (weight: string, program: string) => {
    if (tensors.has(weight)) return;
    const error = refusal(source, (text) => text.foreignQuantization(program), { tensor: weight });
    unusable.set(weight, error);
  };
  for (const name of [...tensors.keys(), ...opaque.keys()]) {
    const sign = SIGNS.find(([pattern]) => pattern.test(name));
    if (sign !== undefined) note(name.replace(sign[0], sign[1]), sign[2]);
    if (!name.endsWith(MLX.beside)) continue;
    const weight = `${name.slice(0, -MLX.beside.length)}.weight`;
    if (opaque.get(weight)?.dtype === MLX.dtype) note(weight, "MLX");
  }
}
