/**
 * How much memory a model takes, by rule. The rules, and where each number was measured:
 *
 * - a part = its weights on the device × bytes of the arithmetic + its workspace;
 * - `none`: all parts, each of which keeps the workspace of its last run, and what the runtime itself takes;
 *   by the toolkit's kernels the weights of all parts and the largest workspace: each gives its own back;
 * - `model`: the largest part, and what the runtime itself takes;
 * - `sequential`: the same with the two large parts cut into segments, of which one is loaded.
 *
 * Embedding tables and Gemma's last layer never reach a device.
 *
 * @module
 */
import type { Arithmetic } from "../../machine/mod.ts";
import type { Device, Dtype } from "../../onnx/mod.ts";
import type { DecoderKind, PartName, PartShape } from "../../families/mod.ts";

/**
 * Which parts stay loaded: `"none"` all, `"model"` one at a time, `"sequential"` a share of the
 * layers of one at a time.
 */
export type OffloadMode = "none" | "model" | "sequential";

/** From the fastest to the smallest. */
export const OFFLOAD_MODES: readonly OffloadMode[] = ["none", "model", "sequential"];

/** Into how many segments `"sequential"` cuts the parts that have many layers. */
export const SEGMENTS = 6;
const SEGMENTED: readonly PartName[] = ["transformer", "textEncoder"];

/** Bytes that a picture takes on a device. */
export interface MemoryEstimate {
  readonly device: Device;
  /** Width and height of the picture, or the side of a square of as many pixels. */
  readonly pictureSize: number;
  readonly bytesPerValue: number;
  readonly peak: Readonly<Record<OffloadMode, number>>;
  readonly parts: readonly {
    readonly name: PartName;
    readonly weights: number;
    /** While it works. */
    readonly workspace: number;
    /** Of that what it has while others work and it stays loaded. */
    readonly kept: number;
    /** Of an autoencoder. */
    readonly picture?: PartShape["picture"];
  }[];
}

/** What the memory depends on beside a model's size. */
export interface MemoryOptions {
  /** @default {"auto"} */
  readonly dtype?: Dtype | "auto";
  /**
   * Whose kernels compute on CUDA; products in 8 bits are the toolkit's.
   *
   * @default {"onnxruntime"}
   */
  readonly kernels?: Arithmetic["kernels"];
}

interface Rule {
  readonly bytesPerValue: number;
  /** Values of workspace for each token and each unit of width. */
  readonly valuesPerTokenWidth: number;
  /** Whether attention that sees only what came before holds the scores of all heads. */
  readonly holdsScores: boolean;
  /** What each part that works on tokens takes besides, whatever its size; bytes. */
  readonly sessions: number;
  /** How many of its widest maps each kind of decoder holds at once, in one run and in tiles. */
  readonly decoderMaps: Readonly<Record<DecoderKind, number>>;
  readonly tiledMaps: Readonly<Record<DecoderKind, number>>;
  /** The runtime's own libraries, kernels and contexts; bytes. */
  readonly runtime: number;
}

/** The largest picture, in pixels, that is decoded in one run unless the caller says otherwise. */
export const MAX_UNTILED_PIXELS = 1024 * 1024;

/** The largest that is tried in one run wherever the memory is: cuDNN counts values with 31 bits. */
const MOST_UNTILED_PIXELS = 2048 * 2048;
/** What a network that enlarges pictures takes on a GPU: ESRGAN's with 23 blocks; bytes. */
export const UPSCALER_BYTES = 4e9;
/** How many times as much as one run takes an autoencoder that was used for a usual picture before. */
const LARGE_RUNS = 1.5;

const CUDA: Rule = {
  bytesPerValue: 2,
  valuesPerTokenWidth: 46.6,
  holdsScores: false,
  sessions: 0.92e9,
  decoderMaps: { AutoencoderTiny: 4, AutoencoderKL: 12.7 },
  tiledMaps: { AutoencoderTiny: 2.1, AutoencoderKL: 2.2 },
  runtime: 0.574e9,
};

