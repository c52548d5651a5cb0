/** Where ONNX Runtime's native libraries lie. */
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { platformFolder } from "../integrity/platform_folder.ts";

/** The libraries that make up the CUDA provider. */
export const CUDA_PROVIDER_FILES = [
  "libonnxruntime_providers_cuda.so",
  "libonnxruntime_providers_shared.so",
] as const;

/** The folder of the package onnxruntime-node. */
export const ONNX_RUNTIME_PACKAGE = fileURLToPath(
  new URL("../../node_modules/onnxruntime-node", import.meta.url),
);

/** Where the libraries for a system lie. */
export function bindingFolder(
  system: { readonly os: string; readonly arch: string },
): string {
  return posix.join(ONNX_RUNTIME_PACKAGE, "bin/napi-v6", platformFolder(system));
}
