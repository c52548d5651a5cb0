/**
 * The decoder of AutoencoderTiny: TAESD, TAEF1 and others of the same form.
 *
 * The maths is that of diffusers (autoencoder_tiny.py, `DecoderTiny`) after madebyollin/taesd. All
 * of it is convolutions, so a tile that sees far enough beyond its edge is exact.
 *
 * @module
 */
import * as z from "zod";
import {
  addScalar,
  cast,
  conv2d,
  type DtypePolicy,
  INTERFACE_TYPE,
  Parameters,
  scale,
  tanh,
  upsampleNearest,
  type Value,
} from "../onnx/mod.ts";
import { ConfigError } from "../errors.ts";
import type { Weights } from "../safetensors/mod.ts";
import { activate, type ActivationName, activationName } from "./_activation.ts";
import { parseConfig } from "./_config.ts";
import { MOST_STAGES, outputChannels } from "./_pictures.ts";
import { type ConvolutionNetwork, tileStep, wholeGraph } from "./_convolution_graphs.ts";
import { CONVOLUTIONS_IN_BLOCK, TINY_TILE_SIZE, tinyBlock } from "./_tiny_block.ts";
import { findNaming, type Naming, naming } from "./names.ts";
import { type DecoderGraphs, outputPicture } from "./autoencoder_graphs.ts";

/** An AutoencoderTiny's configuration, complete, in diffusers' words. */
export interface AutoencoderTinyConfig {
  readonly _class_name: "AutoencoderTiny";
  readonly latent_channels: number;
  readonly out_channels: number;
  /** The width of each stage, from the latents' size to the picture's. */
  readonly decoder_block_out_channels: readonly number[];
  /** The residual blocks of each stage. */
  readonly num_decoder_blocks: readonly number[];
  readonly upsampling_scaling_factor: number;
  readonly act_fn: ActivationName;
  readonly scaling_factor: number;
  readonly shift_factor: number;
}

const count = z.int().positive();

/** diffusers' defaults (`AutoencoderTiny.__init__`). */
const schema = z.object({
  latent_channels: count.default(4),
  out_channels: outputChannels,
  decoder_block_out_channels: z.array(count).min(1).max(MOST_STAGES).default([64, 64, 64, 64]),
  num_decoder_blocks: z.array(z.int().nonnegative()).max(MOST_STAGES).default([3, 3, 3, 1]),
  upsampling_scaling_factor: count.default(2),
  act_fn: activationName.default("relu"),
  upsample_fn: z.literal("nearest").default("nearest"),
  scaling_factor: z.number().positive().default(1),
  shift_factor: z.number().nullable().default(0),
});

/**
 * Reads diffusers' config.json of an AutoencoderTiny. `latent_magnitude` and `latent_shift` concern
 * latents stored as bytes, so decoding does not use them.
 *
 * @throws {ConfigError} When a key has a wrong value.
 */
export function parseAutoencoderTinyConfig(json: unknown, file: string): AutoencoderTinyConfig {
  const { upsample_fn: _, ...config } = parseConfig(schema, json, file);
  const { decoder_block_out_channels: widths, num_decoder_blocks: blocks } = config;
  if (widths.length !== blocks.length) {
    throw new ConfigError(file, [{
      en: `decoder_block_out_channels has ${widths.length} stages, but num_decoder_blocks has ` +
        `${blocks.length}`,
      zh:
        `decoder_block_out_channels 有 ${widths.length} 级，而 num_decoder_blocks 有 ${blocks.length} 级`,
    }]);
  }
  return { _class_name: "AutoencoderTiny", ...config, shift_factor: config.shift_factor ?? 0 };
}

/** Pixels along a side of the picture for each of the latents. */
export function autoencoderTinyScaleFactor(config: AutoencoderTinyConfig): number {
  return config.upsampling_scaling_factor ** (config.num_decoder_blocks.length - 1);
}

/**
 * What shapes show of an AutoencoderTiny, in the words of its config.json, which is all of it;
 * undefined when the weights are none's.
 */
export function autoencoderTinyShown(weights: Weights): Record<string, unknown> | undefined {
  const names = autoencoderTinyNames(weights);
  if (names === undefined) return undefined;
  const { shape } = names;
  const widths: number[] = [];
  const blocks = [0];
  for (let layer = AFTER_FIRST_CONVOLUTION;; layer++) {
    const width = shape(`decoder.layers.${layer}.weight`)?.[1];
    if (shape(`decoder.layers.${layer}.conv.0.weight`) !== undefined) {
      blocks[blocks.length - 1]!++;
    } else if (width !== undefined) {
      widths.push(width);
      if (shape(`decoder.layers.${layer}.bias`) !== undefined) break;
      blocks.push(0);
    } else if (shape(`decoder.layers.${layer + 1}.weight`) === undefined) {
      return undefined; // Neither a layer with weights nor an upsampling before one.
    }
  }
  return {
    _class_name: "AutoencoderTiny",
    latent_channels: shape("decoder.layers.0.weight")?.[1],
    decoder_block_out_channels: widths,
    num_decoder_blocks: blocks,
  };
}

/** The layers before the first stage: a convolution and its activation. */
const AFTER_FIRST_CONVOLUTION = 2;

