/**
 * Networks that enlarge pictures: ESRGAN's RRDBNet, of which Real-ESRGAN's anime model has 6 blocks, and
 * SRVGGNetCompact.
 *
 * The maths of the first is that of Wang et al. 2018 (arXiv 1809.00219, residual-in-residual dense
 * blocks), with pixels folded into channels where it enlarges less than four times, as Wang et al. 2021
 * (arXiv 2107.10833) have it; the second is the compact network of that project. Names of weights are
 * those of BasicSR, of ESRGAN's authors, or of the trainers from before (`model.1.sub.0.RDB1…`, which
 * most shared networks have). The blocks, widths and the scale follow from the tensors' shapes. All of
 * it is convolutions, so a tile that sees far enough beyond its edge is exact.
 *
 * @module
 */
import { NewBieError } from "../errors.ts";
import {
  add,
  cast,
  concat,
  conv2d,
  type DtypePolicy,
  INTERFACE_TYPE,
  leakyRelu,
  Parameters,
  pixelShuffle,
  pixelUnshuffle,
  prelu,
  scale,
  upsampleNearest,
  upsampleNearest2x,
  type Value,
} from "../onnx/mod.ts";
import type { Weights } from "../safetensors/mod.ts";
import type { TiledStep } from "./autoencoder_graphs.ts";
import { tileStep } from "./_convolution_graphs.ts";
import { PICTURE_CHANNELS } from "./_pictures.ts";
import { countOf, findNaming, type NameStyle, type Naming } from "./names.ts";

/** An upscaler, compiled. */
export interface UpscalerGraphs {
  readonly kind: "RRDBNet" | "SRVGGNetCompact";
  /** How many times as wide and high a picture becomes. */
  readonly scale: number;
  /** What both sides of a picture must be multiples of. */
  readonly multiple: number;
  /** One step, from the map `image` [1, 3, H, W] to `enlarged`, both 0…1. */
  readonly steps: readonly TiledStep[];
  /** The side of a tile in pixels of the enlarged picture, unless the caller chooses. */
  readonly tileSize: number;
}

/** Where an RRDBNet's layers stand in a file. */
interface RrdbLayers {
  readonly first: string;
  /** A convolution of a dense block of a block; all but the first from 1. */
  readonly dense: (block: number, dense: number, convolution: number) => string;
  readonly body: string;
  /** What enlarges to twice the size, from 1. */
  readonly up: (index: number) => string;
  readonly detailed: string;
  readonly last: string;
}

/** One way to name them. */
interface RrdbStyle extends NameStyle {
  readonly layers: (blocks: number, ups: number) => RrdbLayers;
}

