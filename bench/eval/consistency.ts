/**
 * Whether what no prompt named is one choice: a colour on both sides of a character, from the pixels of
 * its picture alone.
 *
 * @module
 */
import type { RgbImage } from "../../src/image/mod.ts";
import { charactersIn, isFace } from "./checker.ts";
import { clothingColor, eyeColor, hairColor, isOpen } from "./colors.ts";
import { type Side, SIDES } from "./figure.ts";

/** What has a side to the left and a side to the right. */
export const TWO_SIDED = ["hair", "eyes", "clothing"] as const;
export type TwoSided = typeof TWO_SIDED[number];

/** Whether both sides have one colour; undefined where the colour of a side cannot be made out. */
export type Consistency = { readonly [Name in TwoSided]: boolean | undefined };

/** Measures the two characters of a picture, from left to right. */
export function measureConsistency(image: RgbImage): Consistency[] {
  const { faces, bodies, paleness } = charactersIn(image);
  return faces.map((face, index) => {
    const agree = (color: (sides: readonly Side[]) => string | undefined) => {
      const [left, right] = SIDES.map((side) => color([side]));
      return left === undefined || right === undefined ? undefined : left === right;
    };
    if (!isFace(face, paleness)) {
      return { hair: undefined, eyes: undefined, clothing: undefined };
    }
    return {
      hair: agree((sides) => hairColor(face, paleness, sides)),
      eyes: SIDES.every((side) => isOpen(face, side))
        ? agree((sides) => eyeColor(face, sides))
        : undefined,
      clothing: agree((sides) => clothingColor(bodies[index]!, face, paleness, sides)),
    };
  });
}

/** How often an attribute is one choice. */
export interface ConsistencyScore {
  /** Of the characters on which both sides could be made out: those with one colour. */
  readonly consistent: number;
  /** Of all characters: those on which a side could not: of eyes also those that are shut. */
  readonly unknown: number;
}

/** Scores characters. A share of nothing is NaN. */
export function scoreConsistency(
  characters: readonly Consistency[],
): { readonly [Name in TwoSided]: ConsistencyScore } {
  return Object.fromEntries(TWO_SIDED.map((name) => {
    const known = characters.map(({ [name]: value }) => value).filter((value) =>
      value !== undefined
    );
    return [name, {
      consistent: known.filter((value) => value).length / known.length,
      unknown: 1 - known.length / characters.length,
    }];
  })) as { [Name in TwoSided]: ConsistencyScore };
}
