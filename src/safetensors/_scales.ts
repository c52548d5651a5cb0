/**
 * Numbers of 8 bits with scales: how ComfyUI's files and their relatives say that they have them
 * (comfy/quant_ops.py and `convert_old_quants` of comfy/utils.py).
 *
 * Beside `X.weight` stands its scale, `X.weight_scale` or, in older files, `X.scale_weight`. What a
 * layer's numbers are is said by JSON, either in the bytes of `X.comfy_quant` or for all layers in
 * the text `_quantization_metadata` of the header. `X.input_scale` and `X.scale_input` are for
 * programs that round activations too; here they stay as they are, so that nothing asks for those.
 */
import { elementCount } from "../tensor.ts";
import { isByteDtype, isFloatDtype } from "./_dtypes.ts";
import { refusal } from "./_refusal.ts";
import { quote } from "../shown.ts";
import { showShape } from "./_show_shape.ts";
import type { Say } from "./_texts.ts";
import { isRotationSize } from "./rotation_matrix.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import type { ByteDtype, OpaqueEntry, TensorEntry } from "./types.ts";

/** The bytes of JSON beside a layer's weight. */
const LAYER_FORMAT_SUFFIX = ".comfy_quant";
/** The text of `__metadata__` that says the same for all layers. */
const FORMATS_KEY = "_quantization_metadata";
/** More than such JSON has for one layer. */
const LONGEST_FORMAT = 1 << 16;
/** ComfyUI's rotation, where the file does not state another. */
const USUAL_ROTATION = 256;

/** The formats that can be read, and the dtype of each. */
const DTYPE_OF_FORMAT: ReadonlyMap<string, ByteDtype> = new Map([
  ["float8_e4m3fn", "F8_E4M3"],
  ["float8_e4m3fn_rowwise", "F8_E4M3"],
  ["float8_e5m2", "F8_E5M2"],
  ["int8_tensorwise", "I8"],
]);

/** What a file says of one layer's numbers. */
interface LayerFormat {
  readonly format?: unknown;
  readonly convrot?: unknown;
  readonly convrot_groupsize?: unknown;
  /** The same once more, as some programs nest it. */
  readonly params?: unknown;
}

/** The weight that a tensor of 8 bits stands for, or why it stands for none. */
export function byteEntry(
  name: string,
  dtype: ByteDtype,
  entries: ReadonlyMap<string, OpaqueEntry>,
  source: string,
): TensorEntry | SafetensorsError {
  const entry: TensorEntry = { name, ...entries.get(name)!, dtype };
  const scaled = withScale(entry, entries, source);
  if (scaled !== undefined) return scaled;
  if (dtype !== "I8") return entry;
  return refusal(source, (text) => text.noWeight(text.tensorIs(quote(name), dtype)), {
    tensor: name,
  });
}

/** A weight with the scale that stands beside it; undefined where there is none. */
function withScale(
  entry: TensorEntry,
  entries: ReadonlyMap<string, OpaqueEntry>,
  source: string,
): TensorEntry | SafetensorsError | undefined {
  const { name, shape } = entry;
  const layer = name.replace(/\.?[^.]*$/, "");
  const places = [`${name}_scale`, `${layer}.scale_weight`, `${name}_scale_inv`];
  const scaleName = places.find((place) => entries.has(place));
  if (scaleName === undefined) return undefined;
  const found = entries.get(scaleName)!;
  const { dtype } = found;
  const count = elementCount(found.shape);
  const isPerRow = shape.length > 1 && count === shape[0] && found.shape[0] === count;
  if (!isFloatDtype(dtype) || !(count === 1 || isPerRow) || scaleName.endsWith("_inv")) {
    const [shown, rows] = [showShape(found.shape), shape[0] ?? 1];
    const problem: Say = (text) => text.otherScale(quote(scaleName), dtype, shown, rows);
    return refusal(source, (text) => text.ofTensor(quote(name), problem(text)), { tensor: name });
  }
  return { ...entry, scale: { name: scaleName, ...found, dtype } };
}

/**
 * What a file says of its layers' numbers, by the layers' names.
 *
 * @param read Reads a tensor's bytes.
 */
