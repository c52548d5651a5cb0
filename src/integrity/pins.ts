/** A file of which every byte is known. */
export interface PinnedFile {
  readonly name: string;
  readonly bytes: number;
  /** 64 hexadecimal digits, as `sha256sum` prints them. */
  readonly sha256: string;
}

/**
 * ONNX Runtime's CUDA provider, as an npm package carries it. The package is not in deno.json: it
 * is large, and whoever computes on a CPU never needs it. This stands in for its line in deno.lock.
 */
export const CUDA_PROVIDER = {
  package: "com.github.asus4.onnxruntime.linux-x64-gpu",
  version: "0.4.9",
  /** The version of onnxruntime-node that the libraries were built with. */
  onnxruntime: "1.29.0",
  tarball: {
    bytes: 179_145_956,
    /** As the npm registry publishes it: SHA-512, base64. */
    integrity:
      "sha512-FopIhNE/Ng+v2X65wVc9clPCBCvhvA53Hxo2U0Kf5fGdVsC7iCA+mZ0KLWggcQAj7TIZ6pNidR4AC10g74Xo6w==",
  },
  /** Where the libraries lie in the tarball. */
  folder: "package/Plugins/Linux/x64",
  /** In the order in which they are put in place: ONNX Runtime looks for the last. */
  libraries: [
    {
      name: "libonnxruntime_providers_shared.so",
      bytes: 14_632,
      sha256: "c6a12593396095f5670160e284c35d1700b7708cf3037b7042e2a5200ccae772",
    },
    {
      name: "libonnxruntime_providers_cuda.so",
      bytes: 229_780_440,
      sha256: "56cf3254b118ad837ccc4ed8f6d1b23504bbf7ef91b34cbc0b289cb7f10b3037",
    },
  ] as readonly PinnedFile[],
} as const;
