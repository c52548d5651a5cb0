import { mkdir } from "node:fs/promises";
import { basename, dirname, extname, relative, resolve, sep } from "node:path";
import {
  adaptablePart,
  type AdaptableParts,
  type Adapter,
  type AdapterFormat,
  readAdapter,
} from "../adapters/mod.ts";
import { RequestError } from "../errors.ts";
import { FAMILIES, type ModelFamily, PART_NAMES, type PartName } from "../families/mod.ts";
import { isNoRoom, refuseExisting, requireRoom, writeFileAtomically } from "../files.ts";
import { hashFile } from "../integrity/hash_file.ts";
import { findCheckpoint } from "../pipeline/checkpoint/find_checkpoint.ts";
import { copyModel, diskFull, modelFiles, refuseTaken } from "../pipeline/checkpoint/model_copy.ts";
import { openPart } from "../pipeline/checkpoint/open_part.ts";
import { readConfig } from "../pipeline/checkpoint/read_config.ts";
import { COMFYUI_TOKENIZER_TENSOR, type PartFiles } from "../pipeline/checkpoint/types.ts";
import { openWeights, type Weights } from "../safetensors/mod.ts";
import {
  type Application,
  type Applications,
  MERGED_KEY,
  type MergedFile,
  mergeFile,
  refuseQuantized,
} from "./merge_file.ts";

/** An adapter, and how strongly it is put into the model. */
export interface AdapterChoice {
  /** A file, or a PEFT folder. */
  readonly path: string;
  /** 1 as it was trained; it may be negative. */
  readonly weight: number;
  /** The weight in the text encoders, where it differs. */
  readonly textWeight?: number;
}

/** How to merge. */
export interface MergeModelOptions {
  /** Told of each file, by its path in the model, how many of its changed tensors are done. */
  readonly onProgress?: ((file: string, done: number, total: number) => void) | undefined;
}

/** An adapter that was put into a model. */
export interface MergedAdapter extends AdapterChoice {
  readonly format: AdapterFormat;
  readonly sha256: string;
  /** How many changes it has in each part of the model. */
  readonly changes: Partial<Readonly<Record<PartName, number>>>;
}

/** What merging did. */
export interface MergedModel {
  /** The new folder, or the new file. */
  readonly target: string;
  readonly adapters: readonly MergedAdapter[];
  /** The files with adapters in them, by their paths in the folder. */
  readonly files: readonly (MergedFile & { readonly path: string })[];
}

/** More than the names and shapes in front of a file of weights take. */
const ROOM_FOR_HEADER = 1 << 20;

const ROOM_TEXTS = {
  what: { en: "the weights with the adapters in them", zh: "合并了适配器的权重" },
  remedy: { en: "or give another place with --out.", zh: "或用 --out 指定其他位置。" },
} as const;

/**
 * Makes a copy of a model with adapters in it, of any layout that `findCheckpoint` knows. Sums are
 * taken in float32 and more before they are rounded to the file's dtype, one tensor at a time. The
 * copy loads as the original does; weights that no adapter changes are hard links to the original's
 * where the file system has them.
 *
 * @param source The model's folder.
 * @param adapters The adapters; several add up, each changing the model as it was.
 * @param target The new folder; it appears when all of it is on disk.
 * @throws {RequestError} When the target is there already or lies in a part of the source, no adapter
 *   is given, or the weights are quantised.
 * @throws {CheckpointNotFoundError} When the source holds no model.
 * @throws {AdapterError} When an adapter does not fit the model.
 * @throws {NewBieError} When the disk has not enough room, or a sum is beyond the file's dtype.
 */
export async function mergeModel(
  source: string,
  adapters: readonly AdapterChoice[],
  target: string,
  { onProgress }: MergeModelOptions = {},
): Promise<MergedModel> {
  await refuseTaken(target);
  const files = await findCheckpoint(source);
  // The demo model lies deeper, and a copy of it is a model of its own.
  const root = files.isDemo ? dirname(files.transformer.weights) : source;
  const weights = new Map<PartName, Weights>();
  for (const part of PART_NAMES) {
    const place = files[part];
    if (place === undefined || files.family.networks[part].adaptable === undefined) continue;
    if (isWithin(target, place.weights)) throw withinSource(target, place.weights);
    weights.set(part, (await openPart(place, part, files.family)).weights);
  }
  const read = await readAll(adapters, files.family, weights);

  // Parts may share a file, and one part may have several.
  const byPath = new Map<string, { weights: Weights; applications: Map<string, Application[]> }>();
  for (const [part, applications] of read.parts) {
    for (const path of weights.get(part)!.paths) {
      const inFolder = relative(root, path);
      const opened = byPath.get(inFolder)?.weights ??
        await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
      const known = byPath.get(inFolder)?.applications ?? new Map<string, Application[]>();
      for (const [name, changes] of applications) {
        if (opened.tensors.has(name)) known.set(name, [...known.get(name) ?? [], ...changes]);
      }
      if (known.size > 0) byPath.set(inFolder, { weights: opened, applications: known });
    }
  }
  for (const { weights, applications } of byPath.values()) refuseQuantized(weights, applications);

  const merged = await copyModel({
    source: root,
    target,
    paths: await modelFiles(root),
    rewritten: [...byPath.keys()],
    bytes: [...byPath.values()].reduce((sum, { weights }) => sum + byteLengthOf(weights), 0),
    texts: ROOM_TEXTS,
  }, async (copyOf) => {
    const files: (MergedFile & { path: string })[] = [];
    for (const [path, { weights, applications }] of byPath) {
      let done = 0;
      const onTensor = () => onProgress?.(path, ++done, applications.size);
      const result = await mergeFile(weights, applications, copyOf(path), read.said, onTensor);
      files.push({ path, ...result });
    }
    return files;
  });
  return { target, adapters: read.merged, files: merged };
}

