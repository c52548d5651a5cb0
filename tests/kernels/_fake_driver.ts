/**
 * CUDA's driver and cuBLAS, played on a CPU: what a kernel is given is read by its declaration in
 * kernels.ptx, and what it computes is written down once more, value by value.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  assemblyOf,
  KERNEL_MODULES,
  type KernelModule,
  machineCodeOf,
} from "../../src/kernels/kernel_code.ts";
import type { CudaDriver } from "../../src/runtime/native/cuda_driver.ts";
import { addressOf, memoryAt } from "../../src/runtime/native/c_api.ts";
import { gated, productsOf, readRows, restoredRows, writeRow } from "../_int8_rows.ts";
import { type Half, HALVES } from "./_halves.ts";

/** One that was started. */
export interface Started {
  readonly kernel: string;
  readonly blocks: number;
  readonly threads: number;
}

/** The kinds of a kernel's parameters, as its declaration has them: `u64`, `u32`, `f32`, `b8` for bytes. */
function parametersOf(assembly: string, kernel: string): string[] {
  const [, list] = new RegExp(`\\.entry ${kernel}\\(([^)]*)\\)`).exec(assembly)!;
  return [...list!.matchAll(/\.param (?:\.align \d+ )?\.(\w+)(?: \.\w+ \.align \d+)? /g)].map((
    [, kind],
  ) => kind!);
}

/** The memory of a GPU, in bytes, and what was made room for and not freed. */
export interface FakeMemory {
  free: number;
  readonly total: number;
  readonly blocks: Map<bigint, Uint8Array>;
}

/** What a GPU is. */
interface Gpu {
  /** The compute capability. */
  readonly capability?: readonly [major: number, minor: number];
  readonly memory?: FakeMemory;
  /** Whether its driver takes no machine code but its own. */
  readonly refusesMachineCode?: boolean;
}

/** A module that was loaded. */
interface LoadedModule {
  readonly module: KernelModule;
  readonly form: "assembly" | "machine code";
}

/** `CU_DEVICE_ATTRIBUTE_…`: multiprocessors, and both parts of the compute capability. */
const [MULTIPROCESSORS, MAJOR, MINOR] = [16, 75, 76];
/** What the handle of the first module is; the next has the next number. */
const FIRST_MODULE = 7;
/** What machine code begins with. */
const ELF = 0x7f;
/** `CUDA_ERROR_NO_BINARY_FOR_GPU`. */
const NO_BINARY = 209;

