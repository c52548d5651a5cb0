/** The thread of {@linkcode PictureThread}. */
import { explainError, RequestError } from "../errors.ts";
import { decodePicture, encodePictureAs, flattened, shrink, WHITE } from "../image/mod.ts";
import { filledPicture } from "./filled_picture.ts";
import { madeMask } from "./made_mask.ts";
import type { PictureAnswer, PictureWork } from "./picture_thread.ts";
import { resizePicture } from "./resize_picture.ts";

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<PictureWork>) => void;
  postMessage: (message: PictureAnswer, transfer?: Transferable[]) => void;
};

/** The longest side of a thumbnail, in pixels: sharp on screens with two of them to a pixel of the page. */
const LONGEST_SIDE = 384;

scope.onmessage = async ({ data: work }) => {
  const { id } = work;
  try {
    if (work.kind === "measure") {
      const { image, alpha, format } = await decodePicture(work.bytes);
      const { width, height } = image;
      return scope.postMessage({
        id,
        measure: { width, height, format, isTransparent: alpha !== undefined },
      });
    }
    const file = work.kind === "resize"
      ? await resizePicture(work.bytes, work.options)
      : work.kind === "mask"
      ? await madeMask(work.bytes, work.options)
      : work.kind === "fill"
      ? await filledPicture(work.bytes, work.mask)
      : await thumbnail(work.bytes);
    scope.postMessage({ id, file }, [file.buffer]);
  } catch (error) {
    scope.postMessage({
      id,
      problem: { en: explainError(error, "en"), zh: explainError(error, "zh") },
      isRequest: error instanceof RequestError,
    });
  }
};

async function thumbnail(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const image = flattened(await decodePicture(bytes), WHITE);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
  const size = (side: number) => Math.max(1, Math.round(side * scale));
  const small = scale === 1 ? image : shrink(image, size(image.width), size(image.height));
  return new Uint8Array(await encodePictureAs(small, "webp"));
}
