/**
 * What is measured of a character.
 *
 * @module
 */

/** The attributes that have a colour or a tone; the values are the names in palette.ts. */
export const COLOR_ATTRIBUTES = ["hair", "eyes", "clothing", "skin"] as const;
/** The attributes that a character has or has not. */
export const SHAPE_ATTRIBUTES = ["cat_ears", "glasses", "hat"] as const;
/** All of them, in the order of reports. */
export const ATTRIBUTES = [...COLOR_ATTRIBUTES, ...SHAPE_ATTRIBUTES] as const;

export type ColorAttribute = typeof COLOR_ATTRIBUTES[number];
export type ShapeAttribute = typeof SHAPE_ATTRIBUTES[number];
export type Attribute = typeof ATTRIBUTES[number];

/** What one character looks like. */
export type Looks =
  & { readonly [Name in ColorAttribute]: string }
  & { readonly [Name in ShapeAttribute]: boolean };

/** What could be made out of one character; undefined is what could not. */
export type MeasuredLooks = { readonly [Name in Attribute]: Looks[Name] | undefined };

/** Where the two characters of a picture stand, as the viewer sees them. */
export const POSITIONS = ["left", "right"] as const;
export type Position = typeof POSITIONS[number];
