import { dirname, join } from "node:path";

const INCLUDE = /^#include "([\w.]+)"$/gm;

/** The source of kernels with the files that it includes in their places. */
export async function kernelSource(path: string): Promise<string> {
  const source = await Deno.readTextFile(path);
  const names = [...source.matchAll(INCLUDE)].map(([, name]) => name!);
  const texts = new Map<string, string>();
  for (const name of names) texts.set(name, await kernelSource(join(dirname(path), name)));
  return source.replaceAll(INCLUDE, (_, name: string) => texts.get(name)!);
}