/**
 * How the layers are named: diffusers', then those of madebyollin/taesd, alone or as one half of a
 * file. The original counts the clamp at the start as a layer of its own.
 */
const STYLES = {
  diffusers: { required: ["decoder.layers.0.weight", "decoder.layers.2.conv.0.weight"] },
  // Not an encoder's, whose first block is layer 1.
  original: { required: ["1.weight", "3.conv.0.weight"], foreign: ["1.conv.0.weight"] },
};

/** How an autoencoder's tensors are named in a file, by diffusers' names; undefined without one. */
export function autoencoderTinyNames(weights: Weights): Naming | undefined {
  const found = findNaming(weights, Object.values(STYLES));
  if (found === undefined || found.style === STYLES.diffusers) return found;
  const decoder = (name: string) =>
    name.replace(/^decoder\.layers\.(\d+)\./, (_, layer) => `${Number(layer) + 1}.`);
  // An encoder begins with no clamp, so its numbers are those of diffusers.
  const other = /^(.*\.)?decoder\.$/.test(found.prefix)
    ? naming(weights, STYLES.original, found.prefix.replace(/decoder\.$/, "encoder."))
    : undefined;
  const encoder = (name: string) => name.replace(/^encoder\.layers\./, "");
  const isEncoders = (name: string) => other !== undefined && name.startsWith("encoder.layers.");
  return {
    ...found,
    nameInFile: (name) =>
      isEncoders(name) ? other!.nameInFile(encoder(name)) : found.nameInFile(decoder(name)),
    shape: (name) => isEncoders(name) ? other!.shape(encoder(name)) : found.shape(decoder(name)),
  };
}

/** The same where there may be none: then as diffusers names them. */
export function autoencoderTinyNaming(weights: Weights): Naming {
  return autoencoderTinyNames(weights) ?? naming(weights, STYLES.diffusers, "");
}

/**
 * Compiles the decoder over its weights.
 *
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileAutoencoderTiny(
  config: AutoencoderTinyConfig,
  weights: Weights,
  policy: DtypePolicy,
): DecoderGraphs {
  const network: ConvolutionNetwork = {
    name: "autoencoder_tiny",
    weights,
    nameInFile: autoencoderTinyNaming(weights).nameInFile,
    policy,
    reads: { name: "latents", dims: ["B", config.latent_channels, "h", "w"] },
    writes: { name: "image", dims: ["B", config.out_channels, "H", "W"] },
    halo: latentHalo(config),
    scale: autoencoderTinyScaleFactor(config),
    build: (latents, parameters) => decoder(latents, config, parameters, policy.convolution),
  };
  return {
    whole: wholeGraph(network, (graph, _, image) => {
      outputPicture(graph, image, config.out_channels);
    }),
    steps: [tileStep(network)],
    tileSize: TINY_TILE_SIZE,
  };
}

/** What latents are clamped to, softly, before anything else. */
const CLAMP = 3;

function decoder(
  latents: Value,
  config: AutoencoderTinyConfig,
  parameters: Parameters,
  type: DtypePolicy["convolution"],
): Value {
  const { latent_channels, out_channels, num_decoder_blocks, act_fn } = config;
  const widths = config.decoder_block_out_channels;
  let layer = 0;
  const convolution = (x: Value, from: number, to: number, bias: boolean) => {
    const scope = parameters.scope(`decoder.layers.${layer++}`);
    return conv2d(
      x,
      scope.get("weight", [to, from, 3, 3], type),
      bias ? scope.get("bias", [to], type) : undefined,
      3,
    );
  };

  let x = addScalar(scale(latents, 1 / config.scaling_factor), config.shift_factor);
  x = cast(scale(tanh(scale(x, 1 / CLAMP)), CLAMP), type);
  x = activate(convolution(x, latent_channels, widths[0]!, true), act_fn);
  layer = AFTER_FIRST_CONVOLUTION;
  num_decoder_blocks.forEach((blocks, stage) => {
    const width = widths[stage]!;
    const next = widths[stage + 1];
    for (let index = 0; index < blocks; index++) {
      x = tinyBlock(x, width, act_fn, parameters.scope(`decoder.layers.${layer++}`), type);
    }
    if (next === undefined) {
      x = convolution(x, width, out_channels, true);
    } else {
      layer++; // The upsampling counts as a layer.
      x = convolution(upsampleNearest(x, config.upsampling_scaling_factor), width, next, false);
    }
  });
  // From 0…1 to -1…1.
  return addScalar(scale(cast(x, INTERFACE_TYPE), 2), -1);
}

/**
 * How far beyond its edge a tile must see, in latents: back from the picture, every convolution of
 * 3 × 3 reaches one pixel further, and every upsampling divides the distance (rounded up).
 */
function latentHalo({ num_decoder_blocks, upsampling_scaling_factor }: AutoencoderTinyConfig) {
  const firstConvolution = 1;
  return firstConvolution + num_decoder_blocks.reduceRight((reach, blocks, stage) => {
    const isLast = stage === num_decoder_blocks.length - 1;
    const lastConvolution = reach + 1;
    const beforeIt = isLast
      ? lastConvolution
      : Math.ceil(lastConvolution / upsampling_scaling_factor);
    return beforeIt + CONVOLUTIONS_IN_BLOCK * blocks;
  }, 0);
}
