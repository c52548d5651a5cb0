import type { QuantizedBits } from "../safetensors/mod.ts";
import { quantizeBlocks, type ScaleType, type SquaredError } from "./_blocks.ts";

/** What is to become of the values of some rows. */
export interface PieceRequest {
  readonly values: Float32Array;
  readonly bits: QuantizedBits;
  readonly blockSize: number;
  /** @default {"bfloat16"} */
  readonly scaleType?: ScaleType;
}

/** A piece of a matrix: whole rows, packed, and their scales. */
export interface Piece {
  readonly packed: Uint8Array<ArrayBuffer>;
  /** Bits of the scales' type, one a block. */
  readonly scales: Uint16Array<ArrayBuffer>;
  readonly error: SquaredError;
}

/** What a thread answers. */
export interface PieceAnswer {
  /** Absent where a value is no finite number. */
  readonly piece?: Piece;
}

const BITS_A_BYTE = 8;

/** Quantises whole rows; `undefined` where a value is no finite number. */
export function quantizePiece(
  { values, bits, blockSize, scaleType }: PieceRequest,
): Piece | undefined {
  const packed = new Uint8Array(values.length * bits / BITS_A_BYTE);
  const scales = new Uint16Array(values.length / blockSize);
  const error: SquaredError = { error: 0, norm: 0 };
  return quantizeBlocks(values, blockSize, bits, packed, scales, error, scaleType)
    ? { packed, scales, error }
    : undefined;
}