/**
 * CPU: float32, by Linux's VmHWM. Two of the published transformer's blocks with all four refiners
 * took 14.4 values for each token and unit of width at 1296 tokens, the demo model's 13.5 at 16400
 * (2048 × 2048 pixels, 0.51 GB in all without the decoder). Deno and the runtime without any weights
 * took 0.165 GB. Both decoders hold four of their widest maps in one run: FLUX's (256 channels) took
 * 4.6 GB at 1024 × 1024 pixels, 2.7 GB in tiles; TAEF1 (64 channels) 4.4 GB at 2048 × 2048, 2.3 GB in
 * tiles (the demo model's, with all its parts loaded, 2.48 GB). The demo model with all its parts took
 * 0.305 GB at 256 × 256 pixels with a short prompt and 0.344 with the longest, 0.526 at 512 × 512 and
 * 1.41 at 1024 × 1024: every session keeps its arena.
 *
 * CUDA: 16-bit types, on an H100 by nvidia-smi. The context with cuBLAS and cuDNN takes 547 MiB. The
 * transformer, 7.0 GB of weights, took 9.4 GB at 4352 tokens and 10.5 GB at 9472: its memory grows
 * with the tokens and not with their square. All parts together, AutoencoderTiny among them, took
 * 19.0 GB, since each keeps its own arena. FLUX's decoder alone took 7.5 GB, as arenas grow by
 * doubling. By the toolkit's kernels all parts took 16.2 GB in bfloat16 and 10.2 in int8, on an H200.
 *
 * WebGPU: CUDA's numbers, in float32, which is more than it takes with the transformer in float16.
 */
const RULES: Readonly<Record<Device, Rule>> = {
  cpu: {
    bytesPerValue: 4,
    valuesPerTokenWidth: 14,
    holdsScores: true,
    sessions: 0,
    decoderMaps: { AutoencoderTiny: 4, AutoencoderKL: 4 },
    tiledMaps: { AutoencoderTiny: 2.1, AutoencoderKL: 2.2 },
    runtime: 0.165e9,
  },
  cuda: CUDA,
  webgpu: { ...CUDA, bytesPerValue: 4 },
};
const BYTES_OF_FLOAT32 = 4;

/**
 * The memory that a model needs for one picture.
 *
 * @param pictureSize Its width and height in pixels; of another shape, the side of a square of as
 *   many pixels.
 * @param options In which types it computes, and by whose kernels.
 */
export function estimateMemory(
  parts: readonly (PartShape & { readonly name: PartName })[],
  device: Device,
  pictureSize: number,
  { dtype = "auto", kernels = "onnxruntime" }: MemoryOptions = {},
): MemoryEstimate {
  const { runtime, ...rule } = RULES[device];
  const bytesPerValue = dtype === "float32" ? BYTES_OF_FLOAT32 : rule.bytesPerValue;
  const givesBack = device === "cuda" && (kernels === "toolkit" || dtype === "int8");
  const ownSize = trainedSize(parts);
  const pixels = pictureSize ** 2;
  const sized = parts.map((part) => {
    const { name, deviceParameters, quantizedBytes = 0, sequence, picture } = part;
    const { int8Parameters = 0 } = dtype === "int8" ? part : {};
    let values = 0;
    let sessions = 0;
    if (sequence !== undefined) {
      const { width, heads, causal, imageTokens = 0 } = sequence;
      const larger = ownSize === 0 ? 1 : pixels / ownSize ** 2;
      const tokens = sequence.tokens + imageTokens * (larger - 1);
      values += tokens * width * rule.valuesPerTokenWidth;
      if (rule.holdsScores && causal) values += heads * tokens ** 2;
      sessions = rule.sessions;
    }
    if (picture !== undefined) {
      const { kind, channels } = picture;
      const whole = Math.min(pixels, MAX_UNTILED_PIXELS) * rule.decoderMaps[kind];
      const tiled = pixels > MAX_UNTILED_PIXELS ? pixels * rule.tiledMaps[kind] : 0;
      // A tile takes no more than the largest picture that is decoded without.
      values += channels * Math.max(whole, tiled);
    }
    const workspace = values * bytesPerValue + sessions;
    return {
      name,
      weights: (deviceParameters - int8Parameters) * bytesPerValue + int8Parameters +
        quantizedBytes,
      workspace,
      kept: givesBack ? 0 : workspace,
      ...(picture === undefined ? {} : { picture }),
    };
  });
  const taken = sized.map(({ weights, workspace }) => weights + workspace);
  const stays = sized.reduce((sum, { weights, kept }) => sum + weights + kept, 0);
  return {
    device,
    pictureSize,
    bytesPerValue,
    peak: {
      none: runtime + stays + atWork(sized),
      model: runtime + Math.max(0, ...taken),
      sequential: runtime + Math.max(
        0,
        ...sized.map(({ name, weights, workspace }) =>
          weights / (SEGMENTED.includes(name) ? SEGMENTS : 1) + workspace
        ),
      ),
    },
    parts: sized,
  };
}

