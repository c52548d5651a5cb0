import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { adaptablePart, type AdapterFormat, readAdapter } from "../adapters/mod.ts";
import { explainError } from "../errors.ts";
import { exists } from "../files.ts";
import type { Language } from "../language.ts";
import {
  type CheckpointFiles,
  type CheckpointLayout,
  type PartFiles,
} from "../pipeline/checkpoint/types.ts";
import { findAdapters, loraFolders } from "../pipeline/adapters/adapter_folders.ts";
import { findCheckpoint } from "../pipeline/checkpoint/find_checkpoint.ts";
import { openPart } from "../pipeline/checkpoint/open_part.ts";
import {
  type ModelFamily,
  NEWBIE,
  PART_NAMES,
  type PartName,
  type PartShape,
} from "../families/mod.ts";
import type { WeightDtype } from "../safetensors/mod.ts";
import { elementCount } from "../tensor.ts";
import { partShape } from "../pipeline/checkpoint/part_needs.ts";

export type { PartName };

/** A part that was found. */
export interface Part extends PartShape {
  readonly name: PartName;
  /** The weights file, or the folder of it, as it was found. */
  readonly path: string;
  readonly files: readonly string[];
  /** Bytes of all tensors. */
  readonly bytes: number;
  readonly dtypes: readonly WeightDtype[];
  /** Values in all tensors, those that never reach a device included. */
  readonly parameters: number;
}

/** A part that was found and cannot be read. */
export interface DamagedPart {
  readonly name: PartName;
  readonly path: string;
  readonly problem: string;
}

/** An adapter that was found, and whether it fits the model. */
export interface AdapterFact {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** Whose way of writing adapters it follows; absent where it cannot be used. */
  readonly format?: AdapterFormat;
  /** The parts that it changes. */
  readonly parts: readonly PartName[];
  /** Why it cannot be used. */
  readonly problem?: string;
}

/** What lies in a folder. */
export interface ModelFacts {
  readonly folder: string;
  /** Absent when there is no complete model. */
  readonly layout?: CheckpointLayout;
  readonly isDemo: boolean;
  /** Width and height of the pictures that it was trained for; 0 when unknown. */
  readonly pictureSize: number;
  readonly parts: readonly (Part | DamagedPart)[];
  /** Slots of the toolkit's own layout that are empty while others are filled. */
  readonly missing: readonly Slot[];
  /** Those of the folders of adapters. */
  readonly adapters?: readonly AdapterFact[];
  /** Why there is no complete model. */
  readonly problem?: string;
}

/** A place for a part of the published model. */
export interface Slot {
  readonly name: PartName;
  readonly path: string;
}

const SLOTS_FOLDER = "models";

/** The toolkit's own layout, in its own folder. */
export const SLOTS: readonly Slot[] = PART_NAMES.map((name) => {
  return { name, path: `${SLOTS_FOLDER}/${NEWBIE.slots.toolkit[name]}` };
});

/** Whether a part can be used. */
export function isSound(part: Part | DamagedPart): part is Part {
  return !("problem" in part);
}

function isUsable(part: Part | DamagedPart | undefined): part is Part {
  return part !== undefined && isSound(part);
}

/**
 * Reads headers and configurations of the model in a folder; no weight is loaded.
 *
 * @param language In which problems are told.
 */
export async function readModel(folder: string, language: Language = "en"): Promise<ModelFacts> {
  const nothing = { folder, isDemo: false, pictureSize: 0, parts: [], missing: [] };
  let files: CheckpointFiles;
  try {
    files = await findCheckpoint(folder);
  } catch (error) {
    const problem = explainError(error, language);
    const { filled, missing } = await slotsIn(folder);
    const parts = await Promise.all(
      filled.map(({ name, path }) => readPart(name, slotFiles(path), NEWBIE, language)),
    );
    return { ...nothing, parts, missing, problem };
  }
  const parts = await Promise.all(
    PART_NAMES.flatMap((name) =>
      files[name] === undefined ? [] : [readPart(name, files[name], files.family, language)]
    ),
  );
  const partOf = (name: PartName) => parts.find((part) => part.name === name);
  const [transformer, vae] = [partOf("transformer"), partOf("vae")];
  const latents = isUsable(transformer) ? transformer.sampleSize : 0;
  const factor = isUsable(vae) ? vae.pixelsPerLatent : 0;
  return {
    folder,
    layout: files.layout,
    isDemo: files.isDemo,
    pictureSize: (latents ?? 0) * (factor ?? 0),
    parts,
    missing: missingClip(files, isUsable(transformer) && transformer.needsClip === true),
    adapters: await readAdapters(folder, files, language),
  };
}

async function readAdapters(
  folder: string,
  files: CheckpointFiles,
  language: Language,
): Promise<AdapterFact[]> {
  const found = await findAdapters(loraFolders(folder));
  if (found.length === 0) return [];
  const { family } = files;
  const adaptable = await Promise.all(PART_NAMES.map(async (name) => {
    const place = files[name];
    const part = place && await openPart(place, name, family).catch(() => undefined);
    return [name, part && adaptablePart(family.networks[name], part.weights)] as const;
  }));
  const parts = Object.fromEntries(adaptable.filter(([, part]) => part !== undefined));
  return await Promise.all(found.map(async ({ name, path, file }): Promise<AdapterFact> => {
    const { size: bytes } = await stat(file);
    try {
      const adapter = await readAdapter(path, parts);
      return { name, path, bytes, format: adapter.format, parts: [...adapter.parts.keys()] };
    } catch (error) {
      return { name, path, bytes, parts: [], problem: explainError(error, language) };
    }
  }));
}

/** `findCheckpoint` cannot know whether the transformer needs a CLIP model. */
function missingClip({ transformer, clipModel, layout }: CheckpointFiles, needed: boolean): Slot[] {
  if (clipModel !== undefined || !needed) return [];
  const place = layout === "toolkit" ? NEWBIE.slots.toolkit.clipModel : "clip_model";
  return [{ name: "clipModel", path: join(transformer.weights, "..", place) }];
}

/** Slots lie in `models/` of the folder, or in the folder itself. */
async function slotsIn(folder: string): Promise<{ filled: Slot[]; missing: Slot[] }> {
  for (const root of [folder, join(folder, "..")]) {
    if (root !== folder && basename(resolve(folder)) !== SLOTS_FOLDER) continue;
    const slots = SLOTS.map(({ name, path }) => ({ name, path: join(root, path) }));
    const present = await Promise.all(slots.map(({ path }) => exists(path)));
    const filled = slots.filter((_, index) => present[index]);
    if (filled.length > 0) return { filled, missing: slots.filter((_, index) => !present[index]) };
  }
  return { filled: [], missing: [] };
}

function slotFiles(folder: string): PartFiles {
  return { weights: folder, config: join(folder, "config.json") };
}

async function readPart(
  name: PartName,
  files: PartFiles,
  family: ModelFamily,
  language: Language,
): Promise<Part | DamagedPart> {
  const path = files.weights;
  try {
    const { weights, json } = await openPart(files, name, family);
    const tensors = [...weights.tensors.values()];
    return {
      name,
      path,
      files: weights.files,
      bytes: tensors.reduce((sum, { byteLength }) => sum + byteLength, 0),
      dtypes: [...new Set(tensors.map(({ dtype }) => dtype))].sort(),
      parameters: tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      ...partShape(name, json, files.config ?? path, weights, family),
    };
  } catch (error) {
    return { name, path, problem: explainError(error, language) };
  }
}
