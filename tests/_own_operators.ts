/** The project's own operators as their formulas read, on a CPU. */
import { OWN_DOMAIN } from "../src/onnx/mod.ts";
import type {
  KernelContext,
  Operator,
  OperatorSet,
} from "../src/runtime/native/custom_operators.ts";
import { elementCount } from "../src/tensor.ts";
import { floats, rmsNorm } from "./_formulas.ts";
import { fillInt8, INT8_OPERATORS, keepInt8 } from "./_int8_operators.ts";

const normAddNorm: Operator = {
  name: "NormAddNorm",
  inputs: ["float32", "float32", "float32", "float32"],
  outputs: ["float32", "float32"],
  kernel: (attributes) => {
    const epsilon = attributes.float("epsilon");
    return (context) => {
      const { address, dims } = context.input(0);
      const count = elementCount(dims);
      const width = dims.at(-1)!;
      const a = floats(address, count);
      const x = floats(context.address(1), count);
      const inner = floats(context.address(2), width);
      const outer = floats(context.address(3), width);
      const sum = floats(context.output(0, dims), count);
      const normalised = floats(context.output(1, dims), count);
      for (let row = 0; row < count; row += width) {
        const part = rmsNorm(a.subarray(row, row + width), inner, epsilon)
          .map((value, index) => value + x[row + index]!);
        sum.set(part, row);
        normalised.set(rmsNorm(part, outer, epsilon), row);
      }
    };
  },
};

const splitHeads: Operator = {
  name: "SplitHeads",
  inputs: ["float32", "float32", "float32", "float32", "float32"],
  outputs: ["float32", "float32", "float32"],
  kernel: (attributes) => {
    const heads = attributes.int("num_heads");
    const keyValueHeads = attributes.int("kv_num_heads");
    const epsilon = attributes.float("epsilon");
    const allHeads = heads + 2 * keyValueHeads;
    return (context) => {
      const { address, dims: [batch, tokens, width] } = context.input(0);
      const headDim = width! / allHeads;
      const qkv = floats(address, tokens! * width!);
      const [queryNorm, keyNorm] = [1, 2].map((index) => floats(context.address(index), headDim));
      const [cos, sin] = [3, 4].map((index) =>
        floats(context.address(index), tokens! * headDim / 2)
      );
      const dims = [batch!, tokens!, heads * headDim];
      const [q, k, v] = [0, 1, 2].map((index) =>
        floats(context.output(index, dims), elementCount(dims))
      );
      const positioned = (head: Float32Array, norm: Float32Array, token: number) => {
        const x = rmsNorm(head, norm, epsilon);
        return x.map((value, index) => {
          const pair = token * headDim / 2 + (index >> 1);
          return index % 2 === 0
            ? value * cos![pair]! - x[index + 1]! * sin![pair]!
            : x[index - 1]! * sin![pair]! + value * cos![pair]!;
        });
      };
      for (let token = 0; token < tokens!; token++) {
        const part = (head: number) => {
          const start = (token * allHeads + head) * headDim;
          return qkv.subarray(start, start + headDim);
        };
        for (let head = 0; head < heads; head++) {
          const group = heads + Math.floor(head * keyValueHeads / heads);
          const at = (token * heads + head) * headDim;
          q!.set(positioned(part(head), queryNorm!, token), at);
          k!.set(positioned(part(group), keyNorm!, token), at);
          v!.set(part(group + keyValueHeads), at);
        }
      }
    };
  },
};

const swiglu: Operator = {
  name: "SwiGLU",
  inputs: ["float32", "float32"],
  outputs: ["float32"],
  kernel: () => (context) => {
    const { address, dims } = context.input(0);
    const count = elementCount(dims);
    const gate = floats(address, count);
    const x = floats(context.address(1), count);
    const out = floats(context.output(0, dims), count);
    out.set(gate.map((value, index) => value / (1 + Math.exp(-value)) * x[index]!));
  },
};

const twoProducts: Operator = {
  name: "TwoProducts",
  inputs: ["float32", "float32", "float32"],
  outputs: ["float32"],
  kernel: () => (context) => {
    const { address, dims } = context.input(0);
    const [width, inner] = context.input(1).dims as [number, number];
    const rows = elementCount(dims) / inner;
    const x = floats(address, rows * inner);
    const count = rows * width;
    const products = floats(context.output(0, [2, ...dims.slice(0, -1), width]), 2 * count);
    for (const half of [0, 1]) {
      const matrix = floats(context.address(1 + half), width * inner);
      for (let index = 0; index < count; index++) {
        const [row, column] = [Math.floor(index / width), index % width];
        let sum = 0;
        for (let i = 0; i < inner; i++) sum += x[row * inner + i]! * matrix[column * inner + i]!;
        products[half * count + index] = sum;
      }
    }
  },
};

const pairSwiglu: Operator = {
  name: "PairSwiGLU",
  inputs: ["float32", "float32", "float32"],
  outputs: ["float32"],
  kernel: () => (context) => {
    const { address, dims: [, ...dims] } = context.input(0);
    const count = elementCount(dims);
    const pair = floats(address, 2 * count);
    const out = floats(context.output(0, dims), count);
    out.set(
      pair.subarray(0, count).map((gate, index) => {
        return gate / (1 + Math.exp(-gate)) * pair[count + index]!;
      }),
    );
  },
};

