/** The pixels that a drawn picture takes from the given one, outside of its mask. */
import { imageFromTensor, pasteOutside, resizeImage, type RgbImage } from "../image/mod.ts";
import type { Settings } from "../settings/mod.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { sampleOf } from "./_batches.ts";
import type { GivenPictures } from "./_given_pictures.ts";
import { DRAWN } from "./_picture_start.ts";

/** Width and height in pixels, or in latents. */
interface Size {
  readonly width: number;
  readonly height: number;
}

/** What stays outside of the masks of a call's pictures. */
interface Outside {
  /** The pictures that are pasted there, by their number in the call. */
  readonly originalOf: (index: number) => RgbImage;
  /** [1 or pictures, 1, H, W], 0…1. */
  readonly mask: Tensor;
  /** Whether any grey is inside, and not what is at least half white alone. */
  readonly isDifferential: boolean;
  /** Pixels over which both fade into each other. */
  readonly blur: number;
  /** How many pictures the call draws. */
  readonly count: number;
}

/** Pastes the given pictures' pixels outside of their masks. */
export class Overlay {
  readonly #outside: Outside;

  private constructor(outside: Outside) {
    this.#outside = outside;
  }

  /** Undefined where there is no mask, or nothing is to be pasted. */
  static of(
    pictures: GivenPictures | undefined,
    { overlay, differentialMask, maskBlur }: Pick<
      Settings,
      "overlay" | "differentialMask" | "maskBlur"
    >,
    count: number,
  ): Overlay | undefined {
    if (pictures?.mask === undefined || overlay !== "original") return undefined;
    const { image, mask } = pictures;
    return new Overlay({
      originalOf: (index) => imageFromTensor(sampleOf("image", image, index, count)),
      mask,
      isDifferential: differentialMask ?? false,
      blur: maskBlur ?? 0,
      count,
    });
  }

  /** One of the call's drawn pictures, with the original's pixels outside of its mask. */
  paste(drawn: RgbImage, index: number): RgbImage {
    const { originalOf, mask, isDifferential, blur, count } = this.#outside;
    const { data } = sampleOf("maskImage", mask, index, count);
    const inside = isDifferential ? data : data.map((value) => Number(value >= DRAWN));
    return pasteOutside(drawn, originalOf(index), inside, { blur });
  }

  /**
   * The same for larger pictures.
   *
   * @param images The given pictures at that size; without them a filter enlarges.
   */
  enlarged(size: Size, images: readonly RgbImage[] | undefined): Overlay {
    const { originalOf, mask, blur } = this.#outside;
    return new Overlay({
      ...this.#outside,
      originalOf: (index) => images?.[index] ?? resizeImage(originalOf(index), size),
      mask: resizedMask(mask, size),
      blur: Math.round(blur * size.width / mask.dims[3]!),
    });
  }
}

/** A mask [B, 1, H, W] at another size: of each place the nearest value. */
export function resizedMask({ data, dims }: Tensor, { width, height }: Size): Tensor {
  const [batch = 0, , rows = 0, columns = 0] = dims;
  const values = Float32Array.from({ length: batch * height * width }, (_, at) => {
    const [row, column] = [Math.floor(at / width) % height, at % width];
    const sample = Math.floor(at / (width * height));
    const [above, left] = [row * rows / height, column * columns / width].map(Math.floor);
    return data[(sample * rows + above!) * columns + left!]!;
  });
  return tensor(values, [batch, 1, height, width]);
}
