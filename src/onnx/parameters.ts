/**
 * A network's weights, asked for by name and shape while its graph is built. What is missing or
 * has another shape is collected, so that one error can name all of it.
 *
 * @module
 */
import { NewBieError } from "../errors.ts";
import type { Language, Texts } from "../language.ts";
import { elementCount } from "../tensor.ts";
import { rowsOf, type TensorEntry, type Weights } from "../safetensors/mod.ts";
import { type Adaptation, type MatrixPart, thinProducts } from "./adaptation.ts";
import { BLOCK_LAYOUTS, isBlockType } from "../gguf/mod.ts";
import { type BlockEntry, type Graph, isBlockEntry, type Value } from "./graph.ts";
import { type AdaptedMatrix, type Matrix, type PlainMatrix, rotate } from "./products.ts";
import { isInt8Matrix } from "./int8_products.ts";
import { cast, slice } from "./operators.ts";
import { weightValue } from "./_weight_value.ts";
import type { FloatType } from "./types.ts";

/** One tensor that is not what the architecture needs. */
export interface WeightProblem {
  /** Which part of the model, in words; absent where a network is compiled by itself. */
  readonly part?: Texts<string>;
  /** The file that was searched. */
  readonly file: string;
  /** The name under which the tensor was sought. */
  readonly tensor: string;
  /** The shape that config.json asks for. */
  readonly expected: readonly number[];
  /** The shape in the file; absent when the file has no such tensor. */
  readonly found?: readonly number[];
  /** Set where the file has the tensor quantised, but its values are needed as they were. */
  readonly quantized?: true;
  /** Why a tensor that the file has cannot be used. */
  readonly unusable?: Texts<string>;
}

/** The weights do not fit their config.json. Carries every problem, not only the first. */
export class CheckpointError extends NewBieError {
  override name = "CheckpointError";
  readonly problems: readonly WeightProblem[];

  constructor(problems: readonly WeightProblem[]) {
    super({ en: message(problems, "en"), zh: message(problems, "zh") });
    this.problems = problems;
  }
}

/** Lines of one message: a wrong config.json can be about thousands of tensors. */
const MOST_LISTED = 60;

function message(problems: readonly WeightProblem[], language: Language): readonly string[] {
  const { heading, unreadable, remedy, describe, more } = TEXTS[language];
  // What is wrong with all matrices of a file is said once.
  const said = [...new Set(problems.map(describe))];
  const lines = said.slice(0, MOST_LISTED);
  const rest = said.length - lines.length;
  // Where tensors themselves are at fault, their own words say what to do.
  const [head, cure] = problems.every(({ unusable }) => unusable !== undefined)
    ? [unreadable, []]
    : [heading, [remedy]];
  return [head(problems.length), ...lines, ...(rest > 0 ? [more(rest)] : []), ...cure];
}

const shown = (dims: readonly number[]) => `[${dims.join(", ")}]`;

const TEXTS: Texts<{
  readonly heading: (count: number) => string;
  readonly unreadable: (count: number) => string;
  readonly remedy: string;
  readonly describe: (problem: WeightProblem) => string;
  readonly more: (count: number) => string;
}> = {
  en: {
    heading: (count) =>
      `${count} tensor${
        count === 1 ? " does" : "s do"
      } not fit the config.json beside the weights:`,
    unreadable: (count) => `${count} tensor${count === 1 ? "" : "s"} cannot be used:`,
    remedy:
      "Put the config.json of these very weights beside them, or the weights that it describes.",
    more: (count) => `  … and ${count} more`,
    describe: ({ part, file, tensor, expected, found, quantized, unusable }) => {
      const of = part === undefined ? "" : `${part.en}: `;
      if (unusable !== undefined) return `  ${of}${unusable.en}`;
      const state = found === undefined
        ? "missing"
        : `found ${shown(found)}${quantized ? " quantised, which this tensor must not be" : ""}`;
      return `  ${of}${tensor} in ${file}: expected ${shown(expected)}, ${state}`;
    },
  },
  zh: {
    heading: (count) => `有 ${count} 个张量与权重旁的 config.json 不符：`,
    unreadable: (count) => `有 ${count} 个张量无法使用：`,
    remedy: "请把这份权重自己的 config.json 放在它旁边，或换成 config.json 所描述的权重。",
    more: (count) => `  … 还有 ${count} 个`,
    describe: ({ part, file, tensor, expected, found, quantized, unusable }) => {
      const of = part === undefined ? "" : `${part.zh}：`;
      if (unusable !== undefined) return `  ${of}${unusable.zh}`;
      const state = found === undefined
        ? "缺失"
        : `实际为 ${shown(found)}${quantized ? "，且已量化，而该张量不能量化" : ""}`;
      return `  ${of}${file} 中的 ${tensor}：应为 ${shown(expected)}，${state}`;
    },
  },
};

/** How a network's tensors are named in the file at hand. */
export type NameInFile = (name: string) => string;

