/** Expected values are computed here from each operator's definition, in float64. */
import assert from "node:assert/strict";
import proto from "onnx-proto";
import {
  add,
  attention,
  cast,
  concat,
  depthToSpace,
  type Device,
  type FloatType,
  gatedLinear,
  gelu,
  Graph,
  groupNorm,
  layerNorm,
  linear,
  type Matrix,
  rmsNorm,
  rotaryEmbedding,
  silu,
  spaceToDepth,
  split,
  upsampleNearest2x,
  type Value,
} from "../../src/onnx/mod.ts";
import { describeGraph } from "../../src/onnx/describe_graph.ts";
import { Session } from "../../src/runtime/session.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";

/** Runs a graph of the given inputs once, on a CPU: it has most of another device's operators. */
async function evaluate(
  inputs: readonly Tensor[],
  build: (...values: Value[]) => Value,
  device: Device = "cpu",
): Promise<Tensor> {
  const graph = new Graph("test", { device });
  const values = inputs.map(({ dims }, index) => graph.input(`x${index}`, "float32", dims));
  graph.output("y", build(...values), []);
  await using session = await Session.create(graph.compile(), { device: "cpu" });
  const { y } = await session.run(Object.fromEntries(inputs.map((x, i) => [`x${i}`, x])));
  return y!;
}

/** Values without a pattern, in -1…1. */
function values(dims: readonly number[], seed = 1): Tensor {
  const count = dims.reduce((product, extent) => product * extent, 1);
  const data = Float32Array.from({ length: count }, (_, i) => Math.sin((i + seed) * 12.9898) ** 3);
  return tensor(data, dims);
}

function assertValues(actual: Tensor, expected: Iterable<number>): void {
  const list = [...expected];
  assert.equal(actual.data.length, list.length);
  list.forEach((value, index) => {
    const difference = Math.abs(actual.data[index]! - value);
    assert(difference <= 2e-6, `value ${index} is ${actual.data[index]}, expected ${value}`);
  });
}

/** The rows of the last axis. */
function rows({ data, dims }: Tensor): number[][] {
  const width = dims.at(-1)!;
  return Array.from({ length: data.length / width }, (_, row) => [
    ...data.subarray(row * width, (row + 1) * width),
  ]);
}

