/**
 * The autoencoder as the pipeline sees it: latents become pictures and pictures latents, in one run
 * or tile by tile.
 *
 * @module
 */
import { RequestError } from "../../errors.ts";
import {
  type DecoderGraphs,
  type EncoderGraphs,
  NON_FINITE,
  pixelsPerLatent,
  type VaeConfig,
} from "../../models/mod.ts";
import { imageFromTensor, type RgbImage } from "../../image/mod.ts";
import type { Device } from "../../onnx/mod.ts";
import {
  OutOfMemoryError,
  type RunningGraph,
  Session,
  type SessionHost,
} from "../../runtime/session.ts";
import { elementCount, type Tensor, tensor } from "../../tensor.ts";
import { MAX_UNTILED_PIXELS } from "../checkpoint/memory.ts";
import { expectTileSize } from "./_expect_tile_size.ts";
import { isFiniteTensor, NonFiniteError } from "./non_finite_error.ts";
import { loadConvolutions } from "./_load_convolutions.ts";
import { runInTiles } from "./_tiling.ts";

/** Options of {@linkcode Vae.decode} and {@linkcode Vae.encode}. */
export interface TiledOptions {
  /**
   * Whether to go over the picture tile by tile: `"auto"` does so where it is too large for one run,
   * which is as {@linkcode VaeOptions.fitsWhole} has it.
   *
   * @default {"auto"}
   */
  readonly tiling?: "auto" | boolean | undefined;
  /**
   * The side of a tile in pixels, without the halo that it sees beyond its edges. Smaller tiles
   * take less memory and more time.
   *
   * @default 256 for an AutoencoderKL, 768 for an AutoencoderTiny
   */
  readonly tileSize?: number | undefined;
}

/** What to do when 16 bits do not hold what the autoencoder computes. */
export interface VaeFallback {
  /** Compiles the decoder for float32. */
  readonly exactGraphs: () => DecoderGraphs;
  /** Compiles the encoder for float32; absent where there is none. */
  readonly exactEncoder?: () => EncoderGraphs;
  /** Is called when the autoencoder goes over to them. */
  readonly onUse: () => void;
}

/** How {@linkcode Vae.create} makes an autoencoder. */
export interface VaeOptions {
  /** Compiles the encoder, when a picture is first encoded; throws where there is none. */
  readonly encoder?: (() => EncoderGraphs) | undefined;
  /** Absent where 16 bits are not used. */
  readonly fallback?: VaeFallback | undefined;
  /**
   * Where the graphs are loaded and run.
   *
   * @default {Session}
   */
  readonly host?: SessionHost | undefined;
  /**
   * Whether a picture of so many pixels is small enough for one run. A large one for which the memory
   * does not suffice even so goes on in tiles.
   *
   * @default Up to 1024 × 1024 pixels are.
   */
  readonly fitsWhole?: ((pixels: number) => boolean) | undefined;
}

/** The same with nothing left open. */
interface WholeOptions {
  readonly encoder: () => EncoderGraphs;
  readonly fallback: VaeFallback | undefined;
  readonly host: SessionHost;
  readonly fitsWhole: (pixels: number) => boolean;
}

/** An autoencoder: its decoder loaded, its encoder loaded while it encodes. */
export class Vae implements AsyncDisposable {
  readonly config: VaeConfig;
  /** The channels that latents must have. */
  readonly latentChannels: number;
  /** Pixels along a side of the picture for each of the latents. */
  readonly scaleFactor: number;
  readonly #device: Device;
  readonly #host: SessionHost;
  /** Until it has been used. */
  #fallback: VaeFallback | undefined;
  #graphs: DecoderGraphs;
  #whole: RunningGraph;
  #encoder: () => EncoderGraphs;
  #fitsWhole: (pixels: number) => boolean;

