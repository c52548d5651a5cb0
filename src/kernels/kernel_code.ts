/**
 * The kernels of this folder as they were compiled: assembly, which a driver translates for its GPU, and
 * machine code for the GPUs that people have, which it takes as it is.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import hopperAttentionCode from "./hopper_attention.cubins" with { type: "text" };
import hopperAttention from "./hopper_attention.ptx" with { type: "text" };
import hopperGatedCode from "./hopper_gated.cubins" with { type: "text" };
import hopperGated from "./hopper_gated.ptx" with { type: "text" };
import hopperInt8Code from "./hopper_int8.cubins" with { type: "text" };
import hopperInt8 from "./hopper_int8.ptx" with { type: "text" };
import int8Code from "./int8.cubins" with { type: "text" };
import int8 from "./int8.ptx" with { type: "text" };
import kernelsCode from "./kernels.cubins" with { type: "text" };
import kernels from "./kernels.ptx" with { type: "text" };

/** A file's assembly, and its machine code by GPU. */
interface KernelCode {
  readonly ptx: string;
  /** A line with what it was made from, and then one for each kind of GPU: `sm_80 `, gzip in base64. */
  readonly cubins: string;
}

const CODE = {
  kernels: { ptx: kernels, cubins: kernelsCode },
  int8: { ptx: int8, cubins: int8Code },
  hopper_attention: { ptx: hopperAttention, cubins: hopperAttentionCode },
  hopper_gated: { ptx: hopperGated, cubins: hopperGatedCode },
  hopper_int8: { ptx: hopperInt8, cubins: hopperInt8Code },
} as const satisfies Readonly<Record<string, KernelCode>>;

/** One of the files. */
export type KernelModule = keyof typeof CODE;

/** All files. */
export const KERNEL_MODULES = Object.keys(CODE) as KernelModule[];

/** A file's assembly. */
export function assemblyOf(module: KernelModule): string {
  return CODE[module].ptx;
}

/** The GPUs, such as `sm_80` or `sm_90a`, for which there is machine code of a file. */
export function machinesOf(module: KernelModule): readonly string[] {
  return linesOf(module).map(([machine]) => machine);
}

/**
 * A file's machine code.
 *
 * @param capability The GPU's compute capability, such as `8.9`: machine code of another one, even where
 *   it would run, is not what its driver would make.
 * @returns `undefined` where there is none for it.
 */
export function machineCodeOf(
  module: KernelModule,
  capability: string,
): Uint8Array<ArrayBuffer> | undefined {
  const name = `sm_${capability.replace(".", "")}`;
  const found = linesOf(module).find(([machine]) => machine.replace(/a$/, "") === name);
  return found && new Uint8Array(gunzipSync(Uint8Array.fromBase64(found[1])));
}

function linesOf(module: KernelModule): readonly (readonly [machine: string, code: string])[] {
  const [, ...lines] = CODE[module].cubins.trimEnd().split("\n");
  return lines.map((line) => line.split(" ") as [string, string]);
}
