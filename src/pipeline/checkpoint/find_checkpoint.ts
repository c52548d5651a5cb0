/**
 * Finding the parts of a checkpoint on disk, in any of three layouts.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { type Message, NewBieError } from "../../errors.ts";
import { exists, isFolder } from "../../files.ts";
import { inBoth, type Language } from "../../language.ts";
import { type OpaqueEntry, readSafetensorsHeader, type Weights } from "../../safetensors/mod.ts";
import { TEXTS } from "./_texts.ts";

/** The layouts that {@linkcode findCheckpoint} knows. */
export type CheckpointLayout = typeof CHECKPOINT_LAYOUTS[number];

/** All layouts. */
export const CHECKPOINT_LAYOUTS = ["toolkit", "diffusers", "comfyui"] as const;

/** Where one part of the pipeline lies. */
export interface ComponentFiles {
  /** A safetensors file, or the folder with it or with its shards. */
  readonly weights: string;
  /** Its config.json; absent for a single file that stands alone. */
  readonly config?: string;
}

/** A tokenizer.json, the folder that holds it, or a SentencePiece model inside a weights file. */
export type TokenizerPlace = string | OpaqueEntry;

/** Where everything lies. */
export interface CheckpointFiles {
  readonly layout: CheckpointLayout;
  /** Whether this is the small model that comes with the toolkit. */
  readonly isDemo: boolean;
  readonly transformer: ComponentFiles;
  readonly textEncoder: ComponentFiles;
  /** Absent where there is none; a transformer without CLIP conditioning needs none. */
  readonly clipModel?: ComponentFiles;
  readonly vae: ComponentFiles;
  /** The text encoder's tokenizer. */
  readonly tokenizer: TokenizerPlace;
  /** The CLIP model's tokenizer. */
  readonly clipTokenizer?: TokenizerPlace;
  /** scheduler_config.json, where there is one. */
  readonly scheduler?: string;
}

/** No checkpoint was found, or parts of it are missing. */
export class CheckpointNotFoundError extends NewBieError {
  override name = "CheckpointNotFoundError";
}

function notFound(say: (text: typeof TEXTS["en"]) => Message): CheckpointNotFoundError {
  return new CheckpointNotFoundError(inBoth(TEXTS, say));
}

/** The four parts of a model. */
export type Role = "transformer" | "textEncoder" | "clipModel" | "vae";
/** Whether the CLIP model is needed, too, only the transformer's configuration tells. */
const REQUIRED_ROLES: readonly Role[] = ["transformer", "textEncoder", "vae"];

/** A Hugging Face pipeline folder. */
const DIFFUSERS_FOLDERS: Readonly<Record<Role, string>> = {
  transformer: "transformer",
  textEncoder: "text_encoder",
  clipModel: "clip_model",
  vae: "vae",
};
/** The toolkit's own layout, below `models/`. */
export const TOOLKIT_SLOTS: Readonly<Record<Role, string>> = {
  transformer: "next-dit-3.5b",
  textEncoder: "transformer/gemma-3-2b",
  clipModel: "clip_model/jina-clip-v2",
  vae: "vae/taesd",
};
/** The same four in `models/demo/`. */
const DEMO_SLOTS: Readonly<Record<Role, string>> = {
  transformer: "next-dit",
  textEncoder: "transformer",
  clipModel: "clip_model",
  vae: "vae",
};

/**
 * Finds the parts of a checkpoint.
 *
 * - `diffusers`: a pipeline folder with `transformer/`, `text_encoder/`, `clip_model/` and `vae/`.
 * - `toolkit`: `models/next-dit-3.5b/` and its three companions, or, where none of the four is
 *   there, the demo model in `models/demo/`.
 * - `comfyui`: single safetensors files in the folder or in ComfyUI's subfolders
 *   (`diffusion_models`, `text_encoders`, `vae`…), told apart by the tensors in them.
 *
 * @param folder The folder to look in.
 * @throws {CheckpointNotFoundError} When nothing is found, or something is missing or ambiguous.
 */
