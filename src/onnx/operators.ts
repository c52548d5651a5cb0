/**
 * ONNX's own operators as functions of values, so that a model's graph reads like its equations.
 * All of them check that floating-point inputs agree in type: a mismatch is a mistake in a model.
 * What has several operators or kernels to choose from is in activations.ts, products.ts, norms.ts and
 * attention.ts.
 *
 * @module
 */
import { floatType, same } from "./_checks.ts";
import type { Value } from "./graph.ts";
import { type ElementType, float, int, ints, ONNX_DATA_TYPE, text } from "./types.ts";

/** The end of an axis, for {@linkcode slice}. */
export const END = Number.MAX_SAFE_INTEGER;

/** Converts to another element type; nothing when it already has it. */
export function cast(x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  return x.graph.node("Cast", [x], type, { attributes: { to: int(ONNX_DATA_TYPE[type]) } });
}

/** a + b, broadcast. */
export function add(a: Value, b: Value): Value {
  return elementwise("Add", a, b);
}

/** a · b by element, broadcast. */
export function mul(a: Value, b: Value): Value {
  return elementwise("Mul", a, b);
}

/** a − b, broadcast. */
export function sub(a: Value, b: Value): Value {
  return elementwise("Sub", a, b);
}

/** a / b by element, broadcast. */
export function div(a: Value, b: Value): Value {
  return elementwise("Div", a, b);
}

/** Whether a < b, broadcast: booleans. */
export function less(a: Value, b: Value): Value {
  same("less", a, b);
  return a.graph.node("Less", [a, b], "bool");
}

/** x + constant. */
export function addScalar(x: Value, constant: number): Value {
  return add(x, x.graph.scalar(constant, floatType(x)));
}

/** x · constant. */
export function scale(x: Value, constant: number): Value {
  return mul(x, x.graph.scalar(constant, floatType(x)));
}

/** Hyperbolic tangent. */
export function tanh(x: Value): Value {
  return x.graph.node("Tanh", [x], x.type);
}

/** Cosine, of radians. */
export function cosine(x: Value): Value {
  return x.graph.node("Cos", [x], x.type);
}

/** Sine, of radians. */
export function sine(x: Value): Value {
  return x.graph.node("Sin", [x], x.type);
}

/** The square root. */
export function sqrt(x: Value): Value {
  return x.graph.node("Sqrt", [x], x.type);
}

/** The nearest whole number, halves to the even neighbour. */
export function round(x: Value): Value {
  return x.graph.node("Round", [x], x.type);
}

/** min(max(x, low), high). */
export function clip(x: Value, low: number, high: number): Value {
  const type = floatType(x);
  return x.graph.node("Clip", [x, x.graph.scalar(low, type), x.graph.scalar(high, type)], type);
}

/** max(x, 0). */
export function relu(x: Value): Value {
  return x.graph.node("Relu", [x], x.type);
}

/** x, and slope · x below 0. */
export function leakyRelu(x: Value, slope: number): Value {
  return x.graph.node("LeakyRelu", [x], x.type, { attributes: { alpha: float(slope) } });
}

/** The same with a slope for each channel of [B, C, H, W]: [C, 1, 1]. */
export function prelu(x: Value, slopes: Value): Value {
  same("prelu", x, slopes);
  return x.graph.node("PRelu", [x, slopes], x.type);
}

/** GELU, exact (with erf) or with the tanh approximation (Hendrycks & Gimpel 2016). */
export function gelu(x: Value, approximate: "none" | "tanh"): Value {
  return x.graph.node("Gelu", [x], x.type, { attributes: { approximate: text(approximate) } });
}

/** The matrix product a · b. */
export function matmul(a: Value, b: Value): Value {
  same("matmul", a, b);
  return a.graph.node("MatMul", [a, b], a.type);
}

/**
 * Buffers that a shader may have, as WebGPU grants at least (`maxStorageBuffersPerShaderStage`).
 * ONNX Runtime's `Split` needs one for its input and one for each piece.
 */
const WEBGPU_BUFFERS = 8;

/** Cuts an axis into pieces of the given lengths. */
export function split(x: Value, lengths: readonly number[], axis: number): Value[] {
  const most = WEBGPU_BUFFERS - 1;
  if (x.graph.device === "webgpu" && lengths.length > most) {
    const size = most * Math.ceil(lengths.length / most ** 2);
    const groups = Array.from(
      { length: Math.ceil(lengths.length / size) },
      (_, at) => lengths.slice(at * size, (at + 1) * size),
    );
    const parts = split(x, groups.map((group) => group.reduce((sum, one) => sum + one)), axis);
    return parts.flatMap((part, at) => split(part, groups[at]!, axis));
  }
  return x.graph.nodes("Split", [x, x.graph.integers(lengths)], lengths.map(() => x.type), {
    attributes: { axis: int(axis) },
  });
}

