/**
 * GGUF, the file format of llama.cpp and its relatives: headers, and values in ggml's blocks.
 *
 * @module
 */
export {
  BLOCK_LAYOUTS,
  type BlockLayout,
  type BlockType,
  isBlockType,
  type Unpacked,
} from "./blocks.ts";
export { dequantizeBlocks } from "./dequantize_blocks.ts";
export { GgufError } from "./gguf_error.ts";
export { readGgufHeader } from "./read_gguf_header.ts";
export type { GgufHeader, GgufTensor, GgufValue } from "./types.ts";
export { unpackBlocks } from "./unpack_blocks.ts";
export { type GgufMetadata, type GgufTensorSource, writeGguf } from "./write_gguf.ts";
