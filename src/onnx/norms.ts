/**
 * Norms: by which operators each device computes them, because their kernels are the fastest there or the
 * most exact.
 *
 * @module
 */
import { floatType, same } from "./_checks.ts";
import { MICROSOFT_DOMAIN, OWN_DOMAIN, type Value } from "./graph.ts";
import { LONGEST_ROW, VECTOR_VALUES } from "./kernel_limits.ts";
import {
  add,
  addScalar,
  cast,
  div,
  mean,
  mul,
  reshape,
  sqrt,
  sub,
  transpose,
} from "./operators.ts";
import { float, int } from "./types.ts";

/** Over what {@linkcode rmsNorm} goes. */
export interface RmsNormOptions {
  readonly epsilon: number;
  /** How many values, one after another, are normalised together: as many as the weight has. */
  readonly width: number;
  /** The shape of the result; -1 for one extent that is to be taken from the input. */
  readonly shape: readonly number[];
}

/**
 * RMS normalisation (Zhang & Sennrich 2019) of runs of `width` values; the mean square in float32.
 *
 * On CUDA by {@linkcode addRmsNorm}'s kernel with nothing added, which is the faster one.
 */
export function rmsNorm(x: Value, weight: Value, { epsilon, width, shape }: RmsNormOptions): Value {
  same("rmsNorm", x, weight);
  const { graph } = x;
  const type = floatType(x);
  const rows = reshape(x, [-1, 1, width]);
  if (graph.device !== "cuda") {
    const normalised = graph.node("RMSNormalization", [rows, weight], type, {
      attributes: { axis: int(-1), epsilon: float(epsilon) },
    });
    return reshape(normalised, shape);
  }
  const nothing = reshape(graph.vector(new Array<number>(width).fill(0), type), [1, 1, width]);
  const normalised = graph.node("SkipSimplifiedLayerNormalization", [rows, nothing, weight], type, {
    domain: MICROSOFT_DOMAIN,
    attributes: { epsilon: float(epsilon) },
  });
  return reshape(normalised, shape);
}

/** What {@linkcode addRmsNorm} gives. */
export interface SumAndNorm {
  readonly sum: Value;
  readonly normalised: Value;
}

/** a + b, both [B, S, width], and the RMS normalisation of the sum over the last axis, in one pass. */
export function addRmsNorm(a: Value, b: Value, weight: Value, epsilon: number): SumAndNorm {
  same("addRmsNorm", a, b);
  same("addRmsNorm", a, weight);
  const [normalised, , , sum] = a.graph.nodes(
    "SkipSimplifiedLayerNormalization",
    [a, b, weight],
    [a.type, "float32", "float32", a.type],
    { domain: MICROSOFT_DOMAIN, attributes: { epsilon: float(epsilon) } },
  );
  return { sum: sum!, normalised: normalised! };
}

/**
 * x + norm(a) · inner, and the RMS normalisation of that by `outer`, over the last axis, which has
 * `width` values: what stands between two layers with norms before and behind them.
 */
export function normAddNorm(
  a: Value,
  x: Value,
  { inner, outer }: { readonly inner: Value; readonly outer: Value },
  { epsilon, width }: { readonly epsilon: number; readonly width: number },
): SumAndNorm {
  same("normAddNorm", a, x);
  same("normAddNorm", a, inner);
  same("normAddNorm", a, outer);
  const { graph, type } = a;
  if (!graph.ownOperators || width % VECTOR_VALUES !== 0 || width > LONGEST_ROW) {
    const normalised = rmsNorm(a, inner, { epsilon, width, shape: [1, -1, width] });
    return addRmsNorm(normalised, x, outer, epsilon);
  }
  const [sum, normalised] = graph.nodes("NormAddNorm", [a, x, inner, outer], [type, type], {
    domain: OWN_DOMAIN,
    attributes: { epsilon: float(epsilon) },
  });
  return { sum: sum!, normalised: normalised! };
}

/** Layer normalisation over the last axis (Ba et al. 2016); moments in float32. */
export function layerNorm(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  epsilon: number,
): Value {
  same("layerNorm", x, weight);
  return x.graph.node("LayerNormalization", [x, weight, bias], x.type, {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  });
}