/** A driver, and what it was told to start. */
export function fakeDriver(
  {
    capability = [8, 0],
    memory = { free: 1e9, total: 1.5e9, blocks: new Map() },
    refusesMachineCode = false,
  }: Gpu = {},
): {
  driver: CudaDriver;
  /** What it took. */
  modules: readonly LoadedModule[];
  started: Started[];
  products: number[];
  /** What it made room for and was not told to free. */
  rooms: ReadonlyMap<bigint, Uint8Array>;
  /** The same in ordinary memory. */
  host: ReadonlyMap<bigint, Uint8Array>;
  /** Streams that were made and not destroyed. */
  streams: ReadonlySet<bigint>;
} {
  const kernels: { readonly assembly: string; readonly name: string }[] = [];
  const modules: LoadedModule[] = [];
  const started: Started[] = [];
  const products: number[] = [];
  const host = new Map<bigint, Uint8Array>();
  const streams = new Set<bigint>();
  const functions = {
    cuModuleLoadData: (place: BigUint64Array, image: Uint8Array) => {
      const isMachineCode = image[0] === ELF;
      if (isMachineCode && refusesMachineCode) return NO_BINARY;
      const same = (bytes: Uint8Array | undefined) =>
        bytes !== undefined && Buffer.from(bytes).equals(image);
      const module = KERNEL_MODULES.find((module) =>
        same(
          isMachineCode
            ? machineCodeOf(module, capability.join("."))
            : new TextEncoder().encode(`${assemblyOf(module)}\0`),
        )
      );
      if (module === undefined) return NO_BINARY;
      const form = isMachineCode ? "machine code" : "assembly";
      place[0] = BigInt(FIRST_MODULE + modules.push({ module, form }) - 1);
      return 0;
    },
    cuCtxGetDevice: (place: Int32Array) => (place[0] = 3, 0),
    cuDeviceGetAttribute: (place: Int32Array, which: number, device: number) => {
      assert.equal(device, 3);
      const facts = { [MULTIPROCESSORS!]: 4, [MAJOR!]: capability[0], [MINOR!]: capability[1] };
      return (place[0] = facts[which]!, 0);
    },
    cuFuncSetAttribute: (_kernel: bigint, which: number, bytes: number) => {
      // What a block may share on any GPU from Ampere on, and on Hopper.
      assert(which === 8 && bytes <= (capability[0] === 9 ? 232_448 : 101_376));
      return 0;
    },
    cuTensorMapEncodeTiled: (...told: unknown[]) => {
      const [to, type, rank, matrix, dims, strides, box] = told as [
        ...[bigint, number, number, bigint],
        ...[BigUint64Array, BigUint64Array, Uint32Array],
      ];
      assert.deepEqual([to % 64n, strides[0]! % 16n, matrix % 16n], [0n, 0n, 0n]);
      if (rank === 3) {
        // 32 values of some tokens at once, and so on through a head, in parts of 64 bytes.
        assert.deepEqual([type === 6 || type === 9, told[9], dims[0], strides[1]], [
          ...[true, 2],
          ...[32n, 64n],
        ]);
        assert.deepEqual([box[0], box[1]! <= 256], [32, true]);
        const [, tokens, parts] = dims;
        new BigUint64Array(memoryAt(to, 128)).set([matrix, strides[0]!, tokens!, parts!]);
        new Uint32Array(memoryAt(to + 32n, 8)).set(box.subarray(1));
        return 0;
      }
      // bfloat16, rows one after the other, tiles of 128 bytes across, whose parts are swizzled.
      assert.deepEqual([type, rank, told[9]], [9, 2, 3]);
      assert.equal(strides[0], 2n * dims[0]!);
      assert.deepEqual([...box], [64, 128]);
      new BigUint64Array(memoryAt(to, 128)).set([matrix, ...dims]);
      return 0;
    },
    cuMemAllocHost_v2: (place: BigUint64Array, bytes: bigint) => {
      const block = new Uint8Array(new ArrayBuffer(Number(bytes)));
      place[0] = addressOf(block);
      host.set(place[0]!, block);
      return 0;
    },
    cuMemFreeHost: (address: bigint) => (assert(host.delete(address)), 0),
    cuStreamCreate: (place: BigUint64Array) => {
      streams.add(place[0] = BigInt(100 + streams.size));
      return 0;
    },
    cuStreamSynchronize: (stream: bigint) => (assert(streams.has(stream)), 0),
    cuStreamDestroy_v2: (stream: bigint) => (assert(streams.delete(stream)), 0),
    cuMemcpyHtoDAsync_v2: (to: bigint, from: bigint, bytes: bigint, stream: bigint) => {
      assert(streams.has(stream));
      new Uint8Array(memoryAt(to, Number(bytes))).set(
        new Uint8Array(memoryAt(from, Number(bytes))),
      );
      return 0;
    },
    cuCtxSynchronize: () => 0,
    cuMemcpyHtoD_v2: (to: bigint, from: Float32Array<ArrayBuffer>, bytes: bigint) => {
      new Float32Array(memoryAt(to, Number(bytes))).set(from);
      return 0;
    },
    cuMemcpyDtoH_v2: (to: Float32Array<ArrayBuffer>, from: bigint, bytes: bigint) => {
      to.set(new Float32Array(memoryAt(from, Number(bytes))));
      return 0;
    },
    cublasCreate_v2: (place: BigUint64Array) => (place[0] = 8n, 0),
    cublasSetStream_v2: () => 0,
    cuMemGetInfo_v2: (free: BigUint64Array, total: BigUint64Array) => {
      free[0] = BigInt(memory.free);
      total[0] = BigInt(memory.total);
      return 0;
    },
    cuMemAlloc_v2: (place: BigUint64Array, bytes: bigint) => {
      if (Number(bytes) > memory.free) return 2;
      const block = new Uint8Array(new ArrayBuffer(Number(bytes)));
      place[0] = addressOf(block);
      memory.blocks.set(place[0]!, block);
      memory.free -= block.length;
      return 0;
    },
    cuMemFree_v2: (address: bigint) => {
      memory.free += memory.blocks.get(address)!.length;
      memory.blocks.delete(address);
      return 0;
    },
    cuMemcpyDtoDAsync_v2: (to: bigint, from: bigint, bytes: bigint) => {
      new Uint8Array(memoryAt(to, Number(bytes))).set(
        new Uint8Array(memoryAt(from, Number(bytes))),
      );
      return 0;
    },
    cuModuleGetFunction: (place: BigUint64Array, module: bigint, name: Uint8Array) => {
      const assembly = assemblyOf(modules[Number(module) - FIRST_MODULE]!.module);
      place[0] = BigInt(
        kernels.push({ assembly, name: new TextDecoder().decode(name.slice(0, -1)) }),
      );
      return 0;
    },
    cuLaunchKernel: (...told: unknown[]) => {
      const [index, blocks, , , threads] = told as [bigint, number, number, number, number];
      const table = told[9] as BigUint64Array;
      const { assembly, name: kernel } = kernels[Number(index) - 1]!;
      started.push({ kernel, blocks, threads });
      const kinds = parametersOf(assembly, kernel);
      assert.equal(kinds.length, table.length, kernel);
      const values = kinds.map((kind, index) => {
        if (kind === "b8") return table[index]!;
        const slot = new DataView(memoryAt(table[index]!, 8));
        if (kind === "f32") return slot.getFloat32(0, true);
        return kind === "u32" ? slot.getInt32(0, true) : slot.getBigUint64(0, true);
      });
      const [, name, , type] = /^(\w+?)(_32|_64|_any|_96|_160|_256)?_(bf16|f16|f32)$/.exec(kernel)!;
      KERNELS[name as keyof typeof KERNELS](TYPES[type as keyof typeof TYPES], values, {
        blocks,
        threads,
      });
      return 0;
    },
    cublasGemmStridedBatchedEx: (...told: unknown[]) => {
      products.push(told[20] as number);
      gemm(told);
      return 0;
    },
  };
  const check = (status: number, doing: string) => {
    if (status === 2) throw new Error(`CUDA could not ${doing}: out of memory`);
    assert.equal(status, 0);
  };
  return {
    driver: { functions, check } as unknown as CudaDriver,
    modules,
    started,
    products,
    rooms: memory.blocks,
    host,
    streams,
  };
}

