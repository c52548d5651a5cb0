import { createGenerator } from "../src/random/mod.ts";
import { elementCount, type Tensor, tensor } from "../src/tensor.ts";

/** Values of a normal distribution, the same for a seed. */
export function noise(dims: readonly number[], seed: number): Tensor {
  const data = new Float32Array(elementCount(dims));
  createGenerator({ seed }).fillNormal(data);
  return tensor(data, dims);
}
