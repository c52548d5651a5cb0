import assert from "node:assert/strict";
import type { KernelType } from "../../src/kernels/cuda_kernels.ts";
import { cudaOperators } from "../../src/kernels/cuda_operators.ts";
import {
  ADAPTER_WEIGHTS,
  add,
  cast,
  type FloatType,
  gatedLinear,
  Graph,
  type GraphPolicy,
  groupedAttention,
  INTERFACE_TYPE,
  linear,
  type MatrixRows,
  normAddNorm,
  normAddNormInt8,
  splitHeads,
  swiglu,
  type Value,
} from "../../src/onnx/mod.ts";
import { createGenerator } from "../../src/random/mod.ts";
import { openWeights, RowReader, rowsOf } from "../../src/safetensors/mod.ts";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import { operatorSessions } from "../../src/runtime/native/custom_session.ts";
import type { OperatorSet } from "../../src/runtime/native/custom_operators.ts";
import { elementCount, type Tensor, tensor } from "../../src/tensor.ts";
import { fixture } from "../_fixtures.ts";
import { ADDED, CPU_OPERATORS } from "../_own_operators.ts";
import { OutOfMemoryError } from "../../src/runtime/session.ts";
import { fakeDriver, type FakeMemory } from "./_fake_driver.ts";

const LIBRARIES = bindingFolder(Deno.build);

function normal(dims: readonly number[], seed: number): Tensor {
  const data = new Float32Array(elementCount(dims));
  createGenerator({ seed }).fillNormal(data);
  return tensor(data, dims);
}

/** Runs a graph of some operators over inputs of these extents. */
async function results(
  operators: OperatorSet,
  type: FloatType,
  inputs: Readonly<Record<string, readonly number[]>>,
  build: (inputs: Record<string, Value>) => Record<string, Value>,
  policy: GraphPolicy = {},
): Promise<Record<string, Tensor>> {
  const graph = new Graph("own operators", { ownOperators: true, products: "int8", ...policy });
  const values = Object.entries(inputs).map(([name, dims]) => {
    const input = graph.input(name, INTERFACE_TYPE, dims);
    const isExact = ["cos", "sin", "weights"].includes(name);
    return [name, isExact ? input : cast(input, type)] as const;
  });
  const outputs = build(Object.fromEntries(values));
  for (const [name, value] of Object.entries(outputs)) {
    graph.output(name, cast(value, INTERFACE_TYPE), ["a", "b", "c"]);
  }
  const feeds = Object.entries(inputs).map(([name, dims], index) => [name, normal(dims, index)]);
  await using session = await operatorSessions(LIBRARIES, operators)
    .create(graph.compile(), { device: "cpu" });
  return await session.run(Object.fromEntries(feeds));
}

/** With the operators of a GPU, played by a CPU, a graph gives what its formulas say. */
async function check(
  type: KernelType,
  inputs: Readonly<Record<string, readonly number[]>>,
  build: (inputs: Record<string, Value>) => Record<string, Value>,
) {
  const { driver, started, products } = fakeDriver();
  const expected = await results(CPU_OPERATORS, "float32", inputs, build);
  const found = await results(cudaOperators(type, () => driver), type, inputs, build);
  for (const [name, { data, dims }] of Object.entries(expected)) {
    assert.deepEqual(found[name]!.dims, dims, name);
    // bfloat16 has 8 binary digits; inputs, weights and results are rounded.
    data.forEach((value, index) => {
      const difference = Math.abs(found[name]!.data[index]! - value);
      assert(
        difference <= 0.04 * Math.abs(value) + 0.06,
        `${name}[${index}]: off by ${difference}`,
      );
    });
  }
  return { started, products };
}