interface Extent {
  readonly blocks: number;
  readonly threads: number;
}

type Values = readonly (bigint | number)[];

const TYPES = {
  ...HALVES,
  f32: {
    read: (address: bigint, count: number) => {
      return new Float32Array(memoryAt(address, 4 * count)).slice();
    },
    write: (address: bigint, values: Float32Array) => {
      new Float32Array(memoryAt(address, 4 * values.length)).set(values);
    },
  },
};

/** A product in 8 bits, with as many rows of both in a tile as a kernel has. */
function int8Product(half: Half, values: Values, isGated: boolean): void {
  const [a, rowScales, matrix, columnScales, out] = values as bigint[];
  const [rows, paddedRows, columns, paddedColumns, runs, band] = values.slice(5) as number[];
  assert(paddedRows! % 128 === 0 && paddedRows! >= rows! && paddedColumns! % 8 === 0 && band! > 0);
  const width = runs! * 128;
  const left = { values: a!, scales: rowScales!, paddedRows: paddedRows! };
  const right = { values: matrix!, scales: columnScales!, paddedRows: paddedColumns! };
  const products = productsOf(readRows(left, rows!, width), readRows(right, columns!, width));
  half.write(out!, Float32Array.from(products.flatMap((row) => isGated ? gated(row) : row)));
}

