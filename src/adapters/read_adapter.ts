import { basename, dirname, join } from "node:path";
import type { PartName } from "../families/mod.ts";
import { exists, isFolder } from "../files.ts";
import type { Texts } from "../language.ts";
import type { FloatType } from "../onnx/mod.ts";
import {
  type OpaqueEntry,
  openWeights,
  SafetensorsError,
  type TensorEntry,
  type Weights,
} from "../safetensors/mod.ts";
import { shown } from "../shown.ts";
import type { AdapterProblem } from "./adapter_error.ts";
import { changesOf, type ModuleChange, rowsOfChange } from "./_changes.ts";
import { isSpare, type Key, parseKey, parseWholeTensor, type Slot, unreadKind } from "./_keys.ts";
import { type Cut, ModuleFinder, type Place } from "./_modules.ts";
import { parsePeftConfig, type PeftConfig, readPeftConfig } from "./_peft_config.ts";
import { readNumber, readValues } from "./_tensors.ts";
import { lookalikeOf, misfit, refusal } from "./_texts.ts";
import type {
  AdaptablePart,
  AdaptableParts,
  Adapter,
  AdapterFormat,
  AdapterTarget,
} from "./types.ts";

const PEFT_CONFIG = "adapter_config.json";
const PEFT_WEIGHTS = "adapter_model.safetensors";
/** Where diffusers puts PEFT's configuration: in the metadata, each part's under its own prefix. */
const DIFFUSERS_CONFIG = "lora_adapter_metadata";
/** No module has a longer name. */
const LONGEST_NAME = 512;
/** Of a folder's files, those that a message lists. */
const MOST_FILES = 8;
const PICKLED = /\.(?:pt|pth|bin|ckpt)$/i;

/** How to read an adapter. */
export interface ReadAdapterOptions {
  /**
   * The type in which the model computes. With it all values are read, too: one that is no finite
   * number in that type would spoil every picture, at weight 0 as well.
   *
   * @default {undefined} Values are not read.
   */
  readonly compute?: FloatType;
}

/**
 * Reads an adapter: a safetensors file of any program that writes them, or a PEFT folder. Only its
 * header and its alphas are read, unless all values are to be checked; the matrices stay on disk.
 *
 * Formats are told by their keys, each key by itself: PEFT, kohya, ComfyUI, diffusion-pipe, diffusers
 * old and new, LyCORIS. docs/adapters.md lists them.
 *
 * @param path The file or folder.
 * @param parts What the model has, from `adaptablePart`.
 * @returns What the adapter changes.
 * @throws {AdapterError} When anything in the file is unknown or does not fit the model; it names
 *   how many keys of what kind, with examples. Nothing is to be applied then.
 * @throws {SafetensorsError} When the file is damaged or cannot be read.
 */
export async function readAdapter(
  path: string,
  parts: AdaptableParts,
  { compute }: ReadAdapterOptions = {},
): Promise<Adapter> {
  const { weights, config } = await openAdapter(path);
  const file = weights.paths[0] ?? path;
  const configOf = config === undefined
    ? metadataConfig(weights.metadata, file)
    : (module: string) => ({ config, module: module.replace(/^base_model\.model\./, "") });

  const sorted = sortOut(weights, new ModuleFinder(parts));
  const { allKeys, problems, modules } = sorted;
  if (allKeys === 0) throw refusal(path, (text) => text.noAdapter);
  const targets = new Map<PartName, AdapterTarget[]>();
  const targetsOf = (part: PartName) => {
    const list = targets.get(part) ?? [];
    if (list.length === 0) targets.set(part, list);
    return list;
  };
  const unused = [...sorted.spare];
  for (const found of modules.values()) {
    const { place, name, slots, keys, alpha } = found;
    if (place.cuts.length === 0) {
      unused.push(...keys);
      continue;
    }
    // What is wrong with its tensors is said already.
    if (found.isFaulty) continue;
    const adaptable = parts[place.part]!;
    const stated = configOf?.(name);
    const tensors = {
      slots,
      isRankStabilised: stated?.config.isRankStabilised ?? false,
      ...(alpha === undefined ? {} : { alpha: await readNumber(alpha) ?? NaN }),
      ...(stated === undefined ? {} : { stated: stated.config.of(stated.module) }),
    };
    const made = changesOf(tensors, wholeShape(place.cuts, adaptable));
    problems.push(...made.problems.map((problem) => ({ ...problem, name, keys: keys.length })));
    for (const change of made.changes) {
      for (const cut of place.cuts) {
        const target = targetOf(change, cut, adaptable);
        if ("problem" in target) {
          problems.push({ kind: target.problem, name, detail: NOTHING, keys: 1 });
          break;
        }
        targetsOf(place.part).push(target);
      }
    }
  }
  if (compute !== undefined && problems.length === 0) {
    const used = [...modules.values()].filter(({ place }) => place.cuts.length > 0);
    for (const [slot, entry] of used.flatMap(({ slots }) => [...slots])) {
      const problem = await valueProblem(entry, slot, compute);
      if (problem !== undefined) problems.push({ ...problem, name: entry.name, keys: 1 });
    }
  }
  if (problems.length > 0) {
    throw misfit(path, problems, allKeys, {
      lookalike: lookalikeOf(sorted.unknown),
      width: widthOf(modules.values(), parts.transformer),
      modules: examplesOf(parts),
      lacksEncoder: parts.textEncoder === undefined &&
        sorted.unknown.some((key) => ENCODER_KEY.test(key)),
    });
  }
  return {
    file,
    format: formatOf(sorted, config !== undefined),
    parts: targets,
    unused,
    triggerWords: triggerWordsOf(weights.metadata),
    metadata: weights.metadata,
  };
}