/** Finds weights by the architecture's names, checks shapes, and casts to the type of arithmetic. */
export class Parameters {
  readonly #graph: Graph;
  readonly #weights: Weights;
  readonly #nameInFile: NameInFile;
  readonly #prefix: string;
  readonly #problems: Map<string, WeightProblem>;
  readonly #adaptation: Adaptation | undefined;

  constructor(
    graph: Graph,
    weights: Weights,
    options: {
      readonly nameInFile?: NameInFile;
      readonly prefix?: string;
      readonly problems?: Map<string, WeightProblem>;
      /** What adapters change; nothing by default. */
      readonly adaptation?: Adaptation | undefined;
    } = {},
  ) {
    this.#graph = graph;
    this.#weights = weights;
    this.#nameInFile = options.nameInFile ?? ((name) => name);
    this.#prefix = options.prefix ?? "";
    this.#problems = options.problems ?? new Map();
    this.#adaptation = options.adaptation;
  }

  /** The same weights, seen from one module down: `scope("layers.0")`. */
  scope(module: string): Parameters {
    return new Parameters(this.#graph, this.#weights, {
      nameInFile: this.#nameInFile,
      prefix: `${this.#prefix}${module}.`,
      problems: this.#problems,
      adaptation: this.#adaptation,
    });
  }

  /** Whether the file has the tensor. */
  has(name: string): boolean {
    return this.#weights.tensors.has(this.#nameInFile(this.#prefix + name));
  }

  /**
   * A weight in the type of arithmetic. Trailing extents of 1 do not count as a difference of
   * shape: a 1×1 convolution and a linear layer hold the same matrix.
   */
  get(name: string, shape: readonly number[], type: FloatType): Value {
    const entry = this.entry(name, shape);
    if (entry === undefined) return this.#graph.scalar(NaN, type);
    const merged = this.#adaptation?.merged.get(this.#prefix + name);
    if (merged !== undefined) return this.#graph.replacement(entry.name, merged, shape, type);
    const value = weightValue(this.#graph, entry, shape, type);
    return entry.rotation === undefined ? value : rotate(value, entry.rotation, shape);
  }

  /** Whether {@linkcode matrix} gives one for rows in 8 bits, with nothing of adapters beside it. */
  isInt8(name: string, shape: readonly [number, number]): boolean {
    const found = this.#weights.tensors.get(this.#nameInFile(this.#prefix + name));
    const isAdapted = this.#adaptation?.thin.has(this.#prefix + name) ?? false;
    return this.#graph.hasInt8Products && found !== undefined && !isAdapted &&
      this.#becomesInt8(found, shape);
  }

  #becomesInt8({ dtype, quantization }: TensorEntry, part: readonly [number, number]): boolean {
    if (!this.#graph.keepsInt8 || !isInt8Matrix(part) || quantization !== undefined) {
      return false;
    }
    return !isBlockType(dtype) || part[1] % BLOCK_LAYOUTS[dtype].values === 0;
  }

  /** The same of a weight [out, in] for {@linkcode linear} or {@linkcode affine}. */
  plainMatrix(
    name: string,
    shape: readonly [number, number],
    type: FloatType,
  ): Value | AdaptedMatrix<Value> {
    const part = { rows: [0, shape[0]], inner: shape[1] } as const;
    return this.#adapted(this.get(name, shape, type), name, shape[0], part, type);
  }

  /**
   * A weight [out, in] for {@linkcode linear}, which may be quantised.
   *
   * @param rows From which row to before which, for a part of the matrix; all of them by default.
   *   The part is a reference into the file as the whole is.
   */
  matrix(
    name: string,
    shape: readonly [number, number],
    type: FloatType,
    rows: readonly [from: number, to: number] = [0, shape[0]],
  ): Matrix {
    const found = this.#find(name, shape, true);
    if (found === undefined) return this.#graph.scalar(NaN, type);
    const part = { rows, inner: shape[1], isOfTokens: true };
    return this.#adapted(this.#base(found, name, shape, type, rows), name, shape[0], part, type);
  }

  #base(
    found: TensorEntry,
    name: string,
    shape: readonly [number, number],
    type: FloatType,
    rows: readonly [from: number, to: number],
  ): PlainMatrix {
    const entry = rowsOf({ ...found, shape }, rows);
    const part = [rows[1] - rows[0], shape[1]] as const;
    const merged = this.#adaptation?.merged.get(this.#prefix + name);
    const isInt8 = this.#becomesInt8(found, part);
    if (merged !== undefined) {
      const values = merged.subarray(rows[0] * shape[1], rows[1] * shape[1]);
      return isInt8
        ? { rows: { shape: part, values } }
        : this.#graph.replacement(entry.name, values, part, type);
    }
    if (isInt8) return { rows: { shape: part, entry } };
    if (isBlockEntry(found) && !cutsBetweenBlocks(found, rows, shape[1])) {
      const [from, to] = rows;
      return slice(weightValue(this.#graph, { ...found, shape }, shape, type), from, to, 0);
    }
    if (isBlockEntry(entry)) {
      const { values, scaleValues } = BLOCK_LAYOUTS[entry.dtype];
      return shape[1] % values === 0
        ? blockMatrix(this.#graph, entry, part, type, scaleValues)
        : weightValue(this.#graph, entry, part, type);
    }
    if (found.quantization === undefined) {
      const value = weightValue(this.#graph, entry, part, type);
      if (entry.rotation === undefined) return value;
      return { shape: part, rotated: value, groupSize: entry.rotation };
    }
    const { bits, blockSize, scales } = found.quantization;
    const blocks = shape[1] / blockSize;
    const bytes = entry.byteLength / (part[0] * blocks);
    const packed = this.#graph.weight(entry, [part[0], blocks, bytes]);
    const scalesOfRows = this.#graph.weight(rowsOf(scales, rows));
    return { shape: part, bits, blockSize, packed, scales: cast(scalesOfRows, type) };
  }

  /** Some rows of a matrix that has so many, with what adapters add to their products. */
  #adapted<Base extends PlainMatrix>(
    base: Base,
    name: string,
    allRows: number,
    part: MatrixPart,
    type: FloatType,
  ): Base | AdaptedMatrix<Base> {
    const tensor = this.#prefix + name;
    const changes = this.#adaptation?.thin.get(tensor);
    if (this.#adaptation === undefined || changes === undefined) return base;
    for (const { down, up, rows: own = [0, allRows] } of changes) {
      const fits = down.shape[0] === up.shape[1] && down.shape[1] === part.inner &&
        up.shape[0] === own[1] - own[0] && own[1] <= allRows;
      if (!fits) throw new RangeError(`${up.file}: ${up.name} does not fit ${tensor}.`);
    }
    const thin = thinProducts(this.#graph, this.#adaptation, tensor, part, type);
    return thin.length === 0 ? base : { base, thin, part };
  }

  /** Where the tensor lies, after the same check; `undefined` when it does not fit. */
  entry(name: string, shape: readonly number[]): TensorEntry | undefined {
    return this.#find(name, shape, false);
  }

  #find(
    name: string,
    shape: readonly number[],
    mayBeQuantized: boolean,
  ): TensorEntry | undefined {
    const tensor = this.#nameInFile(this.#prefix + name);
    const entry = this.#weights.tensors.get(tensor);
    const isQuantized = entry?.quantization !== undefined;
    if (entry !== undefined && fits(entry.shape, shape) && (mayBeQuantized || !isQuantized)) {
      return entry;
    }
    const unusable = this.#weights.unusable.get(tensor);
    this.#problems.set(tensor, {
      file: entry?.file ?? this.#weights.source,
      tensor,
      expected: shape,
      ...(entry === undefined ? {} : { found: entry.shape }),
      ...(isQuantized && !mayBeQuantized ? { quantized: true } : {}),
      ...(entry === undefined && unusable !== undefined
        ? { unusable: { en: unusable.explain("en"), zh: unusable.explain("zh") } }
        : {}),
    });
    return undefined;
  }

  /** @throws {CheckpointError} When any weight asked for was missing or had another shape. */
  check(): void {
    if (this.#problems.size > 0) throw new CheckpointError([...this.#problems.values()]);
  }
}

/**
 * Whether these rows begin and end where blocks do. ComfyUI-GGUF stores matrices whose rows are no
 * whole blocks under another shape, so that a block may hold the end of one row and the next one's
 * beginning.
 */
function cutsBetweenBlocks(
  { dtype }: BlockEntry,
  rows: readonly [from: number, to: number],
  columns: number,
): boolean {
  return rows.every((row) => row * columns % BLOCK_LAYOUTS[dtype].values === 0);
}

/** A matrix of GGUF's blocks, unpacked into what `MatMulNBits` takes. */
function blockMatrix(
  graph: Graph,
  entry: BlockEntry,
  shape: readonly [number, number],
  type: FloatType,
  blockSize: number,
): PlainMatrix {
  const { bits, hasMinima } = BLOCK_LAYOUTS[entry.dtype];
  const [rows, columns] = shape;
  const blocks = columns / blockSize;
  const packed = graph.unpacked(entry, "points", [rows, blocks, blockSize * bits / 8], "uint8");
  const scales = graph.unpacked(entry, "scales", [rows, blocks], type);
  if (!hasMinima) return { shape, bits, blockSize, packed, scales };
  // On CUDA alone such zeros are no slower than none.
  const form = graph.device === "cuda" ? "zeros" : "offsets";
  const added = graph.unpacked(entry, form, [rows, blocks], type);
  return { shape, bits, blockSize, packed, scales, [form]: added };
}

function fits(found: readonly number[], expected: readonly number[]): boolean {
  const shorter = Math.min(found.length, expected.length);
  return elementCount(found) === elementCount(expected) &&
    found.slice(0, shorter).every((extent, axis) => extent === expected[axis]);
}
