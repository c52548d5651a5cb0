/** ComfyUI's layout: single files in a few folders, told apart by the tensors in them. */
import { basename, dirname, join, resolve } from "node:path";
import { NewBieError } from "../../errors.ts";
import { type ModelFamily, type Network, PART_NAMES, type PartName } from "../../families/mod.ts";
import { CheckpointError, DTYPE_POLICIES } from "../../onnx/mod.ts";
import { reasonOf } from "../../system_reason.ts";
import {
  isFloatDtype,
  type OpaqueEntry,
  openWeights,
  type Weights,
} from "../../safetensors/mod.ts";
import { schedulerIn } from "./_folder_layouts.ts";
import { notFound } from "./_not_found.ts";
import { firstThere, isWeightsName, kindOf, namedPart, withEnding } from "./_part_files.ts";
import type { Catalogue } from "./_texts.ts";
import { type ConfigOf, misfit } from "./fit.ts";
import { readConfig } from "./read_config.ts";
import {
  type CheckpointFiles,
  COMFYUI_TOKENIZER_TENSOR,
  type FindCheckpointOptions,
  type PartFiles,
  REQUIRED_PARTS,
  type TokenizerPlace,
} from "./types.ts";

/** Where ComfyUI and its relatives keep models, in lower case, below a folder of models. */
const MODEL_FOLDERS = new Set([
  "checkpoints",
  "clip",
  "diffusion_models",
  "stable-diffusion",
  "text_encoder",
  "text_encoders",
  "transformer",
  "unet",
  "vae",
  "vae_approx",
]);
/** Where previews' decoders lie: taken when there is no other. */
const PREVIEW_FOLDER = /(^|[\\/])vae_approx[\\/]/i;
/** What transformers and diffusers call a part's weights. */
const PART_FILE = /^(?:diffusion_pytorch_)?model\.(?:safetensors|sft)$/i;
/** Folders in folders. */
const DEEPEST = 6;

/** A file that has a part's tensors, with what it says of itself. */
interface Candidate<P extends PartName = PartName> {
  readonly part: P;
  readonly files: PartFiles;
  /** Its configuration, or itself where it has none, for messages. */
  readonly file: string;
  readonly weights: Weights;
  readonly config: ConfigOf[P];
}

/** What was found of all parts. */
interface Candidates {
  readonly of: { readonly [P in PartName]: Candidate<P>[] };
  /** Files that could be considered, and why they were not. */
  readonly refused: NewBieError[];
}

/**
 * Looks for single files that make one model.
 *
 * @throws {CheckpointNotFoundError} When parts are missing, none fits the others, or several do.
 */
export async function findSingleFiles(
  place: string,
  families: readonly ModelFamily[],
  options: FindCheckpointOptions,
): Promise<CheckpointFiles | undefined> {
  const isFile = await kindOf(place) === "file";
  const paths = isFile ? [place] : await weightsFilesIn(place);
  for (const family of families) {
    const found = await candidatesOf(family, place, paths, options);
    const isEmpty = PART_NAMES.every((part) => found.of[part].length === 0);
    if (isEmpty && family !== families.at(-1)) continue;
    if (isEmpty && found.refused.length === 0) return undefined;
    const chosen = choose(place, family, found);
    return await filesOf(isFile ? dirname(place) : place, family, chosen);
  }
  return undefined;
}

async function candidatesOf(
  family: ModelFamily,
  place: string,
  paths: readonly string[],
  { parts = {}, variant }: FindCheckpointOptions,
): Promise<Candidates> {
  const found: Candidates = {
    of: { transformer: [], textEncoder: [], clipModel: [], vae: [] },
    refused: [],
  };
  const add = async (files: PartFiles, wanted: readonly PartName[]) => {
    const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof NewBieError)) throw error;
        found.refused.push(error);
      }
    };
    const opaque = [COMFYUI_TOKENIZER_TENSOR];
    const weights = await attempt(() => openWeights(files.weights, { opaque, variant }));
    if (weights === undefined) return;
    const held = PART_NAMES.filter((part) => family.networks[part].names(weights) !== undefined);
    for (const part of wanted.filter((part) => held.includes(part))) {
      // One configuration cannot be that of several networks: each has its own.
      const own = held.length === 1 ? files : await ownConfig(files.weights, family, part);
      await attempt(() => consider(part, own, weights));
    }
  };
  const consider = async <P extends PartName>(part: P, files: PartFiles, weights: Weights) => {
    const json = files.config === undefined ? undefined : await readConfig(files.config);
    const file = files.config ?? files.weights;
    const config = family.networks[part].parse(json, file, weights) as ConfigOf[P];
    found.of[part].push({ part, files, file, weights, config });
  };
  for (const part of PART_NAMES) {
    const path = parts[part];
    if (path === undefined) continue;
    const before = found.refused.length;
    await add(await namedPart(path), [part]);
    if (found.of[part].length > 0) continue;
    // What was named itself is wrong, and nothing else will do.
    throw found.refused[before] ?? notFound((text) => text.notThatPart(part, path, family.name));
  }
  const others = PART_NAMES.filter((part) => parts[part] === undefined);
  for (const path of paths) {
    const config = withEnding(path, ".json");
    const hasConfig = await kindOf(config) === "file";
    const files = { weights: path, ...(hasConfig ? { config } : {}) };
    // A file that was given by itself, or has a part's own name, may have its config.json beside it.
    const isPart = path === place || PART_FILE.test(basename(path));
    await add(isPart ? await namedPart(path) : files, others);
  }
  return found;
}