for (const type of ["bfloat16", "float16"] as const) {
  // Rows that fill neither a warp nor a block.
  Deno.test(`norm, sum and norm in one kernel: ${type}`, async () => {
    const width = 296;
    const row = [1, 5, width];
    const { started } = await check(
      type,
      { a: row, x: row, inner: [width], outer: [width] },
      ({ a, x, inner, outer }) => ({
        ...normAddNorm(a!, x!, { inner: inner!, outer: outer! }, { epsilon: 1e-5, width }),
      }),
    );
    assert.deepEqual(started.map(({ blocks, threads }) => [blocks, threads]), [[5, 64]]);
  });

  Deno.test(`queries, keys and values in one kernel: ${type}`, async () => {
    const [tokens, heads, keyValueHeads, headDim] = [7, 6, 2, 12];
    const table = [tokens, headDim / 2];
    const { started } = await check(
      type,
      {
        qkv: [1, tokens, (heads + 2 * keyValueHeads) * headDim],
        queryNorm: [headDim],
        keyNorm: [headDim],
        cos: table,
        sin: table,
      },
      ({ qkv, queryNorm, keyNorm, cos, sin }) =>
        splitHeads(qkv!, { cos: cos!, sin: sin! }, {
          heads,
          keyValueHeads,
          queryNorm: queryNorm!,
          keyNorm: keyNorm!,
          epsilon: 1e-6,
        }),
    );
    assert.equal(started.length, 1);
  });

  Deno.test(`the gate of SwiGLU in one kernel: ${type}`, async () => {
    const row = [1, 3, 1000];
    const { started } = await check(
      type,
      { gate: row, x: row },
      ({ gate, x }) => ({ y: swiglu(gate!, x!, 1000) }),
    );
    assert.deepEqual(started.map(({ blocks, threads }) => [blocks, threads]), [[2, 256]]);
  });

  Deno.test(`both products of a gated layer at once, wherever they lie: ${type}`, async () => {
    // Wherever the matrices come to lie, one of the two layers has its gate first.
    const { products } = await check(
      type,
      { x: [1, 3, 24], gate: [40, 24], value: [40, 24] },
      ({ x, gate, value }) => ({
        y: gatedLinear(x!, gate!, value!, 40),
        swapped: gatedLinear(x!, value!, gate!, 40),
      }),
    );
    assert.deepEqual(products, [2, 2]);
  });
}

Deno.test("sessions of both types live side by side, whichever comes first", async () => {
  const [tokens, heads, keyValueHeads, headDim] = [3, 4, 2, 8];
  const dims = {
    qkv: [1, tokens, (heads + 2 * keyValueHeads) * headDim],
    queryNorm: [headDim],
    keyNorm: [headDim],
    cos: [tokens, headDim / 2],
    sin: [tokens, headDim / 2],
  };
  const feeds = Object.fromEntries(
    Object.entries(dims).map(([name, extents], index) => [name, normal(extents, index)]),
  );
  await using sessions = new AsyncDisposableStack();
  const loaded = [];
  for (const type of ["bfloat16", "float16", "bfloat16", "float16"] as const) {
    const graph = new Graph(`heads in ${type}`, { ownOperators: true });
    const input = (name: keyof typeof dims) => graph.input(name, INTERFACE_TYPE, dims[name]);
    const { q } = splitHeads(
      cast(input("qkv"), type),
      { cos: input("cos"), sin: input("sin") },
      {
        heads,
        keyValueHeads,
        queryNorm: cast(input("queryNorm"), type),
        keyNorm: cast(input("keyNorm"), type),
        epsilon: 1e-6,
      },
    );
    graph.output("q", cast(q, INTERFACE_TYPE), [1, "S", heads * headDim]);
    const host = operatorSessions(LIBRARIES, cudaOperators(type, () => fakeDriver().driver));
    loaded.push(sessions.use(await host.create(graph.compile(), { device: "cpu" })));
  }
  const results = await Promise.all(loaded.map((session) => session.run(feeds)));
  const [first, second, third, fourth] = results.map(({ q }) => q!.data);
  assert.deepEqual(third, first);
  assert.deepEqual(fourth, second);
  assert.notDeepEqual(second, first);
  first!.forEach((value, index) => {
    assert(Math.abs(value - second![index]!) <= 0.04 * Math.abs(value) + 0.06);
  });
});

