import { readdir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import type { Mount } from "./types.ts";

/** The toolkit's folder in the image. */
const HOME = "/app";
const MODELS = "models";
const CHECKSUMS = "checksums.txt";
/** In the image already, where nothing can change it. */
const DEMO = "demo";

/**
 * What a container sees of the models that lie here, read-only: everything in `models/` but the demo
 * model, and the checksums that cover it.
 *
 * @param root The top of the project.
 */
export async function modelMounts(root: string): Promise<Mount[]> {
  const names = await readdir(join(root, MODELS)).catch(() => []);
  const found = await Promise.all(
    names.filter((name) => name !== DEMO && !name.startsWith(".")).sort().map((name) =>
      readOnly(join(root, MODELS, name), `${HOME}/${MODELS}/${name}`)
    ),
  );
  const mounts = found.flat();
  if (mounts.length === 0) return [];
  return [...mounts, ...await readOnly(join(root, CHECKSUMS), `${HOME}/${CHECKSUMS}`)];
}

/**
 * A file or folder for a container to read: at the same place in the toolkit's folder when it is in
 * there, else at the same path.
 *
 * @throws {Error} When it does not exist.
 */
export async function extraMounts(path: string, root: string): Promise<Mount[]> {
  const inside = relative(root, path);
  const isInside = inside !== "" && !inside.startsWith("..") && !isAbsolute(inside);
  return await readOnly(path, isInside ? join(HOME, inside) : path);
}

/** The folder that pictures go to. */
export function outputsMount(root: string): Mount {
  return { source: join(root, "outputs"), target: `${HOME}/outputs`, isReadOnly: false };
}

/**
 * Links lead nowhere in a container. A folder with links in it is mounted piece by piece, so that
 * each name stands for what it stands for here; weights often are links to another disk.
 */
async function readOnly(path: string, target: string): Promise<Mount[]> {
  const source = await realpath(path);
  if (!(await stat(source)).isDirectory() || !await hasLinks(source)) {
    return [{ source, target, isReadOnly: true }];
  }
  const names = (await readdir(source)).sort();
  const found = names.map((name) => readOnly(join(source, name), `${target}/${name}`));
  return (await Promise.all(found)).flat();
}

async function hasLinks(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.some((entry) => entry.isSymbolicLink());
}