/** The configuration beside a file that holds several parts: `x.transformer.json`. */
async function ownConfig(weights: string, family: ModelFamily, part: PartName): Promise<PartFiles> {
  const config = withEnding(weights, `.${family.slots.diffusers[part][0]}.json`);
  return await kindOf(config) === "file" ? { weights, config } : { weights };
}

/** One file for each part. */
interface Chosen {
  readonly transformer: Candidate<"transformer">;
  readonly textEncoder: Candidate<"textEncoder">;
  /** Absent where the transformer takes none. */
  readonly clipModel?: Candidate<"clipModel">;
  readonly vae: Candidate<"vae">;
}

type Say = (text: Catalogue) => string;

/** The parts that fit one transformer, or why there are none. */
interface Companions {
  readonly transformer: Candidate<"transformer">;
  readonly textEncoder: readonly Candidate<"textEncoder">[];
  readonly clipModel: readonly Candidate<"clipModel">[];
  readonly vae: readonly Candidate<"vae">[];
  readonly problems: readonly Say[];
}

/**
 * Takes the files that make one model. Where there is more than one choice, a person has to decide.
 */
function choose(place: string, family: ModelFamily, { of, refused }: Candidates): Chosen {
  const fail = (problems: readonly Say[]) =>
    notFound((text) => text.notOneModel(place, problems.map((say) => say(text)), refused));
  const absent = REQUIRED_PARTS.filter((part) => of[part].length === 0);
  if (absent.length > 0) throw fail(absent.map((part) => (text) => text.noFileOf(part)));

  const all = of.transformer.map((transformer) => companionsOf(transformer, of));
  const complete = all.filter(({ problems }) => problems.length === 0);
  if (complete.length === 0) {
    // The candidate that lacks the fewest parts is most likely the one that is meant.
    const [closest] = all.sort((a, b) => a.problems.length - b.problems.length);
    throw fail(closest!.problems);
  }
  const several: Say[] = [];
  const one = <P extends PartName>(candidates: readonly Candidate<P>[]): Candidate<P> => {
    const [first, ...more] = likeliest(family, candidates);
    if (more.length > 0) {
      const files = [first!, ...more].map(({ files }) => files.weights);
      several.push((text) => text.severalFilesOf(first!.part, files));
    }
    return first!;
  };
  const transformer = one(complete.map(({ transformer }) => transformer));
  if (several.length > 0) throw fail(several);
  const companions = complete.find((companions) => companions.transformer === transformer)!;
  const chosen = {
    transformer,
    textEncoder: one(ownFirst(companions.textEncoder, transformer)),
    ...(companions.clipModel.length === 0
      ? {}
      : { clipModel: one(ownFirst(companions.clipModel, transformer)) }),
    vae: one(ownFirst(companions.vae, transformer)),
  };
  if (several.length > 0) throw fail(several);
  return chosen;
}

function companionsOf(
  transformer: Candidate<"transformer">,
  of: Candidates["of"],
): Companions {
  const problems: Say[] = [];
  const fitting = <P extends "textEncoder" | "clipModel" | "vae">(part: P) => {
    const candidates: readonly Candidate<P>[] = of[part];
    const misfits = candidates.map((candidate) => misfit(part, candidate, transformer));
    const fit = candidates.filter((_, index) => misfits[index] === undefined);
    if (fit.length > 0) return fit;
    const reasons = candidates.map(({ file }, index) => ({ file, reason: misfits[index]! }));
    problems.push((text) =>
      reasons.length === 0 ? text.noFileOf(part) : text.noneFits(part, reasons)
    );
    return [];
  };
  return {
    transformer,
    textEncoder: fitting("textEncoder"),
    clipModel: transformer.config.clip_text_dim === undefined ? [] : fitting("clipModel"),
    vae: fitting("vae"),
    problems,
  };
}

/** What lies in the transformer's own file belongs to it. */
function ownFirst<P extends PartName>(
  candidates: readonly Candidate<P>[],
  { files }: Candidate<"transformer">,
): readonly Candidate<P>[] {
  const own = candidates.filter((candidate) => candidate.files.weights === files.weights);
  return own.length > 0 ? own : candidates;
}