Deno.test("on Hopper one kernel makes both products of a gated layer and its gate", async () => {
  const inputs = { x: [1, 133, 72], gate: [40, 72], value: [40, 72] };
  const build = ({ x, gate, value }: Record<string, Value>) => ({
    y: gatedLinear(x!, gate!, value!, 40),
  });
  const { driver, started } = fakeDriver({ capability: [9, 0] });
  const expected = await results(CPU_OPERATORS, "float32", inputs, build);
  const own = cudaOperators("bfloat16", () => driver);
  const found = await results(own, "bfloat16", inputs, build, { gatesProducts: true });
  const off = found.y!.data.map((value, index) => value - expected.y!.data[index]!);
  assert(Math.hypot(...off) <= 0.01 * Math.hypot(...expected.y!.data));
  assert.deepEqual(started, [{ kernel: "gated_product_bf16", blocks: 2, threads: 384 }]);
});

Deno.test("on Hopper adapters change the matrices of that kernel, and with weight 0 nothing", async () => {
  const type = "bfloat16";
  const dims = { x: [1, 133, 72], gate: [40, 72], value: [40, 72], down: [4, 72], up: [40, 4] };
  const graph = new Graph("gated", { ownOperators: true, gatesProducts: true });
  const weights = graph.input(ADAPTER_WEIGHTS, INTERFACE_TYPE, [1]);
  const feeds: Record<string, Tensor> = {};
  const [x, gate, value, down, up] = Object.entries(dims).map(([name, extents], seed) => {
    feeds[name] = normal(extents, seed + 1);
    return cast(graph.input(name, INTERFACE_TYPE, extents), type);
  }) as [Value, Value, Value, Value, Value];
  const strength = (type: FloatType) => cast(weights, type);
  const thin = { adapter: 0, weights, scale: 1, strength, rank: 4, down, up };
  const part = { rows: [0, 40], inner: 72, isOfTokens: true } as const;
  const adapted = (base: Value) => ({ base, thin: [thin], part });
  const output = (name: string, gated: Value) => {
    graph.output(name, cast(gated, INTERFACE_TYPE), [1, 133, 40]);
  };
  output("plain", gatedLinear(x, gate, value, 40));
  output("both", gatedLinear(x, adapted(gate), adapted(value), 40));
  output("half", gatedLinear(x, gate, adapted(value), 40));
  const { driver, started } = fakeDriver({ capability: [9, 0] });
  await using session = await operatorSessions(LIBRARIES, cudaOperators(type, () => driver))
    .create(graph.compile(), { device: "cpu" });
  /** A matrix with so much of the adapter in it, as its formula reads. */
  const matrix = (name: "gate" | "value", weight: number) =>
    feeds[name]!.data.map((base, index) => {
      const [row, column] = [Math.floor(index / 72), index % 72];
      const added = [0, 1, 2, 3].reduce((sum, r) => {
        return sum + feeds.up!.data[4 * row + r]! * feeds.down!.data[72 * r + column]!;
      }, 0);
      return base + weight * added;
    });
  const expected = (gate: Float32Array, value: Float32Array) =>
    Float32Array.from({ length: 133 * 40 }, (_, index) => {
      const [row, column] = [Math.floor(index / 40), index % 40];
      const product = (matrix: Float32Array) => {
        const left = feeds.x!.data.subarray(72 * row, 72 * row + 72);
        return left.reduce((sum, v, i) => sum + v * matrix[72 * column + i]!, 0);
      };
      const gated = product(gate);
      return gated / (1 + Math.exp(-gated)) * product(value);
    });
  for (const weight of [0.5, 0.5, 0, -1]) {
    const { plain, both, half } = await session.run({
      ...feeds,
      [ADAPTER_WEIGHTS]: tensor(Float32Array.of(weight), [1]),
    });
    for (const [found, gate] of [[both, weight], [half, 0]] as const) {
      const wanted = expected(matrix("gate", gate), matrix("value", weight));
      const off = found!.data.map((value, index) => value - wanted[index]!);
      assert(Math.hypot(...off) <= 0.02 * Math.hypot(...wanted), `weight ${weight}`);
      if (weight === 0) assert.deepEqual(found!.data, plain!.data);
      else assert.notDeepEqual(found!.data, plain!.data);
    }
  }
  // Twice for each of two weights, for two layers: what is kept is made once.
  const made = started.filter(({ kernel }) => kernel === "add_thin_32_bf16");
  assert.equal(made.length, 2 * 2 * 2);
  assert.equal(started.length - made.length, 3 * 4);
});