/** What kernels.cu says, one value after another. */
const KERNELS = {
  norm_add_norm(half: Half, values: Values, { blocks, threads }: Extent) {
    const [a, x, inner, outer, sum, normalised] = values as bigint[];
    const [width, epsilon] = values.slice(6) as number[];
    assert(threads % 32 === 0 && threads * 8 >= width! && threads <= 1024);
    const count = blocks * width!;
    const [as, xs] = [half.read(a!, count), half.read(x!, count)];
    const [inners, outers] = [half.read(inner!, width!), half.read(outer!, width!)];
    const [sums, results] = [new Float32Array(count), new Float32Array(count)];
    for (let row = 0; row < count; row += width!) {
      const scale = (list: Float32Array) => {
        const squares = list.subarray(row, row + width!).reduce((sum, v) => sum + v * v, 0);
        return 1 / Math.sqrt(squares / width! + epsilon!);
      };
      const first = scale(as);
      for (let i = 0; i < width!; i++) {
        sums[row + i] = xs[row + i]! + as[row + i]! * first * inners[i]!;
      }
      const second = scale(sums);
      for (let i = 0; i < width!; i++) results[row + i] = sums[row + i]! * second * outers[i]!;
    }
    half.write(sum!, sums);
    half.write(normalised!, results);
  },

  norm_add_norm_int8(half: Half, values: Values, extent: Extent) {
    const [a, x, inner, outer, sum, int8, scales] = values as bigint[];
    const [width, paddedRows, epsilon] = values.slice(7) as [number, number, number];
    const rows = extent.blocks;
    const normalised = new Uint8Array(rows * width * 2);
    const place = addressOf(normalised);
    const usual = [a!, x!, inner!, outer!, sum!, place, width, epsilon];
    KERNELS.norm_add_norm(half, usual, extent);
    // The kernel rounds once: what it normalised is not rounded to 16 bits before.
    const found = half.read(place, rows * width);
    for (let row = 0; row < rows; row++) {
      const data = found.subarray(row * width, (row + 1) * width);
      writeRow({ values: int8!, scales: scales!, paddedRows }, row, data);
    }
  },

  quantize_rows(half: Half, values: Values, { blocks, threads }: Extent) {
    const [x, int8, scales] = values as bigint[];
    const [width, paddedRows, first, run, stride] = values.slice(3) as number[];
    assert(threads % 32 === 0 && threads <= 512 && threads * 32 >= width! && width! % 64 === 0);
    const data = half.read(x!, blocks * width!);
    for (let block = 0; block < blocks; block++) {
      const row = Math.floor(block / run!) * stride! + block % run! + first!;
      const place = { values: int8!, scales: scales!, paddedRows: paddedRows! };
      writeRow(place, row, data.subarray(block * width!, (block + 1) * width!));
    }
  },

  restore_rows(half: Half, values: Values, { blocks, threads }: Extent) {
    const [int8, scales, out] = values as bigint[];
    const [width, paddedRows] = values.slice(3) as [number, number];
    assert(threads % 32 === 0 && threads <= 1024 && width % 64 === 0);
    const rows = restoredRows(
      { values: int8!, scales: scales!, paddedRows },
      blocks,
      width,
    );
    half.write(out!, Float32Array.from(rows.flatMap((row) => [...row])));
  },

  gated_product(half: Half, values: Values, { blocks, threads }: Extent) {
    const [x, gate, value] = (values as bigint[]).slice(0, 3).map((map) => {
      const [matrix, columns, rows] = new BigUint64Array(memoryAt(map, 24));
      const [width, count] = [Number(columns), Number(rows)];
      const data = half.read(matrix!, count * width);
      return Array.from(
        { length: count },
        (_, row) => Float64Array.from(data.subarray(row * width, (row + 1) * width)),
      );
    });
    const [rows, width, runs, band] = values.slice(4) as number[];
    assert.deepEqual([rows, width, threads], [x!.length, gate!.length, 384]);
    assert(runs! * 64 >= x![0]!.length && band! > 0 && blocks > 0);
    const gates = productsOf(x!, gate!).flat();
    const products = productsOf(x!, value!).flat();
    const out = gates.map((value, index) => value / (1 + Math.exp(-value)) * products[index]!);
    half.write(values[3] as bigint, Float32Array.from(out));
  },

  int8_product: (half: Half, values: Values, _extent: Extent) => int8Product(half, values, false),

  int8_gated_product: (half: Half, values: Values, _extent: Extent) =>
    int8Product(half, values, true),

  split_heads(half: Half, values: Values, { blocks, threads }: Extent) {
    const [qkv, queryWeight, keyWeight, cos, sin, q, k, v] = values as bigint[];
    const [tokens, heads, kvHeads, headDim, epsilon] = values.slice(8) as number[];
    const all = heads! + 2 * kvHeads!;
    const group = heads! / kvHeads!;
    const source = half.read(qkv!, tokens! * all * headDim!);
    const weights = [queryWeight, keyWeight].map((at) => half.read(at!, headDim!));
    const tables = [cos, sin].map((at) =>
      new Float32Array(memoryAt(at!, tokens! * headDim! * 2)).slice()
    );
    // Without a place for values they are left where they are, and keys are written once.
    const copies = v === 0n ? 1 : group;
    const written = v === 0n ? [heads!, kvHeads!] : [heads!, heads!, heads!];
    const out = written.map((count) => new Float32Array(tokens! * count * headDim!));
    // One warp a head of a token.
    const taken = v === 0n ? heads! + kvHeads! : all;
    const units = Math.min(blocks * threads / 32, tokens! * taken);
    for (let unit = 0; unit < units; unit++) {
      const [token, head] = [Math.floor(unit / taken), unit % taken];
      const part = head < heads! ? 0 : head < heads! + kvHeads! ? 1 : 2;
      const at = token * all + head;
      let x = source.slice(at * headDim!, (at + 1) * headDim!);
      if (part < 2) {
        const squares = x.reduce((sum, value) => sum + value * value, 0);
        const scale = 1 / Math.sqrt(squares / headDim! + epsilon!);
        const normed = x.map((value, i) => value * scale * weights[part]![i]!);
        x = normed.map((value, i) => {
          const pair = token * headDim! / 2 + (i >> 1);
          const [c, s] = [tables[0]![pair]!, tables[1]![pair]!];
          return i % 2 === 0 ? value * c - normed[i + 1]! * s : normed[i - 1]! * s + value * c;
        });
      }
      const first = part === 0 ? head : (head - heads! - (part === 2 ? kvHeads! : 0)) * copies;
      for (let copy = 0; copy < (part === 0 ? 1 : copies); copy++) {
        out[part]!.set(x, (token * written[part]! + first + copy) * headDim!);
      }
    }
    out.forEach((data, index) => half.write([q, k, v][index]!, data));
  },

  attend(half: Half, values: Values, { blocks, threads }: Extent) {
    const held = (map: bigint): HeldHeads => {
      const [matrix, stride, tokens, parts] = new BigUint64Array(memoryAt(map, 32));
      const box = [...new Uint32Array(memoryAt(map + 32n, 8))];
      const row = (token: number) =>
        half.read(matrix! + stride! * BigInt(token), 32 * Number(parts));
      return { rows: Array.from({ length: Number(tokens) }, (_, token) => row(token)), box };
    };
    const [q, k, v] = values as [bigint, bigint, bigint];
    const [queries, keys, heldValues] = [held(q), held(k), held(v)];
    const [out, found] = values.slice(3, 5) as bigint[];
    const [tokens, heads, kvHeads, factor, whole, share] = values.slice(5) as number[];
    const headDim = queries.rows[0]!.length / heads!;
    assert.deepEqual([threads, queries.rows.length, keys.rows.length], [384, tokens, tokens]);
    assert.deepEqual([queries.box, keys.box, heldValues.box], [
      [64, headDim / 32],
      [128, headDim / 32],
      [128, headDim / 32],
    ]);
    const tiles = new AttentionTiles(tokens!, heads!, kvHeads!);
    const result = half.read(out!, tokens! * heads! * headDim);
    /** Of a row, over the keys of some steps: the largest score, the sum of powers, sums of values. */
    const over = ({ token, head, kvHead }: AttentionRow, first: number, last: number) => {
      const query = queries.rows[token]!;
      const [from, heldFrom] = [head * headDim, kvHead * headDim];
      const scores = keys.rows.slice(first * 128, last * 128).map((row) => {
        let score = 0;
        for (let i = 0; i < headDim; i++) score += query[from + i]! * row[heldFrom + i]!;
        return factor! * score;
      });
      const top = Math.max(...scores);
      const powers = scores.map((score) => 2 ** (score - top));
      const sums = new Float32Array(headDim);
      powers.forEach((power, key) => {
        const row = heldValues.rows[first * 128 + key]!;
        for (let i = 0; i < headDim; i++) sums[i]! += power * row[heldFrom + i]!;
      });
      return { top, sum: powers.reduce((sum, power) => sum + power, 0), sums };
    };
    for (let tile = 0; tile < whole!; tile++) {
      for (const row of tiles.rows(tile)) {
        if (row === undefined) continue;
        const { sum, sums } = over(row, 0, tiles.steps);
        result.set(sums.map((value) => value / sum), (row.token * heads! + row.head) * headDim);
      }
    }
    half.write(out!, result);
    const shared = tiles.count - whole!;
    if (shared === 0) return;
    assert(share! <= tiles.steps && share! * blocks >= shared * tiles.steps);
    for (let block = 0; block < blocks; block++) {
      const end = Math.min((block + 1) * share!, shared * tiles.steps);
      for (let at = block * share!, place = 2 * block; at < end; place++) {
        const tile = Math.floor(at / tiles.steps);
        const first = at % tiles.steps;
        const last = Math.min(tiles.steps, first + end - at);
        at += last - first;
        tiles.rows(whole! + tile).forEach((row, index) => {
          if (row === undefined) return;
          const { top, sum, sums } = over(row, first, last);
          const { sums: sumsAt, scales } = foundAt(found!, place, index, headDim);
          TYPES.f32.write(sumsAt, sums);
          TYPES.f32.write(scales, Float32Array.of(top, sum));
        });
      }
    }
  },

  join_attended(half: Half, values: Values, { blocks, threads }: Extent) {
    const [found, out] = values as bigint[];
    const [tokens, heads, kvHeads, whole, share] = values.slice(2) as number[];
    const tiles = new AttentionTiles(tokens!, heads!, kvHeads!);
    const shared = tiles.count - whole!;
    // A thread has four values.
    const headDim = Math.floor(blocks * threads * 4 / (shared * 128)) & ~31;
    for (let tile = 0; tile < shared; tile++) {
      const first = Math.floor(tile * tiles.steps / share!);
      const last = Math.floor(((tile + 1) * tiles.steps - 1) / share!);
      tiles.rows(whole! + tile).forEach((row, index) => {
        if (row === undefined) return;
        const parts = Array.from({ length: last - first + 1 }, (_, i) => {
          const block = first + i;
          const place = 2 * block + tile - Math.floor(block * share! / tiles.steps);
          const { sums, scales } = foundAt(found!, place, index, headDim);
          const [top, sum] = TYPES.f32.read(scales, 2);
          return { top: top!, sum: sum!, sums: TYPES.f32.read(sums, headDim) };
        });
        const top = Math.max(...parts.map((part) => part.top));
        const sum = parts.reduce((sum, part) => sum + part.sum * 2 ** (part.top - top), 0);
        const joined = new Float32Array(headDim).map((_, i) => {
          return parts.reduce((sum, part) => sum + part.sums[i]! * 2 ** (part.top - top), 0) / sum;
        });
        half.write(out! + BigInt(2 * (row.token * heads! + row.head) * headDim), joined);
      });
    }
  },

  swiglu(half: Half, values: Values, { blocks, threads }: Extent) {
    const [gate, x, out, vectors] = values as bigint[];
    const count = 8 * Math.min(blocks * threads, Number(vectors));
    const gates = half.read(gate!, count);
    const xs = half.read(x!, count);
    half.write(out!, gates.map((value, i) => value / (1 + Math.exp(-value)) * xs[i]!));
  },

  add_thin(half: Half, values: Values, { blocks, threads }: Extent) {
    const [matrix, up, down, strength, out] = values as bigint[];
    const [rows, columns, rank, blockRows] = values.slice(5) as [number, number, number, number];
    assert.deepEqual([blocks, threads, rank % 32, blockRows % 16], [
      Math.ceil(rows / blockRows) * Math.ceil(columns / 128),
      128,
      0,
      0,
    ]);
    const [ups, downs] = [half.read(up!, rows * rank), half.read(down!, columns * rank)];
    const strengths = new Float32Array(memoryAt(strength!, rank * 4));
    half.write(
      out!,
      half.read(matrix!, rows * columns).map((value, index) => {
        const [row, column] = [Math.floor(index / columns), index % columns];
        const left = ups.subarray(row * rank, (row + 1) * rank);
        const right = downs.subarray(column * rank, (column + 1) * rank);
        return value + thinProduct(left, right, strengths);
      }),
    );
  },

  adapted_swiglu(half: Half, values: Values, { blocks, threads }: Extent) {
    const [gate, x, low, gateUp, xUp, strength, out] = values as bigint[];
    const [rows, columns, rank, blockRows] = values.slice(7) as [number, number, number, number];
    assert.deepEqual([blocks, threads, rank % 32, blockRows % 16], [
      Math.ceil(rows / blockRows) * Math.ceil(columns / 128),
      128,
      0,
      0,
    ]);
    const lows = half.read(low!, rows * 2 * rank);
    const strengths = new Float32Array(memoryAt(strength!, 2 * rank * 4));
    const halves = [[gate!, gateUp!], [x!, xUp!]].map(([products, up], which) => {
      const ups = half.read(up!, columns * rank);
      return half.read(products!, rows * columns).map((value, index) => {
        const [row, column] = [Math.floor(index / columns), index % columns];
        const start = (2 * row + which) * rank;
        return value + thinProduct(
          lows.subarray(start, start + rank),
          ups.subarray(column * rank, (column + 1) * rank),
          strengths.subarray(which * rank, (which + 1) * rank),
        );
      });
    });
    half.write(
      out!,
      halves[0]!.map((value, i) => value / (1 + Math.exp(-value)) * halves[1]![i]!),
    );
  },
};

