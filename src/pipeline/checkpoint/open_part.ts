/**
 * A part's files, read as far as loading needs them: the configuration, and the weights' headers.
 *
 * @module
 */
import { isAdapter } from "../../adapters/mod.ts";
import { stat } from "node:fs/promises";
import type { Texts } from "../../language.ts";
import { type ModelFamily, type PartName, PARTS } from "../../families/mod.ts";
import {
  ChangedFileError,
  openWeights,
  SafetensorsError,
  type Weights,
} from "../../safetensors/mod.ts";
import { readConfig } from "./read_config.ts";
import { COMFYUI_TOKENIZER_TENSOR, type PartFiles } from "./types.ts";

/** A part's files, opened. */
export interface OpenedPart {
  /** The parsed configuration; absent for a single file that stands alone. */
  readonly json: unknown;
  /** Where the configuration stands, for messages. */
  readonly file: string;
  readonly weights: Weights;
  /** @throws {SafetensorsError} When the weights are no longer the files that were read. */
  readonly check: () => Promise<void>;
}

/**
 * Reads a part's configuration and the headers of its weights.
 *
 * @param part Which part this ought to be, of which family.
 * @throws {CheckpointNotFoundError} When its config.json is missing.
 * @throws {ConfigError} When its config.json is no JSON.
 * @throws {SafetensorsError} When its weights are damaged, or not this part's.
 */
export async function openPart(
  { weights: path, config }: PartFiles,
  part: PartName,
  family: ModelFamily,
): Promise<OpenedPart> {
  const weights = await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  // This is checked before config.json is used: what it leaves out would be filled with defaults.
  if (family.networks[part].names(weights) === undefined) throw unknown(weights, part, family);
  const check = await rememberFiles(weights.files);
  if (config === undefined) return { json: undefined, file: path, weights, check };
  return { json: await readConfig(config), file: config, weights, check };
}

/**
 * Weights stay in their files, so those must stay as they are for as long as they are in use.
 *
 * @returns Throws a {@linkcode ChangedFileError} when one of them is no longer what it was; a name
 *   more or less, as a hard link gives it, is a change, too.
 */
export async function rememberFiles(paths: readonly string[]): Promise<() => Promise<void>> {
  // The time of the last write can be set back; that of the last change of any kind cannot. Deno
  // knows the latter in whole seconds: what is set back within the second of the last change passes.
  const identity = async (path: string) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  };
  const remembered = await Promise.all(paths.map(identity));
  return async () => {
    for (const [index, path] of paths.entries()) {
      if (await identity(path).catch(() => undefined) === remembered[index]) continue;
      throw new ChangedFileError(path);
    }
  };
}

/** Names of a file's tensors that a message shows, and the longest of them. */
const SHOWN_NAMES = 3;
const LONGEST_NAME = 80;

/** What a file is that was put into a part's place, and what to do. */
const ADAPTER: Texts<string> = {
  en:
    "It is an adapter: give it as --lora, or put it into models/loras, and choose a model beside it.",
  zh: "这是适配器：请用 --lora 指定，或放进 models/loras，并另外选择模型。",
};
const PROJECTOR: Texts<string> = {
  en:
    "It is the projector of a vision tower (mmproj), which reads pictures: the text model is in " +
    "another file, published beside it.",
  zh: "这是视觉塔的投影器（mmproj），用来读取图片：文本模型在与它一同发布的另一个文件里。",
};
const OTHER: Texts<string> = { en: "Put the right file in its place.", zh: "请换成正确的文件。" };

function unknown(
  { source, tensors, opaque, unusable }: Weights,
  part: PartName,
  family: ModelFamily,
): SafetensorsError {
  // Tensors that are there in a form that is not read have other names.
  const foreign = [...unusable].find(([name]) => !tensors.has(name) && !opaque.has(name));
  if (foreign !== undefined) return foreign[1];
  const all = [...tensors.keys(), ...opaque.keys()];
  const hint = isAdapter(all)
    ? ADAPTER
    : all.length > 0 && all.every((name) => /^(?:mm|v)\./.test(name))
    ? PROJECTOR
    : OTHER;
  const names = all.slice(0, SHOWN_NAMES)
    .map((name) => JSON.stringify(name.slice(0, LONGEST_NAME)));
  return new SafetensorsError({
    en: `${source}: these are not the weights of the ${PARTS[part].en} of ${family.name}` +
      (names.length === 0 ? ": there are none." : `; its tensors are called ${names.join(", ")}…`) +
      ` ${hint.en}`,
    zh: `${source}：这不是 ${family.name} 的 ${PARTS[part].zh} 的权重` +
      (names.length === 0 ? "：其中没有张量。" : `；其中的张量名为 ${names.join("、")}……`) +
      hint.zh,
  }, { file: source });
}