/** Attention of normal numbers, with heads of a size. */
function attentionOf(
  [tokens, heads, keyValueHeads, headDim]: readonly [number, number, number, number],
) {
  const table = [tokens, headDim / 2];
  const inputs = {
    qkv: [1, tokens, (heads + 2 * keyValueHeads) * headDim],
    queryNorm: [headDim],
    keyNorm: [headDim],
    cos: table,
    sin: table,
  };
  const build = ({ qkv, queryNorm, keyNorm, cos, sin }: Record<string, Value>) => ({
    y: groupedAttention(qkv!, { cos: cos!, sin: sin! }, {
      heads,
      keyValueHeads,
      headDim,
      queryNorm: queryNorm!,
      keyNorm: keyNorm!,
      epsilon: 1e-6,
      scale: headDim ** -0.5,
    }),
  });
  // ONNX Runtime's own attention, in float32.
  const expected = () => results(CPU_OPERATORS, "float32", inputs, build);
  return { inputs, build, expected };
}

for (
  const [type, ...extents] of [
    // Tiles that are whole, and 3 whose 5 steps the four blocks share out.
    ["bfloat16", 577, 3, 1, 32],
    // Two tiles for four blocks, the last without a second half.
    ["float16", 133, 3, 3, 96],
  ] as const
) {
  const [tokens, , , headDim] = extents;
  Deno.test(`on Hopper one kernel attends to ${tokens} tokens by heads of ${headDim}: ${type}`, async () => {
    const { inputs, build, expected: exact } = attentionOf(extents);
    const { y: expected } = await exact();
    const { driver, started } = fakeDriver({ capability: [9, 0] });
    const own = cudaOperators(type, () => driver);
    const { y: found } = await results(own, type, inputs, build, { attendsInGroups: true });
    assert.deepEqual(found!.dims, expected!.dims);
    const off = found!.data.map((value, index) => value - expected!.data[index]!);
    assert(Math.hypot(...off) <= 0.02 * Math.hypot(...expected!.data));
    assert.deepEqual(started.map(({ kernel }) => kernel.replace(/_b?f16$/, "")), [
      "split_heads",
      `attend_${headDim}`,
      `join_attended_${headDim}`,
    ]);
  });
}

Deno.test("heads of a size that the kernel has not are ONNX Runtime's", async () => {
  const { inputs, build, expected } = attentionOf([7, 6, 2, 12]);
  const found = await results(CPU_OPERATORS, "float32", inputs, build, { attendsInGroups: true });
  assert.deepEqual(found, await expected());
});

/** A matrix for {@linkcode linear} whose values are these. */
function int8Matrix(rows: number, columns: number, seed: number) {
  return { rows: { shape: [rows, columns], values: normal([rows, columns], seed).data } } as const;
}

for (const capability of [[8, 6], [9, 0], [12, 0]] as const) {
  const [major] = capability;
  Deno.test(`products in 8 bits, for compute capability ${capability.join(".")}`, async () => {
    // A width that fills no run of 128, and more rows than a tile has.
    const [rows, width, wide] = [133, 192, 320];
    const { driver, started, rooms } = fakeDriver({ capability });
    const inputs = {
      x: [1, rows, width],
      a: [1, rows, width],
      inner: [width],
      outer: [width],
    };
    const build = (values: Record<string, Value>) => {
      const { x, a, inner, outer } = values as Record<string, Value>;
      const [gate, value] = [int8Matrix(wide, width, 5), int8Matrix(wide, width, 6)];
      const norms = { inner: inner!, outer: outer! };
      const { sum, normalised } = normAddNormInt8(a!, x!, norms, { epsilon: 1e-5, width });
      return {
        plain: linear(x!, int8Matrix(72, width, 7)),
        sum,
        normed: linear(normalised, int8Matrix(72, width, 7)),
        fed: linear(gatedLinear(normalised, gate, value, wide), int8Matrix(width, wide, 8)),
      };
    };
    const exact = await results(CPU_OPERATORS, "float32", inputs, build);
    const operators = cudaOperators("bfloat16", () => driver);
    const found = await results(operators, "bfloat16", inputs, build);
    for (const [name, { data }] of Object.entries(exact)) {
      const off = found[name]!.data.map((value, index) => value - data[index]!);
      const norm = (list: Float32Array) => Math.hypot(...list);
      // Both round to 8 bits; the inputs of one were rounded to bfloat16 before.
      assert(norm(off) <= 0.03 * norm(data), `${name}: ${norm(off) / norm(data)}`);
    }
    const products = started.filter(({ kernel }) => kernel.includes("product"));
    const threads = major === 9 ? 384 : 256;
    assert.deepEqual(products.map((product) => product.threads), [
      threads,
      threads,
      threads,
      threads,
    ]);
    // Two tiles down, and across 160 or 256 columns at a time, or 128; on Hopper as many as it can run.
    const blocks = products.map((product) => product.blocks).sort((a, b) => a - b);
    assert.deepEqual(blocks, major === 9 ? [2, 2, 4, 4] : [2, 2, 4, 10]);
    assert.equal(rooms.size, 0, "the matrices are freed with the session");
  });
}

