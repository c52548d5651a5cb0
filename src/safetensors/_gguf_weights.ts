import { isBlockType, readGgufHeader } from "../gguf/mod.ts";
import type { GgufTensor, GgufValue } from "../gguf/mod.ts";
import { elementCount } from "../tensor.ts";
import { isFloatDtype } from "./_dtypes.ts";
import { refusal } from "./_refusal.ts";
import { quote } from "../shown.ts";
import { emptyRecord } from "./header.ts";
import type { SafetensorsError } from "./safetensors_error.ts";
import type { OpaqueEntry, TensorEntry, Weights } from "./types.ts";

const GGUF_NAME = /\.gguf$/i;
/** Under this key and a tensor's name, ComfyUI-GGUF notes a shape that ggml cannot have. */
const SHAPE_KEY = "comfy.gguf.orig_shape.";

/** Whether a name is that of a GGUF file. */
export function isGgufName(name: string): boolean {
  return GGUF_NAME.test(name);
}

/**
 * The weights of a GGUF file.
 *
 * @throws {GgufError} When it is not a well-formed GGUF file.
 */
export async function openGguf(path: string): Promise<Weights> {
  const header = await readGgufHeader(path);
  const file = await Deno.realPath(path);
  const tensors = new Map<string, TensorEntry>();
  const opaque = new Map<string, OpaqueEntry>();
  const unusable = new Map<string, SafetensorsError>();
  for (const tensor of header.tensors) {
    const { name, type: dtype, offset, byteLength } = tensor;
    const shape = shapeOf(tensor, header.metadata);
    const stored = { shape, file, offset, byteLength };
    if (isFloatDtype(dtype) || isBlockType(dtype)) {
      tensors.set(name, { name, dtype, ...stored });
    } else {
      opaque.set(name, { dtype, ...stored });
      unusable.set(
        name,
        refusal(path, (text) => text.unreadableBlocks(quote(name), dtype), {
          tensor: name,
        }),
      );
    }
  }
  const metadata = emptyRecord();
  for (const [key, value] of header.metadata) {
    if (typeof value !== "object") metadata[key] = String(value);
  }
  return { source: path, files: [file], paths: [path], tensors, opaque, unusable, metadata };
}

function shapeOf(
  { name, shape }: GgufTensor,
  metadata: ReadonlyMap<string, GgufValue>,
): readonly number[] {
  const noted = metadata.get(SHAPE_KEY + name);
  if (!Array.isArray(noted)) return shape;
  const extents = noted.map(Number);
  const isSame = extents.every((extent) => Number.isSafeInteger(extent) && extent >= 0) &&
    elementCount(extents) === elementCount(shape);
  return isSame ? extents : shape;
}
