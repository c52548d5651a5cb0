import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CUDA_PROVIDER, ONNX_RUNTIME } from "./pins.ts";

/** The list of the packages' digests, at the top of the project. */
export const PACKAGE_LIST = "packages.txt";

/** Where Deno lays ONNX Runtime's libraries, below the top of the project. */
export const LIBRARIES = `node_modules/.deno/onnxruntime-node@${ONNX_RUNTIME.version}` +
  "/node_modules/onnxruntime-node/bin/napi-v6";
/** A library, by its name. */
export const LIBRARY = /\.(so(\.\d+)*|dylib|dll|node)$/;

/** Where the CUDA provider's libraries lie when it is installed. */
export const CUDA_LIBRARIES: readonly string[] = CUDA_PROVIDER.libraries.map(({ name }) =>
  `${LIBRARIES}/linux/x64/${name}`
);

/**
 * What a checksum must stand for, below the top of the project: everything in `models/` but texts
 * for people, patches, the lock, the list of packages, and ONNX Runtime's libraries.
 *
 * @param root The top of the project.
 * @returns Paths with `/`, in order.
 */
export async function coveredFiles(root: string): Promise<string[]> {
  const found = await Promise.all([
    filesBelow(root, "models", isCoveredModelFile),
    filesBelow(root, "patches", (name) => name.endsWith(".patch")),
    filesBelow(root, LIBRARIES, (name) => LIBRARY.test(name)),
    ...["deno.lock", PACKAGE_LIST].map((name) =>
      stat(join(root, name)).then(() => [name], () => [])
    ),
  ]);
  return found.flat().sort();
}

/** Whether a file below `models/` needs a checksum: all do but texts for people and hidden files. */
export function isCoveredModelFile(name: string): boolean {
  return !name.startsWith(".") && !name.endsWith(".md");
}

/** A folder, and all that it lies in. */
function foldersAbove(folder: string): readonly string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...foldersAbove(parent)];
}

/**
 * Files below a folder of a project. Links are followed, as weights often lie on another disk, but not to
 * what they lie in themselves, which would never end; what begins with a dot is passed over. A link that
 * leads nowhere counts as a file.
 *
 * @param root The top of the project.
 * @param isCovered Which files are meant, by their names.
 * @returns Paths with `/`.
 */
export async function filesBelow(
  root: string,
  folder: string,
  isCovered: (name: string) => boolean,
): Promise<string[]> {
  // What holds the project holds its links, too.
  return await filesInside(root, folder, isCovered, foldersAbove(await realpath(root)));
}

async function filesInside(
  root: string,
  folder: string,
  isCovered: (name: string) => boolean,
  above: readonly string[],
): Promise<string[]> {
  const names = await readdir(join(root, folder)).catch((error) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  const real = names.length === 0 ? folder : await realpath(join(root, folder));
  // A link to a folder above it would never end.
  if (above.includes(real)) return [];
  const found = await Promise.all(names.map(async (name) => {
    if (name.startsWith(".")) return [];
    const path = `${folder}/${name}`;
    const entry = await stat(join(root, path)).catch(() => undefined);
    if (entry?.isDirectory()) return await filesInside(root, path, isCovered, [...above, real]);
    return isCovered(name) ? [path] : [];
  }));
  return found.flat();
}