Deno.test("a matrix in 8 bits is what it was, but for the rounding, for rows in 16 bits", async () => {
  // Rows of both that fill no run, no block of threads and no tile.
  const [rows, width, inner] = [5, 72, 320];
  const { driver, started, products, rooms } = fakeDriver();
  const inputs = { x: [1, rows, inner] };
  const build = ({ x }: Record<string, Value>) => ({ y: linear(x!, int8Matrix(width, inner, 9)) });
  const policy = { products: "int8 matrices" } as const;
  const formula = await results(CPU_OPERATORS, "float32", inputs, build, policy);
  const operators = cudaOperators("bfloat16", () => driver);
  const found = await results(operators, "bfloat16", inputs, build, policy);
  const [x, matrix] = [normal(inputs.x, 0).data, normal([width, inner], 9).data];
  const exact = Float32Array.from({ length: rows * width }, (_, index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    let sum = 0;
    for (let i = 0; i < inner; i++) sum += x[row * inner + i]! * matrix[column * inner + i]!;
    return sum;
  });
  const error = ({ data }: Tensor) =>
    Math.hypot(...data.map((value, index) => value - exact[index]!)) / Math.hypot(...exact);
  // The matrix alone is rounded, by 0.7 %; then its values, and those of x, to bfloat16.
  assert(error(formula.y!) > 1e-3 && error(formula.y!) < 0.01, `${error(formula.y!)}`);
  assert(error(found.y!) > 1e-3 && error(found.y!) < 0.013, `${error(found.y!)}`);
  assert.deepEqual(started.map(({ kernel }) => kernel), ["quantize_rows_f32", "restore_rows_bf16"]);
  assert.deepEqual(products, [1]);
  assert.equal(rooms.size, 1, "there is room for one matrix in 16 bits, which all have in common");
});

for (const type of ["Q8_0", "Q4_K"]) {
  Deno.test(`a matrix of ${type} is in 8 bits what its values are`, async () => {
    const { tensors } = await openWeights(`${fixture("gguf")}/types.gguf`);
    const entry = tensors.get(type)!;
    const shape = entry.shape as readonly [number, number];
    await using reader = await RowReader.open(entry);
    const values = await reader.read(Array.from({ length: shape[0] }, (_, row) => row));
    // Rows from within the matrix on, as a query's of queries, keys and values.
    const [from, to] = [2, 10];
    const part = { shape: [to - from, shape[1]] } as const;
    const inputs = { x: [1, 3, shape[1]] };
    const productOf = async (rows: MatrixRows) => {
      const { driver, rooms } = fakeDriver();
      const operators = cudaOperators("bfloat16", () => driver);
      const { y } = await results(operators, "bfloat16", inputs, ({ x }) => ({
        y: linear(x!, { rows }),
      }));
      assert.equal(rooms.size, 0);
      return y!;
    };
    const found = await productOf({ ...part, entry: rowsOf(entry, [from, to]) });
    assert(found.data.some((value) => value !== 0));
    const own = values.subarray(from * shape[1], to * shape[1]);
    assert.deepEqual(found, await productOf({ ...part, values: own }));
  });
}

