/**
 * Noise that matches PyTorch's, so that a seed gives the same picture here as elsewhere.
 *
 * @module
 */

export { createGenerator } from "./create_generator.ts";
export { randomSeed } from "./random_seed.ts";
export {
  type Generator,
  GENERATOR_DEVICES,
  type GeneratorDevice,
  type GeneratorOptions,
} from "./types.ts";
