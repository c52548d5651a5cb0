import { basename, join, resolve } from "node:path";
import { explainError } from "../errors.ts";
import { exists } from "../files.ts";
import type { Language } from "../language.ts";
import {
  type CheckpointFiles,
  type CheckpointLayout,
  COMFYUI_TOKENIZER_TENSOR,
  type ComponentFiles,
  findCheckpoint,
  type Role,
  TOOLKIT_SLOTS,
} from "../pipeline/checkpoint/find_checkpoint.ts";
import { openWeights, type WeightDtype } from "../safetensors/mod.ts";
import { elementCount } from "../tensor.ts";
import type { PartShape } from "../pipeline/checkpoint/memory.ts";
import { partShape } from "../pipeline/checkpoint/part_needs.ts";

export type { Role };

/** A part that was found. */
export interface Part extends PartShape {
  readonly role: Role;
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
  readonly role: Role;
  readonly path: string;
  readonly problem: string;
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
  /** Why there is no complete model. */
  readonly problem?: string;
}

/** A place for a part of the published model. */
export interface Slot {
  readonly role: Role;
  readonly path: string;
}

const SLOTS_FOLDER = "models";
const ROLES = Object.keys(TOOLKIT_SLOTS) as Role[];

/** The toolkit's own layout, in its own folder. */
export const SLOTS: readonly Slot[] = ROLES.map((role) => {
  return { role, path: `${SLOTS_FOLDER}/${TOOLKIT_SLOTS[role]}` };
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
      filled.map(({ role, path }) => readPart(role, slotFiles(path), language)),
    );
    return { ...nothing, parts, missing, problem };
  }
  const parts = await Promise.all(
    ROLES.flatMap((role) =>
      files[role] === undefined ? [] : [readPart(role, files[role], language)]
    ),
  );
  const partOf = (role: Role) => parts.find((part) => part.role === role);
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
  };
}

/** `findCheckpoint` cannot know whether the transformer needs a CLIP model. */
function missingClip({ transformer, clipModel, layout }: CheckpointFiles, needed: boolean): Slot[] {
  if (clipModel !== undefined || !needed) return [];
  const place = layout === "toolkit" ? TOOLKIT_SLOTS.clipModel : "clip_model";
  return [{ role: "clipModel", path: join(transformer.weights, "..", place) }];
}

/** Slots lie in `models/` of the folder, or in the folder itself. */
async function slotsIn(folder: string): Promise<{ filled: Slot[]; missing: Slot[] }> {
  for (const root of [folder, join(folder, "..")]) {
    if (root !== folder && basename(resolve(folder)) !== SLOTS_FOLDER) continue;
    const slots = SLOTS.map(({ role, path }) => ({ role, path: join(root, path) }));
    const present = await Promise.all(slots.map(({ path }) => exists(path)));
    const filled = slots.filter((_, index) => present[index]);
    if (filled.length > 0) return { filled, missing: slots.filter((_, index) => !present[index]) };
  }
  return { filled: [], missing: [] };
}

function slotFiles(folder: string): ComponentFiles {
  return { weights: folder, config: join(folder, "config.json") };
}

async function open({ weights: path, config }: ComponentFiles) {
  const weights = await openWeights(path, { opaque: [COMFYUI_TOKENIZER_TENSOR] });
  const text = config === undefined ? undefined : await Deno.readTextFile(config);
  const json: unknown = text === undefined ? undefined : JSON.parse(text.replace(/^\ufeff/, ""));
  return { weights, json };
}

async function readPart(
  role: Role,
  files: ComponentFiles,
  language: Language,
): Promise<Part | DamagedPart> {
  const path = files.weights;
  try {
    const { weights, json } = await open(files);
    const tensors = [...weights.tensors.values()];
    return {
      role,
      path,
      files: weights.files,
      bytes: tensors.reduce((sum, { byteLength }) => sum + byteLength, 0),
      dtypes: [...new Set(tensors.map(({ dtype }) => dtype))].sort(),
      parameters: tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      ...partShape(role, json, files.config ?? path, weights),
    };
  } catch (error) {
    return { role, path, problem: explainError(error, language) };
  }
}
