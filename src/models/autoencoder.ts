/**
 * Both kinds of autoencoder behind one door: config.json decides which it is.
 *
 * @module
 */
import { z } from "zod";
import type { DtypePolicy } from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import { parseConfig } from "./_config.ts";
import {
  type AutoencoderKLConfig,
  autoencoderKLScaleFactor,
  compileAutoencoderKL,
  inferAutoencoderKLConfig,
  parseAutoencoderKLConfig,
} from "./autoencoder_kl.ts";
import {
  type AutoencoderTinyConfig,
  autoencoderTinyScaleFactor,
  compileAutoencoderTiny,
  inferAutoencoderTinyConfig,
  parseAutoencoderTinyConfig,
} from "./autoencoder_tiny.ts";
import type { DecoderGraphs } from "./decoder_graphs.ts";

/** An autoencoder's configuration, of either kind. */
export type VaeConfig = AutoencoderKLConfig | AutoencoderTinyConfig;

const schema = z.object({
  _class_name: z.enum(["AutoencoderKL", "AutoencoderTiny"]),
}).loose();

/**
 * Reads an autoencoder's config.json in diffusers' words. What kind it is, the weights tell where
 * `_class_name` does not.
 *
 * @param json The parsed config.json; absent when there is none: then the weights tell everything.
 * @param file Its path, for messages.
 * @throws {ConfigError} When it describes another kind of autoencoder, or a key has a wrong value.
 */
export function parseVaeConfig(json: unknown, file: string, weights: Weights): VaeConfig {
  const config = json === undefined ? inferVaeConfig(weights) : withClassName(json, weights);
  return parseConfig(schema, config, file)._class_name === "AutoencoderKL"
    ? parseAutoencoderKLConfig(config, file)
    : parseAutoencoderTinyConfig(config, file);
}

function withClassName(json: unknown, weights: Weights): unknown {
  if (typeof json !== "object" || json === null || "_class_name" in json) return json;
  return { ...json, _class_name: inferVaeConfig(weights)._class_name };
}

function inferVaeConfig(weights: Weights): Record<string, unknown> {
  const config = inferAutoencoderKLConfig(weights);
  return "_class_name" in config ? config : inferAutoencoderTinyConfig(weights);
}

/** Pixels along a side of the picture for each of the latents. */
export function pixelsPerLatent(config: VaeConfig): number {
  return config._class_name === "AutoencoderKL"
    ? autoencoderKLScaleFactor(config)
    : autoencoderTinyScaleFactor(config);
}

/**
 * Compiles a decoder over its weights.
 *
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileVae(
  config: VaeConfig,
  weights: Weights,
  policy: DtypePolicy,
): DecoderGraphs {
  return config._class_name === "AutoencoderKL"
    ? compileAutoencoderKL(config, weights, policy)
    : compileAutoencoderTiny(config, weights, policy);
}