const mean = (list: readonly number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;

Deno.test("activations follow their definitions", async () => {
  const x = values([11]);
  const erf = (x: number) => {
    // The series of erf; x stays below 1 here.
    let [sum, term] = [0, x];
    for (let n = 0; n < 30; n++) {
      sum += term / (2 * n + 1);
      term *= -x * x / (n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  };
  const on = (f: (x: number) => number) => [...x.data].map(f);
  assertValues(await evaluate([x], silu), on((x) => x / (1 + Math.exp(-x))));
  assertValues(
    await evaluate([x], (x) => gelu(x, "none")),
    on((x) => x / 2 * (1 + erf(x / Math.SQRT2))),
  );
  assertValues(
    await evaluate([x], (x) => gelu(x, "tanh")),
    on((x) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  );
});

Deno.test("norms follow their definitions", async () => {
  const [x, weight, bias] = [values([2, 3, 6]), values([6], 2), values([6], 3)];
  const epsilon = 1e-3;
  assertValues(
    await evaluate(
      [x, weight],
      (x, weight) => rmsNorm(x, weight, { epsilon, width: 6, shape: [2, 3, 6] }),
    ),
    rows(x).flatMap((row) => {
      const root = Math.sqrt(mean(row.map((x) => x * x)) + epsilon);
      return row.map((x, i) => x / root * weight.data[i]!);
    }),
  );
  const normalise = (list: readonly number[]) => {
    const center = mean(list);
    const root = Math.sqrt(mean(list.map((x) => (x - center) ** 2)) + epsilon);
    return list.map((x) => (x - center) / root);
  };
  assertValues(
    await evaluate([x, weight, bias], (x, weight, bias) => layerNorm(x, weight, bias, epsilon)),
    rows(x).flatMap((row) => normalise(row).map((x, i) => x * weight.data[i]! + bias.data[i]!)),
  );
  // [1, 6 channels, 2, 2] in 3 groups: two channels, eight values a group.
  const image = values([1, 6, 2, 2]);
  assertValues(
    await evaluate(
      [image, weight, bias],
      (x, weight, bias) => groupNorm(x, weight, bias, { groups: 3, channels: 6, epsilon }),
    ),
    [0, 1, 2].flatMap((group) =>
      normalise([...image.data.subarray(group * 8, group * 8 + 8)]).map((x, i) => {
        const channel = group * 2 + (i >> 2);
        return x * weight.data[channel]! + bias.data[channel]!;
      })
    ),
  );
});

Deno.test("linear is PyTorch's: rows of the weight are outputs", async () => {
  const weight = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
  const x = tensor(Float32Array.of(1, 10), [1, 1, 2]);
  const bias = tensor(Float32Array.of(0.5, 0, -0.5), [3]);
  assertValues(await evaluate([x, weight, bias], linear), [21.5, 43, 64.5]);
});

/** Attention by its definition; [S, heads · d], queries sharing keys and values in order. */
function referenceAttention(
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  heads: number,
  keyValueHeads: number,
  factor: number,
  visible: (query: number, key: number) => boolean,
): number[] {
  const [, length = 0, width = 0] = q.dims;
  const d = width / heads;
  const at = (x: Tensor, row: number, head: number) => {
    const start = row * x.dims[2]! + head * d;
    return [...x.data.subarray(start, start + d)];
  };
  const output: number[] = [];
  for (let row = 0; row < length; row++) {
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor(head / (heads / keyValueHeads));
      const query = at(q, row, head);
      const weights = Array.from({ length }, (_, key) => {
        const product = at(k, key, shared).reduce((sum, x, i) => sum + x * query[i]!, 0);
        return visible(row, key) ? Math.exp(product * factor) : 0;
      });
      const total = weights.reduce((sum, x) => sum + x, 0);
      for (let i = 0; i < d; i++) {
        output.push(weights.reduce((sum, w, key) => sum + w * at(v, key, shared)[i]!, 0) / total);
      }
    }
  }
  return output;
}

Deno.test("an adapter adds up · strength · down to a matrix, a strength for all ranks or for each", async () => {
  const [x, matrix, down, up] = [
    values([1, 5, 12]),
    values([4, 12], 2),
    values([3, 12], 3),
    values([4, 3], 4),
  ];
  for (const strengths of [[0.7], [0.7, -1.5, 2]]) {
    const weight = (row: number, column: number) =>
      [0, 1, 2].reduce(
        (sum, r) =>
          sum +
          up.data[3 * row + r]! * (strengths[r] ?? strengths[0]!) * down.data[12 * r + column]!,
        matrix.data[12 * row + column]!,
      );
    const expected = rows(x).flatMap((token) =>
      [0, 1, 2, 3].map((row) => token.reduce((sum, v, column) => sum + v * weight(row, column), 0))
    );
    for (const device of ["cpu", "cuda"] as const) {
      const y = await evaluate(
        [x, matrix, down, up, tensor(Float32Array.from(strengths), [strengths.length])],
        (x, base, down, up, factor) => {
          const strength = (type: FloatType) => cast(factor!, type);
          const thin = { adapter: 0, down: down!, up: up!, weights: factor!, strength, rank: 3 };
          const part = { rows: [0, 4], inner: 12, isOfTokens: true } as const;
          return linear(x!, { base: base!, thin: [thin, thin], part });
        },
        device,
      );
      const once = await evaluate([x, matrix], (x, base) => linear(x!, base!), device);
      // Twice the same: twice what it adds.
      assertValues(y, expected.map((value, i) => 2 * value - once.data[i]!));
    }
  }
});

Deno.test("attention shares keys and values among heads, and sees what it may", async () => {
  const [length, heads, keyValueHeads, d] = [7, 6, 2, 4];
  const q = values([1, length, heads * d], 1);
  const k = values([1, length, keyValueHeads * d], 2);
  const v = values([1, length, keyValueHeads * d], 3);
  const options = { heads, keyValueHeads, headDim: d, scale: 1.5 };
  const expected = (visible: (query: number, key: number) => boolean) =>
    referenceAttention([q, k, v], heads, keyValueHeads, options.scale, visible);
  assertValues(
    await evaluate([q, k, v], (q, k, v) => attention(q, k, v, options)),
    expected(() => true),
  );
  assertValues(
    await evaluate([q, k, v], (q, k, v) => attention(q, k, v, { ...options, causal: true })),
    expected((query, key) => key <= query),
  );
});

Deno.test("rotary embedding turns adjacent pairs or halves by the angle of their position", async () => {
  const [length, heads, d] = [3, 2, 4];
  const x = values([1, length, heads * d]);
  const angle = (row: number, pair: number) => row * [1, 0.1][pair]!;
  const table = (f: (angle: number) => number) =>
    tensor(
      Float32Array.from({ length: length * d / 2 }, (_, i) => f(angle(i >> 1, i & 1))),
      [length, d / 2],
    );
  const expected = (first: (pair: number) => number, second: (pair: number) => number) =>
    rows(x).flatMap((row, position) => {
      const turned = [...row];
      for (let head = 0; head < heads; head++) {
        for (let pair = 0; pair < d / 2; pair++) {
          const [a, b] = [head * d + first(pair), head * d + second(pair)];
          const [cos, sin] = [Math.cos(angle(position, pair)), Math.sin(angle(position, pair))];
          turned[a] = row[a]! * cos - row[b]! * sin;
          turned[b] = row[a]! * sin + row[b]! * cos;
        }
      }
      return turned;
    });
  const tables = [table(Math.cos), table(Math.sin)];
  assertValues(
    await evaluate(
      [x, ...tables],
      (x, cos, sin) => rotaryEmbedding(x, { cos: cos!, sin: sin! }, heads, "adjacent"),
    ),
    expected((pair) => 2 * pair, (pair) => 2 * pair + 1),
  );
  assertValues(
    await evaluate(
      [x, ...tables],
      (x, cos, sin) => rotaryEmbedding(x, { cos: cos!, sin: sin! }, heads, "halves"),
    ),
    expected((pair) => pair, (pair) => pair + d / 2),
  );
});

Deno.test("patches are ordered by row, column, channel, and come back whole", async () => {
  // Two channels of 2 × 4: channel · 100 + row · 10 + column.
  const x = tensor(
    Float32Array.from({ length: 16 }, (_, i) => (i >> 3) * 100 + ((i >> 2) & 1) * 10 + (i & 3)),
    [1, 2, 2, 4],
  );
  const patches = await evaluate([x], (x) => spaceToDepth(x, 2));
  assert.deepEqual([...patches.dims], [1, 8, 1, 2]);
  const first = Array.from({ length: 8 }, (_, channel) => patches.data[channel * 2]);
  assert.deepEqual(first, [0, 100, 1, 101, 10, 110, 11, 111]);
  const back = await evaluate([x], (x) => depthToSpace(spaceToDepth(x, 2), 2));
  assert.deepEqual(back.data, x.data);
});

Deno.test("upsampling makes a block of four of each value", async () => {
  const x = tensor(Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2]);
  const y = await evaluate([x], upsampleNearest2x);
  assert.deepEqual([...y.dims], [1, 1, 4, 4]);
  assert.deepEqual([...y.data], [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
});

Deno.test("constants are rounded to the type of arithmetic, ties to even", async () => {
  // bfloat16 keeps 8 bits: 1 + 2^-8 lies between 1 and 1 + 2^-7, 1 + 3·2^-8 between that and the next.
  const cases: [number, number][] = [
    [1 + 2 ** -8, 1],
    [1 + 3 * 2 ** -8, 1 + 2 ** -6],
    [1 + 2 ** -8 + 2 ** -16, 1 + 2 ** -7],
    [-50.59644256269407, -50.5],
    [Infinity, Infinity],
  ];
  for (const [value, rounded] of cases) {
    const zero = tensor(Float32Array.of(0), [1]);
    const y = await evaluate([zero], (x) => {
      return add(x, cast(x.graph.scalar(value, "bfloat16"), "float32"));
    });
    assert.equal(y.data[0], rounded);
  }
});

Deno.test("mixing types of arithmetic is refused while the graph is built", () => {
  const graph = new Graph("test");
  const [a, b] = [graph.input("a", "float32", [1]), graph.input("b", "bfloat16", [1])];
  assert.throws(() => add(a, b), /Add: a is float32, but b is bfloat16/);
});

Deno.test("both products at once are for matrices that are not quantised", () => {
  const operators = (isQuantized: boolean) => {
    const graph = new Graph("test", { device: "cuda", ownOperators: true });
    const [width, inner] = [16, 32];
    const x = graph.input("x", "bfloat16", [1, "L", inner]);
    const matrix = (name: string): Matrix => {
      const plain = graph.input(name, "bfloat16", [width, inner]);
      const packed = graph.input(`${name}_packed`, "uint8", [width, 1, inner / 2]);
      return isQuantized
        ? { shape: [width, inner], bits: 4, blockSize: inner, packed, scales: plain }
        : plain;
    };
    graph.output("y", gatedLinear(x, matrix("gate"), matrix("value"), width), [1, "L", width]);
    const { operators } = describeGraph(graph.compile());
    return new Map(operators.map(({ name, count }) => [name, count]));
  };
  assert.equal(operators(false).get("newbie.TwoProducts"), 1);
  const quantized = operators(true);
  assert.equal(quantized.get("com.microsoft.MatMulNBits"), 2);
  assert.equal(quantized.get("newbie.TwoProducts"), undefined);
});

Deno.test("on WebGPU in float16 alone quantised products may round what they multiply", () => {
  const cases = [["webgpu", "float16", 4], ["webgpu", "float32", undefined], [
    "cuda",
    "float16",
    undefined,
  ]] as const;
  for (const [device, type, expected] of cases) {
    const graph = new Graph("test", { device });
    const x = graph.input("x", type, [1, "L", 32]);
    const packed = graph.input("packed", "uint8", [16, 1, 16]);
    const scales = graph.input("scales", type, [16, 1]);
    const matrix = { shape: [16, 32], bits: 4, blockSize: 32, packed, scales } as const;
    graph.output("y", linear(x, matrix), [1, "L", 16]);
    const { node = [] } = proto.onnx.ModelProto.decode(graph.compile().model).graph ?? {};
    const product = node!.find(({ opType }) => opType === "MatMulNBits")!;
    const level = product.attribute!.find(({ name }) => name === "accuracy_level")?.i;
    assert.equal(level === undefined ? undefined : Number(level), expected, `${device} ${type}`);
  }
});

Deno.test("WebGPU's shaders take eight buffers: more pieces are cut in groups, in order", async () => {
  for (const count of [7, 8, 17, 50, 51]) {
    const lengths = Array.from({ length: count }, (_, at) => at % 3 + 1);
    const total = lengths.reduce((sum, length) => sum + length);
    const x = values([total, 2]);
    const build = (x: Value) => concat(split(x, lengths, 0).toReversed(), 0);
    const graph = new Graph("test", { device: "webgpu" });
    graph.output("y", build(graph.input("x", "float32", x.dims)), []);
    const compiled = graph.compile();
    const { node = [] } = proto.onnx.ModelProto.decode(compiled.model).graph ?? {};
    const splits = node!.filter(({ opType }) => opType === "Split");
    const most = Math.max(...splits.map(({ output }) => output!.length));
    assert.ok(most <= 7, `${count} pieces: ${most} outputs`);
    await using session = await Session.create(compiled, { device: "cpu" });
    const { y } = await session.run({ x });
    assert.deepEqual(y!.data, (await evaluate([x], build)).data);
  }
});