  private constructor(
    config: VaeConfig,
    graphs: DecoderGraphs,
    device: Device,
    whole: RunningGraph,
    { encoder, fallback, host, fitsWhole }: WholeOptions,
  ) {
    this.config = config;
    this.latentChannels = config.latent_channels;
    this.scaleFactor = pixelsPerLatent(config);
    this.#graphs = graphs;
    this.#device = device;
    this.#whole = whole;
    this.#host = host;
    this.#fallback = fallback;
    this.#encoder = encoder;
    this.#fitsWhole = fitsWhole;
  }

  /** @throws {SessionError} When ONNX Runtime cannot load the graph. */
  static async create(
    config: VaeConfig,
    graphs: DecoderGraphs,
    device: Device,
    { encoder = noEncoder, fallback, host = Session, fitsWhole = isUsual }: VaeOptions = {},
  ): Promise<Vae> {
    const whole = await loadConvolutions(host, graphs.whole, device);
    return new Vae(config, graphs, device, whole, { encoder, fallback, host, fitsWhole });
  }

  /**
   * Seeks the fastest kernels for decoding a picture, which the first of a size does otherwise. A larger
   * picture than is decoded in one run needs none: its tiles are of another size.
   *
   * @param size Its side, in latents.
   * @throws {SessionError} When ONNX Runtime fails, for example for lack of memory.
   */
  async warmUp(size: number): Promise<void> {
    if (!this.#fitsWhole((size * this.scaleFactor) ** 2)) return;
    const dims = [1, this.latentChannels, size, size];
    const latents = tensor(new Float32Array(elementCount(dims)), dims);
    await this.#whole.run({ latents }, ["pixels", NON_FINITE]);
  }

  /**
   * Decodes latents as the sampler leaves them: `scaling_factor` and `shift_factor` are applied
   * here. The pictures of a batch are decoded one after another, so that a batch takes no more
   * memory than a single picture.
   *
   * Tiles make the same picture but for rounding (relative difference about 1e-6, so no seams): an
   * AutoencoderTiny's see as far beyond their edges as its convolutions reach, an AutoencoderKL's
   * share each norm's statistics. They cost half as much time again. Measured on a CPU, in one run
   * and in tiles: FLUX's decoder at 1024 × 1024 pixels 68 s of processor time with 4.6 GB, 107 s
   * with 2.7 GB; TAEF1 at 2048 × 2048 pixels 17 s with 4.4 GB, 25 s with 2.3 GB.
   *
   * Where float16 overflows, the picture is decoded in float32, and so are those after it.
   *
   * @param latents [B, latentChannels, h, w].
   * @returns Pictures [B, 3, h · scaleFactor, w · scaleFactor], about -1…1, not clamped.
   * @throws {RequestError} When the latents are another autoencoder's, or the tile size is none.
   * @throws {NonFiniteError} When it overflows in float32 too.
   * @throws {SessionError} When ONNX Runtime fails, for example for lack of memory.
   */
  async decode(latents: Tensor, options: TiledOptions = {}): Promise<Tensor> {
    const { batch, rows, columns } = this.#pictures(latents);
    const dims = [this.config.out_channels, rows, columns];
    const pictures = new Float32Array(batch * elementCount(dims));
    const whole = async (one: Tensor) => {
      const { image } = await this.#whole.run({ latents: one }, ["image"]);
      return image?.type === "float32" && isFiniteTensor(image) ? image : undefined;
    };
    let index = 0;
    for await (const { data } of this.#decodeEach(latents, options, whole, (picture) => picture)) {
      pictures.set(data, index++ * data.length);
    }
    return tensor(pictures, [batch, ...dims]);
  }

  /**
   * {@linkcode decode}, as pictures of bytes: those that `imageFromTensor` makes of its result.
   *
   * @throws As `decode` does.
   */
  async decodeImages(latents: Tensor, options: TiledOptions = {}): Promise<RgbImage[]> {
    const { rows: height, columns: width } = this.#pictures(latents);
    const whole = async (one: Tensor) => {
      const result = await this.#whole.run({ latents: one }, ["pixels", NON_FINITE]);
      const { pixels, [NON_FINITE]: nonFinite } = result;
      if (pixels?.type !== "uint8" || nonFinite?.data[0] !== 0) return undefined;
      return { data: new Uint8ClampedArray(pixels.data.buffer as ArrayBuffer), width, height };
    };
    const tiled = (picture: Tensor) => imageFromTensor(picture);
    return await Array.fromAsync(this.#decodeEach(latents, options, whole, tiled));
  }

  /**
   * Encodes pictures to latents as the transformer wants them: the mode of the distribution, with
   * `shift_factor` and `scaling_factor` applied. In tiles it gives the same but for rounding, as
   * {@linkcode decode} does.
   *
   * A picture is encoded once for many steps, so the encoder is loaded for that and freed after it.
   *
   * @param image [B, 3, H, W], -1…1; both sides multiples of `scaleFactor`.
   * @returns Latents [B, latentChannels, H / scaleFactor, W / scaleFactor].
   * @throws {RequestError} When there is no encoder, or the picture's sides are no such multiples.
   * @throws {NonFiniteError} When it overflows in float32 too.
   * @throws {SessionError} When ONNX Runtime fails, for example for lack of memory.
   */
  async encode(image: Tensor, options: TiledOptions = {}): Promise<Tensor> {
    const [batch = 0, channels = 0, height = 0, width = 0] = image.dims;
    this.#expectPicture(image);
    let graphs = this.#encoder();
    const { tiling, tileSize = graphs.tileSize } = options;
    expectTileSize(tileSize);
    let { inTiles, mayTile } = this.#way(height * width, tiling);
    const place = { device: this.#device, host: this.#host };
    const encodeAll = async () => {
      await using whole = inTiles
        ? undefined
        : await loadConvolutions(this.#host, graphs.whole, this.#device);
      const samples: Tensor[] = [];
      const length = channels * height * width;
      for (let index = 0; index < batch; index++) {
        const values = image.data.subarray(index * length, (index + 1) * length);
        const one = tensor(values, [1, channels, height, width]);
        const latents = whole === undefined
          ? await runInTiles(graphs.steps, one, { tileSize, ...place })
          : (await whole.run({ image: one })).latents!;
        if (!isFiniteTensor(latents)) return undefined;
        samples.push(latents);
      }
      return samples;
    };
    const encodeFitting = async () => {
      try {
        return await encodeAll();
      } catch (error) {
        if (inTiles || !mayTile || !(error instanceof OutOfMemoryError)) throw error;
        inTiles = true;
        return await encodeAll();
      }
    };
    let samples = await encodeFitting();
    if (samples === undefined && await this.#makeExact()) {
      graphs = this.#encoder();
      samples = await encodeFitting();
    }
    if (samples === undefined) throw new NonFiniteError("vae");
    const [, ...dims] = samples[0]!.dims;
    const latents = new Float32Array(batch * elementCount(dims));
    samples.forEach(({ data }, index) => latents.set(data, index * data.length));
    return tensor(latents, [batch, ...dims]);
  }

  /**
   * Decodes a batch's latents one after another; what overflows, once more in float32.
   *
   * @param whole Decodes one in one run; `undefined` where a value is not finite.
   * @param tiled What becomes of one that was decoded in tiles.
   */
  async *#decodeEach<T>(
    latents: Tensor,
    { tiling, tileSize = this.#graphs.tileSize }: TiledOptions,
    whole: (one: Tensor) => Promise<T | undefined>,
    tiled: (picture: Tensor) => T,
  ): AsyncGenerator<T> {
    expectTileSize(tileSize);
    const { batch, rows, columns } = this.#pictures(latents);
    let { inTiles, mayTile } = this.#way(rows * columns, tiling);
    const place = { device: this.#device, host: this.#host };
    const [, ...dims] = latents.dims;
    const length = elementCount(dims);
    for (let index = 0; index < batch; index++) {
      const values = latents.data.subarray(index * length, (index + 1) * length);
      const one = tensor(values, [1, ...dims]);
      const decodeOne = async () => {
        try {
          if (!inTiles) return await whole(one);
        } catch (error) {
          if (!mayTile || !(error instanceof OutOfMemoryError)) throw error;
          inTiles = true;
          // What it took before it failed, the tiles may need.
          await this.#reload();
        }
        const picture = await runInTiles(this.#graphs.steps, one, { tileSize, ...place });
        return isFiniteTensor(picture) ? tiled(picture) : undefined;
      };
      let picture = await decodeOne();
      if (picture === undefined && await this.#makeExact()) picture = await decodeOne();
      if (picture === undefined) throw new NonFiniteError("vae");
      yield picture;
    }
  }

  /** How to go over a picture of so many pixels, and whether to go on in tiles where memory is short. */
  #way(pixels: number, tiling: TiledOptions["tiling"] = "auto") {
    const isAuto = tiling === "auto";
    return {
      inTiles: isAuto ? !this.#fitsWhole(pixels) : tiling,
      mayTile: isAuto && !isUsual(pixels),
    };
  }

  /** Goes over to float32; false where that has been done, or is what it always was. */
  async #makeExact(): Promise<boolean> {
    const fallback = this.#fallback;
    if (fallback === undefined) return false;
    this.#fallback = undefined;
    fallback.onUse();
    if (fallback.exactEncoder !== undefined) this.#encoder = fallback.exactEncoder;
    const fitsWhole = this.#fitsWhole;
    // Values take twice as many bytes.
    this.#fitsWhole = (pixels) => isUsual(pixels) || fitsWhole(2 * pixels);
    this.#graphs = fallback.exactGraphs();
    await this.#reload();
    return true;
  }

  /** Frees the decoder with all that it took, and loads it again. */
  async #reload(): Promise<void> {
    await this.#whole[Symbol.asyncDispose]();
    this.#whole = await loadConvolutions(this.#host, this.#graphs.whole, this.#device);
  }

  /** Frees the graph. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#whole[Symbol.asyncDispose]();
  }

  /** How many pictures the latents are, and of what size. */
  #pictures({ dims }: Tensor): { batch: number; rows: number; columns: number } {
    const [batch = 0, channels = 0, height = 0, width = 0] = dims;
    if (dims.length !== 4 || Math.min(batch, height, width) < 1) {
      throw new RequestError(
        `latents must be [B, ${this.latentChannels}, h, w] and not empty, but are ` +
          `[${dims.join(", ")}].`,
        {
          zh: `latents 应为 [B, ${this.latentChannels}, h, w] 且不为空，但是 ` +
            `[${dims.join(", ")}]。`,
        },
      );
    }
    if (channels !== this.latentChannels) {
      throw new RequestError(
        `The latents have ${channels} channels, but this ${this.config._class_name} decodes ` +
          `${this.latentChannels}. Use the autoencoder that the transformer was trained with.`,
        {
          zh: `潜变量有 ${channels} 个通道，但这个 ${this.config._class_name} 解码 ` +
            `${this.latentChannels} 个。请使用训练 Transformer 时的自编码器。`,
        },
      );
    }
    return { batch, rows: height * this.scaleFactor, columns: width * this.scaleFactor };
  }

  #expectPicture({ dims }: Tensor): void {
    const [batch = 0, channels = 0, height = 0, width = 0] = dims;
    const factor = this.scaleFactor;
    const fits = dims.length === 4 && batch > 0 && channels === this.config.out_channels &&
      Math.min(height, width) > 0 && height % factor === 0 && width % factor === 0;
    if (fits) return;
    throw new RequestError(
      `The picture must be [B, 3, H, W] with H and W multiples of ${factor}, but is ` +
        `[${dims.join(", ")}].`,
      { zh: `图片应为 [B, 3, H, W]，H 与 W 为 ${factor} 的倍数，但是 [${dims.join(", ")}]。` },
    );
  }
}

function isUsual(pixels: number): boolean {
  return pixels <= MAX_UNTILED_PIXELS;
}

function noEncoder(): never {
  throw new TypeError("The autoencoder was made without its encoder.");
}