/** left · strength · rightᵀ of some rows and columns. */
function thinProduct(
  { left, stride, right, strength, rank }: {
    readonly left: Float32Array;
    readonly stride: number;
    readonly right: Float32Array;
    readonly strength: Float32Array;
    readonly rank: number;
  },
  row: number,
  column: number,
): number {
  let sum = 0;
  for (let r = 0; r < rank; r++) {
    sum += left[row * stride + r]! * strength[r]! * right[column * rank + r]!;
  }
  return sum;
}

/** The first input times a matrix [width, inner], transposed. */
function multiply(context: KernelContext, matrix: Float32Array, [width, inner]: readonly number[]) {
  const { address, dims } = context.input(0);
  const rows = elementCount(dims) / inner!;
  const x = floats(address, rows * inner!);
  const out = floats(context.output(0, [...dims.slice(0, -1), width!]), rows * width!);
  for (let index = 0; index < out.length; index++) {
    const [row, column] = [Math.floor(index / width!), index % width!];
    let sum = 0;
    for (let i = 0; i < inner!; i++) sum += x[row * inner! + i]! * matrix[column * inner! + i]!;
    out[index] = sum;
  }
}

const product: Operator = {
  name: "Product",
  inputs: ["float32", "float32"],
  outputs: ["float32"],
  kernel: () => (context) => {
    const { address, dims } = context.input(1);
    multiply(context, floats(address, elementCount(dims)), dims);
  },
};

const adaptedProduct: Operator = {
  name: "AdaptedProduct",
  inputs: ["float32", "float32", "float32", "float32", "float32", "float32"],
  outputs: ["float32"],
  inMemory: [5],
  kernel: () => (context) => {
    const { address, dims } = context.input(1);
    const [rows, columns] = dims as [number, number];
    const { address: up, dims: [, rank] } = context.input(2);
    const factors = {
      left: floats(up, rows * rank!),
      stride: rank!,
      right: floats(context.address(3), columns * rank!),
      strength: floats(context.address(4), rank!),
      rank: rank!,
    };
    const matrix = floats(address, rows * columns).map((value, index) => {
      return value + thinProduct(factors, Math.floor(index / columns), index % columns);
    });
    multiply(context, matrix, dims);
  },
};

const adaptedSwiglu: Operator = {
  name: "AdaptedSwiGLU",
  inputs: ["float32", "float32", "float32", "float32", "float32", "float32", "float32"],
  outputs: ["float32"],
  kernel: () => (context) => {
    const { address, dims: [, ...dims] } = context.input(0);
    const { address: up, dims: [columns, rank] } = context.input(4);
    const count = elementCount(dims);
    const pair = floats(address, 2 * count);
    const low = floats(context.address(3), count / columns! * 2 * rank!);
    const strength = floats(context.address(6), 2 * rank!);
    const halves = [up, context.address(5)].map((place, half) => ({
      left: low.subarray(half * rank!),
      stride: 2 * rank!,
      right: floats(place, columns! * rank!),
      strength: strength.subarray(half * rank!),
      rank: rank!,
    }));
    const out = floats(context.output(0, dims), count);
    for (let index = 0; index < count; index++) {
      const [row, column] = [Math.floor(index / columns!), index % columns!];
      const [gate, value] = halves.map((factors, half) => {
        return pair[half * count + index]! + thinProduct(factors, row, column);
      }) as [number, number];
      out[index] = gate / (1 + Math.exp(-gate)) * value;
    }
  },
};

/** How often something was added in place, and how often to a copy. */
export const ADDED = { inPlace: 0, toCopy: 0 };

const addThin: Operator = {
  name: "AddThin",
  inputs: ["float32", "float32", "float32", "float32"],
  outputs: ["float32"],
  inMemory: [1],
  isInPlace: true,
  kernel: (attributes) => {
    const adapter = attributes.int("adapter");
    const scale = attributes.float("scale");
    return (context) => {
      const { address, dims } = context.input(0);
      const count = elementCount(dims);
      const sum = floats(address, count);
      const factor = floats(context.address(1), adapter + 1)[adapter]! * scale;
      const { address: lowAt, dims: lowDims } = context.input(2);
      const low = floats(lowAt, elementCount(lowDims));
      const { address: upAt, dims: upDims } = context.input(3);
      const up = floats(upAt, elementCount(upDims));
      const [width, rank] = upDims.slice(-2) as [number, number];
      const matrices = up.length / width / rank;
      const rows = count / width / matrices;
      const place = context.output(0, dims);
      ADDED[place === address ? "inPlace" : "toCopy"]++;
      const out = floats(place, count);
      if (place !== address) out.set(sum);
      for (let index = 0; index < count; index++) {
        const row = Math.floor(index / width);
        const matrix = Math.floor(row / rows);
        const first = (matrix * width + index % width) * rank;
        let added = 0;
        for (let r = 0; r < rank; r++) added += low[row * rank + r]! * up[first + r]!;
        if (factor !== 0) out[index]! += factor * added;
      }
    };
  },
};

/** For sessions on a CPU. */
export const CPU_OPERATORS: OperatorSet = {
  domain: OWN_DOMAIN,
  keep: keepInt8,
  fill: fillInt8,
  operators: [
    ...INT8_OPERATORS,
    normAddNorm,
    splitHeads,
    swiglu,
    twoProducts,
    pairSwiglu,
    adaptedSwiglu,
    product,
    adaptedProduct,
    addThin,
  ],
};