export function layerFormats(
  metadata: Readonly<Record<string, string>>,
  opaque: ReadonlyMap<string, OpaqueEntry>,
  read: (entry: OpaqueEntry) => Uint8Array,
): ReadonlyMap<string, LayerFormat> {
  const formats = new Map<string, LayerFormat>();
  const stated = parsed(metadata[FORMATS_KEY]);
  const layers = isObject(stated) && isObject(stated.layers) ? stated.layers : {};
  for (const [layer, format] of Object.entries(layers)) formats.set(layer, asFormat(format));
  for (const [name, entry] of opaque) {
    if (!name.endsWith(LAYER_FORMAT_SUFFIX) || entry.dtype !== "U8") continue;
    const text = entry.byteLength > LONGEST_FORMAT
      ? undefined
      : new TextDecoder().decode(read(entry));
    formats.set(name.slice(0, -LAYER_FORMAT_SUFFIX.length), asFormat(parsed(text)));
  }
  return formats;
}

/** What cannot be understood is no format that can be read. */
function asFormat(value: unknown): LayerFormat {
  if (typeof value === "string") return { format: value };
  if (!isObject(value)) return {};
  return isObject(value.params) ? { ...value.params, ...value } : value;
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What layers' formats make of their weights: rotations are noted, what cannot be read refused. */
export function applyFormats(
  formats: ReadonlyMap<string, LayerFormat>,
  { tensors, opaque, unusable }: {
    readonly tensors: Map<string, TensorEntry>;
    readonly opaque: Map<string, OpaqueEntry>;
    readonly unusable: Map<string, SafetensorsError>;
  },
  source: string,
): void {
  const entries = new Map<string, OpaqueEntry>([...opaque, ...tensors]);
  for (const [layer, { format, convrot, convrot_groupsize: size = USUAL_ROTATION }] of formats) {
    const name = weightOf(layer, entries);
    if (name === undefined) continue;
    const { shape, file, offset, byteLength, dtype: found } = entries.get(name)!;
    const refuse = (problem: Say) => {
      const say: Say = (text) => text.ofTensor(quote(name), problem(text));
      unusable.set(name, refusal(source, say, { tensor: name }));
      opaque.set(name, { dtype: found, shape, file, offset, byteLength });
      tensors.delete(name);
    };
    const kind = String(format);
    const dtype = DTYPE_OF_FORMAT.get(kind);
    if (dtype === undefined) {
      refuse((text) => text.unknownFormat(quote(kind), DTYPE_OF_FORMAT.keys()));
      continue;
    }
    if (found === "U8" && dtype !== "I8") {
      // Written before the format had dtypes of 8 bits.
      entries.set(name, { dtype, shape, file, offset, byteLength });
      opaque.delete(name);
      unusable.delete(name);
    } else if (found !== dtype) {
      refuse((text) => text.otherFormat(quote(kind), dtype, found));
      continue;
    }
    const entry = byteEntry(name, dtype, entries, source);
    if (entry instanceof SafetensorsError) unusable.set(name, entry);
    else if (convrot !== true) tensors.set(name, entry);
    else if (isRotationSize(size) && shape.length === 2 && shape[1]! % size === 0) {
      tensors.set(name, { ...entry, rotation: size });
    } else refuse((text) => text.otherRotation(quote(String(size)), showShape(shape)));
  }
}

/** A layer's weight; some programs name layers without what stands before all names of a file. */
function weightOf(layer: string, entries: ReadonlyMap<string, unknown>): string | undefined {
  const name = `${layer}.weight`;
  if (entries.has(name)) return name;
  const [only, ...more] = [...entries.keys()].filter((found) => found.endsWith(`.${name}`));
  return more.length === 0 ? only : undefined;
}

/** Completes weights whose scales are in another shard. */
export function scaleAcrossShards(
  tensors: Map<string, TensorEntry>,
  unusable: Map<string, SafetensorsError>,
  source: string,
): void {
  for (const entry of tensors.values()) {
    if (!isByteDtype(entry.dtype) || entry.scale !== undefined) continue;
    const scaled = withScale(entry, tensors, source);
    if (scaled instanceof SafetensorsError) {
      unusable.set(entry.name, scaled);
      tensors.delete(entry.name);
    } else if (scaled !== undefined) tensors.set(entry.name, scaled);
  }
}