const ENCODER_KEY = /^(?:lora_te|text_encoder|te\d?[._])/;
const NOTHING: Texts<string> = { en: "", zh: "" };

interface OpenedAdapter {
  readonly weights: Weights;
  readonly config?: PeftConfig;
}

async function openAdapter(path: string): Promise<OpenedAdapter> {
  let weightsPath = path;
  let folder: string | undefined;
  if (await isFolder(path)) {
    folder = path;
    const peft = join(path, PEFT_WEIGHTS);
    if (await exists(peft)) weightsPath = peft;
    else weightsPath = await onlyFileIn(path);
  } else if (basename(path) === PEFT_WEIGHTS) {
    folder = dirname(path);
  } else if (PICKLED.test(path) && await exists(path)) {
    throw refusal(path, (text) => text.pickle);
  }
  const config = folder === undefined ? undefined : await readPeftConfig(join(folder, PEFT_CONFIG));
  const weights = await openWeights(weightsPath);
  return { weights, ...(config === undefined ? {} : { config }) };
}

/** The safetensors file of a folder that has no other. */
async function onlyFileIn(folder: string): Promise<string> {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  const [only, ...others] = names.filter((name) => /^[^.].*\.(?:safetensors|sft)$/i.test(name))
    .sort();
  if (only === undefined) throw refusal(folder, (text) => text.noWeights(shown(folder)));
  if (others.length > 0) {
    const listed = [only, ...others].slice(0, MOST_FILES).map((name) => shown(name));
    const more = [only, ...others].length - listed.length;
    throw refusal(
      folder,
      (text) => text.severalFiles([...listed, ...(more > 0 ? [text.more(more)] : [])]),
    );
  }
  return join(folder, only);
}

/** What a file's metadata say of a module: as diffusers writes them, or for NewBie's ComfyUI node. */
function metadataConfig(metadata: Readonly<Record<string, string>>, file: string) {
  const text = metadata[DIFFUSERS_CONFIG];
  if (text === undefined) return nodeConfig(metadata);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // A note that cannot be read is none; the keys are there all the same.
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const byPart = new Map<string, Record<string, unknown>>();
  for (const [key, value] of Object.entries(json)) {
    const [, part, name] = /^([^.]+)\.(.+)$/s.exec(key) ?? [];
    if (part === undefined || name === undefined) continue;
    const stated = byPart.get(part) ?? Object.create(null) as Record<string, unknown>;
    stated[name] = value;
    byPart.set(part, stated);
  }
  const configs = new Map(
    [...byPart].map(([part, stated]) => [part, parsePeftConfig({ ...stated }, file)]),
  );
  return (module: string) => {
    const dot = module.indexOf(".");
    const config = configs.get(module.slice(0, Math.max(0, dot)));
    return config === undefined ? undefined : { config, module: module.slice(dot + 1) };
  };
}

/**
 * PEFT's rank and alpha where there is a file alone, as NewBie's ComfyUI node reads them. LyCORIS's
 * files have the same words, and an alpha for each module, which goes before.
 */
function nodeConfig({ lora_rank, lora_alpha = lora_rank }: Readonly<Record<string, string>>) {
  const [rank, alpha] = [Number(lora_rank), Number(lora_alpha)];
  if (!(rank > 0) || !Number.isFinite(alpha)) return undefined;
  const config: PeftConfig = { isRankStabilised: false, of: () => ({ rank, alpha }) };
  return (module: string) => ({ config, module });
}

