/**
 * What AutoencoderKL's encoder and decoder are made of, and how both are cut into steps from one
 * group norm to the next.
 *
 * @module
 */
import {
  add,
  blockwiseAttention,
  cast,
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
  shapeOf,
  transpose,
  type Value,
  withoutOwnOperators,
} from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import { activate, type ActivationName } from "./_activation.ts";
import { CORE_END, CORE_START, type TiledStep } from "./autoencoder_graphs.ts";
import type { Naming } from "./names.ts";

/** diffusers has this in every norm, whatever the configuration. */
const NORM_EPSILON = 1e-6;

/** A halo of one pixel costs almost nothing at this size, and a map of 512 channels is 128 MiB. */
export const KL_TILE_SIZE = 256;

/** The maps that go out, and need no moments. */
const ENDS: readonly string[] = ["image", "latents"];

/** What both halves' configurations say. */
interface Config {
  readonly norm_num_groups: number;
  readonly act_fn: ActivationName;
}

/** A graph under construction, and what it is made from. */
export interface Part<C extends Config = Config> {
  readonly graph: Graph;
  readonly config: C;
  readonly parameters: Parameters;
  readonly type: DtypePolicy["convolution"];
}

/** Begins graphs of one configuration over one file's weights, by the graphs' names. */
export function partsOf<C extends Config>(
  config: C,
  weights: Weights,
  { nameInFile }: Pick<Naming, "nameInFile">,
  policy: DtypePolicy,
): (name: string) => Part<C> {
  return (name) => {
    const graph = new Graph(name, withoutOwnOperators(policy));
    const parameters = new Parameters(graph, weights, { nameInFile });
    return { graph, config, parameters, type: policy.convolution };
  };
}

/** A list of steps that grows, and how one is added. */
export interface TiledSteps<P extends Part> {
  readonly steps: readonly TiledStep[];
  /**
   * Adds a step.
   *
   * @param options What is not as in most: one that sees a pixel beyond its tile and keeps the size.
   * @param build Computes the maps that it writes from those that it reads.
   */
  readonly step: (
    name: string,
    reads: readonly MapPort[],
    options: Partial<TiledStep>,
    build: (part: P, ...inputs: TileMap[]) => readonly TileOutput[],
  ) => void;
}

/** An empty list of steps. */
export function tiledSteps<P extends Part>(
  prefix: string,
  start: (name: string) => P,
): TiledSteps<P> {
  const steps: TiledStep[] = [];
  const step: TiledSteps<P>["step"] = (name, reads, options, build) => {
    const part = start(`${prefix}_${steps.length}_${name}`);
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
  return { steps, step };
}

/** A map as a step's graph reads it, with or without its moments. */
export interface MapPort {
  readonly name: string;
  readonly channels: number;
  readonly moments: boolean;
}

/** The same as a value. */
export interface TileMap {
  readonly value: Value;
  readonly moments?: GroupMoments;
}

/** A map that a step writes, or of which it measures the moments alone. */
export interface TileOutput {
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
    if (ENDS.includes(name)) continue;
    const moments = groupMoments(tile, config.norm_num_groups);
    graph.output(`${name}_tile_mean`, moments.mean, [1, config.norm_num_groups]);
    graph.output(`${name}_tile_variance`, moments.variance, [1, config.norm_num_groups]);
  }
}

/** One head over all positions. */
export function selfAttention(x: Value, part: Part, name: string, channels: number): Value {
  const { type } = part;
  const parameters = part.parameters.scope(name);
  const project = (x: Value, projection: string) =>
    linear(
      x,
      parameters.get(`${projection}.weight`, [channels, channels], type),
      parameters.get(`${projection}.bias`, [channels], type),
    );
  // [B, C, h, w] → [B, h · w, C]
  const normalised = normalise(x, part, `${name}.group_norm`, channels);
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
export function resnet(x: Value, part: Part, name: string, from: number, to: number): Value {
  const branch = firstHalf(x, part, name, from, to);
  return add(shortcut(x, part, name, from, to), secondHalf(branch, part, name, to));
}

/** The first convolution of a residual block, with the norm before it. */
export function firstHalf(
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

/** The second. */
export function secondHalf(
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

/** What stands beside them. */
export function shortcut(x: Value, part: Part, name: string, from: number, to: number): Value {
  if (from === to) return x;
  const { parameters, type } = part;
  const weight = parameters.get(`${name}.conv_shortcut.weight`, [to, from, 1, 1], type);
  return conv2d(x, weight, parameters.get(`${name}.conv_shortcut.bias`, [to], type), 1);
}

/** A group norm, by the moments of x itself unless others are given. */
export function normalise(
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

/** A convolution that keeps the size. */
export function convolution3x3(
  x: Value,
  part: Part,
  name: string,
  from: number,
  to: number,
): Value {
  const { parameters, type } = part;
  const weight = parameters.get(`${name}.weight`, [to, from, 3, 3], type);
  return conv2d(x, weight, parameters.get(`${name}.bias`, [to], type), 3);
}
