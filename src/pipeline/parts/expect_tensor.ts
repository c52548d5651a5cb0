import { RequestError } from "../../errors.ts";
import { elementCount, type Tensor } from "../../tensor.ts";

/** Refuses what is no tensor of that many axes, whose data fill them. */
export function expectTensor(
  name: string,
  found: Tensor | undefined,
  rank: number,
): asserts found is Tensor {
  if (!(found?.data instanceof Float32Array) || !Array.isArray(found.dims)) {
    throw new RequestError(`${name} is no tensor; expected { data: Float32Array, dims, type }.`, {
      zh: `${name} 不是张量；应为 { data: Float32Array, dims, type }。`,
    });
  }
  const { data, dims } = found;
  const shown = `[${dims.join(", ")}]`;
  if (dims.length !== rank || !dims.every((extent) => Number.isSafeInteger(extent) && extent > 0)) {
    throw new RequestError(`${name} is ${shown}; expected ${rank} extents of 1 or more.`, {
      zh: `${name} 是 ${shown}；应有 ${rank} 个维度，长度均不小于 1。`,
    });
  }
  if (data.length !== elementCount(dims)) {
    throw new RequestError(
      `${name} is ${shown}, which holds ${elementCount(dims)} values, but has ${data.length}.`,
      { zh: `${name} 是 ${shown}，应有 ${elementCount(dims)} 个值，但有 ${data.length} 个。` },
    );
  }
}

/** Refuses a tensor that is absent, broken, or has other extents than expected. */
export function expectDims(
  name: string,
  found: Tensor | undefined,
  expected: readonly number[],
): asserts found is Tensor {
  const dims = found?.dims;
  if (dims?.length !== expected.length || expected.some((extent, i) => extent !== dims[i])) {
    const is = dims === undefined ? "absent" : `[${dims.join(", ")}]`;
    throw new RequestError(`${name} must be [${expected.join(", ")}], but is ${is}.`, {
      zh: `${name} 应为 [${expected.join(", ")}]，但${
        dims === undefined ? "没有给出" : `是 ${is}`
      }。`,
    });
  }
  expectTensor(name, found, expected.length);
}
