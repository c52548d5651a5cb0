import { createHash } from "node:crypto";
import {
  blockwiseAttention,
  conv2d,
  gelu,
  Graph,
  INTERFACE_TYPE,
  matmul,
  reshape,
  rmsNorm,
  silu,
} from "../onnx/mod.ts";
import { Session } from "../runtime/session.ts";
import { elementCount, type Tensor, tensor } from "../tensor.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { type Host, localHost } from "./host.ts";

/** How this computer's processor rounds. */
export async function cpuArithmetic(host: Host = localHost()): Promise<Arithmetic> {
  const [processor, print] = await Promise.all([instructionSet(host), fingerprint()]);
  return { processor, fingerprint: print };
}

/** By ONNX Runtime's own levels for float32 (MLAS, platform.cpp), widest first. */
const INSTRUCTIONS: readonly (readonly [name: string, flags: readonly string[]])[] = [
  ["AVX-512", ["avx512f", "avx512bw", "avx512dq", "avx512vl"]],
  ["AVX2", ["avx2", "fma"]],
  ["AVX", ["avx"]],
  ["SSE", ["sse2"]],
  ["SVE", ["sve"]],
  ["NEON", ["asimd"]],
];

/** The widest instructions that the processor says it has; its architecture where that is unknown. */
async function instructionSet(host: Host): Promise<string> {
  const info = await host.readText("/proc/cpuinfo") ?? "";
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1]?.split(" "));
  const known = INSTRUCTIONS.find(([, needed]) => needed.every((flag) => flags.has(flag)));
  return known?.[0] ?? host.system().arch;
}

/** More positions than the blocks of attention hold, whose size follows the processor's cache. */
const POSITIONS = 1100;
const HEADS = 1;
const HEAD_DIM = 32;
const CHANNELS = 32;
const SIDE = 12;

/**
 * The bits of one small computation in float32 that has the networks' kinds of arithmetic in it:
 * products, attention, a convolution, norms and gates. ONNX Runtime chooses its kernels by the
 * processor's instructions and the size of its cache, with no switch to have others, and each adds
 * up in another order. The number of threads changes nothing.
 *
 * @param threads Of {@linkcode SessionOptions}.
 * @returns Sixteen hexadecimal digits of their SHA-256.
 */
export async function fingerprint(threads?: number): Promise<string> {
  const width = HEADS * HEAD_DIM;
  const graph = new Graph("arithmetic");
  const feeds: Record<string, Tensor> = {};
  const input = (name: string, dims: readonly number[]) => {
    feeds[name] = tensor(numbers(elementCount(dims), name.charCodeAt(0)), dims);
    return graph.input(name, INTERFACE_TYPE, dims);
  };
  // Constants, as weights are: ONNX Runtime packs them, and multiplies otherwise than what it is given.
  const weight = (seed: number, dims: readonly number[]) =>
    reshape(graph.vector([...numbers(elementCount(dims), seed)], INTERFACE_TYPE), dims);
  const x = input("x", [1, POSITIONS, width]);
  const shape = [1, -1, width];
  const normed = rmsNorm(x, weight(1, [width]), { epsilon: 1e-5, width, shape });
  const q = matmul(normed, weight(2, [width, width]));
  const attended = blockwiseAttention(q, x, silu(x), { heads: HEADS, scale: HEAD_DIM ** -0.5 });
  const y = gelu(matmul(attended, weight(3, [width, 2 * width])), "none");
  const map = input("m", [1, CHANNELS, SIDE, SIDE]);
  const kernel = weight(4, [CHANNELS, CHANNELS, 3, 3]);
  const z = conv2d(silu(map), kernel, weight(5, [CHANNELS]), 3);
  graph.output("y", y, [1, POSITIONS, 2 * width]);
  graph.output("z", z, [1, CHANNELS, SIDE, SIDE]);

  const options = { device: "cpu", ...(threads === undefined ? {} : { threads }) } as const;
  await using session = await Session.create(graph.compile(), options);
  const results = await session.run(feeds);
  const hash = createHash("sha256");
  for (const { data } of [results.y!, results.z!]) {
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Numbers from −1 to 1 that every computer makes the same: a linear congruence, 24 bits of each. */
function numbers(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}
