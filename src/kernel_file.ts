import { pathToFileURL } from "node:url";

/** Modules are read once: each reading has a number, so that it is a module of its own. */
let readings = 0;

/**
 * What a file of Linux's kernel says, such as `/proc/self/status`. Deno lets those who may read all files
 * read these by importing them alone.
 *
 * @throws {Error} When there is none, or Deno does not let it be read.
 */
export async function readKernelFile(path: string): Promise<string> {
  const url = pathToFileURL(path);
  url.search = String(readings++);
  const { default: text } = await import(url.href, { with: { type: "text" } });
  return text;
}
