import { imageFromTensor, type RgbImage, tensorFromImage } from "../../image/mod.ts";
import { compileUpscaler, type UpscalerGraphs } from "../../models/mod.ts";
import type { DtypePolicy } from "../../onnx/mod.ts";
import { KeptSessions } from "../../runtime/kept_sessions.ts";
import { Session, type SessionHost } from "../../runtime/session.ts";
import { openWeights, type Weights } from "../../safetensors/mod.ts";
import { tensor } from "../../tensor.ts";
import { expectTileSize } from "./_expect_tile_size.ts";
import { expectPixels } from "./expect_pixels.ts";
import { isFiniteTensor, NonFiniteError } from "./non_finite_error.ts";
import { runInTiles } from "./_tiling.ts";

/** A network that enlarges pictures. Its graph is loaded when it first works. */
export class Upscaler implements AsyncDisposable {
  readonly #weights: Weights;
  #policy: DtypePolicy;
  #graphs: UpscalerGraphs;
  readonly #host: KeptSessions;

  private constructor(weights: Weights, policy: DtypePolicy, host: SessionHost) {
    this.#weights = weights;
    this.#policy = policy;
    this.#graphs = compileUpscaler(weights, policy);
    this.#host = new KeptSessions(host);
  }

  /**
   * Reads a network.
   *
   * @param file A safetensors file.
   * @throws {SafetensorsError} When the file cannot be read.
   * @throws {NewBieError} When it holds no such network.
   * @throws {CheckpointError} Naming every tensor that does not fit.
   */
  static async open(
    file: string,
    policy: DtypePolicy,
    host: SessionHost = Session,
  ): Promise<Upscaler> {
    return new Upscaler(await openWeights(file), policy, host);
  }

  /** What it is. */
  get kind(): UpscalerGraphs["kind"] {
    return this.#graphs.kind;
  }

  /** How many times as wide and high a picture becomes. */
  get scale(): number {
    return this.#graphs.scale;
  }

  /** The side of a tile in pixels of the enlarged picture, unless the caller chooses. */
  get tileSize(): number {
    return this.#graphs.tileSize;
  }

  /**
   * Enlarges a picture, tile by tile, to the values that one run would give. What overflows in 16 bits
   * is computed in 32, and so is what comes after it.
   *
   * @param tileSize The side of a tile in pixels of the enlarged picture.
   * @throws {RequestError} When the enlarged picture would have more pixels than are written, or the
   *   tile size is none.
   * @throws {NonFiniteError} When the arithmetic overflowed in 32 bits, too.
   * @throws {SessionError} When ONNX Runtime fails, for example for lack of memory.
   */
  async upscale(image: RgbImage, tileSize = this.tileSize): Promise<RgbImage> {
    const { multiple, scale } = this.#graphs;
    expectTileSize(tileSize);
    expectPixels(image, scale);
    const padded = padTo(image, multiple);
    const { data, dims } = tensorFromImage(padded);
    // From -1…1 to 0…1, and back.
    const unit = tensor(data.map((value) => (value + 1) / 2), dims);
    const enlarge = () => {
      const place = { tileSize, device: this.#policy.device, host: this.#host };
      return runInTiles(this.#graphs.steps, unit, place);
    };
    let enlarged = await enlarge();
    if (!isFiniteTensor(enlarged) && this.#policy.convolution !== "float32") {
      this.#policy = { ...this.#policy, convolution: "float32" };
      await this[Symbol.asyncDispose]();
      this.#graphs = compileUpscaler(this.#weights, this.#policy);
      enlarged = await enlarge();
    }
    if (!isFiniteTensor(enlarged)) throw new NonFiniteError("upscaler");
    const whole = imageFromTensor(
      tensor(enlarged.data.map((value) => 2 * value - 1), enlarged.dims),
    );
    return cropTo(whole, image.width * scale, image.height * scale);
  }

  /** Frees the graph; it is loaded again when it next works. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
  }
}

/** Edges drawn out to a multiple. */
function padTo(image: RgbImage, multiple: number): RgbImage {
  const width = Math.ceil(image.width / multiple) * multiple;
  const height = Math.ceil(image.height / multiple) * multiple;
  if (width === image.width && height === image.height) return image;
  return placed(image, width, height);
}

function cropTo(image: RgbImage, width: number, height: number): RgbImage {
  return width === image.width && height === image.height ? image : placed(image, width, height);
}

function placed({ data, width, height }: RgbImage, wide: number, high: number): RgbImage {
  const all = Uint8ClampedArray.from({ length: 3 * wide * high }, (_, at) => {
    const pixel = Math.floor(at / 3);
    const row = Math.min(height - 1, Math.floor(pixel / wide));
    const column = Math.min(width - 1, pixel % wide);
    return data[3 * (row * width + column) + at % 3]!;
  });
  return { data: all, width: wide, height: high };
}
