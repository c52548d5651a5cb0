import { RequestError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";

/** Refuses a tensor that is absent or has other extents than expected. */
export function expectDims(
  name: string,
  found: Tensor | undefined,
  expected: readonly number[],
): asserts found is Tensor {
  const dims = found?.dims;
  if (dims?.length === expected.length && expected.every((extent, i) => extent === dims[i])) return;
  const is = dims === undefined ? "absent" : `[${dims.join(", ")}]`;
  throw new RequestError(`${name} must be [${expected.join(", ")}], but is ${is}.`);
}