Deno.test("a matrix' products in 8 bits are those of its values, but for the rounding", async () => {
  const { twice: doubled, y } = await results(
    CPU_OPERATORS,
    "float32",
    { x: [1, 3, 128] },
    ({ x }) => ({ twice: add(x!, x!), y: linear(x!, int8Matrix(16, 128, 9)) }),
  );
  const matrix = normal([16, 128], 9).data;
  const twice = doubled!.data;
  const expected = Float32Array.from(y!.data, (_, index) => {
    const [row, column] = [Math.floor(index / 16), index % 16];
    let sum = 0;
    for (let i = 0; i < 128; i++) sum += twice[row * 128 + i]! / 2 * matrix[column * 128 + i]!;
    return sum;
  });
  const off = y!.data.map((value, index) => value - expected[index]!);
  const error = Math.hypot(...off) / Math.hypot(...expected);
  assert(error > 1e-4 && error < 0.02, `${error}`);
});

// A CPU has no products in bfloat16.
Deno.test("what adapters add to one matrix, or to two products at once", async () => {
  const { started } = await check("float16", {
    x: [1, 3, 24],
    gate: [40, 24],
    value: [40, 24],
    down: [4, 24],
    up: [40, 4],
    weights: [1],
  }, (values) => {
    const { x, gate, value, down, up, weights } = values as Record<string, Value>;
    const thin = {
      adapter: 0,
      weights: weights!,
      scale: 0.5,
      strength: (type: FloatType) => cast(weights!, type),
      rank: 4,
      down: down!,
      up: up!,
    };
    const part = { rows: [0, 40], inner: 24, isOfTokens: true } as const;
    const adapted = (base: Value, count = 1) => {
      return { base, thin: new Array<typeof thin>(count).fill(thin), part };
    };
    return {
      one: linear(x!, adapted(gate!)),
      // Each has ranks of its own, of which there are more than a kernel keeps.
      three: linear(x!, adapted(gate!, 3)),
      two: gatedLinear(x!, adapted(gate!), adapted(value!), 40),
      // Of one of the matrices alone.
      half: gatedLinear(x!, gate!, adapted(value!), 40),
    };
  });
  const names = started.map(({ kernel }) => kernel).sort();
  assert.deepEqual(names, [
    "adapted_swiglu_32_f16",
    "adapted_swiglu_32_f16",
    "add_thin_32_f16",
    "add_thin_any_f16",
  ]);
});

/** Runs one product with an adapter at several weights; tells how often its matrix was made. */
async function runAdapted(memory: FakeMemory, strengths: readonly number[]) {
  const { driver, started } = fakeDriver({ memory });
  const type = "float16";
  const graph = new Graph("adapted", { ownOperators: true });
  const feeds: Record<string, Tensor> = {};
  const input = (name: string, dims: readonly number[]) => {
    feeds[name] = normal(dims, dims.length + dims[0]!);
    return cast(graph.input(name, INTERFACE_TYPE, dims), type);
  };
  const weights = graph.input(ADAPTER_WEIGHTS, INTERFACE_TYPE, [1]);
  const [x, base] = [input("x", [1, 3, 24]), input("matrix", [40, 24])];
  const thin = {
    adapter: 0,
    weights,
    scale: 1,
    strength: (type: FloatType) => cast(weights, type),
    rank: 4,
    down: input("down", [4, 24]),
    up: input("up", [40, 4]),
  };
  const part = { rows: [0, 40], inner: 24, isOfTokens: true } as const;
  const output = (name: string, value: Value) => {
    graph.output(name, cast(value, INTERFACE_TYPE), [1, "S", 40]);
  };
  output("adapted", linear(x, { base, thin: [thin], part }));
  output("plain", linear(x, base));
  const results = [];
  const made = [];
  {
    await using session = await operatorSessions(LIBRARIES, cudaOperators(type, () => driver))
      .create(graph.compile(), { device: "cpu" });
    for (const strength of strengths) {
      const before = started.length;
      const weight = tensor(Float32Array.of(strength), [1]);
      results.push(await session.run({ ...feeds, [ADAPTER_WEIGHTS]: weight }));
      made.push(started.length - before);
    }
  }
  return { results: results.map(({ adapted, plain }) => [adapted!.data, plain!.data]), made };
}

