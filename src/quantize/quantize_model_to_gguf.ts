import { extname, join, resolve } from "node:path";
import { RequestError } from "../errors.ts";
import { exists, isFolder, refuseExisting } from "../files.ts";
import { MissingPlaceError } from "../pipeline/checkpoint/missing_place_error.ts";
import { findCheckpoint } from "../pipeline/checkpoint/find_checkpoint.ts";
import type { PartFiles } from "../pipeline/checkpoint/types.ts";
import { findWeights } from "../safetensors/mod.ts";
import { UnfinishedFolder } from "../unfinished.ts";
import type { QuantizedModel, QuantizeModelOptions } from "./quantize_model.ts";
import { quantizeToGguf } from "./quantize_to_gguf.ts";

/** How to write a model as GGUF. */
export type QuantizeModelToGgufOptions = Omit<QuantizeModelOptions, "blockSize">;

/**
 * Writes a transformer or a Gemma as GGUF, or both of a model (see {@linkcode quantizeToGguf}).
 *
 * @param source A part's file or folder, or a model's folder.
 * @param target The new file, where the source is a part; of a model the new folder, which gets
 * `transformer.gguf` and `text-encoder.gguf`. By default the source's name with the block type.
 * @throws {RequestError} When the target is there already, or the source is no such part.
 * @throws {CheckpointNotFoundError} When the source holds no model.
 * @throws {SafetensorsError} When a file is damaged.
 * @throws {NewBieError} When the disk has not enough room.
 */
export async function quantizeModelToGguf(
  source: string,
  target: string | undefined,
  { bits, onProgress }: QuantizeModelToGgufOptions,
): Promise<QuantizedModel> {
  const type = bits === 8 ? "Q8_0" : "Q4_0";
  const write = async (part: PartFiles, path: string, shown: string) => ({
    path: shown,
    ...await quantizeToGguf(part, path, {
      bits,
      onProgress: (done, total) => onProgress?.(shown, done, total),
    }),
  });
  const part = await partAt(source);
  if (part !== undefined) {
    const path = target ?? `${stemOf(source)}-${type}.gguf`;
    return { folder: path, files: [await write(part, path, path)] };
  }
  const { transformer, textEncoder } = await findCheckpoint(source);
  const folder = target ?? `${resolve(source)}-${type}`;
  if (extname(folder) === ".gguf") {
    throw new RequestError(
      `${source} is a model of several parts, which do not go into one file. Give one part's ` +
        "folder, or a folder with --out.",
      {
        zh:
          `${source} 是由多个部件组成的模型，不能写入一个文件。请指定其中一个部件的文件夹，或用 --out 指定文件夹。`,
      },
    );
  }
  await refuseExisting(folder);
  await using made = await UnfinishedFolder.create(folder);
  const files = [
    await write(transformer, join(made.path, "transformer.gguf"), "transformer.gguf"),
    await write(textEncoder, join(made.path, "text-encoder.gguf"), "text-encoder.gguf"),
  ];
  if (!await made.keep()) await refuseExisting(folder);
  return { folder, files };
}

/** The files of a part, where the source is one; undefined where it is a model. */
async function partAt(source: string): Promise<PartFiles | undefined> {
  if (!await exists(source)) {
    throw new MissingPlaceError(
      `${source} is neither a folder nor a file. Give the folder of a model or of one of its parts, or a ` +
        "part's file.",
      {
        zh:
          `${source} 既不是文件夹也不是文件。请给出模型或其中一个部件的文件夹，或某个部件的文件。`,
      },
    );
  }
  if (!await isFolder(source)) return await withConfig(source, `${stemOf(source)}.json`);
  const holdsWeights = await findWeights(source).then(() => true, () => false);
  return holdsWeights ? await withConfig(source, join(source, "config.json")) : undefined;
}

async function withConfig(weights: string, config: string): Promise<PartFiles> {
  const beside = join(weights, "..", "config.json");
  for (const path of [config, beside]) if (await exists(path)) return { weights, config: path };
  return { weights };
}

function stemOf(path: string): string {
  return resolve(path).replace(/\.(?:safetensors|sft|safetensors\.index\.json)$/i, "");
}