/** Real-ESRGAN's and BasicSR's names, ESRGAN's own, and those of the trainers before them. */
const RRDB_STYLES: readonly RrdbStyle[] = [
  {
    required: ["conv_first.weight", "body.0.rdb1.conv1.weight", "conv_body.weight"],
    layers: () => ({
      first: "conv_first",
      dense: (block, dense, index) => `body.${block}.rdb${dense}.conv${index}`,
      body: "conv_body",
      up: (index) => `conv_up${index}`,
      detailed: "conv_hr",
      last: "conv_last",
    }),
  },
  {
    required: ["conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "trunk_conv.weight"],
    layers: () => ({
      first: "conv_first",
      dense: (block, dense, index) => `RRDB_trunk.${block}.RDB${dense}.conv${index}`,
      body: "trunk_conv",
      up: (index) => `upconv${index}`,
      detailed: "HRconv",
      last: "conv_last",
    }),
  },
  {
    required: ["model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"],
    // ESRGAN+ adds what its convolutions of 1 × 1 give.
    foreign: ["model.1.sub.0.RDB1.conv1x1.weight"],
    // A list of layers, those without weights among them: enlarging, convolution, activation.
    layers: (blocks, ups) => ({
      first: "model.0",
      dense: (block, dense, index) => `model.1.sub.${block}.RDB${dense}.conv${index}.0`,
      body: `model.1.sub.${blocks}`,
      up: (index) => `model.${3 * index}`,
      detailed: `model.${3 * ups + 2}`,
      last: `model.${3 * ups + 4}`,
    }),
  },
];

const SRVGG_STYLE: NameStyle = { required: ["body.0.weight", "body.1.weight", "body.2.weight"] };

/** With the halo of RRDBNet, a tile of 384² pixels at 64 channels. */
const TILE_PIXELS = 192;

const SLOPE = 0.2;
/** How much of a block's change is added. */
const RESIDUAL = 0.2;
const CONVOLUTIONS_IN_DENSE_BLOCK = 5;
const DENSE_BLOCKS = 3;

/**
 * Compiles an upscaler over its weights.
 *
 * @throws {NewBieError} When the file holds none of these networks.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileUpscaler(weights: Weights, policy: DtypePolicy): UpscalerGraphs {
  // Real-ESRGAN's own program takes the average where a file has both.
  const options = { prefersAverage: true };
  const rrdb = findNaming(weights, RRDB_STYLES, options);
  const srvgg = rrdb === undefined ? findNaming(weights, [SRVGG_STYLE], options) : undefined;
  const names = rrdb ?? srvgg;
  const network = rrdb === undefined ? srvgg && srvggNet(srvgg) : rrdbNet(rrdb);
  if (names === undefined || network === undefined) throw noUpscaler(weights);
  const { kind, factor, multiple, halo, build } = network;
  const type = policy.convolution;
  const step = tileStep({
    name: kind,
    weights,
    nameInFile: names.nameInFile,
    policy,
    reads: { name: "image", dims: [1, PICTURE_CHANNELS, "h", "w"] },
    writes: { name: "enlarged", dims: [1, PICTURE_CHANNELS, "H", "W"] },
    halo,
    scale: factor,
    multiple,
    build: (image, parameters) =>
      cast(build(cast(image, type), { parameters, type }), INTERFACE_TYPE),
  });
  return { kind, scale: factor, multiple, steps: [step], tileSize: TILE_PIXELS * factor };
}

/** A network as its tensors show it. */
interface Network {
  readonly kind: UpscalerGraphs["kind"];
  readonly factor: number;
  readonly multiple: number;
  /** How far it sees, in pixels of the picture. */
  readonly halo: number;
  readonly build: (x: Value, part: Part) => Value;
}

interface Part {
  readonly parameters: Parameters;
  readonly type: DtypePolicy["convolution"];
}

function rrdbNet(names: Naming<RrdbStyle>): Network | undefined {
  const { shape, style } = names;
  const numbered = style.layers(0, 0);
  const blocks = countOf(names, (index) => `${numbered.dense(index, 1, 1)}.weight`);
  const ups = upsOf(names, numbered);
  const layers = style.layers(blocks, ups);
  const [features = 0, folded = 0] = shape(`${layers.first}.weight`) ?? [];
  const growth = shape(`${layers.dense(0, 1, 1)}.weight`)?.[0] ?? 0;
  const fold = Math.sqrt(folded / PICTURE_CHANNELS);
  const factor = 2 ** ups / fold;
  if (![1, 2, 4].includes(fold) || !Number.isInteger(factor)) return undefined;
  const inBlocks = blocks * DENSE_BLOCKS * CONVOLUTIONS_IN_DENSE_BLOCK;
  // Before and behind the blocks one each; the others are at most two in a picture not enlarged.
  const reach = inBlocks + 2 + 2;
  return {
    kind: "RRDBNet",
    factor,
    multiple: fold,
    halo: reach * fold,
    build: (picture, part) => {
      const conv = (x: Value, name: string, from: number, to: number) =>
        convolution(x, part, name, from, to);
      const x = fold === 1 ? picture : pixelUnshuffle(picture, fold, PICTURE_CHANNELS);
      const first = conv(x, layers.first, folded, features);
      let body = first;
      for (let block = 0; block < blocks; block++) {
        const name = (dense: number, index: number) => layers.dense(block, dense, index);
        body = residualDense(body, part, name, features, growth);
      }
      let up = add(first, conv(body, layers.body, features, features));
      for (let index = 1; index <= ups; index++) {
        up = leakyRelu(conv(upsampleNearest2x(up), layers.up(index), features, features), SLOPE);
      }
      const detailed = leakyRelu(conv(up, layers.detailed, features, features), SLOPE);
      return conv(detailed, layers.last, features, PICTURE_CHANNELS);
    },
  };
}

/** How often it enlarges to twice the size; a layer that lost its weight but not its bias counts. */
function upsOf({ shape }: Naming, { up }: RrdbLayers): number {
  let ups = 0;
  const has = (tensor: string) => shape(`${up(ups + 1)}.${tensor}`) !== undefined;
  while (has("weight") || has("bias")) ups++;
  return ups;
}

/** Dense blocks one behind the other, beside a shortcut. */
function residualDense(
  x: Value,
  part: Part,
  name: (dense: number, index: number) => string,
  features: number,
  growth: number,
): Value {
  let y = x;
  for (let block = 1; block <= DENSE_BLOCKS; block++) {
    y = dense(y, part, (index) => name(block, index), features, growth);
  }
  return add(scale(y, RESIDUAL), x);
}

/** Each convolution reads all that those before it gave. */
function dense(
  x: Value,
  part: Part,
  name: (index: number) => string,
  features: number,
  growth: number,
): Value {
  const all = [x];
  for (let index = 1; index < CONVOLUTIONS_IN_DENSE_BLOCK; index++) {
    const from = features + (index - 1) * growth;
    const joined = all.length === 1 ? x : concat(all, 1);
    all.push(leakyRelu(convolution(joined, part, name(index), from, growth), SLOPE));
  }
  const from = features + (CONVOLUTIONS_IN_DENSE_BLOCK - 1) * growth;
  const last = name(CONVOLUTIONS_IN_DENSE_BLOCK);
  return add(scale(convolution(concat(all, 1), part, last, from, features), RESIDUAL), x);
}

function srvggNet(names: Naming): Network | undefined {
  const { shape } = names;
  const features = shape("body.0.weight")?.[0] ?? 0;
  // Convolutions and their activations in turn, and a last convolution.
  const layers = countOf(names, (index) => `body.${index}.weight`);
  const last = layers - 1;
  const factor = Math.sqrt((shape(`body.${last}.weight`)?.[0] ?? 0) / PICTURE_CHANNELS);
  if (last % 2 !== 0 || !Number.isInteger(factor) || factor < 1) return undefined;
  return {
    kind: "SRVGGNetCompact",
    factor,
    multiple: 1,
    halo: last / 2 + 1,
    build: (picture, part) => {
      const { parameters, type } = part;
      let x = picture;
      for (let layer = 0; layer < last; layer += 2) {
        const from = layer === 0 ? PICTURE_CHANNELS : features;
        x = convolution(x, part, `body.${layer}`, from, features);
        x = prelu(x, parameters.get(`body.${layer + 1}.weight`, [features, 1, 1], type));
      }
      x = convolution(x, part, `body.${last}`, features, PICTURE_CHANNELS * factor ** 2);
      return add(pixelShuffle(x, factor), upsampleNearest(picture, factor));
    },
  };
}

function convolution(
  x: Value,
  { parameters, type }: Part,
  name: string,
  from: number,
  to: number,
): Value {
  const weight = parameters.get(`${name}.weight`, [to, from, 3, 3], type);
  return conv2d(x, weight, parameters.get(`${name}.bias`, [to], type), 3);
}

function noUpscaler({ source }: Weights): NewBieError {
  return new NewBieError(
    `${source} holds no upscaler that is known: expected the tensors of ESRGAN's RRDBNet (conv_first, ` +
      "body.0.rdb1.conv1, … or model.0, model.1.sub.0.RDB1.conv1.0, …) for pictures in colours, or of " +
      "SRVGGNetCompact (body.0, body.1, …).",
    {
      zh:
        `${source} 中没有已知的放大网络：应含用于彩色图片的 ESRGAN RRDBNet（conv_first、body.0.rdb1.conv1 等，` +
        "或 model.0、model.1.sub.0.RDB1.conv1.0 等）或 SRVGGNetCompact（body.0、body.1 等）的张量。",
    },
  );
}
