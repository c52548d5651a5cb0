/**
 * The graph under construction: values, nodes and initializers, and the ONNX model made of them.
 *
 * @module
 */
import { dirname, relative, sep } from "node:path";
import proto, { type onnx as Onnx } from "onnx-proto";
import { BLOCK_LAYOUTS, type BlockType, isBlockType } from "../gguf/mod.ts";
import type { TensorEntry } from "../safetensors/mod.ts";
import { elementCount } from "../tensor.ts";
import { encodeFloats } from "./_encode_floats.ts";
import type { Device, DtypePolicy } from "./dtype_policy.ts";
import {
  type Attribute,
  type Dimension,
  ELEMENT_TYPE_OF,
  type ElementType,
  type FloatType,
  ONNX_DATA_TYPE,
} from "./types.ts";

const { onnx } = proto;

/** The operator set of ai.onnx: the first with `Attention`, `RMSNormalization`, `RotaryEmbedding`. */
const ONNX_OPSET = 23;
/** The IR version that came with that operator set. */
const ONNX_IR_VERSION = 11;
/** ONNX Runtime's own operators. */
export const MICROSOFT_DOMAIN = "com.microsoft";
const MICROSOFT_OPSET = 1;
/** The project's own operators, which only a session that was given them can run. */
export const OWN_DOMAIN = "newbie";
const OWN_OPSET = 1;
/** The input with the adapters' weights, [adapters] in float32; 0 is without. */
export const ADAPTER_WEIGHTS = "adapter_weights";
/** Protocol buffers hold 2 GiB at most, and the rest of a graph wants its share. */
export const MOST_OWN_BYTES = 1.5e9;
const BYTES_OF_TYPE: Partial<Readonly<Record<ElementType, number>>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  uint8: 1,
};
/** What ONNX Runtime makes nothing of a matrix for before a run, but packs it where it may. */
const PRODUCTS: ReadonlySet<string> = new Set(["FusedMatMul", "Gemm", "MatMulNBits"]);
/** Characters. */
const LONGEST_LABEL = 64;

/** The result of a node, an input or an initializer. Its graph is part of it, so that operators
 * are plain functions of values. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
  readonly type: ElementType;
}

/** What enters or leaves a graph. */
export interface Port {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly Dimension[];
}