/** The most that a part takes while it works besides what stays anyway; bytes. */
function atWork(parts: MemoryEstimate["parts"]): number {
  return Math.max(0, ...parts.map(({ workspace, kept }) => workspace - kept));
}

/** What a model leaves of a device's memory. */
export interface SpareMemory {
  /** While all of it is loaded that stays so. */
  readonly bytes: number;
  /** Whether a picture of so many pixels can be decoded, or encoded, in one run. */
  readonly fitsWhole: (pixels: number) => boolean;
}

/**
 * What a model leaves of a device's memory.
 *
 * @param estimate For pictures of the model's own size.
 * @param free Bytes of the memory that nobody has, before it is loaded.
 */
export function spareMemory(
  estimate: MemoryEstimate,
  offload: OffloadMode,
  free: number,
): SpareMemory {
  const { peak, parts } = estimate;
  const vae = parts.find(({ name }) => name === "vae");
  const largest = Math.max(0, ...parts.map(({ weights, workspace }) => weights + workspace));
  // A part that is not kept is alone when it works.
  const others = offload === "none"
    ? peak.none - atWork(parts) - (vae?.kept ?? 0)
    : peak.model - largest + (vae?.weights ?? 0);
  const kept = offload === "none" ? UPSCALER_BYTES : 0;
  return {
    bytes: free - peak[offload],
    fitsWhole: (pixels) =>
      pixels <= MAX_UNTILED_PIXELS ||
      pixels <= MOST_UNTILED_PIXELS && wholeBytes(estimate, pixels) <= free - others - kept,
  };
}

/** What an autoencoder takes for a large picture in one run, its encoder beside its decoder. */
function wholeBytes({ device, bytesPerValue, parts }: MemoryEstimate, pixels: number): number {
  const picture = parts.find(({ name }) => name === "vae")?.picture;
  if (picture === undefined) return Infinity;
  const { kind, channels } = picture;
  return pixels * channels * RULES[device].decoderMaps[kind] * LARGE_RUNS * bytesPerValue;
}

/** Width and height that a model was trained for, in pixels; 0 where a part is not known. */
export function trainedSize(parts: readonly PartShape[]): number {
  const of = (key: "sampleSize" | "pixelsPerLatent") =>
    parts.find((part) => part[key] !== undefined)?.[key] ?? 0;
  return of("sampleSize") * of("pixelsPerLatent");
}

/** The fastest offload mode with which a model fits; `undefined` when with none. */
export function offloadThatFits(
  { peak }: MemoryEstimate,
  bytes: number,
): OffloadMode | undefined {
  return OFFLOAD_MODES.find((mode) => peak[mode] <= bytes);
}