interface HeldHeads {
  /** A token each. */
  readonly rows: readonly Float32Array[];
  readonly box: readonly number[];
}

interface AttentionRow {
  readonly token: number;
  readonly head: number;
  readonly kvHead: number;
}

/** Tiles of 128 queries, 64 and 64 of a head each, through all heads that share keys. */
class AttentionTiles {
  readonly steps: number;
  readonly count: number;
  readonly #each: number;

  constructor(readonly tokens: number, readonly heads: number, readonly kvHeads: number) {
    this.steps = Math.ceil(tokens / 128);
    this.#each = Math.ceil(Math.ceil(tokens / 64) * heads / kvHeads / 2);
    this.count = this.#each * kvHeads;
  }

  /** Of a tile's 128 rows those that there are. */
  rows(tile: number): (AttentionRow | undefined)[] {
    const kvHead = Math.floor(tile / this.#each);
    const units = Math.ceil(this.tokens / 64);
    return Array.from({ length: 128 }, (_, row) => {
      const unit = tile % this.#each * 2 + (row >> 6);
      const head = Math.floor(unit / units);
      const token = unit % units * 64 + row % 64;
      if (token >= this.tokens || head >= this.heads / this.kvHeads) return undefined;
      return { token, head: kvHead * this.heads / this.kvHeads + head, kvHead };
    });
  }
}

/** Where a block leaves what it found of one row of a tile that others share. */
function foundAt(found: bigint, place: number, row: number, headDim: number) {
  const base = found + BigInt(4 * (2 * place + (row >> 6)) * 64 * (headDim + 2));
  return {
    sums: base + BigInt(4 * headDim * (row % 64)),
    scales: base + BigInt(4 * (64 * headDim + 2 * (row % 64))),
  };
}

/** left · strength · rightᵀ, of one row and column. */
function thinProduct(
  left: Float32Array,
  right: Float32Array,
  strength: Float32Array,
): number {
  return left.reduce((sum, value, r) => sum + value * strength[r]! * right[r]!, 0);
}

/** C = A · B by columns, with the first transposed, as cuBLAS documents it. */
function gemm(told: readonly unknown[]): void {
  const numbers = told as number[];
  const places = told as bigint[];
  const [, transposeA, transposeB, m, n, k] = numbers as [number, ...number[]];
  assert.deepEqual([transposeA, transposeB], [1, 0]);
  const alpha = (told[6] as Float32Array)[0]!;
  const beta = (told[15] as Float32Array)[0]!;
  const half = HALVES[numbers[8] === 14 ? "bf16" : "f16"];
  assert.deepEqual([numbers[12], numbers[17]], [numbers[8], numbers[8]]);
  assert.deepEqual([numbers[9], numbers[13], numbers[18], numbers[21]], [k, k, m, 68]);
  for (let batch = 0; batch < numbers[20]!; batch++) {
    const at = (place: bigint, stride: bigint) => place + 2n * stride * BigInt(batch);
    const a = half.read(at(places[7]!, places[10]!), m! * k!);
    const b = half.read(at(places[11]!, places[14]!), n! * k!);
    const c = half.read(at(places[16]!, places[19]!), m! * n!).map((value) => beta * value);
    for (let column = 0; column < n!; column++) {
      for (let row = 0; row < m!; row++) {
        let sum = 0;
        for (let i = 0; i < k!; i++) sum += a[row * k! + i]! * b[column * k! + i]!;
        c[column * m! + row] = (beta === 0 ? 0 : c[column * m! + row]!) + alpha * sum;
      }
    }
    half.write(at(places[16]!, places[19]!), c);
  }
}
