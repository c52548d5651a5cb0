/** Where ONNX Runtime's native libraries lie. */
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

/** The libraries that make up the CUDA provider. */
export const CUDA_PROVIDER_FILES = [
  "libonnxruntime_providers_cuda.so",
  "libonnxruntime_providers_shared.so",
] as const;

/** The folder of the package onnxruntime-node. */
export const ONNX_RUNTIME_PACKAGE = fileURLToPath(
  new URL("../../node_modules/onnxruntime-node", import.meta.url),
);
/** The names that the package gives to systems and architectures. */
const NODE_PLATFORM: Readonly<Record<string, string>> = { windows: "win32" };
const NODE_ARCH: Readonly<Record<string, string>> = { x86_64: "x64", aarch64: "arm64" };

/** Where the libraries for a system lie. */
export function bindingFolder(
  { os, arch }: { readonly os: string; readonly arch: string },
): string {
  return posix.join(
    ONNX_RUNTIME_PACKAGE,
    "bin/napi-v6",
    NODE_PLATFORM[os] ?? os,
    NODE_ARCH[arch] ?? arch,
  );
}
