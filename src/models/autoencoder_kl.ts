/**
 * The decoder of AutoencoderKL: FLUX's, and Stable Diffusion's before it.
 *
 * The maths is that of diffusers (autoencoder_kl.py and vae.py, `Decoder`) after Rombach et al.
 * 2022. For pictures too large for one run the decoder is also compiled as steps between one group
 * norm and the next: a tile's own mean and variance would give it a tone of its own, so each norm
 * uses those of the whole picture, which are known once a step has gone over all tiles. No number
 * differs from the undivided decoder's but by rounding.
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
  type GroupMoments,
  INTERFACE_TYPE,
  scale,
  silu,
  upsampleNearest2x,
  type Value,
} from "../onnx/mod.ts";
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Weights } from "../safetensors/mod.ts";
import { inSchema } from "../schema_problems.ts";
import { type ActivationName, activationName } from "./_activation.ts";
import { parseConfig } from "./_config.ts";
import { MOST_STAGES, outputChannels } from "./_pictures.ts";
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
import { countOf, findNaming, type Naming, naming } from "./names.ts";
import { type DecoderGraphs, outputPicture, type TiledStep } from "./autoencoder_graphs.ts";

/** An AutoencoderKL's configuration, complete, in diffusers' words. */
export interface AutoencoderKLConfig {
  readonly _class_name: "AutoencoderKL";
  readonly latent_channels: number;
  readonly out_channels: number;
  /** The width of each stage, from the picture's size to the latents'. */
  readonly block_out_channels: readonly number[];
  /** The decoder has one more residual block a stage. */
  readonly layers_per_block: number;
  readonly norm_num_groups: number;
  readonly act_fn: ActivationName;
  readonly use_post_quant_conv: boolean;
  readonly mid_block_add_attention: boolean;
  readonly scaling_factor: number;
  readonly shift_factor: number;
}

const count = z.int().positive();
const UP_BLOCK = "UpDecoderBlock2D";
const noStatistics = z.null({
  error: inSchema({ en: "normalised latents are not supported", zh: "不支持归一化的 latent" }),
}).optional();

/** diffusers' defaults (`AutoencoderKL.__init__`). */
const schema = z.object({
  latent_channels: count.default(4),
  out_channels: outputChannels,
  block_out_channels: z.array(count).min(1).max(MOST_STAGES).default([64]),
  layers_per_block: count.default(1),
  norm_num_groups: count.default(32),
  act_fn: activationName.default("silu"),
  up_block_types: z.array(z.string()).max(MOST_STAGES).default([UP_BLOCK]),
  use_post_quant_conv: z.boolean().default(true),
  mid_block_add_attention: z.boolean().default(true),
  scaling_factor: z.number().positive().default(0.18215),
  shift_factor: z.number().nullable().default(0),
  latents_mean: noStatistics,
  latents_std: noStatistics,
});

/**
 * Reads diffusers' config.json of an AutoencoderKL.
 *
 * @throws {ConfigError} When a key has a wrong value, or the values contradict each other.
 */
