/**
 * The encoder of AutoencoderKL, the counterpart of autoencoder_kl.ts.
 *
 * The maths is that of diffusers (autoencoder_kl.py and vae.py, `Encoder`) after Rombach et al.
 * 2022. Of the distribution that it gives, the mode is taken. It is cut into steps as the decoder is.
 *
 * @module
 */
import * as z from "zod";
import {
  add,
  addScalar,
  cast,
  type CompiledGraph,
  conv2d,
  type DtypePolicy,
  halvingConv2d,
  INTERFACE_TYPE,
  scale,
  silu,
  slice,
  type Value,
} from "../onnx/mod.ts";
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Weights } from "../safetensors/mod.ts";
import { type AutoencoderKLConfig, autoencoderKLNaming } from "./autoencoder_kl.ts";
import type { EncoderGraphs, TiledStep } from "./autoencoder_graphs.ts";
import { parseConfig } from "./_config.ts";
import { inputChannels, PICTURE_CHANNELS } from "./_pictures.ts";
import {
  convolution3x3,
  firstHalf,
  KL_TILE_SIZE,
  normalise,
  type Part as KLPart,
  partsOf,
  resnet,
  secondHalf,
  selfAttention,
  shortcut,
  tiledSteps,
} from "./_kl_blocks.ts";

/** What an AutoencoderKL's config.json says of its encoder beyond what it says of the decoder. */
interface EncoderConfig extends AutoencoderKLConfig {
  readonly use_quant_conv: boolean;
}

const DOWN_BLOCK = "DownEncoderBlock2D";

/** diffusers' defaults (`AutoencoderKL.__init__`). */
const schema = z.object({
  in_channels: inputChannels,
  down_block_types: z.array(z.string()).optional(),
  use_quant_conv: z.boolean().default(true),
});

function encoderConfig(
  config: AutoencoderKLConfig,
  json: unknown,
  file: string,
  weights: Weights,
): EncoderConfig {
  const { shape } = autoencoderKLNaming(weights);
  const stated = {
    ...(json === undefined ? { use_quant_conv: shape("quant_conv.weight") !== undefined } : {}),
    ...json as object | undefined,
  };
  const { down_block_types = [], use_quant_conv } = parseConfig(schema, stated, file);
  const others = [...new Set(down_block_types)].filter((type) => type !== DOWN_BLOCK);
  const problems = others.map((type): Texts<string> => ({
    en: `down_block_types: ${type} is not supported`,
    zh: `down_block_types：不支持 ${type}`,
  }));
  if (problems.length > 0) throw new ConfigError(file, problems);
  return { ...config, use_quant_conv };
}

/** Whether a file has the encoder, and not the decoder alone. */
export function hasAutoencoderKLEncoder(weights: Weights): boolean {
  return autoencoderKLNaming(weights).shape("encoder.conv_in.weight") !== undefined;
}

/**
 * Compiles the encoder over its weights.
 *
 * @param config The configuration as the decoder has it.
 * @param json The parsed config.json, which says the rest; absent when there is none.
 * @param file Its path, for messages.
 * @throws {ConfigError} When it has a kind of blocks that is not supported.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileAutoencoderKLEncoder(
  config: AutoencoderKLConfig,
  json: unknown,
  file: string,
  weights: Weights,
  policy: DtypePolicy,
): EncoderGraphs {
  const full = encoderConfig(config, json, file, weights);
  const start = partsOf(full, weights, autoencoderKLNaming(weights), policy);
  return {
    whole: compileWhole(start("autoencoder_kl_encoder")),
    steps: compileSteps(full, start),
    tileSize: KL_TILE_SIZE,
  };
}

/** A graph under construction, and what it is made from. */
type Part = KLPart<EncoderConfig>;

const DOWNSAMPLING = 2;
const ATTENTION = "encoder.mid_block.attentions.0";

/** Stages in the order of encoding: each one's width, that of what comes in, and its scope. */
function stagesOf({ block_out_channels }: EncoderConfig) {
  return block_out_channels.map((channels, index) => ({
    scope: `encoder.down_blocks.${index}`,
    from: block_out_channels[index - 1] ?? channels,
    channels,
    isLast: index === block_out_channels.length - 1,
  }));
}