/** Of several candidates, those that are no previews, can be compiled, and lost nothing. */
function likeliest<P extends PartName>(
  family: ModelFamily,
  candidates: readonly Candidate<P>[],
): readonly Candidate<P>[] {
  if (candidates.length < 2) return candidates;
  const final = candidates.filter(({ files }) => !PREVIEW_FOLDER.test(files.weights));
  const proper = final.length > 0 ? final : candidates;
  if (proper.length < 2) return proper;
  const usable = proper.filter(({ part, config, weights }) => {
    const { compile } = family.networks[part] as unknown as Network<ConfigOf[P], unknown>;
    try {
      compile(config, weights, DTYPE_POLICIES.cpu);
      return true;
    } catch (error) {
      if (error instanceof CheckpointError) return false;
      throw error;
    }
  });
  // Where none can be used, loading the first one says why.
  if (usable.length === 0) return proper.slice(0, 1);
  // Smaller editions are made of the full one, which is meant where it is there.
  const full = usable.filter(({ weights }) => isFull(weights));
  return full.length > 0 ? full : usable;
}

/** Whether all weights stand as they are: none is rounded to 8 bits or fewer. */
function isFull({ tensors }: Weights): boolean {
  return tensors.values().every(({ dtype }) => isFloatDtype(dtype));
}

async function filesOf(
  folder: string,
  family: ModelFamily,
  { transformer, textEncoder, clipModel, vae }: Chosen,
): Promise<CheckpointFiles> {
  return {
    layout: "comfyui",
    isDemo: false,
    family,
    transformer: transformer.files,
    textEncoder: textEncoder.files,
    vae: vae.files,
    tokenizer: await tokenizerOf(folder, family, textEncoder),
    ...(clipModel === undefined ? {} : {
      clipModel: clipModel.files,
      clipTokenizer: await tokenizerOf(folder, family, clipModel),
    }),
    ...await schedulerIn(folder),
  };
}

async function tokenizerOf<P extends "textEncoder" | "clipModel">(
  folder: string,
  family: ModelFamily,
  { part, files, weights }: Candidate<P>,
): Promise<TokenizerPlace> {
  const isFolder = await kindOf(files.weights) === "folder";
  const besides = [
    ...(isFolder ? [join(files.weights, "tokenizer.json")] : [
      withEnding(files.weights, `.${family.slots.diffusers[part][0]}.tokenizer.json`),
      withEnding(files.weights, ".tokenizer.json"),
    ]),
    ...family.slots.tokenizers[part].map((name) => join(folder, name)),
  ];
  const beside = await firstThere(besides);
  if (beside !== undefined) return beside;
  const inside = tokenizerInside(weights, family.networks[part].names(weights)?.prefix ?? "");
  if (inside !== undefined) return inside;
  throw notFound((text) => text.noTokenizer(files.weights, COMFYUI_TOKENIZER_TENSOR, besides));
}

/** Of the tokenizers in a file, the one whose name begins most like the network's. */
function tokenizerInside({ opaque }: Weights, prefix: string): OpaqueEntry | undefined {
  const names = [...opaque.keys()].filter((name) =>
    name === COMFYUI_TOKENIZER_TENSOR || name.endsWith(`.${COMFYUI_TOKENIZER_TENSOR}`)
  );
  const shared = (name: string) => {
    let length = 0;
    while (length < prefix.length && name[length] === prefix[length]) length++;
    return length;
  };
  const [nearest] = names.sort((a, b) => shared(b) - shared(a));
  return nearest === undefined ? undefined : opaque.get(nearest);
}

/** Whether it may be weights that are not read, so that a message can say so. */
const isPickle = (name: string) => /\.(?:ckpt|pth?)$/i.test(name);

/** All weights files that could be meant. */
async function weightsFilesIn(folder: string): Promise<string[]> {
  const files = new Set<string>();
  const seen = new Set<string>();
  const search = async (place: string, depth: number) => {
    // Links may lead round in a circle.
    const real = await Deno.realPath(place).catch(() => place);
    if (seen.has(real)) return;
    seen.add(real);
    for (const { name } of await entriesOf(place)) {
      const path = join(place, name);
      if (isWeightsName(name) || isPickle(name)) files.add(path);
      else if (depth < DEEPEST && await kindOf(path) === "folder") await search(path, depth + 1);
    }
  };
  for (const root of [folder, join(folder, "models"), join(folder, "split_files")]) {
    for (const { name } of await entriesOf(root)) {
      const path = join(root, name);
      if (isWeightsName(name) || isPickle(name)) files.add(path);
      else if (MODEL_FOLDERS.has(name.toLowerCase()) && await kindOf(path) === "folder") {
        await search(path, 1);
      }
    }
  }
  if (MODEL_FOLDERS.has(basename(resolve(folder)).toLowerCase())) await search(folder, 1);
  return [...files].sort();
}

/** What is in a folder, hidden companions aside; nothing where there is no folder. */
async function entriesOf(folder: string): Promise<Deno.DirEntry[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.filter(({ name }) => !name.startsWith("."));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) {
      return [];
    }
    const reason = reasonOf(cause);
    throw new NewBieError({
      en: `${folder} cannot be read: ${reason.en}.`,
      zh: `无法读取 ${folder}：${reason.zh}。`,
    }, { cause });
  }
}
