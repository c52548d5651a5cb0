/**
 * Says what two drawn characters look like, from the pixels of their picture alone.
 *
 * It knows where characters of the demo model stand, and the tones that colours' names stand for; it
 * knows nothing of prompts or of the model. training/eval_set.py draws pictures that show what is
 * right; how often the checker errs on them is in checker_validation.json.
 *
 * @module
 */
import { RequestError } from "../../src/errors.ts";
import type { RgbImage } from "../../src/image/mod.ts";
import { type MeasuredLooks, type Position, POSITIONS } from "./attributes.ts";
import { clothingColor, eyeColor, hairColor, palenessOf, skinTone } from "./colors.ts";
import { type Face, findFace } from "./face.ts";
import { Figure } from "./figure.ts";
import { hasCatEars, hasGlasses, hasHat } from "./headwear.ts";
import { toLab } from "./oklab.ts";

/** Width and height of the pictures that can be measured, in pixels. */
export const PICTURE_SIZE = 256;

/** Where a character stands from left to right, its feet, and the middle of its head. In pixels. */
const PLACES = { left: 66, right: 190 } as const satisfies Record<Position, number>;
const GROUND_Y = 248;
const HEAD_Y = 116.7;

/** Anything less like a face, or with less skin, is none. */
const FACE_SCORE = 0.2, FACE_EVENNESS = 0.6;

/** What could be made out of either character. */
export type Measurement = { readonly [Place in Position]: MeasuredLooks };

const NOTHING: MeasuredLooks = {
  hair: undefined,
  eyes: undefined,
  clothing: undefined,
  skin: undefined,
  cat_ears: undefined,
  glasses: undefined,
  hat: undefined,
};

/**
 * Measures the two characters of a picture. What cannot be made out is undefined; where there is no
 * face, that is everything.
 *
 * @param image Of {@linkcode PICTURE_SIZE} each way.
 * @throws {RequestError} When the picture has another size.
 */
export function measureCharacters(image: RgbImage): Measurement {
  const { faces, bodies, paleness } = charactersIn(image);
  const [left, right] = faces.map((face, index) => looksOf(face, bodies[index]!, paleness));
  return { left: left!, right: right! };
}

/** Where the characters are, from left to right, and how pale the picture's colours are. */
export function charactersIn(
  image: RgbImage,
): { faces: Face[]; bodies: Figure[]; paleness: readonly number[] } {
  if (image.width !== PICTURE_SIZE || image.height !== PICTURE_SIZE) {
    throw new RequestError(
      `The checker measures pictures of ${PICTURE_SIZE}×${PICTURE_SIZE}, but this one has ` +
        `${image.width}×${image.height}.`,
      {
        zh: `检查器测量 ${PICTURE_SIZE}×${PICTURE_SIZE} 的图片，但这张是 ` +
          `${image.width}×${image.height}。`,
      },
    );
  }
  const lab = toLab(image);
  const bodies = POSITIONS.map((place) => new Figure(lab, { x: PLACES[place], y: GROUND_Y }));
  const faces = POSITIONS.map((place) =>
    findFace(new Figure(lab, { x: PLACES[place], y: HEAD_Y }))
  );
  return { faces, bodies, paleness: palenessOf(bodies) };
}

/** Whether that is a face at all. */
export function isFace(face: Face, paleness: readonly number[]): boolean {
  return face.score >= FACE_SCORE && face.evenness >= FACE_EVENNESS &&
    skinTone(face, paleness) !== undefined;
}

function looksOf(face: Face, body: Figure, paleness: readonly number[]): MeasuredLooks {
  if (!isFace(face, paleness)) return NOTHING;
  const hair = hairColor(face, paleness);
  return {
    hair,
    eyes: eyeColor(face),
    clothing: clothingColor(body, face, paleness),
    skin: skinTone(face, paleness),
    cat_ears: hair === undefined ? undefined : hasCatEars(face.head, hair, paleness),
    glasses: hasGlasses(face),
    hat: hair === undefined ? undefined : hasHat(face.head, hair, paleness),
  };
}
