/**
 * Pictures: from tensors, to and from PNG, and how alike two are.
 *
 * @module
 */
export * from "./decode_png.ts";
export * from "./encode_png.ts";
export * from "./image_from_tensor.ts";
export * from "./psnr.ts";
export * from "./read_png_text.ts";
export * from "./types.ts";
