import { join } from "node:path";
import process from "node:process";
import { isMissing } from "../files.ts";

/** Of a file's mode: everybody may write it. */
const ALL_WRITE = 0o002;
/** Of a folder's mode: only who owns a file may remove it, whoever may write the folder. */
const STICKY = 0o1000;
const MODE = 0o7777;

/**
 * Files and folders that every user of the machine may change, below some places. Packages are published
 * with such modes, and Deno lays them so. Where modes mean nothing, on Windows, there are none.
 *
 * @param root The top of the project.
 * @param places Files and folders below it; what is missing is passed over. Links are not followed.
 * @returns Paths with `/`, in order.
 */
export function openFiles(root: string, places: readonly string[]): string[] {
  if (process.platform === "win32") return [];
  const open: string[] = [];
  // One after the other: these are thousands of small questions, and each is answered at once.
  for (const queue = [...places]; queue.length > 0;) {
    const path = queue.pop()!;
    const place = join(root, path);
    try {
      const { mode, isDirectory, isSymlink } = Deno.lstatSync(place);
      if (isSymlink || mode === null) continue;
      if ((mode & ALL_WRITE) !== 0 && !(isDirectory && (mode & STICKY) !== 0)) open.push(path);
      if (!isDirectory) continue;
      for (const { name } of Deno.readDirSync(place)) queue.push(`${path}/${name}`);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return open.sort();
}

/**
 * Lets nobody but owner and group write files and folders. Those of other users stay as they are, and
 * so do all where the file system refuses.
 *
 * @param places As of {@linkcode openFiles}.
 */
export function closeFiles(root: string, places: readonly string[]): void {
  for (const path of openFiles(root, places)) {
    const place = join(root, path);
    try {
      Deno.chmodSync(place, Deno.lstatSync(place).mode! & MODE & ~ALL_WRITE);
    } catch {
      // It stays open, and verify says so.
    }
  }
}
