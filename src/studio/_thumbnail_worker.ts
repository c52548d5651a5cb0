/** The thread of {@linkcode Thumbnailer}. */
import { explainError } from "../errors.ts";
import { decodePicture, encodePictureAs, shrink } from "../image/mod.ts";
import type { ThumbnailAnswer } from "./_thumbnailer.ts";

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ id: number; bytes: Uint8Array }>) => void;
  postMessage: (message: ThumbnailAnswer, transfer?: Transferable[]) => void;
};

/** The longest side, in pixels: sharp on screens with two of them to a pixel of the page. */
const LONGEST_SIDE = 384;

scope.onmessage = async ({ data: { id, bytes } }) => {
  try {
    const { image } = await decodePicture(bytes);
    const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
    const size = (side: number) => Math.max(1, Math.round(side * scale));
    const small = scale === 1 ? image : shrink(image, size(image.width), size(image.height));
    const file = new Uint8Array(await encodePictureAs(small, "webp"));
    scope.postMessage({ id, small: file }, [file.buffer]);
  } catch (error) {
    scope.postMessage({
      id,
      problem: { en: explainError(error, "en"), zh: explainError(error, "zh") },
    });
  }
};
