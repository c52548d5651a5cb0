/** Values of 16 bits in memory. */
import { memoryAt } from "../../src/runtime/native/c_api.ts";

/** One of the two types. */
export interface Half {
  read(address: bigint, count: number): Float32Array;
  write(address: bigint, values: Float32Array): void;
}

/** Both, by the ending of the kernels' names. */
export const HALVES: Readonly<Record<"bf16" | "f16", Half>> = {
  bf16: {
    read(address, count) {
      const bits = new Uint16Array(memoryAt(address, 2 * count));
      return new Float32Array(Uint32Array.from(bits, (value) => value << 16).buffer);
    },
    write(address, values) {
      const bits = new Uint32Array(values.slice().buffer);
      // To the nearest, ties to even.
      const rounded = Uint16Array.from(
        bits,
        (value) => (value + 0x7fff + (value >>> 16 & 1)) >>> 16,
      );
      new Uint16Array(memoryAt(address, 2 * values.length)).set(rounded);
    },
  },
  f16: {
    read: (address, count) => Float32Array.from(new Float16Array(memoryAt(address, 2 * count))),
    write: (address, values) => new Float16Array(memoryAt(address, 2 * values.length)).set(values),
  },
};
