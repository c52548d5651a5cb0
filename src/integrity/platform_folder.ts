/** The names that onnxruntime-node gives to systems and architectures; the others are Deno's. */
const SYSTEM: Readonly<Record<string, string>> = { windows: "win32" };
const ARCHITECTURE: Readonly<Record<string, string>> = { x86_64: "x64", aarch64: "arm64" };

/** Where onnxruntime-node keeps the libraries of a system, below those of all: such as `linux/x64`. */
export function platformFolder(
  { os, arch }: { readonly os: string; readonly arch: string },
): string {
  return `${SYSTEM[os] ?? os}/${ARCHITECTURE[arch] ?? arch}`;
}