/** A finished model, ready for a session. */
export interface CompiledGraph {
  readonly name: string;
  /** The serialised `ModelProto`; weights are references into safetensors files. */
  readonly model: Uint8Array;
  /** The folder that the references are relative to; absent when the graph has no weights. */
  readonly weightFolder?: string;
  /**
   * All weights, where some are in GGUF's blocks: what references call files, and
   * {@linkcode weightsInMemory} makes when the graph is loaded.
   */
  readonly memory?: readonly MemoryWeight[];
  /**
   * Weights that a run reads as they lie in their files: a session may be given them where it is to have
   * them. All else of the files goes into what is computed once, when the graph is loaded.
   */
  readonly storedWeights?: readonly StoredWeight[];
  /**
   * Matrices in GGUF's blocks that a session unpacks where it is to have them, where products alone
   * read all of a graph's. In the graph they are references to some bytes of their file, which stand for
   * what is not there.
   */
  readonly unpackedWeights?: readonly UnpackedWeight[];
  /** What the graph's nodes call by its number: their attribute `matrix`. */
  readonly ownMatrices?: readonly OwnMatrix[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** Rows of a matrix: in a file, or here. */
export type MatrixRows =
  & { readonly shape: readonly [rows: number, columns: number] }
  & (
    | { readonly entry: TensorEntry }
    | { readonly values: Float32Array }
  );

/**
 * A matrix that an operator of our own keeps in a form of its own, made when the graph is loaded: of
 * one part, or of two whose rows take turns, 8 by 8.
 */
export interface OwnMatrix {
  readonly parts: readonly MatrixRows[];
}

/** A tensor of GGUF's blocks. */
export type BlockEntry = TensorEntry & { readonly dtype: BlockType };

/** Whether a tensor is one of GGUF's blocks. */
export function isBlockEntry(entry: TensorEntry): entry is BlockEntry {
  return isBlockType(entry.dtype);
}

/**
 * What a tensor's blocks are unpacked to: its values; or, as `MatMulNBits` takes them, points of 4 or
 * 8 bits and scales. What a block adds to all of its values is in `offsets`, or makes of the points that
 * stand for 0 numbers with a fraction, in `zeros`.
 */
export type UnpackedForm = "values" | "points" | "scales" | "offsets" | "zeros";

/** A tensor, and the initializers that are made of it. */
export interface MemoryWeight {
  readonly entry: TensorEntry;
  readonly initializers: readonly {
    readonly name: string;
    /** `stored`: its bytes as they are. */
    readonly form: UnpackedForm | "stored";
    readonly type: FloatType | "uint8";
  }[];
}

/** A tensor in GGUF's blocks, and the initializers that are made of it, as many rows of each. */
export interface UnpackedWeight {
  readonly entry: BlockEntry;
  readonly initializers: readonly (MemoryWeight["initializers"][number] & {
    readonly dims: readonly number[];
  })[];
}

/** An initializer that lies in a file. */
export interface StoredWeight {
  /** The initializer's. */
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly entry: TensorEntry;
}

/** What a node is made of beyond its inputs. */
export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Defaults to ai.onnx. */
  readonly domain?: string;
}

/** What of a policy a graph depends on. */
export interface GraphPolicy
  extends Partial<Omit<DtypePolicy, "compute" | "text" | "convolution" | "products">> {
  /**
   * `int8`: of rows and matrices in 8 bits. `int8 matrices`: matrices are kept so, and are what they
   * were but for that rounding while a product needs them, which takes a pass over each.
   */
  readonly products?: "int8" | "int8 matrices" | undefined;
}

/** An ONNX graph under construction. */
export class Graph {
  readonly name: string;
  /** Whose kernels it is for. */
  readonly device: Device;
  /** Whether it may have nodes of the project's own operators. */
  readonly ownOperators: boolean;
  /** Whether attention writes all its scores down ({@linkcode DtypePolicy.writesScores}). */
  readonly writesScores: boolean;
  /** Whether matrices of weights are kept in 8 bits. */
  readonly keepsInt8: boolean;
  /** Whether their products are of rows in 8 bits, too ({@linkcode DtypePolicy.products}). */
  readonly hasInt8Products: boolean;
  /** Whether a gated layer's products have their gate in them ({@linkcode DtypePolicy.gatesProducts}). */
  readonly gatesProducts: boolean;
  /** Whether attention may be of heads that share keys ({@linkcode DtypePolicy.attendsInGroups}). */
  readonly attendsInGroups: boolean;
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #nodes: Onnx.INodeProto[] = [];
  readonly #initializers: Onnx.ITensorProto[] = [];
  readonly #references: {
    readonly value: Value;
    readonly entry: TensorEntry;
    readonly isKept: boolean;
  }[] = [];
  readonly #referenceShapes = new Map<string, readonly number[]>();
  readonly #unpacked = new Map<string, {
    readonly entry: BlockEntry;
    readonly initializers: Map<
      UnpackedForm,
      { readonly value: Value; readonly dims: readonly number[] }
    >;
  }>();
  readonly #ownMatrices: OwnMatrix[] = [];
  readonly #constants = new Map<string, Value>();
  readonly #described = new Map<string, Port>();
  readonly #made = new Map<string, Value>();
  #count = 0;

  constructor(
    name: string,
    {
      device = "cpu",
      ownOperators = false,
      writesScores = false,
      products,
      gatesProducts = false,
      attendsInGroups = false,
    }: GraphPolicy = {},
  ) {
    this.name = name;
    this.device = device;
    this.ownOperators = ownOperators;
    this.writesScores = writesScores;
    this.keepsInt8 = ownOperators && products !== undefined;
    this.hasInt8Products = this.keepsInt8 && products === "int8";
    this.gatesProducts = ownOperators && gatesProducts;
    this.attendsInGroups = ownOperators && attendsInGroups;
  }

  /** Declares an input. */
  input(name: string, type: ElementType, dims: readonly Dimension[]): Value {
    this.#inputs.push({ name, type, dims });
    return { graph: this, name, type };
  }

  /** Declares that a value leaves the graph, under the given name. */
  output(name: string, value: Value, dims: readonly Dimension[]): void {
    this.#nodes.push({
      opType: "Identity",
      name: `output/${name}`,
      input: [value.name],
      output: [name],
    });
    this.#outputs.push({ name, type: value.type, dims });
  }

  /**
   * What was made already under a key, or is made now: several matrices, or parts of one, need the
   * same.
   */
  once(key: string, make: () => Value): Value {
    let value = this.#made.get(key);
    if (value === undefined) this.#made.set(key, value = make());
    return value;
  }

  /** Adds a node with one output; `undefined` stands for an optional input left out. */
  node(
    operator: string,
    inputs: readonly (Value | undefined)[],
    type: ElementType,
    options: NodeOptions = {},
  ): Value {
    return this.nodes(operator, inputs, [type], options)[0]!;
  }

  /** Adds a node with as many outputs as there are types. */
  nodes(
    operator: string,
    inputs: readonly (Value | undefined)[],
    types: readonly ElementType[],
    options: NodeOptions = {},
  ): Value[] {
    const id = `${operator}_${this.#count++}`;
    const outputs = types.map((type, index) => ({ graph: this, name: `${id}:${index}`, type }));
    this.#nodes.push({
      opType: operator,
      name: id,
      domain: options.domain ?? "",
      input: inputs.slice(0, inputs.findLastIndex(Boolean) + 1).map((input) => input?.name ?? ""),
      output: outputs.map((output) => output.name),
      attribute: Object.entries(options.attributes ?? {}).map(([name, value]) =>
        attributeProto(name, value)
      ),
    });
    return outputs;
  }

  /** States the extents of a value that ONNX Runtime cannot tell by itself. */
  describe(value: Value, dims: readonly Dimension[]): Value {
    this.#described.set(value.name, { name: value.name, type: value.type, dims });
    return value;
  }

  /** A one-dimensional int64 constant, as operators take for axes, shapes and bounds. */
  integers(values: readonly number[]): Value {
    return this.#constant(`int64[${values}]`, "int64", [values.length], () => {
      return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    });
  }

  /** A scalar constant of a floating-point type. */
  scalar(value: number, type: FloatType): Value {
    return this.#constant(`${type} ${value}`, type, [], () => encodeFloats([value], type));
  }

  /** A vector constant of a floating-point type. */
  vector(values: readonly number[], type: FloatType): Value {
    return this.#constant(`${type}[${values}]`, type, [values.length], () => {
      return encodeFloats(values, type);
    });
  }

  /** A constant of zeros. */
  zeros(dims: readonly number[], type: FloatType): Value {
    return this.#constant(`${type} 0 [${dims}]`, type, [...dims], () => {
      return new Uint8Array(elementCount(dims) * (type === "float32" ? 4 : 2));
    });
  }

  /**
   * An initializer that stays where it is, in its safetensors file.
   *
   * @param dims The shape that the graph sees; the file's own by default. Another one must hold as
   *   many values: a 1×1 convolution stored as [out, in, 1, 1] serves as an [out, in] matrix.
   * @param isKept Whether it stays as it is in memory. Otherwise what is computed of weights alone is
   *   computed when the graph is loaded, and the result kept in their place.
   */
  weight(
    entry: TensorEntry,
    dims: readonly number[] = entry.shape,
    isKept = false,
  ): Value {
    const { dtype } = entry;
    if (isBlockType(dtype)) throw new TypeError(`${entry.name} is ${dtype}: no operator reads it.`);
    const value = { graph: this, name: entry.name, type: ELEMENT_TYPE_OF[dtype] };
    if (!this.#referenceShapes.has(entry.name)) {
      this.#referenceShapes.set(entry.name, dims);
      this.#references.push({ value, entry, isKept });
    }
    return value;
  }

  /**
   * An initializer in the place of one in a file, with values of its own. All of a graph's must stay
   * below {@linkcode MOST_OWN_BYTES}.
   *
   * @param name The tensor's in its file.
   */
  replacement(
    name: string,
    values: Float32Array,
    dims: readonly number[],
    type: FloatType,
  ): Value {
    return this.#constant(`replaced/${name}`, type, [...dims], () => encodeFloats(values, type));
  }

  /**
   * An initializer that is made of a tensor's blocks when the graph is loaded.
   *
   * @param form Which one: what it holds besides depends on the tensor alone.
   */
  unpacked(
    entry: BlockEntry,
    form: UnpackedForm,
    dims: readonly number[],
    type: FloatType | "uint8",
  ): Value {
    const value = { graph: this, name: `${form}/${entry.name}`, type };
    const known = this.#unpacked.get(entry.name) ?? { entry, initializers: new Map() };
    known.initializers.set(form, { value, dims });
    this.#unpacked.set(entry.name, known);
    return value;
  }

  /** Notes a matrix for an operator of our own, and gives the number by which its node calls it. */
  ownMatrix(matrix: OwnMatrix): number {
    return this.#ownMatrices.push(matrix) - 1;
  }

  /**
   * Nodes, those before all others that weights and adapters' weights alone go into. ONNX Runtime runs
   * of what a node waits for the last node in the list first: so what is made of a weight is made when
   * the rest is there, and freed after its reader. In any other order the weights of all layers would
   * be unpacked before the first layer is computed.
   */
  #inOrder(): readonly (readonly Onnx.INodeProto[])[] {
    const ofRun = new Set(
      this.#inputs.map(({ name }) => name).filter((name) => name !== ADAPTER_WEIGHTS),
    );
    const [early, late]: Onnx.INodeProto[][] = [[], []];
    for (const node of this.#nodes) {
      if (node.input!.some((name) => ofRun.has(name))) {
        node.output!.forEach((name) => ofRun.add(name));
        late!.push(node);
      } else {
        early!.push(node);
      }
    }
    return [early!, late!];
  }

  /** Serialises the model. */
  compile(): CompiledGraph {
    const [early, late] = this.#inOrder();
    const readInRuns = new Set(late!.flatMap(({ input }) => input!));
    const storedWeights = this.#references
      .filter(({ value, isKept }) => !isKept && readInRuns.has(value.name))
      .map(({ value: { name, type }, entry }): StoredWeight => {
        return { name, type, dims: this.#referenceShapes.get(name)!, entry };
      });
    const unpacked = [...this.#unpacked.values()].map((
      { entry, initializers },
    ): UnpackedWeight => ({
      entry,
      initializers: [...initializers].map(([form, { value: { name, type }, dims }]) => {
        return { name, form, type: type as FloatType | "uint8", dims };
      }),
    }));
    const others = late!.filter(({ opType }) => !PRODUCTS.has(opType!));
    const readElsewhere = new Set([...early!, ...others].flatMap(({ input }) => input!));
    const isUnpackedInPlace = this.device === "cuda" && this.ownOperators &&
      this.#canStandForEach(unpacked) &&
      unpacked.every(({ entry, initializers }) =>
        initializers.every(({ name, form, dims }) =>
          readInRuns.has(name) && !readElsewhere.has(name) &&
          (form !== "values" || hasRowsOfBlocks(entry, dims))
        )
      );
    // Where ONNX Runtime is given one weight in memory, it takes none from a file.
    const isInMemory = unpacked.length > 0 && !isUnpackedInPlace;
    const folder = commonFolder([
      ...this.#references.map(({ entry }) => entry.file),
      ...(isUnpackedInPlace ? unpacked.map(({ entry }) => entry.file) : []),
    ]);
    // With `/` on every system, as the format has it.
    const locationOf = ({ file }: TensorEntry) => relative(folder ?? "", file).replaceAll(sep, "/");
    const references = this.#references.map(({ value, entry }) => ({
      name: value.name,
      dataType: ONNX_DATA_TYPE[value.type],
      dims: [...this.#referenceShapes.get(value.name)!],
      dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
      externalData: [
        ...(isInMemory
          ? [{ key: "location", value: storedName(value) }, { key: "offset", value: "0" }]
          : [
            { key: "location", value: locationOf(entry) },
            { key: "offset", value: String(entry.offset) },
          ]),
        { key: "length", value: String(entry.byteLength) },
      ],
    }));
    const toUnpack = unpacked.flatMap(({ entry, initializers }) =>
      initializers.map((initializer) => ({
        name: initializer.name,
        dataType: ONNX_DATA_TYPE[initializer.type],
        dims: [...initializer.dims],
        dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
        externalData: [
          { key: "location", value: isInMemory ? initializer.name : locationOf(entry) },
          { key: "offset", value: "0" },
          { key: "length", value: String(unpackedByteLength(initializer)) },
        ],
      }))
    );
    const model = onnx.ModelProto.encode({
      irVersion: ONNX_IR_VERSION,
      producerName: "newbie",
      opsetImport: [
        { domain: "", version: ONNX_OPSET },
        { domain: MICROSOFT_DOMAIN, version: MICROSOFT_OPSET },
        ...(this.ownOperators ? [{ domain: OWN_DOMAIN, version: OWN_OPSET }] : []),
      ],
      graph: {
        name: this.name,
        node: [...early!, ...late!],
        // An initializer that is an input, too, could be given anew in each run: it is no constant.
        input: [
          ...this.#inputs,
          ...this.#references.filter(({ isKept }) => isKept).map(({ value: { name, type } }) => {
            return { name, type, dims: this.#referenceShapes.get(name)! };
          }),
        ].map(valueInfo),
        output: this.#outputs.map(valueInfo),
        valueInfo: [...this.#described.values()].map(valueInfo),
        initializer: [...this.#initializers, ...references, ...toUnpack],
      },
    }).finish();
    return {
      name: this.name,
      model,
      ...(folder === undefined ? {} : { weightFolder: folder }),
      ...(storedWeights.length === 0 || isInMemory ? {} : { storedWeights }),
      ...(this.#ownMatrices.length === 0 ? {} : { ownMatrices: this.#ownMatrices }),
      ...(isInMemory
        ? {
          memory: [
            ...unpacked,
            ...this.#references.map(({ value, entry }) => ({
              entry,
              initializers: [{ name: storedName(value), form: "stored", type: "uint8" } as const],
            })),
          ],
        }
        : {}),
      ...(isUnpackedInPlace && unpacked.length > 0 ? { unpackedWeights: unpacked } : {}),
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
  }

  /** Whether a weight's file is known to have as many bytes as each of its initializers. */
  #canStandForEach(weights: readonly UnpackedWeight[]): boolean {
    const ends = new Map<string, number>();
    for (const { entry } of [...this.#references, ...weights]) {
      ends.set(entry.file, Math.max(ends.get(entry.file) ?? 0, entry.offset + entry.byteLength));
    }
    return weights.every(({ entry, initializers }) =>
      initializers.every((initializer) => unpackedByteLength(initializer) <= ends.get(entry.file)!)
    );
  }

  #constant(key: string, type: ElementType, dims: number[], bytes: () => Uint8Array): Value {
    let value = this.#constants.get(key);
    if (value === undefined) {
      // The name stands in every node that reads it: long vectors get a number for their values.
      const label = key.length > LONGEST_LABEL ? `${type}[#${this.#constants.size}]` : key;
      value = { graph: this, name: `constant/${label}`, type };
      this.#constants.set(key, value);
      const rawData = bytes();
      this.#initializers.push({ name: value.name, dataType: ONNX_DATA_TYPE[type], dims, rawData });
    }
    return value;
  }
}

