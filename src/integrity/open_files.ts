import { chmod, lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { isMissing } from "../files.ts";

/** Of a file's mode: everybody may write it. */
const ALL_WRITE = 0o002;
/** Of a folder's mode: only who owns a file may remove it, whoever may write the folder. */
const STICKY = 0o1000;
const MODE = 0o7777;
const AT_ONCE = 32;

/**
 * Files and folders that every user of the machine may change, below some places. Packages are published
 * with such modes, and Deno lays them so. Where modes mean nothing, on Windows, there are none.
 *
 * @param root The top of the project.
 * @param places Files and folders below it; what is missing is passed over. Links are not followed.
 * @returns Paths with `/`, in order.
 */
export async function openFiles(root: string, places: readonly string[]): Promise<string[]> {
  if (process.platform === "win32") return [];
  const open: string[] = [];
  const queue = [...places];
  const visit = async (path: string) => {
    const place = join(root, path);
    try {
      const stat = await lstat(place);
      if (stat.isSymbolicLink()) return;
      const isOpen = (stat.mode & ALL_WRITE) !== 0 &&
        !(stat.isDirectory() && (stat.mode & STICKY) !== 0);
      if (isOpen) open.push(path);
      if (stat.isDirectory()) {
        queue.push(...(await readdir(place)).map((name) => `${path}/${name}`));
      }
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  };
  while (queue.length > 0) await Promise.all(queue.splice(0, AT_ONCE).map(visit));
  return open.sort();
}

/**
 * Lets nobody but owner and group write files and folders. Those of other users stay as they are, and
 * so do all where the file system refuses.
 *
 * @param places As of {@linkcode openFiles}.
 */
export async function closeFiles(root: string, places: readonly string[]): Promise<void> {
  for (const path of await openFiles(root, places)) {
    const place = join(root, path);
    await chmod(place, (await lstat(place)).mode & MODE & ~ALL_WRITE).catch(() => {});
  }
}
