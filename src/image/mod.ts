/**
 * Pictures: from tensors, to and from PNG, JPEG, WebP and AVIF, and how alike two are.
 *
 * @module
 */
export * from "./decode_picture.ts";
export * from "./decode_png.ts";
export * from "./draw_text.ts";
export * from "./encode_picture_as.ts";
export * from "./encode_png.ts";
export * from "./flattened.ts";
export * from "./image_from_tensor.ts";
export * from "./paste_outside.ts";
export * from "./picture_format.ts";
export * from "./psnr.ts";
export { readPictureText } from "./read_picture_text.ts";
export * from "./shrink.ts";
export * from "./resize_image.ts";
export * from "./resize_planes.ts";
export * from "./tensor_from_image.ts";
export * from "./types.ts";