/** Bytes of an initializer that is made of blocks. */
export function unpackedByteLength(
  { dims, type }: UnpackedWeight["initializers"][number],
): number {
  return elementCount(dims) * BYTES_OF_TYPE[type]!;
}

/** Whether the rows of a tensor's values are whole blocks, of which a part can be unpacked. */
function hasRowsOfBlocks({ dtype }: BlockEntry, dims: readonly number[]): boolean {
  return elementCount(dims.slice(1)) % BLOCK_LAYOUTS[dtype].values === 0;
}

/** What a reference calls a file whose bytes are given in memory. */
function storedName({ name }: Value): string {
  return `stored/${name}`;
}

function attributeProto(name: string, value: Attribute): Onnx.IAttributeProto {
  const { AttributeType } = onnx.AttributeProto;
  if ("int" in value) return { name, type: AttributeType.INT, i: value.int };
  if ("float" in value) return { name, type: AttributeType.FLOAT, f: value.float };
  if ("ints" in value) return { name, type: AttributeType.INTS, ints: [...value.ints] };
  return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value.string) };
}

function valueInfo({ name, type, dims }: Port): Onnx.IValueInfoProto {
  return {
    name,
    type: {
      tensorType: {
        elemType: ONNX_DATA_TYPE[type],
        shape: {
          dim: dims.map((dim) => typeof dim === "number" ? { dimValue: dim } : { dimParam: dim }),
        },
      },
    },
  };
}

/** The deepest folder that holds all files: external data must lie below one folder. */
function commonFolder(files: readonly string[]): string | undefined {
  const [first, ...rest] = files.map((file) => dirname(file).split(sep));
  if (first === undefined) return undefined;
  let length = first.length;
  for (const parts of rest) {
    const difference = first.findIndex((part, index) => part !== parts[index]);
    if (difference >= 0) length = Math.min(length, difference);
  }
  return first.slice(0, length).join(sep) || sep;
}