export async function findCheckpoint(folder: string): Promise<CheckpointFiles> {
  if (!await isFolder(folder)) throw notFound((text) => text.noFolder(folder));
  const found = await findDiffusers(folder) ?? await findToolkit(folder) ??
    await findComfyUi(folder);
  if (found !== undefined) return found;
  throw notFound((text) => text.notFound(folder, TOOLKIT_SLOTS.transformer));
}

async function findDiffusers(folder: string): Promise<CheckpointFiles | undefined> {
  const isPipeline = await exists(join(folder, "model_index.json")) ||
    await exists(join(folder, "transformer")) && await exists(join(folder, "text_encoder"));
  if (!isPipeline) return undefined;
  const tokenizer = async (name: string, encoder: string) =>
    await exists(join(folder, name)) ? join(folder, name) : join(folder, encoder);
  return {
    layout: "diffusers",
    isDemo: false,
    ...await componentsIn(folder, DIFFUSERS_FOLDERS, "diffusers"),
    tokenizer: await tokenizer("tokenizer", DIFFUSERS_FOLDERS.textEncoder),
    clipTokenizer: await tokenizer("clip_tokenizer", DIFFUSERS_FOLDERS.clipModel),
    ...await schedulerIn(folder),
  };
}

async function findToolkit(folder: string): Promise<CheckpointFiles | undefined> {
  for (const root of [join(folder, "models"), folder]) {
    const present = await Promise.all(
      Object.values(TOOLKIT_SLOTS).map((slot) => exists(join(root, slot))),
    );
    if (present.some(Boolean)) return await toolkitFiles(root, TOOLKIT_SLOTS, false);
    for (const demo of [join(root, "demo"), root]) {
      if (await exists(join(demo, DEMO_SLOTS.transformer))) {
        return await toolkitFiles(demo, DEMO_SLOTS, true);
      }
    }
  }
  return undefined;
}

async function toolkitFiles(
  root: string,
  slots: Readonly<Record<Role, string>>,
  isDemo: boolean,
): Promise<CheckpointFiles> {
  return {
    layout: "toolkit",
    isDemo,
    ...await componentsIn(root, slots, isDemo ? "demo" : "toolkit"),
    tokenizer: join(root, slots.textEncoder),
    clipTokenizer: join(root, slots.clipModel),
    ...await schedulerIn(root),
  };
}

/** @throws {CheckpointNotFoundError} Naming all folders that are missing. */
async function componentsIn(
  root: string,
  folders: Readonly<Record<Role, string>>,
  layout: "diffusers" | "toolkit" | "demo",
): Promise<Pick<CheckpointFiles, Role>> {
  const component = (role: Role) => {
    const weights = join(root, folders[role]);
    return { weights, config: join(weights, "config.json") };
  };
  const missing: string[] = [];
  for (const role of REQUIRED_ROLES) {
    if (!await exists(join(root, folders[role]))) missing.push(`${folders[role]}/`);
  }
  if (missing.length > 0) {
    throw notFound((text) => text.lacks(root, layout, missing));
  }
  return {
    transformer: component("transformer"),
    textEncoder: component("textEncoder"),
    vae: component("vae"),
    ...(await exists(join(root, folders.clipModel)) ? { clipModel: component("clipModel") } : {}),
  };
}

async function schedulerIn(folder: string): Promise<{ scheduler?: string }> {
  const scheduler = join(folder, "scheduler", "scheduler_config.json");
  return await exists(scheduler) ? { scheduler } : {};
}

/** Where ComfyUI keeps single files, below its `models` folder or a download's `split_files`. */
const COMFYUI_FOLDERS = [
  "",
  "diffusion_models",
  "unet",
  "text_encoders",
  "clip",
  "vae",
  "vae_approx",
];
/** ComfyUI's text encoders carry their sentencepiece model as a tensor of bytes. */
export const COMFYUI_TOKENIZER_TENSOR = "spiece_model";

/** Tensors by which each part gives itself away. */
const SIGNATURES: Readonly<Record<Role, RegExp>> = {
  transformer: /(^|\.)cap_embedder\.1\.weight$/,
  textEncoder: /(^|\.)layers\.0\.self_attn\.q_norm\.weight$/,
  clipModel: /(^|\.)encoder\.layers\.0\.mixer\.Wqkv\./,
  vae: /(^|\.)decoder\.conv_in\.weight$|^((taesd_)?decoder\.)?(layers\.)?[01]\.weight$/,
};

