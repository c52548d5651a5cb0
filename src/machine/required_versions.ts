import { readPart } from "../files.ts";
import { neededVersions } from "./_elf.ts";

/** By the name of a library's versions, such as `GLIBC`, the highest that is needed: `2.28`. */
export type RequiredVersions = ReadonlyMap<string, string>;

const VERSION = /^(GLIBC|GLIBCXX)_(\d+(?:\.\d+)*)$/;

/**
 * The oldest C and C++ libraries with which programs and libraries can run.
 *
 * @param paths ELF files; others need nothing.
 * @throws {Error} What the file system reports.
 */
export async function requiredVersions(paths: Iterable<string>): Promise<RequiredVersions> {
  const highest = new Map<string, string>();
  for (const path of paths) {
    using file = await Deno.open(path);
    const names = await neededVersions((offset, length) => readPart(file, offset, length));
    for (const name of names ?? []) {
      const [, library, version] = VERSION.exec(name) ?? [];
      if (library === undefined || version === undefined) continue;
      const before = highest.get(library);
      if (before === undefined || compareVersions(before, version) < 0) {
        highest.set(library, version);
      }
    }
  }
  return highest;
}

/** Below 0 when the first is the older: `2.28` before `2.31`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let index = 0; index < Math.max(left!.length, right!.length); index++) {
    const difference = (left![index] ?? 0) - (right![index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
