/**
 * The encoder of AutoencoderTiny, the counterpart of autoencoder_tiny.ts.
 *
 * The maths is that of diffusers (vae.py, `EncoderTiny`) after madebyollin/taesd. As in the decoder,
 * a tile that sees far enough beyond its edge is exact.
 *
 * @module
 */
import * as z from "zod";
import {
  addScalar,
  cast,
  conv2d,
  type DtypePolicy,
  halvingConv2d,
  INTERFACE_TYPE,
  Parameters,
  scale,
  type Value,
} from "../onnx/mod.ts";
import { ConfigError } from "../errors.ts";
import type { Weights } from "../safetensors/mod.ts";
import { parseConfig } from "./_config.ts";
import { type ConvolutionNetwork, tileStep, wholeGraph } from "./_convolution_graphs.ts";
import { inputChannels, PICTURE_CHANNELS } from "./_pictures.ts";
import { CONVOLUTIONS_IN_BLOCK, TINY_TILE_SIZE, tinyBlock } from "./_tiny_block.ts";
import { type AutoencoderTinyConfig, autoencoderTinyNaming } from "./autoencoder_tiny.ts";
import type { EncoderGraphs } from "./autoencoder_graphs.ts";
import type { Naming } from "./names.ts";

/** What an AutoencoderTiny's config.json says of its encoder beyond what it says of the decoder. */
interface EncoderConfig extends AutoencoderTinyConfig {
  /** The width of each stage, from the picture's size to the latents'. */
  readonly encoder_block_out_channels: readonly number[];
  /** The residual blocks of each stage. */
  readonly num_encoder_blocks: readonly number[];
}

const count = z.int().positive();

/** diffusers' defaults (`AutoencoderTiny.__init__`). */
const schema = z.object({
  in_channels: inputChannels,
  encoder_block_out_channels: z.array(count).default([64, 64, 64, 64]),
  num_encoder_blocks: z.array(z.int().nonnegative()).default([1, 3, 3, 3]),
});

const FIRST = "encoder.layers.0.weight";
const HALVING = 2;

/** What shapes show, in the words of config.json. */
function shownBy({ shape }: Naming): Record<string, unknown> {
  const widths: number[] = [];
  const blocks: number[] = [];
  for (let layer = 0;; layer++) {
    if (shape(`encoder.layers.${layer}.conv.0.weight`) !== undefined) {
      blocks[blocks.length - 1]!++;
      continue;
    }
    // The convolutions that begin a stage have no bias, but for the first; the last one has.
    const isEnd = layer > 0 && shape(`encoder.layers.${layer}.bias`) !== undefined;
    const width = isEnd ? undefined : shape(`encoder.layers.${layer}.weight`)?.[0];
    if (width === undefined) break;
    widths.push(width);
    blocks.push(0);
  }
  return { encoder_block_out_channels: widths, num_encoder_blocks: blocks };
}

function encoderConfig(
  config: AutoencoderTinyConfig,
  json: unknown,
  file: string,
  weights: Weights,
): EncoderConfig {
  const shown = json === undefined ? shownBy(autoencoderTinyNaming(weights)) : {};
  const stated = { ...shown, ...json as object | undefined };
  const { encoder_block_out_channels, num_encoder_blocks } = parseConfig(schema, stated, file);
  const [widths, blocks, ofDecoder] = [
    encoder_block_out_channels.length,
    num_encoder_blocks.length,
    config.num_decoder_blocks.length,
  ];
  if (widths !== blocks || blocks !== ofDecoder || config.upsampling_scaling_factor !== HALVING) {
    throw new ConfigError(file, [{
      en:
        `the encoder (encoder_block_out_channels ${widths} stages, num_encoder_blocks ${blocks}, ` +
        `halving each) does not lead to the decoder's latents (${ofDecoder} stages, ` +
        `upsampling_scaling_factor ${config.upsampling_scaling_factor})`,
      zh:
        `编码器（encoder_block_out_channels ${widths} 级，num_encoder_blocks ${blocks} 级，每级减半）` +
        `得不到解码器的潜变量（${ofDecoder} 级，` +
        `upsampling_scaling_factor ${config.upsampling_scaling_factor}）`,
    }]);
  }
  return { ...config, encoder_block_out_channels, num_encoder_blocks };
}

