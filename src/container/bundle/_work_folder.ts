/**
 * The folder in which the parts of a bundle lie while it is made, `<folder>.part`: for one process at a
 * time, and known by what it holds, so that nothing else is ever removed.
 *
 * @module
 */
import { mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { RequestError } from "../../errors.ts";
import { isTemporaryName, removeUnfinished } from "../../unfinished.ts";
import { BundleError } from "./bundle_error.ts";

const LOCK = "lock";
/** All that is ever in a folder of parts. */
const WORK_FILES = ["image", "image.json", "volumes", "journal.json", LOCK];
/** What the lock's file says, so that the folder is known to be one of parts. */
const MARK = "Parts of a bundle that deno task bundle makes.\n";

/**
 * Makes the folder of parts, or takes up the one of an earlier run, and holds it for this process;
 * the system lets go of it however the process ends.
 *
 * @throws {RequestError} When the folder holds something else.
 * @throws {BundleError} When another process makes the same bundle.
 */
export async function openWork(work: string): Promise<Disposable> {
  await mkdir(work, { recursive: true });
  if (!await isWork(work)) {
    throw new RequestError(
      `${work} is where the bundle's parts would go, and holds something else. Move it away, or ` +
        "choose another folder with --out.",
      {
        zh:
          `${work} 是存放离线包各部分的位置，但其中有别的内容。请移走它，或用 --out 选择其他位置。`,
      },
    );
  }
  const file = await Deno.open(join(work, LOCK), { create: true, write: true });
  if (await file.tryLock(true)) {
    await file.write(new TextEncoder().encode(MARK));
    await removeUnfinished(work);
  } else {
    file.close();
    throw new BundleError("busy", {
      en: `Another process is making the same bundle (${work}). Wait for it, or choose another ` +
        "folder with --out.",
      zh: `另一个进程正在制作同一个离线包（${work}）。请等它结束，或用 --out 选择其他位置。`,
    });
  }
  return file;
}

/** Removes the parts, and leaves the folder to this process. */
export async function emptyWork(work: string): Promise<void> {
  for (const stale of WORK_FILES.filter((name) => name !== LOCK)) {
    await rm(join(work, stale), { recursive: true, force: true });
  }
}

/** Removes a folder of parts, and nothing in it that was not made here. */
export async function removeWork(work: string): Promise<void> {
  await removeUnfinished(work);
  for (const name of WORK_FILES) await rm(join(work, name), { recursive: true, force: true });
  await rmdir(work).catch(() => {});
}

/** Whether a folder holds parts of a bundle and nothing else, or nothing at all. */
async function isWork(work: string): Promise<boolean> {
  const names = (await readdir(work)).filter((name) => !isTemporaryName(name));
  if (names.length === 0) return true;
  const mark = await readFile(join(work, LOCK), "utf8").catch(() => undefined);
  // Empty for a moment, and where a process was killed at that moment.
  return names.every((name) => WORK_FILES.includes(name)) && (mark === MARK || mark === "");
}
