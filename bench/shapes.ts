import { CheckpointError } from "../src/onnx/mod.ts";
import type { TensorEntry, Weights } from "../src/safetensors/mod.ts";

/** A checkpoint with nothing in it. */
export const NO_WEIGHTS: Weights = {
  source: "",
  files: [],
  paths: [],
  tensors: new Map(),
  opaque: new Map(),
  unusable: new Map(),
  metadata: {},
};
const BYTES_PER_VALUE = 2;

/**
 * Weights of the shapes that an architecture asks for, without a file: enough to compile a graph,
 * not to run it. The shapes come from what compiling over no weights at all complains about.
 */
export function weightsWithoutFile(compile: (weights: Weights) => unknown): Weights {
  const tensors = new Map<string, TensorEntry>();
  let offset = 0;
  for (const { tensor: name, expected: shape } of problemsOf(() => compile(NO_WEIGHTS))) {
    const byteLength = shape.reduce((product, extent) => product * extent, BYTES_PER_VALUE);
    const file = "/weights/model.safetensors";
    tensors.set(name, { name, dtype: "BF16", shape, file, offset, byteLength });
    offset += byteLength;
  }
  return { ...NO_WEIGHTS, tensors };
}

function problemsOf(compile: () => unknown): CheckpointError["problems"] {
  try {
    compile();
  } catch (error) {
    if (error instanceof CheckpointError) return error.problems;
    throw error;
  }
  throw new TypeError("The architecture asked for no weights.");
}
