/**
 * How an architecture's tensors are named in a file. Checkpoints of one architecture differ in what
 * stands before each name (`model.`, `diffusion_model.`, `module.`…) and in the style of the names;
 * both are found from the tensors themselves.
 *
 * @module
 */
import type { NameInFile } from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";

/** One way to name an architecture's tensors. */
export interface NameStyle {
  /** Tensors that every checkpoint named so has, behind one and the same prefix. */
  readonly required: readonly string[];
  /**
   * Tensors that no checkpoint of this architecture has: they belong to a related one with other
   * arithmetic.
   */
  readonly foreign?: readonly string[];
}

/** The names of one network in a file. */
export interface Naming<Style extends NameStyle = NameStyle> {
  readonly style: Style;
  /** What stands before all names. */
  readonly prefix: string;
  /** The name in the file of a tensor named in this style. */
  readonly nameInFile: NameInFile;
  /** The shape of a tensor named in this style, whatever its dtype; undefined where it is absent. */
  readonly shape: (name: string) => readonly number[] | undefined;
  /** Whether a tensor of the file, by its name there, is this network's. */
  readonly owns: (nameInFile: string) => boolean;
}

/** What wrapper modules add to the names of tensors: torch.compile, FSDP, checkpointing, PEFT. */
const WRAPPERS =
  /(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_layer)(?=\.)/g;
/** What torch's parametrisations do to a weight's name. */
const PARAMETRIZED = /\.parametrizations\.weight\.(?:original$|0\.(?=lora_[AB]$))/;

/** A name without what wrappers wrote into it. */
function plainName(name: string): string {
  return name
    .replace(WRAPPERS, (_, before: string) => before)
    .replace(/^\.+/, "").replace(/\.{2,}/g, ".")
    .replace(PARAMETRIZED, (end) => end.endsWith("original") ? ".weight" : ".");
}

const known = new WeakMap<Weights, ReadonlyMap<string, string>>();

/** The names in the file by their plain names. */
function plainNames(weights: Weights): ReadonlyMap<string, string> {
  let names = known.get(weights);
  if (names === undefined) {
    const all = [...weights.tensors.keys(), ...weights.opaque.keys()];
    names = new Map(all.map((name) => [plainName(name), name]));
    known.set(weights, names);
  }
  return names;
}

/**
 * Finds a network in a file by its tensors, under any prefix; undefined where it is not there. Of
 * several copies (with an average of the weights beside them) the one with the shortest prefix is
 * meant, and no average unless that is preferred.
 */
export function findNaming<Style extends NameStyle>(
  weights: Weights,
  styles: readonly Style[],
  { prefersAverage = false }: { readonly prefersAverage?: boolean } = {},
): Naming<Style> | undefined {
  const rank = (prefix: string) => Number(isAverage(prefix) !== prefersAverage);
  const names = plainNames(weights);
  for (const style of styles) {
    const [first, ...others] = style.required as readonly [string, ...string[]];
    const prefixes = [...names.keys()]
      .filter((name) => name === first || name.endsWith(`.${first}`))
      .map((name) => name.slice(0, -first.length))
      .filter((prefix) => others.every((other) => names.has(prefix + other)))
      .filter((prefix) => !style.foreign?.some((name) => names.has(prefix + name)))
      .sort((a, b) => rank(a) - rank(b) || a.length - b.length || (a < b ? -1 : 1));
    const [prefix] = prefixes;
    if (prefix !== undefined) return naming(weights, style, prefix);
  }
  return undefined;
}

/** Names as they are where no file is known yet: to compile a graph over no weights. */
export function naming<Style extends NameStyle>(
  weights: Weights,
  style: Style,
  prefix: string,
): Naming<Style> {
  const names = plainNames(weights);
  const nameInFile = (name: string) => names.get(prefix + name) ?? prefix + name;
  return {
    style,
    prefix,
    nameInFile,
    shape: (name) => {
      const stored = nameInFile(name);
      return (weights.tensors.get(stored) ?? weights.opaque.get(stored))?.shape;
    },
    owns: (name) => plainName(name).startsWith(prefix),
  };
}

/** How many of a list's members, counted from 0, have a tensor of this name. */
export function countOf({ shape }: Pick<Naming, "shape">, name: (index: number) => string): number {
  let index = 0;
  while (shape(name(index)) !== undefined) index++;
  return index;
}

function isAverage(prefix: string): boolean {
  return /(^|[._])ema(?=[._])/i.test(prefix);
}

/** The same tensors by another architecture's names, each by the first rule that fits it. */
export function renamed<Style extends NameStyle>(
  names: Naming<Style>,
  rules: readonly (readonly [RegExp, string])[],
): Naming<Style> {
  const inStyle = (name: string) => {
    const rule = rules.find(([pattern]) => pattern.test(name));
    return rule === undefined ? name : name.replace(...rule);
  };
  return {
    ...names,
    nameInFile: (name) => names.nameInFile(inStyle(name)),
    shape: (name) => names.shape(inStyle(name)),
  };
}
