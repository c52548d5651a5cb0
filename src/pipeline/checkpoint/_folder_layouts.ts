/** The layouts that have a folder for each part: the toolkit's own, and Hugging Face's pipelines. */
import { join } from "node:path";
import { type EachPart, type ModelFamily, PART_NAMES, type PartName } from "../../families/mod.ts";
import { notFound } from "./_not_found.ts";
import { firstThere, kindOf, namedPart, partInFolder } from "./_part_files.ts";
import {
  type CheckpointFiles,
  type FindCheckpointOptions,
  type PartFiles,
  REQUIRED_PARTS,
} from "./types.ts";

type NamedParts = NonNullable<FindCheckpointOptions["parts"]>;

/** @throws {CheckpointNotFoundError} Naming all folders that are missing. */
export async function findFolders(
  folder: string,
  family: ModelFamily,
  named: NamedParts,
): Promise<CheckpointFiles | undefined> {
  return await findDiffusers(folder, family, named) ?? await findToolkit(folder, family, named);
}

async function findDiffusers(
  folder: string,
  family: ModelFamily,
  named: NamedParts,
): Promise<CheckpointFiles | undefined> {
  const { diffusers, tokenizers } = family.slots;
  const thereOf = async (part: PartName) => {
    const places = await Promise.all(
      diffusers[part].map(async (name) => (await isThere(join(folder, name))) ? name : undefined),
    );
    return places.find((name) => name !== undefined);
  };
  const isPipeline = await isThere(join(folder, "model_index.json")) ||
    await thereOf("transformer") !== undefined && await thereOf("textEncoder") !== undefined;
  if (!isPipeline) return undefined;
  const entries = await Promise.all(
    PART_NAMES.map(async (part) => [part, await thereOf(part) ?? diffusers[part][0]!] as const),
  );
  const slots = Object.fromEntries(entries) as EachPart<string>;
  const parts = await partsIn(folder, slots, "diffusers", named);
  const tokenizer = async (part: "textEncoder" | "clipModel") =>
    await ownTokenizer(named[part]) ??
      await firstThere(tokenizers[part].map((name) => join(folder, name))) ??
      join(folder, slots[part]);
  return {
    layout: "diffusers",
    isDemo: false,
    family,
    ...parts,
    tokenizer: await tokenizer("textEncoder"),
    ...(parts.clipModel === undefined ? {} : { clipTokenizer: await tokenizer("clipModel") }),
    ...await schedulerIn(folder),
  };
}

async function findToolkit(
  folder: string,
  family: ModelFamily,
  named: NamedParts,
): Promise<CheckpointFiles | undefined> {
  const { toolkit, demo } = family.slots;
  for (const root of [join(folder, "models"), folder]) {
    const present = await Promise.all(
      PART_NAMES.map((part) => isThere(join(root, toolkit[part]))),
    );
    if (present.some(Boolean)) return await toolkitFiles(root, family, toolkit, named, false);
    if (demo === undefined) continue;
    for (const place of [join(root, "demo"), root]) {
      if (await isThere(join(place, demo.transformer))) {
        return await toolkitFiles(place, family, demo, named, true);
      }
    }
  }
  return undefined;
}

async function toolkitFiles(
  root: string,
  family: ModelFamily,
  slots: EachPart<string>,
  named: NamedParts,
  isDemo: boolean,
): Promise<CheckpointFiles> {
  const parts = await partsIn(root, slots, isDemo ? "demo" : "toolkit", named);
  const tokenizer = async (part: "textEncoder" | "clipModel") =>
    await ownTokenizer(named[part]) ?? join(root, slots[part]);
  return {
    layout: "toolkit",
    isDemo: isDemo && named.transformer === undefined,
    family,
    ...parts,
    tokenizer: await tokenizer("textEncoder"),
    ...(parts.clipModel === undefined ? {} : { clipTokenizer: await tokenizer("clipModel") }),
    ...await schedulerIn(root),
  };
}

/** @throws {CheckpointNotFoundError} Naming all folders that are missing. */
async function partsIn(
  root: string,
  slots: EachPart<string>,
  layout: "diffusers" | "toolkit" | "demo",
  named: NamedParts,
): Promise<Pick<CheckpointFiles, PartName>> {
  const missing: string[] = [];
  const found: Partial<Record<PartName, PartFiles>> = {};
  for (const part of PART_NAMES) {
    const weights = join(root, slots[part]);
    const path = named[part];
    if (path !== undefined) found[part] = await namedPart(path);
    else if (await isThere(weights)) {
      found[part] = await partInFolder(weights);
    } else if (REQUIRED_PARTS.includes(part)) missing.push(`${slots[part]}/`);
  }
  if (missing.length > 0) throw notFound((text) => text.lacks(root, layout, missing));
  return found as Pick<CheckpointFiles, PartName>;
}

/** The tokenizer in the folder of an encoder that was named, where it has one. */
async function ownTokenizer(encoder: string | undefined): Promise<string | undefined> {
  if (encoder === undefined) return undefined;
  return await isThere(join(encoder, "tokenizer.json")) ? encoder : undefined;
}

/** The scheduler's configuration, in its place of a pipeline folder. */
export async function schedulerIn(folder: string): Promise<{ scheduler?: string }> {
  const scheduler = join(folder, "scheduler", "scheduler_config.json");
  return await isThere(scheduler) ? { scheduler } : {};
}

async function isThere(path: string): Promise<boolean> {
  return await kindOf(path) !== undefined;
}