/** The groups of a group normalisation. */
export interface GroupNormOptions {
  readonly groups: number;
  readonly channels: number;
  readonly epsilon: number;
}

/** What the kernel of `GroupNorm` takes; measured with FLUX's decoder, more is not needed. */
const GROUP_NORM_GROUPS = 32;

const GROUP_NORM_CHANNELS = [128, 256, 512];

/**
 * Group normalisation (Wu & He 2018) of [B, C, H, W]; weight and bias are [C].
 *
 * By {@linkcode groupMoments}, or on CUDA in float16 by ONNX Runtime's own operator, which wants the
 * channels last, where its kernel takes the sizes: it needs no copy in float32. (Its other operator
 * for this, InstanceNormalization, gives each group to a single thread block: a decoding of FLUX's
 * decoder took 3.8 s with it, and 85 ms so.)
 */
export function groupNorm(
  x: Value,
  weight: Value,
  bias: Value,
  options: GroupNormOptions,
): Value {
  same("groupNorm", x, weight);
  const { graph } = x;
  const { groups, channels, epsilon } = options;
  const type = floatType(x);
  const hasKernel = graph.device === "cuda" && type === "float16" &&
    groups === GROUP_NORM_GROUPS && GROUP_NORM_CHANNELS.includes(channels);
  if (!hasKernel) return groupNormByMoments(x, weight, bias, groupMoments(x, groups), options);
  const inputs = [transpose(x, [0, 2, 3, 1]), cast(weight, "float32"), cast(bias, "float32")];
  const normalised = graph.node("GroupNorm", inputs, type, {
    domain: MICROSOFT_DOMAIN,
    attributes: {
      epsilon: float(epsilon),
      groups: int(groups),
      activation: int(0),
      channels_last: int(1),
    },
  });
  return transpose(normalised, [0, 3, 1, 2]);
}

/** The mean and the variance of each group of channels, each [B, groups] in float32. */
export interface GroupMoments {
  readonly mean: Value;
  readonly variance: Value;
}

/**
 * Measures what {@linkcode groupNorm} normalises [B, C, H, W] by.
 *
 * Rows first, then the rows' results: kernels that add millions of values one after another in
 * float32 leave a relative error of 1e-4 in a picture of 1024 × 1024, InstanceNormalization's CPU
 * kernel among them.
 */
export function groupMoments(x: Value, groups: number): GroupMoments {
  const grouped = reshape(cast(x, "float32"), [0, groups, -1, 0]);
  const average = mean(mean(grouped, -1), -1);
  const deviation = sub(grouped, reshape(average, [0, groups, 1, 1]));
  const { graph } = x;
  const squares = graph.node("ReduceSumSquare", [deviation, graph.integers([-1])], "float32", {
    attributes: { keepdims: int(0) },
  });
  const width = graph.node("Shape", [x], "int64", { attributes: { start: int(-1) } });
  return { mean: average, variance: div(mean(squares, -1), cast(width, "float32")) };
}

/** {@linkcode groupNorm} by moments that were measured elsewhere. */
export function groupNormByMoments(
  x: Value,
  weight: Value,
  bias: Value,
  moments: GroupMoments,
  { groups, channels, epsilon }: GroupNormOptions,
): Value {
  same("groupNormByMoments", x, weight);
  const type = floatType(x);
  // One factor and one offset a channel, so that the picture is gone over twice and not four times.
  const perGroup = [-1, groups, 1];
  const spread = reshape(sqrt(addScalar(moments.variance, epsilon)), perGroup);
  const grouped = (parameter: Value) => reshape(cast(parameter, "float32"), [1, groups, -1]);
  const factor = div(grouped(weight), spread);
  const offset = sub(grouped(bias), mul(reshape(moments.mean, perGroup), factor));
  const perChannel = (value: Value) => cast(reshape(value, [-1, channels, 1, 1]), type);
  return add(mul(x, perChannel(factor)), perChannel(offset));
}
