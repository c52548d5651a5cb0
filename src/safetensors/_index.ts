import { JsonScanner } from "./_json_scanner.ts";
import { quote } from "./_private.ts";
import { SafetensorsError } from "./safetensors_error.ts";

/**
 * Parses a `*.safetensors.index.json`: an object whose `weight_map` says in which file, relative to
 * the index, each tensor is. Other members (transformers writes `metadata.total_size`, which
 * includes tied weights or not as its version pleases) are walked over and ignored.
 *
 * @returns The shard of each tensor, paths normalised.
 */
export function parseIndex(bytes: Uint8Array, source: string): Map<string, string> {
  const scanner = new JsonScanner(
    bytes,
    (problem, at) =>
      new SafetensorsError(
        `${source}: byte ${at}: ${problem}. The index is damaged: fetch or export it again.`,
        { file: source },
      ),
  );
  let shards: Map<string, string> | undefined;
  scanner.object("the index's opening brace", (key) => {
    if (key !== "weight_map") return scanner.skip();
    if (shards !== undefined) {
      throw new SafetensorsError(`${source}: weight_map is given twice.`, { file: source });
    }
    shards = parseWeightMap(scanner, source);
  });
  scanner.end();
  if (shards === undefined) {
    throw new SafetensorsError(
      `${source}: has no weight_map, so it is not the index of a sharded checkpoint.`,
      { file: source },
    );
  }
  return shards;
}

function parseWeightMap(scanner: JsonScanner, source: string): Map<string, string> {
  const shards = new Map<string, string>();
  scanner.object("an object as weight_map", (name) => {
    if (shards.has(name)) {
      throw new SafetensorsError(
        `${source}: weight_map names ${quote(name)} twice. Fetch or export the index again.`,
        { file: source, tensor: name },
      );
    }
    const path = scanner.string(`the file of tensor ${quote(name)} in double quotes`);
    shards.set(name, shardPath(path, name, source));
  });
  return shards;
}

/**
 * Keeps an index from reaching out of its folder. Links are followed all the same: Hugging Face's
 * cache is made of them, and only the owner of the folder can place one.
 */
function shardPath(path: string, tensor: string, source: string): string {
  const steps = path.split("/").filter((step) => step !== "" && step !== ".");
  const outside = path.startsWith("/") || steps.includes("..") || /^[A-Za-z]:/.test(path);
  // deno-lint-ignore no-control-regex -- no file of a checkpoint has such a name.
  if (outside || steps.length === 0 || /[\\\x00-\x1f]/.test(path)) {
    throw new SafetensorsError(
      `${source}: puts tensor ${quote(tensor)} into ${
        quote(path)
      }; a shard must be a file in the ` +
        "index's own folder, named by a relative path with forward slashes.",
      { file: source, tensor },
    );
  }
  return steps.join("/");
}
