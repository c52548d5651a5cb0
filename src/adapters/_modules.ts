/** Finding a model's modules by what adapter files call them. */
import type { PartName } from "../families/mod.ts";
import type { AdaptablePart, AdaptableParts } from "./types.ts";

/** Where a part of a module's change belongs. */
export interface Cut {
  /** The module in the checkpoint. */
  readonly module: string;
  /** Which rows of the module's matrix it changes; all by default. */
  readonly rows?: readonly [from: number, to: number];
  /** Which rows of the change they are; all by default. */
  readonly ofRows?: readonly [from: number, to: number];
}

/** A module that an adapter changes. */
export interface Place {
  readonly part: PartName;
  /** The architecture's name for it, for messages. */
  readonly module: string;
  /** Empty where the checkpoint does not have it and nothing uses it. */
  readonly cuts: readonly Cut[];
}

/** What stands before a transformer's names, with underscores for dots. */
const TRANSFORMER_PREFIXES = [
  "model_diffusion_model_",
  "diffusion_model_",
  "lora_unet_",
  "lora_transformer_",
  "lora_dit_",
  "unet_",
  "dit_",
  "net_",
];
/** What stands before an encoder's names. */
const ENCODER_PREFIXES = [
  "lora_te_",
  "lora_te1_",
  "lora_te2_",
  "lora_te3_",
  "lora_clip_",
  "text_encoder_",
  "text_encoder_2_",
  "text_encoders_",
  "clip_model_",
  "clip_",
  "te_",
  "te1_",
  "te2_",
  "gemma3_4b_",
  "gemma_3_4b_",
  "gemma3_",
  "gemma_",
  "jina_clip_2_",
  "jina_clip_v2_",
  "jina_clip_",
  "jina_",
  "language_model_",
  "text_model_",
  "roberta_",
];
/** What may stand before any. */
const OTHER_PREFIXES = [
  "base_model_model_",
  "lycoris_",
  "lora_",
  "module_",
  "model_",
  "transformer_",
];
/** Names with more prefixes are nobody's. */
const MOST_PREFIXES = 8;

/** With underscores for dots, as kohya's trainers write names. */
const flat = (name: string) => name.replaceAll(".", "_");

/** Finds modules by the names that files give them, whatever program wrote them. */
export class ModuleFinder {
  readonly #places = new Map<string, Place[]>();
  readonly #found = new Map<string, Place | undefined>();

  constructor(parts: AdaptableParts) {
    for (const [part, adaptable] of Object.entries(parts) as [PartName, AdaptablePart][]) {
      for (const place of placesOf(part, adaptable)) {
        for (const name of [place.module, ...adaptable.modules.aliases(place.module)]) {
          const known = this.#places.get(flat(name));
          if (known === undefined) this.#places.set(flat(name), [place]);
          else if (known.every((other) => other.part !== part)) known.push(place);
        }
      }
    }
  }

  /** The place of a module, by any name; undefined where the model has none. */
  find(name: string): Place | undefined {
    if (!this.#found.has(name)) this.#found.set(name, this.#search(flat(name)));
    return this.#found.get(name);
  }

  #search(
    name: string,
    kind: "transformer" | "encoder" | undefined = undefined,
    depth = 0,
  ): Place | undefined {
    const place = this.#places.get(name)?.find(({ part }) =>
      kind === undefined || (kind === "transformer") === (part === "transformer")
    );
    if (place !== undefined || depth === MOST_PREFIXES) return place;
    const without = (prefixes: readonly string[], meant: typeof kind) => {
      for (const prefix of prefixes) {
        if (!name.startsWith(prefix)) continue;
        const found = this.#search(name.slice(prefix.length), meant, depth + 1);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return (kind === "encoder" ? undefined : without(TRANSFORMER_PREFIXES, "transformer")) ??
      (kind === "transformer" ? undefined : without(ENCODER_PREFIXES, "encoder")) ??
      without(OTHER_PREFIXES, kind);
  }
}

/** All modules of a part: those of the checkpoint, and what others have in their place. */
function* placesOf(part: PartName, { modules, tensors }: AdaptablePart): Generator<Place> {
  const names = new Set([...tensors.keys()].map((name) => name.replace(/\.(weight|bias)$/, "")));
  const { fused } = modules;
  for (const module of names) {
    yield { part, module, cuts: [{ module }] };
    if (fused === undefined) continue;
    if (module.endsWith(`.${fused.whole}`)) {
      const before = module.slice(0, -fused.whole.length);
      const ranges = rowsOfParts(tensors.get(`${module}.weight`));
      for (const [index, rows] of ranges.entries()) {
        yield { part, module: before + fused.parts[index], cuts: [{ module, rows }] };
      }
    } else if (module.endsWith(`.${fused.parts[0]}`)) {
      const before = module.slice(0, -fused.parts[0].length);
      let from = 0;
      const cuts = fused.parts.map((name): Cut => {
        const rows = tensors.get(`${before}${name}.weight`)?.[0] ?? 0;
        return { module: before + name, ofRows: [from, from += rows] };
      });
      yield { part, module: before + fused.whole, cuts };
    }
  }
  for (const module of modules.unused) {
    if (!names.has(module)) yield { part, module, cuts: [] };
  }
}

/** The rows of queries, of keys and of values in one matrix [rows, columns] of all three. */
function rowsOfParts(shape: readonly number[] | undefined): [number, number][] {
  const [rows, columns] = shape ?? [];
  if (rows === undefined || columns === undefined) return [];
  const keys = (rows - columns) / 2;
  if (keys <= 0 || !Number.isInteger(keys)) return [];
  return [[0, columns], [columns, columns + keys], [columns + keys, rows]];
}