/**
 * Writes a model's transformer with adapters in it as a single file, shards and all, with its
 * configuration beside it (`NAME.json`), as ComfyUI's folders have them.
 *
 * @param place The transformer's weights: a file, a folder or an index.
 * @param target The new file, `NAME.safetensors`.
 * @throws {RequestError} When the target is there already, or no adapter changes the transformer.
 * @throws {AdapterError} When an adapter does not fit, or changes the text encoders too.
 */
export async function mergePart(
  place: PartFiles,
  adapters: readonly AdapterChoice[],
  target: string,
  { onProgress }: MergeModelOptions = {},
): Promise<MergedModel> {
  const config = target.slice(0, -extname(target).length) + ".json";
  await refuseTaken(target);
  if (place.config !== undefined) await refuseExisting(config);
  const opened = await openWeights(place.weights);
  const family =
    FAMILIES.find(({ networks }) => networks.transformer.names(opened) !== undefined) ??
      FAMILIES[0]!;
  const { weights } = await openPart(place, "transformer", family);
  const read = await readAll(adapters, family, new Map([["transformer", weights]]));
  const applications = read.parts.get("transformer") ?? new Map<string, Application[]>();
  if (applications.size === 0) {
    throw new RequestError("No adapter changes the transformer, so there is nothing to merge.", {
      zh: "没有适配器改动 Transformer，无需合并。",
    });
  }
  refuseQuantized(weights, applications);

  const folder = dirname(resolve(target));
  await mkdir(folder, { recursive: true });
  await requireRoom(folder, byteLengthOf(weights), ROOM_TEXTS);
  const json = place.config === undefined ? undefined : await readConfig(place.config);
  try {
    let done = 0;
    const path = basename(target);
    const onTensor = () => onProgress?.(path, ++done, applications.size);
    const result = await mergeFile(weights, applications, target, read.said, onTensor);
    // At last: killed before, the process would leave it without weights.
    if (json !== undefined) {
      const bytes = new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
      await writeFileAtomically(config, bytes).catch(async (error) => {
        await Deno.remove(target);
        throw error;
      });
    }
    return { target, adapters: read.merged, files: [{ path, ...result }] };
  } catch (error) {
    throw isNoRoom(error) ? diskFull(folder, error) : error;
  }
}

interface ReadAdapters {
  /** The changes of each part's tensors, by their names in its files. */
  readonly parts: ReadonlyMap<PartName, Applications>;
  readonly merged: readonly MergedAdapter[];
  /** What the new file's metadata say of it. */
  readonly said: string;
}

async function readAll(
  adapters: readonly AdapterChoice[],
  family: ModelFamily,
  weights: ReadonlyMap<PartName, Weights>,
): Promise<ReadAdapters> {
  if (adapters.length === 0) {
    throw new RequestError("No adapter is given: --lora FILE, or --lora FILE:0.8.", {
      zh: "没有指定适配器：--lora 文件，或 --lora 文件:0.8。",
    });
  }
  const adaptable: AdaptableParts = Object.fromEntries(
    [...weights].flatMap(([part, opened]) => {
      const found = adaptablePart(family.networks[part], opened);
      return found === undefined ? [] : [[part, found]];
    }),
  );
  const parts = new Map<PartName, Map<string, Application[]>>();
  const merged: MergedAdapter[] = [];
  for (const choice of adapters) {
    const { path, weight, textWeight = weight } = choice;
    const adapter = await readAdapter(path, adaptable);
    for (const [part, targets] of adapter.parts) {
      const { nameInFile } = family.networks[part].names(weights.get(part)!)!;
      const known = parts.get(part) ?? new Map<string, Application[]>();
      parts.set(part, known);
      for (const target of targets) {
        const name = nameInFile(target.tensor);
        const changes = known.get(name) ?? [];
        known.set(name, changes);
        changes.push({ file: path, target, weight: part === "transformer" ? weight : textWeight });
      }
    }
    merged.push(await describe(adapter, choice));
  }
  const before = [...weights.values()].flatMap(({ metadata }) => metadata[MERGED_KEY] ?? []);
  const said = merged.map(({ path, weight, textWeight, sha256 }) => ({
    file: basename(path),
    weight,
    ...(textWeight === undefined ? {} : { textWeight }),
    sha256,
  }));
  return { parts, merged, said: JSON.stringify([...earlier(before[0]), ...said]) };
}

/** What the model has in it already, where it was merged before. */
function earlier(text: string | undefined): unknown[] {
  if (text === undefined) return [];
  try {
    const json: unknown = JSON.parse(text);
    return Array.isArray(json) ? json : [];
  } catch {
    return [];
  }
}

async function describe(adapter: Adapter, choice: AdapterChoice): Promise<MergedAdapter> {
  const changes = [...adapter.parts].map(([part, targets]) => [part, targets.length] as const);
  return {
    ...choice,
    format: adapter.format,
    sha256: await hashFile(adapter.file),
    changes: Object.fromEntries(changes),
  };
}

function byteLengthOf({ tensors, opaque }: Weights): number {
  const stored = [...tensors.values(), ...opaque.values()];
  return stored.reduce((sum, { byteLength }) => sum + byteLength, ROOM_FOR_HEADER);
}

function isWithin(target: string, place: string): boolean {
  return resolve(target).startsWith(resolve(place) + sep);
}

function withinSource(target: string, place: string): RequestError {
  return new RequestError(`${target} lies within ${place}. Give a folder beside it.`, {
    zh: `${target} 位于 ${place} 之内。请指定与它并列的文件夹。`,
  });
}