Deno.test("a matrix with an adapter is kept until its weight changes, where memory is to spare", async () => {
  const strengths = [1, 1, 0, 1, 0.5, 0.5, 0, 1];
  const roomy = { free: 9000, total: 9000, blocks: new Map<bigint, Uint8Array>() };
  const kept = await runAdapted(roomy, strengths);
  assert.deepEqual(kept.made, [1, 0, 0, 0, 1, 0, 0, 1]);
  // A matrix of 1920 bytes would leave less than half: only the place that all share is taken.
  const full = { free: 2000, total: 4000, blocks: new Map<bigint, Uint8Array>() };
  const made = await runAdapted(full, strengths);
  assert.deepEqual(made.made, [1, 1, 0, 1, 1, 1, 0, 1]);
  assert.deepEqual(made.results, kept.results);
  for (const [index, [adapted, plain]] of kept.results.entries()) {
    if (strengths[index] === 0) assert.deepEqual(adapted, plain);
    else assert.notDeepEqual(adapted, plain);
  }
  // What was kept goes with its session; the shared place stays.
  assert.deepEqual([roomy.free, roomy.blocks.size], [9000, 0]);
  assert.deepEqual(full.blocks.size, 1);
});

Deno.test("a GPU without room for one matrix is out of memory", async () => {
  const memory = { free: 100, total: 1000, blocks: new Map<bigint, Uint8Array>() };
  await assert.rejects(runAdapted(memory, [1]), OutOfMemoryError);
});

Deno.test("what adapters add to the product of a quantised matrix is added where it is", async () => {
  const type = "float32";
  const graph = new Graph("quantised", { ownOperators: true });
  const x = graph.input("x", type, [1, "S", 32]);
  const weights = graph.input(ADAPTER_WEIGHTS, type, [1]);
  const ones = (dims: readonly number[]) => {
    return add(graph.zeros(dims, type), graph.scalar(1, type));
  };
  const packed = cast(ones([8, 1, 32]), "uint8");
  const base = { shape: [8, 32], bits: 8, blockSize: 32, packed, scales: ones([8, 1]) } as const;
  const thin = {
    adapter: 0,
    weights,
    scale: 0.5,
    strength: () => weights,
    rank: 4,
    down: ones([4, 32]),
    up: ones([8, 4]),
  };
  const part = { rows: [0, 8], inner: 32, isOfTokens: true } as const;
  graph.output("y", linear(x, { base, thin: [thin, thin], part }), [1, "S", 8]);
  await using session = await operatorSessions(LIBRARIES, CPU_OPERATORS)
    .create(graph.compile(), { device: "cpu" });
  Object.assign(ADDED, { inPlace: 0, toCopy: 0 });
  const feeds = { x: normal([1, 3, 32], 1), [ADAPTER_WEIGHTS]: tensor(Float32Array.of(3), [1]) };
  const { y } = await session.run(feeds);
  // Points of 1 about 128, and twice 3 · 0.5 · 4 of each value.
  const sum = feeds.x.data.subarray(0, 32).reduce((total, value) => total + value, 0);
  assert(Math.abs(y!.data[0]! - (1 - 128 + 2 * 3 * 0.5 * 4) * sum) < 1e-3 * Math.abs(y!.data[0]!));
  assert(ADDED.inPlace > 0);
});

Deno.test("what the driver refuses is what loading the graph fails with", async () => {
  const { driver } = fakeDriver();
  const refusing = {
    functions: { ...driver.functions, cuModuleLoadData: () => 209 },
    check: (status: number, doing: string) => {
      if (status !== 0) throw new Error(`CUDA could not ${doing}: no kernel image is available`);
    },
  };
  const run = results(
    cudaOperators("bfloat16", () => refusing),
    "bfloat16",
    { x: [1, 1, 8] },
    ({ x }) => ({ y: swiglu(x!, x!, 8) }),
  );
  await assert.rejects(run, /could not load .*kernels: no kernel image is available/);
});
