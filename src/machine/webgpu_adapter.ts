/**
 * The adapter that WebGPU would compute on, as Deno's own WebGPU names it. ONNX Runtime brings
 * another WebGPU (Dawn), which takes the same one and does not say which.
 *
 * @module
 */

/** A GPU, or a program that imitates one, in WebGPU's words. */
export interface AdapterFacts {
  /** Such as `NVIDIA H200` or `SwiftShader Device (Subzero)`. */
  readonly name: string;
  /** Whether it is a program on the processor. */
  readonly isSoftware: boolean;
  /**
   * Whether it computes in float16 (the feature `shader-f16`); `undefined` on Windows, where Deno's
   * WebGPU never says so: its compiler for Direct3D 12 (FXC) has no 16 bits, ONNX Runtime's has.
   */
  readonly hasFloat16: boolean | undefined;
  /** The largest buffer, in bytes; a card has at least so much memory. */
  readonly maxBufferBytes: number;
  /** The largest part of a buffer that a shader can be given, in bytes. */
  readonly maxBindingBytes: number;
}

/**
 * Asks for the adapter of highest performance.
 *
 * @param os The system that Deno runs on.
 * @returns `undefined` where there is none: no driver for Vulkan, Direct3D 12 or Metal, or on Linux
 *   no loader (libvulkan.so.1).
 */
export async function readAdapter(
  os: string = Deno.build.os,
): Promise<AdapterFacts | undefined> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return undefined;
  const { info, limits, features } = adapter;
  return {
    name: [info.description, info.device, info.vendor].find((text) => text) ?? "WebGPU",
    isSoftware: info.isFallbackAdapter || SOFTWARE.test(info.description),
    hasFloat16: features.has("shader-f16") || (os === "windows" ? undefined : false),
    maxBufferBytes: limits.maxBufferSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
  };
}

/** Mesa's, Google's and Microsoft's drivers for a processor; not all of them say so of themselves. */
const SOFTWARE = /llvmpipe|swiftshader|basic render/i;

/** Whether an adapter is worth taking without being asked for: a program is slower than the CPU itself. */
export function isCard(adapter: AdapterFacts | undefined): adapter is AdapterFacts {
  return adapter !== undefined && !adapter.isSoftware;
}

/** Drivers of Linux's kernel for cards that can compute. */
const CARD_DRIVERS = ["amdgpu", "radeon", "i915", "xe", "nvidia", "nouveau"];

/**
 * Whether there is a display card, so that asking for an adapter is worth the while: without one,
 * libraries that look for it complain on stderr. Only Linux says so without being asked for one.
 */
export async function hasDisplayCard(host: {
  system(): { readonly os: string; readonly release: string };
  readText(path: string): Promise<string | undefined>;
}): Promise<boolean> {
  const { os, release } = host.system();
  if (os !== "linux" || /microsoft/i.test(release)) return true;
  const list = await host.readText("/proc/bus/pci/devices") ?? "";
  return list.split("\n").some((line) => CARD_DRIVERS.includes(line.split("\t").at(-1)!.trim()));
}