function compileWhole(part: Part): CompiledGraph {
  const { graph, config, parameters, type } = part;
  const image = graph.input("image", INTERFACE_TYPE, ["B", PICTURE_CHANNELS, "H", "W"]);
  let x = pictureToFeatures(cast(image, type), part);
  for (const { scope, from, channels, isLast } of stagesOf(config)) {
    for (let block = 0; block < config.layers_per_block; block++) {
      x = resnet(x, part, `${scope}.resnets.${block}`, block === 0 ? from : channels, channels);
    }
    if (!isLast) x = downsample(x, part, scope, channels);
  }
  graph.output("latents", featuresToLatents(x, part), ["B", config.latent_channels, "h", "w"]);
  parameters.check();
  return graph.compile();
}

/** The encoder from norm to norm, with the decoder's two maps: `trunk` and `branch`. */
function compileSteps(config: EncoderConfig, start: (name: string) => Part): readonly TiledStep[] {
  const { steps, step } = tiledSteps("autoencoder_kl_encoder", start);
  const image = { name: "image", channels: PICTURE_CHANNELS, moments: false };
  step("head", [image], {}, (part, image) => {
    return [{ name: "trunk", value: pictureToFeatures(image!.value, part) }];
  });
  for (const { scope, from, channels, isLast } of stagesOf(config)) {
    for (let block = 0; block < config.layers_per_block; block++) {
      const name = `${scope}.resnets.${block}`;
      const before = block === 0 ? from : channels;
      step(
        "first_half",
        [{ name: "trunk", channels: before, moments: true }],
        {},
        (part, trunk) => {
          const { value, moments } = trunk!;
          const branch = firstHalf(value, part, name, before, channels, moments);
          const written = [{ name: "branch", value: branch }];
          if (before === channels) return written;
          const beside = shortcut(value, part, name, before, channels);
          return [...written, { name: "trunk", value: beside }];
        },
      );
      const reads = [
        { name: "branch", channels, moments: true },
        { name: "trunk", channels, moments: false },
      ];
      step("second_half", reads, { inPlace: true }, (part, branch, trunk) => {
        const change = secondHalf(branch!.value, part, name, channels, branch!.moments);
        return [{ name: "trunk", value: add(trunk!.value, change) }];
      });
    }
    if (isLast) continue;
    // A halo of one would cut rows and columns apart that belong to one of the smaller map.
    const options = { scale: 1 / DOWNSAMPLING, halo: DOWNSAMPLING };
    step("downsample", [{ name: "trunk", channels, moments: false }], options, (part, trunk) => {
      return [{ name: "trunk", value: downsample(trunk!.value, part, scope, channels) }];
    });
  }
  const channels = config.block_out_channels.at(-1)!;
  const trunk = { name: "trunk", channels, moments: false };
  step("tail", [trunk], { global: true, halo: 0 }, (part, trunk) => {
    return [{ name: "latents", value: featuresToLatents(trunk!.value, part) }];
  });
  return steps;
}

function pictureToFeatures(image: Value, part: Part): Value {
  const channels = part.config.block_out_channels[0]!;
  return convolution3x3(image, part, "encoder.conv_in", PICTURE_CHANNELS, channels);
}

function downsample(x: Value, { parameters, type }: Part, scope: string, channels: number): Value {
  const name = `${scope}.downsamplers.0.conv`;
  const weight = parameters.get(`${name}.weight`, [channels, channels, 3, 3], type);
  return halvingConv2d(x, weight, parameters.get(`${name}.bias`, [channels], type), "end");
}

/** Everything at the latents' size after the last stage, attention included. */
function featuresToLatents(features: Value, part: Part): Value {
  const { config, parameters, type } = part;
  const { latent_channels } = config;
  const channels = config.block_out_channels.at(-1)!;
  let x = resnet(features, part, "encoder.mid_block.resnets.0", channels, channels);
  if (config.mid_block_add_attention) x = selfAttention(x, part, ATTENTION, channels);
  x = resnet(x, part, "encoder.mid_block.resnets.1", channels, channels);
  // diffusers has SiLU here whatever `act_fn` says.
  const activated = silu(normalise(x, part, "encoder.conv_norm_out", channels));
  // The mean of each latent, then the logarithm of its variance.
  const both = 2 * latent_channels;
  x = convolution3x3(activated, part, "encoder.conv_out", channels, both);
  if (config.use_quant_conv) {
    x = conv2d(
      x,
      parameters.get("quant_conv.weight", [both, both, 1, 1], type),
      parameters.get("quant_conv.bias", [both], type),
      1,
    );
  }
  const mode = cast(slice(x, 0, latent_channels, 1), INTERFACE_TYPE);
  return scale(addScalar(mode, -config.shift_factor), config.scaling_factor);
}
