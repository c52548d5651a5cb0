/**
 * How much memory a model takes, by rule. The rules, and where each number was measured:
 *
 * - a part = its weights on the device × bytes of the arithmetic + its workspace;
 * - `none`: all weights, the largest workspace, and what the runtime itself takes;
 * - `model`: the largest part, and what the runtime itself takes;
 * - `sequential`: the same with the two large parts cut into segments, of which one is loaded.
 *
 * Embedding tables and Gemma's last layer never reach a device.
 *
 * @module
 */
import type { Device, Dtype } from "../onnx/mod.ts";
import type { Role } from "./checkpoint.ts";

/** What a part's memory depends on. */
export interface PartShape {
  /** Values of the weights that the graphs use, those of quantised matrices aside. */
  readonly deviceParameters: number;
  /** Bytes of quantised matrices, which stay as they are. */
  readonly quantizedBytes?: number;
  /** Of a transformer: whether it has CLIP conditioning. */
  readonly needsClip?: boolean;
  /** Of a part that works on tokens. */
  readonly sequence?: { readonly tokens: number; readonly width: number; readonly heads: number };
  /** Of the decoder: channels of its widest map of the picture's size. */
  readonly picture?: { readonly channels: number };
  /** Of the transformer: the side, in latents, of what it was trained for. */
  readonly sampleSize?: number;
  /** Of the decoder: pixels along a side for each latent. */
  readonly pixelsPerLatent?: number;
}

/**
 * Which parts stay loaded: `"none"` all, `"model"` one at a time, `"sequential"` a share of the
 * layers of one at a time.
 */
export type OffloadMode = "none" | "model" | "sequential";

/** From the fastest to the smallest. */
export const OFFLOAD_MODES: readonly OffloadMode[] = ["none", "model", "sequential"];

/** Into how many segments `"sequential"` cuts the parts that have many layers. */
export const SEGMENTS = 6;
const SEGMENTED: readonly Role[] = ["transformer", "textEncoder"];

/** Bytes that a picture takes on a device. */
export interface MemoryEstimate {
  readonly device: Device;
  /** Width and height of the picture. */
  readonly pictureSize: number;
  readonly peak: Readonly<Record<OffloadMode, number>>;
  readonly parts: readonly {
    readonly role: Role;
    readonly weights: number;
    readonly workspace: number;
  }[];
}

interface Rule {
  readonly bytesPerValue: number;
  /** Values of workspace for each token and each unit of width. */
  readonly valuesPerTokenWidth: number;
  /** Whether the scores of all heads are held, tokens × tokens each. */
  readonly holdsScores: boolean;
  /** The runtime's own libraries, kernels and contexts; bytes. */
  readonly runtime: number;
}

/**
 * CPU: float32. The published transformer's blocks at 1280 and 512 tokens took 16.2 and 16.5 values
 * for each token and unit of width besides the scores of 24 heads; at 4352 tokens the rule gives
 * 2.5 GB and 2.1 GB were taken. The runtime without any weights took 0.1 GB.
 *
 * CUDA: 16-bit types. 36 blocks of 6.3 GB at 4352 tokens took 7.8 GB on an H100. Of the 1.5 GB
 * between them, 0.5 GB is assumed to be the context with cuBLAS and cuDNN, and the rest, 50 values
 * for each token and unit of width, to be workspace; only their sum was measured.
 */
const RULES: Readonly<Record<Device, Rule>> = {
  cpu: { bytesPerValue: 4, valuesPerTokenWidth: 16.5, holdsScores: true, runtime: 0.15e9 },
  cuda: { bytesPerValue: 2, valuesPerTokenWidth: 50, holdsScores: false, runtime: 0.5e9 },
};
/**
 * Both decoders hold four of their widest maps, and are taken to do so on CUDA too: on a CPU, FLUX's (256 channels) took 4.6 GB at
 * 1024 × 1024 pixels and TAEF1 (64 channels) 4.4 GB at 2048 × 2048.
 */
const DECODER_MAPS = 4;

const BYTES_OF_FLOAT32 = 4;

/** The memory that a model needs for one picture of a given size. */
export function estimateMemory(
  parts: readonly (PartShape & { readonly role: Role })[],
  device: Device,
  pictureSize: number,
  dtype: Dtype | "auto" = "auto",
): MemoryEstimate {
  const { valuesPerTokenWidth, holdsScores, runtime, ...rule } = RULES[device];
  const bytesPerValue = dtype === "float32" ? BYTES_OF_FLOAT32 : rule.bytesPerValue;
  const sized = parts.map(({ role, deviceParameters, quantizedBytes = 0, sequence, picture }) => {
    let values = 0;
    if (sequence !== undefined) {
      const { tokens, width, heads } = sequence;
      values += tokens * width * valuesPerTokenWidth + (holdsScores ? heads * tokens ** 2 : 0);
    }
    if (picture !== undefined) values += pictureSize ** 2 * picture.channels * DECODER_MAPS;
    return {
      role,
      weights: deviceParameters * bytesPerValue + quantizedBytes,
      workspace: values * bytesPerValue,
    };
  });
  const allWeights = sized.reduce((sum, { weights }) => sum + weights, 0);
  return {
    device,
    pictureSize,
    peak: {
      none: runtime + allWeights + Math.max(0, ...sized.map(({ workspace }) => workspace)),
      model: runtime + Math.max(0, ...sized.map((part) => part.weights + part.workspace)),
      sequential: runtime + Math.max(
        0,
        ...sized.map(({ role, weights, workspace }) =>
          weights / (SEGMENTED.includes(role) ? SEGMENTS : 1) + workspace
        ),
      ),
    },
    parts: sized,
  };
}

/** The fastest offload mode with which a model fits; `undefined` when with none. */
export function offloadThatFits(
  { peak }: MemoryEstimate,
  bytes: number,
): OffloadMode | undefined {
  return OFFLOAD_MODES.find((mode) => peak[mode] <= bytes);
}

/** The published model: what it takes when it is not there to be measured. */
export interface PublishedPart extends PartShape {
  readonly role: Role;
  /** Bytes of its file in bfloat16. */
  readonly bytes: number;
  readonly parameters: number;
}

/** Width and height of the pictures that the published model was trained for. */
export const PUBLISHED_PICTURE_SIZE = 1024;
/** bfloat16. */
const BYTES_OF_PUBLISHED = 2;
/** NextDiT with 36 layers, Gemma 3 4B, Jina CLIP v2's text tower, FLUX's AutoencoderKL. */
export const PUBLISHED_PARTS: readonly PublishedPart[] = ([
  {
    role: "transformer",
    parameters: 3_486_633_792,
    deviceParameters: 3_486_633_792,
    sequence: { tokens: 4352, width: 2304, heads: 24 },
  },
  {
    role: "textEncoder",
    parameters: 3_880_263_168,
    deviceParameters: 3_114_625_536,
    sequence: { tokens: 512, width: 2560, heads: 8 },
  },
  {
    role: "clipModel",
    parameters: 558_314_496,
    deviceParameters: 302_312_448,
    sequence: { tokens: 512, width: 1024, heads: 16 },
  },
  {
    role: "vae",
    parameters: 83_819_683,
    deviceParameters: 49_545_475,
    picture: { channels: 256 },
  },
] as const).map((part) => ({ ...part, bytes: part.parameters * BYTES_OF_PUBLISHED }));