/** Whether a file has the encoder, and not the decoder alone. */
export function hasAutoencoderTinyEncoder(weights: Weights): boolean {
  return autoencoderTinyNaming(weights).shape(FIRST) !== undefined;
}

/**
 * Compiles the encoder over its weights.
 *
 * @param config The configuration as the decoder has it.
 * @param json The parsed config.json, which says the rest; absent when there is none.
 * @param file Its path, for messages.
 * @throws {ConfigError} When a key has a wrong value, or it does not lead to the decoder's latents.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileAutoencoderTinyEncoder(
  config: AutoencoderTinyConfig,
  json: unknown,
  file: string,
  weights: Weights,
  policy: DtypePolicy,
): EncoderGraphs {
  const full = encoderConfig(config, json, file, weights);
  const network: ConvolutionNetwork = {
    name: "autoencoder_tiny_encoder",
    weights,
    nameInFile: autoencoderTinyNaming(weights).nameInFile,
    policy,
    reads: { name: "image", dims: ["B", PICTURE_CHANNELS, "H", "W"] },
    writes: { name: "latents", dims: ["B", full.latent_channels, "h", "w"] },
    halo: pictureHalo(full),
    scale: 1 / reduction(full),
    build: (image, parameters) => encoder(image, full, parameters, policy.convolution),
  };
  return { whole: wholeGraph(network), steps: [tileStep(network)], tileSize: TINY_TILE_SIZE };
}

function encoder(
  image: Value,
  config: EncoderConfig,
  parameters: Parameters,
  type: DtypePolicy["convolution"],
): Value {
  const { num_encoder_blocks, encoder_block_out_channels: widths, act_fn } = config;
  let layer = 0;
  const next = () => parameters.scope(`encoder.layers.${layer++}`);
  // From -1…1 to 0…1.
  let x = cast(scale(addScalar(image, 1), 0.5), type);
  num_encoder_blocks.forEach((blocks, stage) => {
    const width = widths[stage]!;
    const first = next();
    x = stage === 0
      ? conv2d(
        x,
        first.get("weight", [width, PICTURE_CHANNELS, 3, 3], type),
        first.get("bias", [width], type),
        3,
      )
      // diffusers' stages are all of one width.
      : halvingConv2d(
        x,
        first.get("weight", [width, widths[stage - 1]!, 3, 3], type),
        undefined,
        "around",
      );
    for (let index = 0; index < blocks; index++) x = tinyBlock(x, width, act_fn, next(), type);
  });
  const last = next();
  x = conv2d(
    x,
    last.get("weight", [config.latent_channels, widths.at(-1)!, 3, 3], type),
    last.get("bias", [config.latent_channels], type),
    3,
  );
  const latents = cast(x, INTERFACE_TYPE);
  return scale(addScalar(latents, -config.shift_factor), config.scaling_factor);
}

/** Pixels of the picture for one of the latents, along a side. */
function reduction({ num_encoder_blocks }: EncoderConfig): number {
  return HALVING ** (num_encoder_blocks.length - 1);
}

/**
 * How far beyond its edge a tile must see, in pixels: back from the latents, every convolution of
 * 3 × 3 reaches one further, and every halving doubles the distance. In whole latents.
 */
function pictureHalo(config: EncoderConfig): number {
  const lastConvolution = 1;
  const reach = config.num_encoder_blocks.reduceRight((reach, blocks, stage) => {
    const atItsEnd = reach + CONVOLUTIONS_IN_BLOCK * blocks;
    return stage === 0 ? atItsEnd + 1 : HALVING * atItsEnd + 1;
  }, lastConvolution);
  return Math.ceil(reach / reduction(config)) * reduction(config);
}