export function parseAutoencoderKLConfig(json: unknown, file: string): AutoencoderKLConfig {
  const { up_block_types, latents_mean: _mean, latents_std: _std, ...config } = parseConfig(
    schema,
    json,
    file,
  );
  const { block_out_channels, norm_num_groups } = config;
  const problems: Texts<string>[] = [];
  for (const type of new Set(up_block_types)) {
    if (type === UP_BLOCK) continue;
    problems.push({
      en: `up_block_types: ${type} is not supported`,
      zh: `up_block_types：不支持 ${type}`,
    });
  }
  if (up_block_types.length !== block_out_channels.length) {
    const [types, channels] = [up_block_types.length, block_out_channels.length];
    problems.push({
      en: `up_block_types has ${types} stages, but block_out_channels has ${channels}`,
      zh: `up_block_types 有 ${types} 级，但 block_out_channels 有 ${channels} 级`,
    });
  }
  for (const channels of new Set(block_out_channels)) {
    if (channels % norm_num_groups !== 0) {
      problems.push({
        en: `${channels} channels cannot be cut into norm_num_groups ${norm_num_groups}`,
        zh: `${channels} 个通道不能分成 norm_num_groups ${norm_num_groups} 组`,
      });
    }
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  return { _class_name: "AutoencoderKL", ...config, shift_factor: config.shift_factor ?? 0 };
}

/** Pixels along a side of the picture for each of the latents. */
export function autoencoderKLScaleFactor({ block_out_channels }: AutoencoderKLConfig): number {
  return UPSAMPLING ** (block_out_channels.length - 1);
}

/** What published autoencoders of so many latent channels scale their latents by. */
const PUBLISHED_FACTORS: Readonly<Record<number, object>> = {
  4: { scaling_factor: 0.18215 },
  16: { scaling_factor: 0.3611, shift_factor: 0.1159 },
};
const PUBLISHED_NORM_GROUPS = 32;

/**
 * What shapes show of an AutoencoderKL, in the words of its config.json; undefined when the weights
 * are none's.
 */
export function autoencoderKLShown(weights: Weights): Record<string, unknown> | undefined {
  const names = autoencoderKLNames(weights);
  if (names === undefined) return undefined;
  const { shape } = names;
  const channels: number[] = [];
  for (let width; (width = shape(`decoder.up_blocks.${channels.length}.${FIRST_NORM}`)?.[0]);) {
    channels.push(width);
  }
  const blocks = countOf(names, (index) => `decoder.up_blocks.0.resnets.${index}.norm1.weight`);
  const latentChannels = shape("decoder.conv_in.weight")?.[1];
  if (latentChannels === undefined || channels.length === 0) return undefined;
  return {
    _class_name: "AutoencoderKL",
    latent_channels: latentChannels,
    out_channels: shape("decoder.conv_out.weight")?.[0],
    block_out_channels: channels.reverse(),
    layers_per_block: blocks - 1,
    up_block_types: channels.map(() => UP_BLOCK),
    use_post_quant_conv: shape("post_quant_conv.weight") !== undefined,
    mid_block_add_attention: shape(`${ATTENTION}.to_q.weight`) !== undefined,
  };
}

/**
 * What a checkpoint that has no config.json, as FLUX's `ae.safetensors`, does not show: the factors
 * of FLUX (16 latent channels) or Stable Diffusion 1 (4).
 *
 * @throws {ConfigError} For other numbers of latent channels, whose factors nothing says.
 */
export function publishedKLFactors(latentChannels: number, file: string): object {
  const factors = PUBLISHED_FACTORS[latentChannels];
  if (factors !== undefined) return { norm_num_groups: PUBLISHED_NORM_GROUPS, ...factors };
  throw new ConfigError(file, [{
    en: `there is no config.json, and nothing says how latents of ${latentChannels} channels are ` +
      "scaled (scaling_factor, shift_factor): put the config.json that belongs to the weights " +
      "beside them, named as they are but ending in .json",
    zh:
      `没有 config.json，无从得知 ${latentChannels} 个通道的 latent 如何缩放（scaling_factor、shift_factor）：` +
      "请把对应的 config.json 放在权重旁边，文件名与权重相同，扩展名为 .json",
  }]);
}

/** A stage's second norm shows its width; its first still has that of the stage before. */
const FIRST_NORM = "resnets.0.norm2.weight";
const MID_ATTENTION = "mid_block.attentions.0";
const ATTENTION = `decoder.${MID_ATTENTION}`;

/** diffusers' names of the attention's projections before version 0.17. */
const FIRST_ATTENTION_NAMES: readonly (readonly [string, string])[] = [
  [`${MID_ATTENTION}.to_q`, `${MID_ATTENTION}.query`],
  [`${MID_ATTENTION}.to_k`, `${MID_ATTENTION}.key`],
  [`${MID_ATTENTION}.to_v`, `${MID_ATTENTION}.value`],
  [`${MID_ATTENTION}.to_out.0`, `${MID_ATTENTION}.proj_attn`],
];

/** The names of the original latent diffusion code, which are FLUX's too. */
const ORIGINAL_NAMES: readonly (readonly [string, string])[] = [
  [`${MID_ATTENTION}.group_norm`, "mid.attn_1.norm"],
  [`${MID_ATTENTION}.to_out.0`, "mid.attn_1.proj_out"],
  [`${MID_ATTENTION}.to_`, "mid.attn_1."],
  ["mid_block.resnets.0", "mid.block_1"],
  ["mid_block.resnets.1", "mid.block_2"],
  ["conv_shortcut", "nin_shortcut"],
  ["conv_norm_out", "norm_out"],
  ["upsamplers.0", "upsample"],
  ["downsamplers.0", "downsample"],
  ["down_blocks.", "down."],
  ["resnets.", "block."],
];

const FIRST_AND_LAST = ["decoder.conv_in.weight", "decoder.conv_out.weight"];
const STYLES = {
  diffusers: { required: [...FIRST_AND_LAST, "decoder.mid_block.resnets.0.norm1.weight"] },
  original: { required: [...FIRST_AND_LAST, "decoder.mid.block_1.norm1.weight"] },
};

/** How an autoencoder's tensors are named in a file, by diffusers' names; undefined without one. */
export function autoencoderKLNames(weights: Weights): Naming | undefined {
  const found = findNaming(weights, Object.values(STYLES));
  // A convolution of pictures has four axes; that of an autoencoder for films has five.
  if (found?.shape("decoder.conv_in.weight")?.length !== 4) return undefined;
  const named = (rename: (name: string) => string): Naming => ({
    ...found,
    nameInFile: (name) => found.nameInFile(rename(name)),
    shape: (name) => found.shape(rename(name)),
  });
  const replaced = (name: string, names: readonly (readonly [string, string])[]) =>
    names.reduce((name, [ours, theirs]) => name.replace(ours, theirs), name);
  if (found.style === STYLES.original) {
    const stages = countOf(found, (stage) => `decoder.up.${stage}.block.0.norm1.weight`);
    // The original counts stages from the picture's size to the latents'.
    return named((name) =>
      replaced(name, ORIGINAL_NAMES)
        .replace(/up_blocks\.(\d+)/, (_, stage) => `up.${stages - 1 - Number(stage)}`)
    );
  }
  return found.shape(`${ATTENTION}.query.weight`) === undefined
    ? found
    : named((name) => replaced(name, FIRST_ATTENTION_NAMES));
}

/** The same where there may be none: then as diffusers names them. */
export function autoencoderKLNaming(weights: Weights): Naming {
  return autoencoderKLNames(weights) ?? naming(weights, STYLES.diffusers, "");
}

/**
 * Compiles the decoder over its weights.
 *
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileAutoencoderKL(
  config: AutoencoderKLConfig,
  weights: Weights,
  policy: DtypePolicy,
): DecoderGraphs {
  const start = partsOf(config, weights, autoencoderKLNaming(weights), policy);
  return {
    whole: compileWhole(start("autoencoder_kl")),
    steps: compileSteps(config, start),
    tileSize: KL_TILE_SIZE,
  };
}

/** The decoder's graph under construction. */
type Part = KLPart<AutoencoderKLConfig>;

const UPSAMPLING = 2;

/** Stages in the order of decoding: each one's width, that of what comes in, and its scope. */
interface Stage {
  readonly scope: string;
  readonly from: number;
  readonly channels: number;
}

function stagesOf({ block_out_channels }: AutoencoderKLConfig): Stage[] {
  const widths = block_out_channels.toReversed();
  return widths.map((channels, index) => {
    return { scope: `decoder.up_blocks.${index}`, from: widths[index - 1] ?? channels, channels };
  });
}

function compileWhole(part: Part): CompiledGraph {
  const { graph, config, parameters } = part;
  let x = latentsToFeatures(part);
  stagesOf(config).forEach(({ scope, from, channels }, index, stages) => {
    if (index > 0) x = upsample(x, part, stages[index - 1]!);
    for (let block = 0; block <= config.layers_per_block; block++) {
      x = resnet(x, part, `${scope}.resnets.${block}`, block === 0 ? from : channels, channels);
    }
  });
  outputPicture(graph, featuresToPicture(x, part), config.out_channels);
  parameters.check();
  return graph.compile();
}

/**
 * The decoder from norm to norm. Two maps are alive between steps: the `trunk` that residual blocks
 * add to, and the `branch` between a block's two convolutions.
 */
function compileSteps(
  config: AutoencoderKLConfig,
  start: (name: string) => Part,
): readonly TiledStep[] {
  const { steps, step } = tiledSteps("autoencoder_kl", start);
  step("head", [], { reads: ["latents"], global: true, halo: 0 }, (part) => {
    return [{ name: "trunk", value: latentsToFeatures(part) }];
  });
  stagesOf(config).forEach(({ scope, from, channels }, index, stages) => {
    for (let block = 0; block <= config.layers_per_block; block++) {
      const name = `${scope}.resnets.${block}`;
      if (index > 0 && block === 0) {
        // The upsampled map is four times as large as anything that must be kept, so it is computed
        // twice: to measure it, and to use it.
        const before = stages[index - 1]!;
        const trunk = { name: "trunk", channels: from };
        const options = { scale: UPSAMPLING };
        step("measure", [{ ...trunk, moments: false }], options, (part, trunk) => {
          return [{
            name: "trunk",
            value: upsample(trunk!.value, part, before),
            momentsOnly: true,
          }];
        });
        step("open", [{ ...trunk, moments: true }], options, (part, trunk) => {
          const x = upsample(trunk!.value, part, before);
          return [
            { name: "trunk", value: shortcut(x, part, name, from, channels) },
            { name: "branch", value: firstHalf(x, part, name, from, channels, trunk!.moments) },
          ];
        });
      } else {
        step("first_half", [{ name: "trunk", channels, moments: true }], {}, (part, trunk) => {
          const { value, moments } = trunk!;
          return [{
            name: "branch",
            value: firstHalf(value, part, name, channels, channels, moments),
          }];
        });
      }
      const reads = [
        { name: "branch", channels, moments: true },
        { name: "trunk", channels, moments: false },
      ];
      step("second_half", reads, { inPlace: true }, (part, branch, trunk) => {
        const change = secondHalf(branch!.value, part, name, channels, branch!.moments);
        return [{ name: "trunk", value: add(trunk!.value, change) }];
      });
    }
  });
  const channels = config.block_out_channels[0]!;
  step("tail", [{ name: "trunk", channels, moments: true }], {}, (part, trunk) => {
    return [{ name: "image", value: featuresToPicture(trunk!.value, part, trunk!.moments) }];
  });
  return steps;
}

/** Everything at the latents' size before the first stage, attention included. */
function latentsToFeatures(part: Part): Value {
  const { graph, config, parameters, type } = part;
  const { latent_channels } = config;
  const channels = config.block_out_channels.at(-1)!;
  const latents = graph.input("latents", INTERFACE_TYPE, ["B", latent_channels, "h", "w"]);
  const unscaled = addScalar(scale(latents, 1 / config.scaling_factor), config.shift_factor);
  let x = cast(unscaled, type);
  if (config.use_post_quant_conv) {
    const quant = [latent_channels, latent_channels, 1, 1] as const;
    x = conv2d(
      x,
      parameters.get("post_quant_conv.weight", quant, type),
      parameters.get("post_quant_conv.bias", [latent_channels], type),
      1,
    );
  }
  x = convolution3x3(x, part, "decoder.conv_in", latent_channels, channels);
  x = resnet(x, part, "decoder.mid_block.resnets.0", channels, channels);
  if (config.mid_block_add_attention) x = selfAttention(x, part, ATTENTION, channels);
  return resnet(x, part, "decoder.mid_block.resnets.1", channels, channels);
}

function upsample(x: Value, part: Part, { scope, channels }: Stage): Value {
  const name = `${scope}.upsamplers.0.conv`;
  return convolution3x3(upsampleNearest2x(x), part, name, channels, channels);
}

/** diffusers has SiLU here whatever `act_fn` says. */
function featuresToPicture(x: Value, part: Part, moments?: GroupMoments): Value {
  const { block_out_channels, out_channels } = part.config;
  const channels = block_out_channels[0]!;
  const activated = silu(normalise(x, part, "decoder.conv_norm_out", channels, moments));
  const image = convolution3x3(activated, part, "decoder.conv_out", channels, out_channels);
  return cast(image, INTERFACE_TYPE);
}
