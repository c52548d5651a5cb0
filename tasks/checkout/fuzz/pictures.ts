/** Pictures of every format that is read, damaged anywhere. */
import { decodePicture, encodePictureAs, readPictureText } from "../../../src/image/mod.ts";
import { readForeignRecipe, readRecipe } from "../../../src/recipe/mod.ts";
import { mutateBytes } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const SIDE = 16;
const FORMATS = ["png", "jpeg", "webp", "avif"] as const;
const TEXT = {
  parameters: "1girl, 初音ミク\nNegative prompt: blurry\nSteps: 20, Seed: 1, Size: 16x16",
  Comment: '{"prompt": "1girl", "steps": 28, "seed": 7}',
};
/** Pixels take longer than texts. */
const DECODE_EVERY = 8;

/** Each has to give its texts, or to be told to be damaged; and the same of its pixels. */
export async function pictures(): Promise<FuzzCase> {
  const image = { data: new Uint8ClampedArray(3 * SIDE * SIDE), width: SIDE, height: SIDE };
  const files = await Promise.all(
    FORMATS.map((format) => encodePictureAs(image, format, { text: TEXT })),
  );
  return async (dice) => {
    const bytes = mutateBytes(dice.pick(files), dice);
    switch (dice.roll(DECODE_EVERY)) {
      case 0:
        await decodePicture(bytes);
        break;
      case 1:
        readRecipe(bytes);
        break;
      default:
        readForeignRecipe(readPictureText(bytes).text);
    }
  };
}
