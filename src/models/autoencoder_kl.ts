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
import { z } from "zod";
import {
  add,
  addScalar,
  blockwiseAttention,
  cast,
  type CompiledGraph,
  conv2d,
  crop,
  type DtypePolicy,
  Graph,
  type GroupMoments,
  groupMoments,
  groupNorm,
  groupNormByMoments,
  INTERFACE_TYPE,
  linear,
  Parameters,
  reshape,
  scale,
  shapeOf,
  silu,
  transpose,
  upsampleNearest2x,
  type Value,
} from "../onnx/mod.ts";
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Weights } from "../safetensors/mod.ts";
import { inSchema } from "../schema_problems.ts";
import { activate, type ActivationName, activationName } from "./_activation.ts";
import { parseConfig } from "./_config.ts";
import { countOf, findNaming, type Naming, naming } from "./names.ts";
import {
  CORE_END,
  CORE_START,
  type DecoderGraphs,
  type DecoderStep,
  outputPicture,
} from "./decoder_graphs.ts";

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
/** Each stage doubles the picture's side: with more stages no memory could hold the picture. */
const MOST_STAGES = 16;
const noStatistics = z.null({
  error: inSchema({ en: "normalised latents are not supported", zh: "不支持归一化的 latent" }),
}).optional();

/** diffusers' defaults (`AutoencoderKL.__init__`). */
const schema = z.object({
  latent_channels: count.default(4),
  out_channels: z.literal(3, {
    error: inSchema({
      en: "the decoder must make pictures of 3 channels",
      zh: "解码器必须生成 3 通道的图片",
    }),
  }).default(3),
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
const ATTENTION = "decoder.mid_block.attentions.0";

/** diffusers' names of the attention's projections before version 0.17. */
const FIRST_ATTENTION_NAMES: readonly (readonly [string, string])[] = [
  [`${ATTENTION}.to_q`, `${ATTENTION}.query`],
  [`${ATTENTION}.to_k`, `${ATTENTION}.key`],
  [`${ATTENTION}.to_v`, `${ATTENTION}.value`],
  [`${ATTENTION}.to_out.0`, `${ATTENTION}.proj_attn`],
];

/** The names of the original latent diffusion code, which are FLUX's too. */
const ORIGINAL_NAMES: readonly (readonly [string, string])[] = [
  [`${ATTENTION}.group_norm`, "decoder.mid.attn_1.norm"],
  [`${ATTENTION}.to_out.0`, "decoder.mid.attn_1.proj_out"],
  [`${ATTENTION}.to_`, "decoder.mid.attn_1."],
  ["mid_block.resnets.0", "mid.block_1"],
  ["mid_block.resnets.1", "mid.block_2"],
  ["conv_shortcut", "nin_shortcut"],
  ["conv_norm_out", "norm_out"],
  ["upsamplers.0", "upsample"],
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

function namesOf(weights: Weights): Naming {
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
  const start = (name: string): Part => {
    const graph = new Graph(name, { device: policy.device });
    const options = { nameInFile: namesOf(weights).nameInFile };
    const parameters = new Parameters(graph, weights, options);
    return { graph, config, parameters, type: policy.convolution };
  };
  return {
    whole: compileWhole(start("autoencoder_kl")),
    steps: compileSteps(config, start),
    tileSize: TILE_SIZE,
  };
}

/** A halo of one pixel costs almost nothing at this size, and a map of 512 channels is 128 MiB. */
const TILE_SIZE = 256;
/** diffusers' decoder has this in every norm, whatever the configuration. */
const NORM_EPSILON = 1e-6;
const UPSAMPLING = 2;

/** A graph under construction, and what it is made from. */
interface Part {
  readonly graph: Graph;
  readonly config: AutoencoderKLConfig;
  readonly parameters: Parameters;
  readonly type: DtypePolicy["convolution"];
}

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
function compileSteps(config: AutoencoderKLConfig, start: (name: string) => Part): DecoderStep[] {
  const steps: DecoderStep[] = [];
  const step = (
    name: string,
    reads: readonly MapPort[],
    options: Partial<DecoderStep>,
    build: (part: Part, ...inputs: TileMap[]) => readonly TileOutput[],
  ) => {
    const part = start(`autoencoder_kl_${steps.length}_${name}`);
    const inputs = reads.map((port) => mapInput(part, port));
    const outputs = build(part, ...inputs);
    writeTile(part, outputs);
    part.parameters.check();
    steps.push({
      graph: part.graph.compile(),
      reads: reads.map(({ name }) => name),
      writes: outputs.flatMap(({ name, momentsOnly }) => momentsOnly ? [] : [name]),
      global: false,
      halo: 1,
      scale: 1,
      inPlace: false,
      ...options,
    });
  };

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

/** A map as a step's graph reads it, with or without its moments. */
interface MapPort {
  readonly name: string;
  readonly channels: number;
  readonly moments: boolean;
}

interface TileMap {
  readonly value: Value;
  readonly moments?: GroupMoments;
}

interface TileOutput {
  readonly name: string;
  readonly value: Value;
  readonly momentsOnly?: boolean;
}

function mapInput({ graph, config, type }: Part, { name, channels, moments }: MapPort): TileMap {
  const value = cast(graph.input(name, INTERFACE_TYPE, [1, channels, "h", "w"]), type);
  if (!moments) return { value };
  const dims = [1, config.norm_num_groups];
  return {
    value,
    moments: {
      mean: graph.input(`${name}_mean`, INTERFACE_TYPE, dims),
      variance: graph.input(`${name}_variance`, INTERFACE_TYPE, dims),
    },
  };
}

function writeTile({ graph, config }: Part, outputs: readonly TileOutput[]): void {
  const start = graph.input(CORE_START, "int64", [2]);
  const end = graph.input(CORE_END, "int64", [2]);
  for (const { name, value, momentsOnly } of outputs) {
    const tile = cast(crop(value, start, end), INTERFACE_TYPE);
    if (!momentsOnly) graph.output(`${name}_tile`, tile, [1, "C", "H", "W"]);
    if (name === "image") continue;
    const moments = groupMoments(tile, config.norm_num_groups);
    graph.output(`${name}_tile_mean`, moments.mean, [1, config.norm_num_groups]);
    graph.output(`${name}_tile_variance`, moments.variance, [1, config.norm_num_groups]);
  }
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
  if (config.mid_block_add_attention) x = selfAttention(x, part, channels);
  return resnet(x, part, "decoder.mid_block.resnets.1", channels, channels);
}

/** One head over all positions. */
function selfAttention(x: Value, part: Part, channels: number): Value {
  const { type } = part;
  const parameters = part.parameters.scope(ATTENTION);
  const project = (x: Value, name: string) =>
    linear(
      x,
      parameters.get(`${name}.weight`, [channels, channels], type),
      parameters.get(`${name}.bias`, [channels], type),
    );
  // [B, C, h, w] → [B, h · w, C]
  const normalised = normalise(x, part, `${ATTENTION}.group_norm`, channels);
  const tokens = transpose(reshape(normalised, [0, channels, -1]), [0, 2, 1]);
  const attended = blockwiseAttention(
    project(tokens, "to_q"),
    project(tokens, "to_k"),
    project(tokens, "to_v"),
    { heads: 1, scale: channels ** -0.5 },
  );
  const change = transpose(project(attended, "to_out.0"), [0, 2, 1]);
  return add(x, reshape(change, shapeOf(x)));
}

/** `ResnetBlock2D` without a time embedding. */
function resnet(x: Value, part: Part, name: string, from: number, to: number): Value {
  const branch = firstHalf(x, part, name, from, to);
  return add(shortcut(x, part, name, from, to), secondHalf(branch, part, name, to));
}

function firstHalf(
  x: Value,
  part: Part,
  name: string,
  from: number,
  to: number,
  moments?: GroupMoments,
): Value {
  const normalised = normalise(x, part, `${name}.norm1`, from, moments);
  return convolution3x3(activate(normalised, part.config.act_fn), part, `${name}.conv1`, from, to);
}

function secondHalf(
  x: Value,
  part: Part,
  name: string,
  channels: number,
  moments?: GroupMoments,
): Value {
  const normalised = normalise(x, part, `${name}.norm2`, channels, moments);
  const activated = activate(normalised, part.config.act_fn);
  return convolution3x3(activated, part, `${name}.conv2`, channels, channels);
}

function shortcut(x: Value, part: Part, name: string, from: number, to: number): Value {
  if (from === to) return x;
  const { parameters, type } = part;
  const weight = parameters.get(`${name}.conv_shortcut.weight`, [to, from, 1, 1], type);
  return conv2d(x, weight, parameters.get(`${name}.conv_shortcut.bias`, [to], type), 1);
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

/** A group norm, by the moments of x itself unless others are given. */
function normalise(
  x: Value,
  { config, parameters, type }: Part,
  name: string,
  channels: number,
  moments?: GroupMoments,
): Value {
  const weight = parameters.get(`${name}.weight`, [channels], type);
  const bias = parameters.get(`${name}.bias`, [channels], type);
  const options = { groups: config.norm_num_groups, channels, epsilon: NORM_EPSILON };
  return moments === undefined
    ? groupNorm(x, weight, bias, options)
    : groupNormByMoments(x, weight, bias, moments, options);
}

function convolution3x3(x: Value, part: Part, name: string, from: number, to: number): Value {
  const { parameters, type } = part;
  const weight = parameters.get(`${name}.weight`, [to, from, 3, 3], type);
  return conv2d(x, weight, parameters.get(`${name}.bias`, [to], type), 3);
}