/** What a file has of one module. */
interface FoundModule {
  /** What the file calls it. */
  readonly name: string;
  readonly place: Place;
  readonly keys: string[];
  readonly slots: Map<Slot, TensorEntry>;
  alpha?: TensorEntry | OpaqueEntry;
  /** Whether a tensor of it cannot be read. */
  isFaulty?: true;
}

interface SortedKeys {
  readonly allKeys: number;
  readonly problems: AdapterProblem[];
  readonly unknown: readonly string[];
  readonly spare: readonly string[];
  readonly modules: ReadonlyMap<string, FoundModule>;
  readonly styles: ReadonlySet<AdapterFormat>;
}

/** Puts the keys together by module. */
function sortOut(weights: Weights, finder: ModuleFinder): SortedKeys {
  const problems: AdapterProblem[] = [];
  const unknown: string[] = [];
  const spare: string[] = [];
  const modules = new Map<string, FoundModule>();
  const styles = new Set<AdapterFormat>();
  const problem = (kind: AdapterProblem["kind"], name: string, detail = NOTHING) =>
    problems.push({ kind, name, detail, keys: 1 });
  const all = new Map<string, TensorEntry | OpaqueEntry | SafetensorsError>([
    ...weights.tensors,
    ...weights.opaque,
    ...weights.unusable,
  ]);
  for (const [key, entry] of all) {
    const unread = unreadKind(key);
    if (unread !== undefined) {
      problem("unread", key, { en: unread, zh: unread });
      continue;
    }
    if (isSpare(key, all)) {
      spare.push(key);
      continue;
    }
    const parsed = parseKey(key) ?? parseWholeTensor(key);
    if (parsed === undefined) {
      unknown.push(key);
      problem("no-change", key);
      continue;
    }
    const place = parsed.module.length > LONGEST_NAME ? undefined : finder.find(parsed.module);
    if (place === undefined) {
      unknown.push(key);
      problem("unknown", key);
      continue;
    }
    styles.add(styleOf(parsed));
    const found = entryOf(modules, place, parsed.module);
    found.keys.push(key);
    if (parsed.slot === "alpha") {
      if (found.alpha !== undefined) problem("twice", key);
      // Any number will do, of dtypes too that no weight has.
      found.alpha = weights.tensors.get(key) ?? weights.opaque.get(key)!;
    } else if (
      entry instanceof SafetensorsError || !("name" in entry) || entry.quantization !== undefined
    ) {
      found.isFaulty = true;
      const dtype = weights.opaque.get(key)?.dtype;
      const said = dtype === undefined && entry instanceof SafetensorsError
        ? { en: entry.explain("en"), zh: entry.explain("zh") }
        : { en: dtype ?? "", zh: dtype ?? "" };
      problem("dtype", key, said);
    } else if (found.slots.has(parsed.slot)) {
      const other = shown(found.slots.get(parsed.slot)!.name);
      problem("twice", key, { en: other, zh: other });
    } else {
      found.slots.set(parsed.slot, entry);
    }
  }
  return { allKeys: all.size, problems, unknown, spare, modules, styles };
}

function entryOf(modules: Map<string, FoundModule>, place: Place, name: string): FoundModule {
  const id = `${place.part} ${place.module}`;
  const known = modules.get(id);
  if (known !== undefined) return known;
  const found: FoundModule = { name, place, keys: [], slots: new Map() };
  modules.set(id, found);
  return found;
}

/** The shape of all that a module's change covers. */
function wholeShape(cuts: readonly Cut[], { tensors }: AdaptablePart): readonly number[] {
  const shapes = cuts.map(({ module, rows }) => {
    const shape = tensors.get(`${module}.weight`) ?? [];
    return rows === undefined ? shape : [rows[1] - rows[0], ...shape.slice(1)];
  });
  const [first = []] = shapes;
  const rows = shapes.reduce((sum, [extent = 0]) => sum + extent, 0);
  return [rows, ...first.slice(1)];
}

function targetOf(
  { of, shape, change }: ModuleChange,
  { module, rows, ofRows }: Cut,
  { tensors }: AdaptablePart,
): AdapterTarget | { readonly problem: "no-bias" | "dora-columns" } {
  const tensor = `${module}.${of}`;
  if (!tensors.has(tensor)) return { problem: "no-bias" };
  const cut = ofRows === undefined ? change : rowsOfChange(change, ofRows);
  if (cut === undefined) return { problem: "dora-columns" };
  return {
    tensor,
    ...(rows === undefined ? {} : { rows }),
    shape: ofRows === undefined ? shape : [ofRows[1] - ofRows[0], ...shape.slice(1)],
    change: cut,
  };
}

