/**
 * A part's files, read as far as loading needs them: the configuration, and the weights' headers.
 *
 * @module
 */
import { ConfigError } from "../../errors.ts";
import { readJson } from "../../files.ts";
import { openWeights, SafetensorsError, type Weights } from "../../safetensors/mod.ts";
import {
  CheckpointNotFoundError,
  COMFYUI_TOKENIZER_TENSOR,
  type ComponentFiles,
} from "./find_checkpoint.ts";

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
 * @throws {CheckpointNotFoundError} When its config.json is missing.
 * @throws {ConfigError} When its config.json is no JSON.
 * @throws {SafetensorsError} When its weights are damaged.
 */
export async function openPart({ weights: path, config }: ComponentFiles): Promise<OpenedPart> {
  const weights = await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  const check = await rememberFiles(weights.files);
  if (config === undefined) return { json: undefined, file: path, weights, check };
  return { json: await readConfig(config), file: config, weights, check };
}

/** Weights stay in their files, so those must stay as they are for as long as they are in use. */
async function rememberFiles(paths: readonly string[]): Promise<() => Promise<void>> {
  const identity = async (path: string) => {
    const { size, mtime, ino } = await Deno.stat(path);
    return `${size} ${mtime?.getTime()} ${ino}`;
  };
  const remembered = await Promise.all(paths.map(identity));
  return async () => {
    for (const [index, path] of paths.entries()) {
      if (await identity(path).catch(() => undefined) === remembered[index]) continue;
      throw new SafetensorsError(
        {
          en: `${path} was changed or removed after it was opened. Load the pipeline again.`,
          zh: `${path} 在打开之后被更改或删除。请重新加载流水线。`,
        },
        { file: path },
      );
    }
  };
}

/**
 * Reads a file of JSON, such as a config.json.
 *
 * @throws {CheckpointNotFoundError} When it is missing.
 * @throws {ConfigError} When it cannot be read or is no JSON.
 */
export async function readConfig(file: string): Promise<unknown> {
  const read = await readJson(file);
  if (read.problem === undefined) return read.value;
  const { problem, isMissing, cause } = read;
  if (!isMissing) throw new ConfigError(file, [problem], { cause });
  throw new CheckpointNotFoundError({
    en: `${file} is missing. It must lie beside the weights.`,
    zh: `缺少 ${file}。它应与权重放在一起。`,
  }, { cause });
}
