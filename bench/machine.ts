import { cpus } from "node:os";

/** Which machine and versions a benchmark's numbers belong to. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
  readonly deno: string;
  readonly onnxruntime: string;
}

/** Describes this machine; needs `sys` permissions. */
export async function describeMachine(): Promise<Machine> {
  const manifest = await Deno.readTextFile("node_modules/onnxruntime-node/package.json");
  return {
    cpu: cpus()[0]?.model ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryGiB: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    os: Deno.build.os,
    deno: Deno.version.deno,
    onnxruntime: JSON.parse(manifest).version,
  };
}
