/**
 * Both kinds of autoencoder behind one interface: config.json decides which one it is.
 *
 * @module
 */
import * as z from "zod";
import { RequestError } from "../errors.ts";
import type { DtypePolicy } from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import { parseConfig } from "./_config.ts";
import { expectWithinWeights } from "./_limits.ts";
import type { Naming } from "./names.ts";
import {
  type AutoencoderKLConfig,
  autoencoderKLNames,
  autoencoderKLScaleFactor,
  autoencoderKLShown,
  compileAutoencoderKL,
  parseAutoencoderKLConfig,
  publishedKLFactors,
} from "./autoencoder_kl.ts";
import {
  type AutoencoderTinyConfig,
  autoencoderTinyNames,
  autoencoderTinyScaleFactor,
  autoencoderTinyShown,
  compileAutoencoderTiny,
  parseAutoencoderTinyConfig,
} from "./autoencoder_tiny.ts";
import type { DecoderGraphs, EncoderGraphs } from "./autoencoder_graphs.ts";
import { compileAutoencoderKLEncoder, hasAutoencoderKLEncoder } from "./autoencoder_kl_encoder.ts";
import {
  compileAutoencoderTinyEncoder,
  hasAutoencoderTinyEncoder,
} from "./autoencoder_tiny_encoder.ts";

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
  const config = json === undefined ? inferred(weights, file) : withShown(json, weights);
  const parsed = parseConfig(schema, config, file)._class_name === "AutoencoderKL"
    ? parseAutoencoderKLConfig(config, file)
    : parseAutoencoderTinyConfig(config, file);
  const { latent_channels } = parsed;
  if (parsed._class_name === "AutoencoderKL") {
    const { block_out_channels, layers_per_block } = parsed;
    expectWithinWeights(file, weights, {
      widths: { latent_channels, block_out_channels: Math.max(...block_out_channels) },
      counts: { layers_per_block },
    });
  } else {
    const { decoder_block_out_channels: widths, num_decoder_blocks: blocks } = parsed;
    expectWithinWeights(file, weights, {
      widths: { latent_channels, decoder_block_out_channels: Math.max(...widths) },
      counts: { num_decoder_blocks: Math.max(...blocks) },
    });
  }
  return parsed;
}

/** How a decoder's tensors are named in a file; undefined where there is none. */
export function vaeNames(weights: Weights): Naming | undefined {
  return autoencoderKLNames(weights) ?? autoencoderTinyNames(weights);
}

/** What config.json leaves out and the shapes show. */
function withShown(json: unknown, weights: Weights): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const { _class_name: stated } = json as { readonly _class_name?: unknown };
  const shown = [autoencoderKLShown(weights), autoencoderTinyShown(weights)].find((shown) =>
    shown !== undefined && (stated === undefined || stated === shown._class_name)
  );
  return { ...shown, ...json };
}

function inferred(weights: Weights, file: string): Record<string, unknown> {
  const kl = autoencoderKLShown(weights);
  if (kl !== undefined) return { ...kl, ...publishedKLFactors(Number(kl.latent_channels), file) };
  return autoencoderTinyShown(weights) ?? {};
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

/**
 * Compiles an encoder over its weights.
 *
 * @param json The parsed config.json, which says what the configuration of the decoder does not;
 *   absent when there is none.
 * @param file Its path, for messages.
 * @throws {RequestError} When the file has a decoder alone.
 * @throws {ConfigError} When config.json describes an encoder of another kind.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileVaeEncoder(
  config: VaeConfig,
  json: unknown,
  file: string,
  weights: Weights,
  policy: DtypePolicy,
): EncoderGraphs {
  const has = config._class_name === "AutoencoderKL"
    ? hasAutoencoderKLEncoder
    : hasAutoencoderTinyEncoder;
  if (!has(weights)) throw noEncoder(weights);
  return config._class_name === "AutoencoderKL"
    ? compileAutoencoderKLEncoder(config, json, file, weights, policy)
    : compileAutoencoderTinyEncoder(config, json, file, weights, policy);
}

function noEncoder({ source }: Weights): RequestError {
  return new RequestError(
    `The VAE ${source} is a decoder alone, so no picture can be drawn from. Use the autoencoder's ` +
      "file that has both halves (--vae names one).",
    {
      zh: `VAE ${source} 只有解码器，因此不能以图片为起点。` +
        "请使用同时含有编码器的自编码器文件（可用 --vae 指定）。",
    },
  );
}
