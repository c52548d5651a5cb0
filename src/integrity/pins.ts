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
  /** Major versions of CUDA and cuDNN, whose libraries it asks for by name. */
  cuda: 13,
  cudnn: 9,
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

/** An image to build on, told by the digest of its manifest for one platform. */
export interface PinnedImage {
  readonly name: string;
  /** The manifest's digest. The same name may mean other bytes tomorrow, and is for people. */
  readonly digest: string;
  readonly platform: string;
}

/**
 * What the image is built on. Both are Ubuntu 24.04: the same glibc and libstdc++ under the same
 * libraries, with CUDA and without.
 */
export const BASE_IMAGES = {
  cuda: {
    name: "nvidia/cuda:13.0.3-cudnn-runtime-ubuntu24.04",
    digest: "sha256:af851538a2bb05f587f27b660d61de3643d964e75ef5c04f4086ff2b36f2a12a",
    platform: "linux/amd64",
  },
  cpu: {
    name: "ubuntu:noble-20260911",
    digest: "sha256:496754492fb28b4d3049432f2ca787449331e23fb14f0dd3fffea86bf5a93eb4",
    platform: "linux/amd64",
  },
} as const satisfies Record<string, PinnedImage>;

/** Deno for Linux on x86_64 with glibc, as its own npm package carries it. */
export const DENO = {
  package: "@deno/linux-x64-glibc",
  /** The platform, as Deno names it. */
  target: "x86_64-unknown-linux-gnu",
  version: "2.9.6",
  tarball: {
    bytes: 42_285_097,
    /** As the npm registry publishes it: SHA-512, base64. */
    integrity:
      "sha512-3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==",
  },
  /** Where the binary lies in the tarball. */
  folder: "package",
  binary: {
    name: "deno",
    bytes: 95_600_728,
    sha256: "bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0",
  },
} as const;

/**
 * tini, the container's first process: it passes signals on and removes ended child processes. From
 * Debian 12.
 */
export const TINI = {
  version: "0.19.0-1+b3",
  package: {
    name: "tini_0.19.0-1+b3_amd64.deb",
    bytes: 267_204,
    sha256: "7d1947665fa40e55f218fefad773dc6de66458d0b39eaa292cdcadfc7c996632",
  },
  /** Where the binary lies in the package. */
  folder: "usr/bin",
  /** The static build: it needs no library of the base image. */
  binary: {
    name: "tini-static",
    bytes: 708_080,
    sha256: "91d7ee6af31b344e16231ff242cc643dcc3a7b6812ce095ab1ae4075c12c967b",
  },
} as const;

/** onnxruntime-node, and the library that it loads. */
export const ONNX_RUNTIME = { version: "1.29.0" } as const;