/** Joins along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  values.forEach((value) => same("concat", first!, value));
  return first!.graph.node("Concat", values, first!.type, { attributes: { axis: int(axis) } });
}

/** The part of an axis from `start` (a number, or an int64 [1] value) to `end`. */
export function slice(x: Value, start: number | Value, end: number, axis: number): Value {
  const { graph } = x;
  const starts = typeof start === "number" ? graph.integers([start]) : start;
  return graph.node("Slice", [x, starts, graph.integers([end]), graph.integers([axis])], x.type);
}

/** The part of a picture [B, C, H, W] from `start` to `end`, each (row, column) as int64 [2]. */
export function crop(x: Value, start: Value, end: Value): Value {
  return x.graph.node("Slice", [x, start, end, x.graph.integers([2, 3])], x.type);
}

/** Another shape for the same values: 0 keeps an extent, -1 takes what is left. */
export function reshape(x: Value, shape: readonly number[] | Value): Value {
  const target = "graph" in shape ? shape : x.graph.integers(shape);
  return x.graph.node("Reshape", [x, target], x.type);
}

/** The extents as an int64 vector. */
export function shapeOf(x: Value): Value {
  return x.graph.node("Shape", [x], "int64");
}

/** Permutes the axes. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  return x.graph.node("Transpose", [x], x.type, { attributes: { perm: ints(permutation) } });
}

/** The sum of all values, as a scalar. */
export function total(x: Value): Value {
  return x.graph.node("ReduceSum", [x], x.type, { attributes: { keepdims: int(0) } });
}

/** The mean over an axis, which disappears. */
export function mean(x: Value, axis: number): Value {
  return x.graph.node("ReduceMean", [x, x.graph.integers([axis])], x.type, {
    attributes: { keepdims: int(0) },
  });
}

/**
 * [B, C, H, W] → [B, block² · C, H / block, W / block]; the new channels are ordered (row in the
 * block, column in the block, channel).
 */
export function spaceToDepth(x: Value, block: number): Value {
  return x.graph.node("SpaceToDepth", [x], x.type, { attributes: { blocksize: int(block) } });
}

/** The inverse of {@linkcode spaceToDepth}. */
export function depthToSpace(x: Value, block: number): Value {
  return x.graph.node("DepthToSpace", [x], x.type, {
    attributes: { blocksize: int(block), mode: text("DCR") },
  });
}

/**
 * [B, C · factor², H, W] → [B, C, factor · H, factor · W], the channels ordered (channel, row in the
 * block, column in the block): PyTorch's `pixel_shuffle`.
 */
export function pixelShuffle(x: Value, factor: number): Value {
  return x.graph.node("DepthToSpace", [x], x.type, {
    attributes: { blocksize: int(factor), mode: text("CRD") },
  });
}

/** The inverse of {@linkcode pixelShuffle} for so many channels: PyTorch's `pixel_unshuffle`. */
export function pixelUnshuffle(x: Value, factor: number, channels: number): Value {
  const blocks = factor ** 2;
  // spaceToDepth has the channel innermost.
  const order = Array.from({ length: channels * blocks }, (_, at) => {
    return (at % blocks) * channels + Math.floor(at / blocks);
  });
  const inputs = [spaceToDepth(x, factor), x.graph.integers(order)];
  return x.graph.node("Gather", inputs, x.type, { attributes: { axis: int(1) } });
}

/** A convolution with stride 1 that keeps height and width; weight [out, in, size, size]. */
export function conv2d(x: Value, weight: Value, bias: Value | undefined, size: 1 | 3): Value {
  const padding = (size - 1) / 2;
  return convolution(x, weight, bias, size, 1, [padding, padding, padding, padding]);
}

/**
 * A convolution of 3 × 3 with stride 2, which halves height and width where they are even; weight
 * [out, in, 3, 3].
 *
 * @param padding Zeros around all edges, or at the end of rows and columns alone.
 */
export function halvingConv2d(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  padding: "around" | "end",
): Value {
  return convolution(x, weight, bias, 3, 2, padding === "around" ? [1, 1, 1, 1] : [0, 0, 1, 1]);
}

/** @param pads Rows above, columns to the left, rows below, columns to the right. */
function convolution(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  size: number,
  stride: number,
  pads: readonly number[],
): Value {
  same("conv2d", x, weight);
  return x.graph.node("Conv", [x, weight, bias], x.type, {
    attributes: {
      kernel_shape: ints([size, size]),
      pads: ints(pads),
      ...(stride === 1 ? {} : { strides: ints([stride, stride]) }),
    },
  });
}

/** `factor` times the height and width of [B, C, H, W], each value becoming a square. */
export function upsampleNearest(x: Value, factor: number): Value {
  const factors = x.graph.vector([1, 1, factor, factor], "float32");
  return x.graph.node("Resize", [x, undefined, factors], x.type, {
    attributes: {
      mode: text("nearest"),
      nearest_mode: text("floor"),
      coordinate_transformation_mode: text("asymmetric"),
    },
  });
}

/** {@linkcode upsampleNearest} by 2, as decoders do between their stages. */
export function upsampleNearest2x(x: Value): Value {
  return upsampleNearest(x, 2);
}

function elementwise(operator: string, a: Value, b: Value): Value {
  same(operator, a, b);
  return a.graph.node(operator, [a, b], a.type);
}
