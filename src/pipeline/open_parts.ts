/**
 * What lies in a checkpoint's files, read as far as loading needs it: whatever it is to run on.
 *
 * @module
 */
import { type Network, type PartName } from "../families/mod.ts";
import { createScheduler, type Scheduler, schedulerFromConfig } from "../schedulers/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import { CheckpointNotFoundError } from "./checkpoint/checkpoint_not_found_error.ts";
import { type ConfigOf, expectFit } from "./checkpoint/fit.ts";
import { type OpenedPart, openPart } from "./checkpoint/open_part.ts";
import { openTokenizer } from "./checkpoint/open_tokenizer.ts";
import { readConfig } from "./checkpoint/read_config.ts";
import type { CheckpointFiles, PartFiles } from "./checkpoint/types.ts";

/** A part whose configuration was read. */
type Parsed<P extends PartName> = OpenedPart & { readonly config: ConfigOf[P] };

/** What is known of a checkpoint whatever it is to run on. */
export interface OpenedParts {
  readonly transformer: Parsed<"transformer">;
  readonly textEncoder: Parsed<"textEncoder">;
  readonly clipModel?: Parsed<"clipModel">;
  readonly vae: Parsed<"vae">;
  readonly tokenizer: Tokenizer;
  readonly clipTokenizer?: Tokenizer;
  readonly scheduler: Scheduler;
}

/**
 * Reads headers, configurations and tokenizers, and sees whether they belong together.
 *
 * @throws {CheckpointNotFoundError} When the transformer has CLIP conditioning and there is no CLIP
 *   model, or a config.json is missing.
 * @throws {ConfigError} When a config.json is wrong, or two parts do not fit each other.
 * @throws {SafetensorsError | GgufError} When a weights file is damaged.
 * @throws {TokenizerError} When a tokenizer cannot be read.
 */
export async function openParts(files: CheckpointFiles): Promise<OpenedParts> {
  const { family } = files;
  const { networks, encoders } = family;
  const open = async <P extends PartName>(name: P, files: PartFiles) => {
    const part = await openPart(files, name, family);
    const parse = networks[name].parse as Network<ConfigOf[P], unknown>["parse"];
    return { ...part, config: parse(part.json, part.file, part.weights) };
  };
  const [transformer, textEncoder, vae, tokenizer, scheduler] = await Promise.all([
    open("transformer", files.transformer),
    open("textEncoder", files.textEncoder),
    open("vae", files.vae),
    openTokenizer(files.tokenizer, encoders.textEncoder.tokenizer),
    loadScheduler(files.scheduler),
  ]);
  const needsClip = transformer.config.clip_text_dim !== undefined;
  const clipFiles = needsClip ? requireClip(files, transformer.file) : undefined;
  const clipModel = clipFiles && await open("clipModel", clipFiles.model);
  const clipTokenizer = clipFiles &&
    await openTokenizer(clipFiles.tokenizer, encoders.clipModel.tokenizer);
  const opened = { transformer, textEncoder, ...(clipModel && { clipModel }), vae };
  expectFit(opened);
  return { ...opened, tokenizer, ...(clipTokenizer && { clipTokenizer }), scheduler };
}

/** The files of the CLIP model, which the transformer was found to need. */
function requireClip({ clipModel, clipTokenizer }: CheckpointFiles, transformer: string) {
  if (clipModel === undefined || clipTokenizer === undefined) {
    throw new CheckpointNotFoundError(
      `The transformer (${transformer}) has CLIP conditioning, but there is no CLIP model with it. ` +
        "README.md lists the files and where to put them; --clip-model names one that lies elsewhere.",
      {
        zh: `Transformer（${transformer}）需要 CLIP 条件，但没有随附的 CLIP 模型。` +
          "README.zh-CN.md 列出了所需文件及其位置；放在别处的可用 --clip-model 指定。",
      },
    );
  }
  return { model: clipModel, tokenizer: clipTokenizer };
}

async function loadScheduler(file: string | undefined): Promise<Scheduler> {
  return file === undefined
    ? createScheduler("euler")
    : schedulerFromConfig(await readConfig(file), file);
}
