import { posix } from "node:path";
import {
  bindingFolder,
  CUDA_PROVIDER_FILES,
  ONNX_RUNTIME_PACKAGE,
} from "../runtime/binding_folder.ts";
import { neededLibraries } from "./_elf.ts";
import type { Host } from "./host.ts";
import { findLibraries, type LibrarySearch } from "./libraries.ts";

/** ONNX Runtime's native binding, and the CUDA provider beside it. */
export interface BindingFacts {
  /** The package's version; absent when it is not installed. */
  readonly version?: string;
  /** Where the binding's libraries lie. */
  readonly folder: string;
  /** Why a tiny graph could not be run on the CPU; absent when it could. */
  readonly failure?: string;
  readonly cuda: {
    /** Whether both of the provider's libraries lie beside the binding. */
    readonly provider: boolean;
    /** The libraries that the provider needs, from its own list or, while it is absent, ours. */
    readonly libraries: LibrarySearch;
  };
}

/**
 * What the provider of ONNX Runtime 1.29 for CUDA 13 lists in its DT_NEEDED, less the C and C++
 * runtimes, which the binding itself cannot do without.
 */
const CUDA_LIBRARIES = [
  "libcuda.so.1",
  "libcudart.so.13",
  "libcublas.so.13",
  "libcublasLt.so.13",
  "libcurand.so.10",
];
/** It opens cuDNN when it starts, so no list in the file names it. */
const OPENED_LATER = ["libcudnn.so.9"];
const RUNTIME_LIBRARIES =
  /^(lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|onnxruntime\w*)\.so|ld-linux|linux-vdso)/;

/**
 * Describes ONNX Runtime on a machine.
 *
 * @param probe Runs a tiny graph on the CPU and throws when it cannot.
 */
export async function readBinding(
  host: Host,
  probe: () => Promise<void> = probeBinding,
): Promise<BindingFacts> {
  const folder = bindingFolder(host.system());
  const manifest = await host.readText(posix.join(ONNX_RUNTIME_PACKAGE, "package.json"));
  const version = manifest === undefined ? undefined : versionOf(manifest);
  const failure = await probe().then(() => undefined, (error) => String(error?.message ?? error));
  return {
    ...(version === undefined ? {} : { version }),
    folder,
    ...(failure === undefined ? {} : { failure }),
    cuda: await readCudaFiles(host, folder),
  };
}

/**
 * Looks for the CUDA provider and for what it needs.
 *
 * @param folder Where the binding's libraries lie.
 */
export async function readCudaFiles(host: Host, folder: string): Promise<BindingFacts["cuda"]> {
  const file = posix.join(folder, CUDA_PROVIDER_FILES[0]);
  const listed = await neededLibraries((offset, length) => host.readAt(file, offset, length));
  const needed = listed?.filter((name) => !RUNTIME_LIBRARIES.test(name)) ?? CUDA_LIBRARIES;
  const libraries = await findLibraries(host, [...new Set([...needed, ...OPENED_LATER])]);
  return { provider: await hasCudaProvider(host, folder), libraries };
}

/** Whether both of the CUDA provider's libraries lie beside the binding. */
export async function hasCudaProvider(host: Host, folder: string): Promise<boolean> {
  const files = CUDA_PROVIDER_FILES.map((name) => host.exists(posix.join(folder, name)));
  return (await Promise.all(files)).every(Boolean);
}

/** @throws {Error} When the binding does not load, or does not add one and one. */
async function probeBinding(): Promise<void> {
  // A binding that does not load fails as its module is imported, which must not end the program.
  const [{ Session }, { add, Graph, INTERFACE_TYPE }, { tensor }] = await Promise.all([
    import("../runtime/session.ts"),
    import("../onnx/mod.ts"),
    import("../tensor.ts"),
  ]);
  const graph = new Graph("probe");
  const x = graph.input("x", INTERFACE_TYPE, [1]);
  graph.output("sum", add(x, x), [1]);
  await using session = await Session.create(graph.compile(), { device: "cpu" });
  const { sum } = await session.run({ x: tensor(Float32Array.of(1), [1]) });
  if (sum?.data[0] !== 2) throw new Error(`1 + 1 gave ${sum?.data[0]}`);
}

function versionOf(manifest: string): string | undefined {
  try {
    return JSON.parse(manifest).version;
  } catch {
    return undefined;
  }
}
