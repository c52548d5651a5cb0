/**
 * Weight-only quantisation: smaller copies of a model for smaller cards.
 *
 * @module
 */
export type { QuantizedFile } from "./quantize_file.ts";
export { quantizeModelToGguf, type QuantizeModelToGgufOptions } from "./quantize_model_to_gguf.ts";
export { type QuantizedModel, quantizeModel, type QuantizeModelOptions } from "./quantize_model.ts";
