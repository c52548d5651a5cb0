/**
 * Element types and attributes, in ONNX's words.
 *
 * @module
 */
import type { BlockType } from "../gguf/mod.ts";
import type { WeightDtype } from "../safetensors/mod.ts";

/** The element types that appear in our graphs. */
export type ElementType =
  | "float32"
  | "float16"
  | "bfloat16"
  | "float8e4m3fn"
  | "float8e5m2"
  | "int8"
  | "uint8"
  | "int64"
  | "bool";

/** The floating-point types in which a graph can do its arithmetic. */
export type FloatType = "float32" | "float16" | "bfloat16";

/** `TensorProto.DataType` of each element type (onnx.proto). */
export const ONNX_DATA_TYPE: Readonly<Record<ElementType, number>> = Object.freeze({
  float32: 1,
  uint8: 2,
  int8: 3,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e5m2: 19,
});

/** The element type of each dtype that a graph can point at; no operator reads GGUF's blocks. */
export const ELEMENT_TYPE_OF: Readonly<Record<Exclude<WeightDtype, BlockType>, ElementType>> =
  Object.freeze({
    F32: "float32",
    F16: "float16",
    BF16: "bfloat16",
    F8_E4M3: "float8e4m3fn",
    F8_E5M2: "float8e5m2",
    I8: "int8",
    U8: "uint8",
  });

/** An extent: known, or a name for one that each run decides. */
export type Dimension = number | string;

/** A node's attribute; JavaScript has one kind of number, ONNX two, so the kind is spelt out. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] };

/** An integer attribute. */
export const int = (value: number): Attribute => ({ int: value });
/** A floating-point attribute. */
export const float = (value: number): Attribute => ({ float: value });
/** A text attribute. */
export const text = (value: string): Attribute => ({ string: value });
/** A list of integers. */
export const ints = (values: readonly number[]): Attribute => ({ ints: values });
