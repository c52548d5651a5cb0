import { JsonScanner } from "./_json_scanner.ts";
import { refusal } from "./_refusal.ts";
import { quote } from "../shown.ts";

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
    (problem, at) => refusal(source, (text) => text.indexSyntax(at, problem(text))),
  );
  let shards: Map<string, string> | undefined;
  scanner.object((text) => text.indexBrace, (key) => {
    if (key !== "weight_map") return scanner.skip();
    if (shards !== undefined) throw refusal(source, (text) => text.weightMapTwice);
    shards = parseWeightMap(scanner, source);
  });
  scanner.end();
  if (shards === undefined) throw refusal(source, (text) => text.noWeightMap);
  return shards;
}

function parseWeightMap(scanner: JsonScanner, source: string): Map<string, string> {
  const shards = new Map<string, string>();
  scanner.object((text) => text.weightMapObject, (name) => {
    if (shards.has(name)) {
      throw refusal(source, (text) => text.mappedTwice(quote(name)), { tensor: name });
    }
    const path = scanner.string((text) => text.fileOfTensor(quote(name)));
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
  // Hidden files are in no list of checksums: no weights may come from one.
  const outside = path.startsWith("/") || steps.some((step) => step.startsWith(".")) ||
    /^[A-Za-z]:/.test(path);
  // deno-lint-ignore no-control-regex -- no file of a checkpoint has such a name.
  if (outside || steps.length === 0 || /[\\\x00-\x1f]/.test(path)) {
    throw refusal(source, (text) => text.shardOutside(quote(tensor), quote(path)), { tensor });
  }
  return steps.join("/");
}
