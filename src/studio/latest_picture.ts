import { join } from "node:path";
import { RequestError } from "../errors.ts";
import { formatOfName } from "../image/mod.ts";
import { OUTPUTS } from "./outputs.ts";

/** What people call the picture that was saved last. */
export const LAST = "last";

/**
 * The path of the picture that was saved last, at any depth of the outputs.
 *
 * @throws {RequestError} When there is none.
 */
export async function latestPicture(root = OUTPUTS): Promise<string> {
  let latest: { readonly path: string; readonly time: number } | undefined;
  for await (const path of picturesBelow(root)) {
    const time = (await Deno.lstat(path)).mtime?.getTime() ?? 0;
    // Of two pictures of one moment the later name: numbers are counted upwards.
    if (latest === undefined || time > latest.time || time === latest.time && path > latest.path) {
      latest = { path, time };
    }
  }
  if (latest !== undefined) return latest.path;
  throw new RequestError(`There is no picture in ${root}/ yet: make one first.`, {
    zh: `${root}/ 里还没有图片：请先生成一张。`,
  });
}

async function* picturesBelow(folder: string, root = folder): AsyncGenerator<string> {
  try {
    for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (name.startsWith(".")) continue;
      if (isDirectory) yield* picturesBelow(path, root);
      else if (isFile && formatOfName(name) !== undefined) yield path;
    }
  } catch (error) {
    // Where outputs are shared, others may have folders of their own in them.
    const isOthers = error instanceof Deno.errors.PermissionDenied && folder !== root;
    if (!isOthers && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}