async function findComfyUi(folder: string): Promise<CheckpointFiles | undefined> {
  const candidates: Record<Role, string[]> = {
    transformer: [],
    textEncoder: [],
    clipModel: [],
    vae: [],
  };
  const spieceModels = new Map<string, OpaqueEntry>();
  const unreadable: unknown[] = [];
  for (const file of await safetensorsFiles(folder)) {
    let weights: Weights;
    try {
      weights = await readSafetensorsHeader(file, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
    } catch (error) {
      unreadable.push(error);
      continue;
    }
    const spieceModel = weights.opaque.get(COMFYUI_TOKENIZER_TENSOR);
    if (spieceModel !== undefined) spieceModels.set(file, spieceModel);
    const names = [...weights.tensors.keys()];
    for (const role of Object.keys(SIGNATURES) as Role[]) {
      if (names.some((name) => SIGNATURES[role].test(name))) candidates[role].push(file);
    }
  }
  if (Object.values(candidates).every((files) => files.length === 0)) return undefined;

  const wrong = (Object.keys(candidates) as Role[]).filter((role) => {
    const count = candidates[role].length;
    return count > 1 || count === 0 && REQUIRED_ROLES.includes(role);
  });
  if (wrong.length > 0) {
    throw notFound((text) => {
      const problems = wrong.map((role) =>
        candidates[role].length === 0
          ? text.noFileOf(role)
          : text.severalFilesOf(role, candidates[role])
      );
      return text.notOneModel(folder, problems, unreadable);
    });
  }
  const component = async (role: Role): Promise<ComponentFiles> => {
    const [weights] = candidates[role] as [string];
    const config = weights.replace(/\.safetensors$/, ".json");
    return { weights, ...(await exists(config) ? { config } : {}) };
  };
  const tokenizer = async (role: Role, name: string): Promise<TokenizerPlace> => {
    const [weights] = candidates[role] as [string];
    const besides = [weights.replace(/\.safetensors$/, ".tokenizer.json"), join(folder, name)];
    for (const path of besides) if (await exists(path)) return path;
    const inside = spieceModels.get(weights);
    if (inside !== undefined) return inside;
    throw notFound((text) => text.noTokenizer(weights, COMFYUI_TOKENIZER_TENSOR, besides));
  };
  return {
    layout: "comfyui",
    isDemo: false,
    transformer: await component("transformer"),
    textEncoder: await component("textEncoder"),
    vae: await component("vae"),
    tokenizer: await tokenizer("textEncoder", "tokenizer"),
    ...(candidates.clipModel.length === 0 ? {} : {
      clipModel: await component("clipModel"),
      clipTokenizer: await tokenizer("clipModel", "clip_tokenizer"),
    }),
    ...await schedulerIn(folder),
  };
}

async function safetensorsFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const root of [folder, join(folder, "models"), join(folder, "split_files")]) {
    for (const name of COMFYUI_FOLDERS) {
      const searched = join(root, name);
      if (!await exists(searched)) continue;
      for await (const entry of Deno.readDir(searched)) {
        if (!entry.isDirectory && entry.name.endsWith(".safetensors")) {
          files.push(join(searched, entry.name));
        }
      }
    }
  }
  return files.sort();
}

/** One line for people: which layout, where. */
export function describeCheckpoint(
  files: CheckpointFiles,
  folder: string,
  language: Language = "en",
): string {
  const text = TEXTS[language];
  if (files.isDemo) {
    const demo = dirname(files.transformer.weights);
    return resolve(demo) === resolve(folder)
      ? text.demo(demo)
      : text.demoInstead(demo, dirname(demo));
  }
  const { transformer, textEncoder, clipModel, vae } = files;
  const parts = [transformer, textEncoder, ...(clipModel === undefined ? [] : [clipModel]), vae];
  return text.found(files.layout, folder, parts.map(({ weights }) => basename(weights)));
}
