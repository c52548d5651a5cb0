import { isByteDtype, type TensorEntry } from "../safetensors/mod.ts";
import { elementCount } from "../tensor.ts";
import { type Graph, isBlockEntry, type Value } from "./graph.ts";
import { cast, mul } from "./operators.ts";
import { type FloatType, int } from "./types.ts";

/**
 * A weight in the type of arithmetic, its rotation aside.
 *
 * Numbers of 8 bits stay so in memory and are multiplied by their scale in each run: they are kept
 * for being small. A CPU does that by one operator. CUDA's version of it is older than our operator
 * set, so there they are cast, by way of float16, which holds all of them exactly.
 */
export function weightValue(
  graph: Graph,
  entry: TensorEntry,
  shape: readonly number[],
  type: FloatType,
): Value {
  if (isBlockEntry(entry)) return graph.unpacked(entry, "values", shape, type);
  const { dtype, scale } = entry;
  if (!isByteDtype(dtype)) return cast(graph.weight(entry, shape), type);
  const perRow = scale !== undefined && elementCount(scale.shape) > 1;
  if (graph.device === "cpu") {
    const factor = scale === undefined
      ? graph.scalar(1, "float32")
      : cast(graph.weight(scale, perRow ? [shape[0]!] : []), "float32");
    const inputs = [graph.weight(entry, shape), factor];
    const value = graph.node("DequantizeLinear", inputs, "float32", {
      attributes: perRow ? { axis: int(0) } : {},
    });
    return cast(value, type);
  }
  const stored = cast(cast(graph.weight(entry, shape, true), "float16"), type);
  if (scale === undefined) return stored;
  const dims = perRow ? [shape[0]!, ...shape.slice(1).map(() => 1)] : [];
  return mul(stored, cast(graph.weight(scale, dims), type));
}
