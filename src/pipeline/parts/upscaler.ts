import { imageFromTensor, type RgbImage, tensorFromImage } from "../../image/mod.ts";
import { compileUpscaler, type UpscalerGraphs } from "../../models/mod.ts";
import { type Device, type DtypePolicy } from "../../onnx/mod.ts";
import { Session, type SessionHost } from "../../runtime/session.ts";
import { openWeights } from "../../safetensors/mod.ts";
import { tensor } from "../../tensor.ts";
import { isFiniteTensor, NonFiniteError } from "./non_finite_error.ts";
import { runInTiles } from "./_tiling.ts";

/** A network that enlarges pictures. Its graph is loaded while it works. */
export class Upscaler {
  readonly #graphs: UpscalerGraphs;
  readonly #device: Device;
  readonly #host: SessionHost;

  private constructor(graphs: UpscalerGraphs, device: Device, host: SessionHost) {
    this.#graphs = graphs;
    this.#device = device;
    this.#host = host;
  }

  /**
   * Reads a network.
   *
   * @param path A safetensors file, or a folder with one.
   * @throws {SafetensorsError} When the file cannot be read.
   * @throws {NewBieError} When it holds no such network.
   * @throws {CheckpointError} Naming every tensor that does not fit.
   */
  static async open(
    path: string,
    policy: DtypePolicy,
    host: SessionHost = Session,
  ): Promise<Upscaler> {
    return new Upscaler(compileUpscaler(await openWeights(path), policy), policy.device, host);
  }

  /** What it is. */
  get kind(): UpscalerGraphs["kind"] {
    return this.#graphs.kind;
  }

  /** How many times as wide and high a picture becomes. */
  get scale(): number {
    return this.#graphs.scale;
  }

  /**
   * Enlarges a picture, tile by tile, to the values that one run would give.
   *
   * @param tileSize The side of a tile in pixels of the enlarged picture.
   * @throws {NonFiniteError} When the arithmetic overflowed.
   * @throws {SessionError} When ONNX Runtime fails, for example for lack of memory.
   */
  async upscale(image: RgbImage, tileSize = this.#graphs.tileSize): Promise<RgbImage> {
    const { multiple, scale, steps } = this.#graphs;
    const padded = padTo(image, multiple);
    const { data, dims } = tensorFromImage(padded);
    // From -1…1 to 0…1, and back.
    const unit = tensor(data.map((value) => (value + 1) / 2), dims);
    const place = { tileSize, device: this.#device, host: this.#host };
    const enlarged = await runInTiles(steps, unit, place);
    if (!isFiniteTensor(enlarged)) throw new NonFiniteError("vae");
    const whole = imageFromTensor(
      tensor(enlarged.data.map((value) => 2 * value - 1), enlarged.dims),
    );
    return cropTo(whole, image.width * scale, image.height * scale);
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
