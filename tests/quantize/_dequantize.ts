/**
 * What a quantised file stands for, read from its bytes: safetensors by its format's description,
 * values by that of ONNX Runtime's `MatMulNBits` (docs/ContribOperators.md). Shares no code with
 * what it checks.
 */

/** A file taken apart. */
export interface RawFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, RawTensor>;
}

/** A tensor as it is stored. */
export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Reads a whole file. */
export async function readRaw(path: string): Promise<RawFile> {
  const bytes = await Deno.readFile(path);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__: metadata = {}, ...header } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  );
  const tensors = new Map<string, RawTensor>();
  for (const [name, value] of Object.entries(header)) {
    const { dtype, shape, data_offsets: [begin, end] } = value as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    tensors.set(name, { dtype, shape, bytes: bytes.slice(8 + length + begin, 8 + length + end) });
  }
  return { metadata, tensors };
}

/** bfloat16 is the upper half of a float32. */
export function bfloat16(bytes: Uint8Array): Float32Array {
  const words = new Uint32Array(bytes.length / 2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < words.length; i++) words[i] = view.getUint16(2 * i, true) << 16;
  return new Float32Array(words.buffer);
}

/** The matrix of packed values [N, blocks, bytes] and scales [N, blocks], row by row. */
export function dequantize(packed: RawTensor, scales: RawTensor, bits: number): Float32Array {
  const perBlock = packed.shape[2]! * 8 / bits;
  const factors = bfloat16(scales.bytes);
  const values = new Float32Array(packed.bytes.length * 8 / bits);
  values.forEach((_, index) => {
    const byte = packed.bytes[bits === 8 ? index : index >> 1]!;
    const stored = bits === 8 ? byte : index % 2 === 0 ? byte & 15 : byte >> 4;
    const zeroPoint = bits === 8 ? 128 : 8;
    values[index] = (stored - zeroPoint) * factors[Math.floor(index / perBlock)]!;
  });
  return values;
}

/** The file with every quantised matrix as float32, as a file of its own. */
export function dequantizedFile({ metadata, tensors }: RawFile): Uint8Array {
  const bits = Number(metadata.quantized_bits);
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let end = 0;
  for (let [name, { dtype, shape, bytes }] of tensors) {
    const scales = tensors.get(`${name}.scales`);
    if (scales !== undefined) {
      const values = dequantize({ dtype, shape, bytes }, scales, bits);
      dtype = "F32";
      shape = [shape[0]!, values.length / shape[0]!];
      bytes = new Uint8Array(values.buffer);
    } else if (name.endsWith(".scales")) {
      continue;
    }
    const begin = end;
    end += bytes.length;
    header[name] = { dtype, shape, data_offsets: [begin, end] };
    parts.push(bytes);
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  let place = 8 + json.length;
  for (const part of parts) {
    file.set(part, place);
    place += part.length;
  }
  return file;
}
