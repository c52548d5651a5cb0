import { basename, dirname, join } from "node:path";
import { openFile, readJsonBytes, unreadable } from "./_files.ts";
import { isGgufName, openGguf } from "./_gguf_weights.ts";
import { parseIndex } from "./_index.ts";
import { refusal } from "./_refusal.ts";
import { scaleAcrossShards } from "./_scales.ts";
import { quote } from "../shown.ts";
import type { Catalogue } from "./_texts.ts";
import { findWeights, PICKLED } from "./find_weights.ts";
import { emptyRecord, MAX_HEADER_BYTES } from "./header.ts";
import { readSafetensorsHeader } from "./read_safetensors_header.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import type { OpaqueEntry, OpenWeightsOptions, TensorEntry, Weights } from "./types.ts";

/**
 * Opens the weights of a model: reads headers and, of a sharded checkpoint, its index. The data
 * stays on disk.
 *
 * `path` is one of
 * - a safetensors file;
 * - a GGUF file, `*.gguf`;
 * - an index, `*.safetensors.index.json`: all of its shards must be there. What they hold besides
 *   what the index names belongs to the model too;
 * - a folder with `model.safetensors` or `diffusion_pytorch_model.safetensors`, else with an index,
 *   else with one safetensors file, or one GGUF file, of any name. A single file goes before an index; two of a kind
 *   are an error that names them. Names that begin with a dot are no data: other systems leave
 *   such companions of files behind.
 *
 * @param path The file, the index or the folder.
 * @param options Which tensors may stand in the files without being weights.
 * @returns Where each tensor is, by name.
 * @throws {GgufError} When a GGUF file is damaged.
 * @throws {SafetensorsError} When nothing is found, more than one candidate is, shards are missing
 * (all are named at once), or a file is refused by {@linkcode readSafetensorsHeader}.
 *
 * @example
 * ```ts
 * // A model of one empty tensor, written by hand.
 * const header = new TextEncoder().encode(
 *   '{"empty":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}}',
 * );
 * const folder = await Deno.makeTempDir();
 * await Deno.writeFile(
 *   `${folder}/model.safetensors`,
 *   new Uint8Array([header.length, 0, 0, 0, 0, 0, 0, 0, ...header]),
 * );
 *
 * const weights = await openWeights(folder);
 * console.log([...weights.tensors.keys()]); // ["empty"]
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function openWeights(
  path: string,
  options: OpenWeightsOptions = {},
): Promise<Weights> {
  const found = await isFolder(path) ? await findWeights(path, options.variant) : path;
  if (PICKLED.test(found)) throw refusal(found, (text) => text.pickled);
  if (isGgufName(found)) return await openGguf(found);
  return found.endsWith(".json")
    ? await openShards(found, options)
    : await readSafetensorsHeader(found, options);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function openShards(index: string, options: OpenWeightsOptions): Promise<Weights> {
  const shardOf = parseIndex(await readIndex(index), index);
  const folder = dirname(index);
  const shards = [...new Set(shardOf.values())].sort();
  await requireAll(index, folder, shards);

  const tensors = new Map<string, TensorEntry>();
  const opaque = new Map<string, OpaqueEntry>();
  const unusable = new Map<string, SafetensorsError>();
  const metadata = emptyRecord();
  const files = new Set<string>();
  const holder = new Map<string, string>();
  /** Where index and shards disagree about a tensor, that one cannot be used. */
  const spoil = (name: string, problem: (text: Catalogue) => string) => {
    const because = (text: Catalogue) => text.aboutTensor(quote(name), problem(text));
    unusable.set(name, refusal(index, because, { tensor: name }));
    tensors.delete(name);
  };
  for (const shard of shards) {
    const weights = await readSafetensorsHeader(join(folder, shard), options);
    for (const file of weights.files) files.add(file);
    for (const [key, value] of Object.entries(weights.metadata)) metadata[key] ??= value;
    for (const [name, problem] of weights.unusable) unusable.set(name, problem);
    for (const [name, entry] of weights.opaque) opaque.set(name, entry);
    for (const [name, entry] of weights.tensors) tensors.set(name, entry);
    for (const name of [...weights.tensors.keys(), ...weights.opaque.keys()]) {
      const elsewhere = holder.get(name);
      const stated = shardOf.get(name);
      if (elsewhere !== undefined) {
        spoil(name, (text) => text.inTwoShards(quote(elsewhere), quote(shard)));
      } else if (stated !== undefined && stated !== shard) {
        spoil(name, (text) => text.inOtherShard(quote(shard), quote(stated)));
      }
      holder.set(name, shard);
    }
  }
  for (const [name, shard] of shardOf) {
    if (!holder.has(name)) spoil(name, (text) => text.notInShard(quote(shard)));
  }
  scaleAcrossShards(tensors, unusable, index);
  const paths = shards.map((shard) => join(folder, shard));
  return { source: index, files: [...files], paths, tensors, opaque, unusable, metadata };
}

async function readIndex(index: string): Promise<Uint8Array> {
  const { file: handle, size } = await openFile(index);
  using file = handle;
  if (size > MAX_HEADER_BYTES) {
    throw refusal(index, (text) => text.indexTooLong(size, MAX_HEADER_BYTES));
  }
  try {
    return await readJsonBytes(file, size, index);
  } catch (error) {
    throw error instanceof SafetensorsError ? error : unreadable(index, error);
  }
}

/** Names all missing shards in one error, so that they can be downloaded together. */
async function requireAll(index: string, folder: string, shards: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const shard of shards) {
    try {
      if (!(await Deno.stat(join(folder, shard))).isFile) missing.push(shard);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
        throw unreadable(join(folder, shard), error);
      }
      missing.push(shard);
    }
  }
  if (missing.length > 0) {
    const beside = quote(basename(index));
    throw refusal(
      index,
      (text) => text.shardsMissing(missing.map(quote), shards.length, beside),
    );
  }
}