/** The largest numbers of the types. */
const LARGEST: Readonly<Record<FloatType, number>> = {
  float32: (2 - 2 ** -23) * 2 ** 127,
  float16: 65504,
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
};
/** What is computed with as it is, in the type of arithmetic; all else becomes part of a tensor first. */
const OF_PRODUCTS: readonly Slot[] = ["down", "up"];

/** What keeps a tensor's values from being computed with. */
async function valueProblem(
  entry: TensorEntry,
  slot: Slot,
  compute: FloatType,
): Promise<Pick<AdapterProblem, "kind" | "detail"> | undefined> {
  const values = await readValues(entry);
  if (!values.every(Number.isFinite)) return { kind: "not-finite", detail: NOTHING };
  const most = LARGEST[OF_PRODUCTS.includes(slot) ? compute : "float32"];
  const tooLarge = values.find((value) => Math.abs(value) > most);
  if (tooLarge === undefined) return undefined;
  const found = tooLarge.toPrecision(3);
  const limit = most.toPrecision(5);
  return {
    kind: "too-large",
    detail: {
      en: `found ${found}; ${compute} holds at most ${limit}`,
      zh: `实际为 ${found}；${compute} 最大为 ${limit}`,
    },
  };
}

/** The width of the transformer that an adapter's matrices are made for, where it is another one's. */
function widthOf(
  modules: Iterable<FoundModule>,
  transformer: AdaptablePart | undefined,
): { readonly found: number; readonly expected: number } | undefined {
  for (const { place, slots } of modules) {
    if (place.part !== "transformer" || !INNER_LAYER.test(place.module)) continue;
    const { module } = place.cuts[0]!;
    const expected = transformer?.tensors.get(`${module}.weight`)?.[1];
    const found = slots.get("down")?.shape[1];
    if (expected !== undefined && found !== undefined && found !== expected) {
      return { found, expected };
    }
  }
  return undefined;
}

/** Layers that take as many values as the transformer is wide. */
const INNER_LAYER = /\.(?:attention\.(?:qkv|to_[qkv])|feed_forward\.w[13])$/;

/** Whose way of writing a key is. */
function styleOf({ module, slot }: Key): AdapterFormat {
  if (module.startsWith("base_model.model.")) return "peft";
  if (module.startsWith("lycoris_") || /^(?:hada|lokr)_/.test(slot)) return "lycoris";
  if (/^lora_(?:unet|te\d?|transformer|dit)_/.test(module)) return "kohya";
  if (/^(?:model\.)?diffusion_model\.|^text_encoders\./.test(module)) return "comfyui";
  if (/^(?:transformer|text_encoder\w*)\./.test(module)) return "diffusers";
  return "plain";
}

const BY_DISTINCTION: readonly AdapterFormat[] = [
  "lycoris",
  "kohya",
  "comfyui",
  "diffusers",
  "peft",
];

function formatOf({ styles }: SortedKeys, hasConfig: boolean): AdapterFormat {
  if (hasConfig) return "peft";
  return BY_DISTINCTION.find((format) => styles.has(format)) ?? "plain";
}

const MOST_EXAMPLES = 3;

/** Modules that an adapter of this model may change, for messages. */
function examplesOf(parts: AdaptableParts): string[] {
  return Object.values(parts).flatMap(({ tensors }) => {
    const modules = [...tensors.keys()].filter((name) => /\.0\..*(?:qkv|w1|q_proj)\./i.test(name));
    return modules.map((name) => name.replace(/\.weight$/, ""));
  }).slice(0, MOST_EXAMPLES);
}

const TRIGGER_KEYS = [
  "modelspec.trigger_phrase",
  "trigger_words",
  "trigger_word",
  "ss_trigger_words",
];
const MOST_TRIGGER_WORDS = 32;
const LONGEST_TRIGGER_WORD = 200;

function triggerWordsOf(metadata: Readonly<Record<string, string>>): string[] {
  const words = TRIGGER_KEYS.flatMap((key) => (metadata[key] ?? "").slice(0, 10_000).split(","))
    .map((word) => word.trim())
    .filter((word) => word !== "" && word.length <= LONGEST_TRIGGER_WORD);
  return [...new Set(words)].slice(0, MOST_TRIGGER_WORDS);
}
