/**
 * Safetensors, and GGUF by way of its own room: where each weight of a checkpoint lies on disk,
 * checked before anything uses it.
 *
 * Only headers are read. Graphs point at the data by file and offset; {@linkcode RowReader} is the
 * one way for values to come into JavaScript, a few rows of an embedding table at a time.
 *
 * @module
 */

export { isByteDtype, isFloatDtype } from "./_dtypes.ts";
export { isGgufName } from "./_gguf_weights.ts";
export { ChangedFileError } from "./changed_file_error.ts";
export { copiedTensor } from "./copied_tensor.ts";
export { findWeights } from "./find_weights.ts";
export { openWeights } from "./open_weights.ts";
export { PartReader } from "./part_reader.ts";
export { readSafetensorsHeader } from "./read_safetensors_header.ts";
export { QUANTIZED_BITS_KEY, SCALES_SUFFIX } from "./_quantization.ts";
export { rotationMatrix } from "./rotation_matrix.ts";
export { RowReader } from "./row_reader.ts";
export { rowsOf } from "./rows_of.ts";
export { SafetensorsError } from "./safetensors_error.ts";
export { shortenedError } from "./shortened_error.ts";
export type {
  ByteDtype,
  FloatDtype,
  OpaqueEntry,
  OpenWeightsOptions,
  Quantization,
  QuantizedBits,
  StoredTensor,
  TensorEntry,
  WeightDtype,
  Weights,
} from "./types.ts";
export { safetensorsByteLength, type TensorSource, writeSafetensors } from "./write_safetensors.ts";
