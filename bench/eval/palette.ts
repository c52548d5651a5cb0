/**
 * The tones that colours' names stand for, which the checker compares with: a thing in the light, then
 * the same in shadow. They are those of training/drawing/palette.py.
 *
 * @module
 */

/** 0xRRGGBB. */
export type Rgb = number;

/** The tones of each value of an attribute. */
export type Tones = Readonly<Record<string, readonly Rgb[]>>;

/** Hair. */
export const HAIR = {
  black: [0x3c3b49, 0x272631],
  brown: [0x744426, 0x532d19],
  blonde: [0xfadc78, 0xe9b050],
  red: [0xc92b36, 0x94192e],
  pink: [0xf8a4c2, 0xdd7aa4],
  purple: [0x9160c8, 0x6b429e],
  blue: [0x4881dc, 0x325cb4],
  green: [0x5db56b, 0x3e8a54],
  white: [0xf1f2f8, 0xc4c9db],
  orange: [0xf48b38, 0xcc6426],
} as const satisfies Tones;

/** Irises, from the top to the lower rim. */
export const EYES = {
  blue: [0x1b3a9c, 0x3a7cf0, 0x9adcff],
  green: [0x0f5a38, 0x28ae5e, 0xaaf2b0],
  red: [0x780c20, 0xdc2438, 0xff9c8c],
  brown: [0x40200f, 0x8c502a, 0xdca66e],
  purple: [0x441a82, 0x8c46da, 0xdab0ff],
  yellow: [0x925a04, 0xf4b41c, 0xfff48c],
} as const satisfies Tones;

/** Skin. */
export const SKIN = {
  fair: [0xffe6d8, 0xf7bfab],
  tan: [0xebb68e, 0xd08f69],
  dark: [0xb98560, 0x946245],
} as const satisfies Tones;

/** Cloth of a colour that a tag names. */
export const CLOTH = {
  red: [0xda3a46, 0xae2443],
  blue: [0x3c70d4, 0x2d5cab],
  green: [0x41a460, 0x39784c],
  yellow: [0xf6cc3c, 0xd99518],
  purple: [0x8e58c6, 0x6538a5],
  pink: [0xf79dbe, 0xdf4d97],
  white: [0xf6f6fa, 0xaba8cc],
  black: [0x383844, 0x22222c],
} as const satisfies Tones;

/** Trousers and shorts, which no tag of a colour names. */
export const TROUSERS: readonly Rgb[] = [0x6b6f80, 0x565468];

/** Leather and black shoes. */
export const SHOES: readonly Rgb[] = [0x6a4030, 0x562e30, 0x383844, 0x22222c];

/** What blushing adds to skin. */
export const BLUSH: Rgb = 0xff5e6c;

/** Straw, the colour of straw hats. */
export const STRAW: readonly Rgb[] = [0xefd69a, 0xd39e5a];

/** The inside of a cat's ear, and what shadow adds to it. */
export const EAR_INSIDE: Rgb = 0xffb3bc;
export const EAR_SHADOW: Rgb = 0xc04868;

/** What paler styles mix into every colour. */
export const PAPER: Rgb = 0xfffafc;

/** `first` with that share of `second` in it. */
export function mix(first: Rgb, second: Rgb, share: number): Rgb {
  return [16, 8, 0].reduce((color, shift) => {
    const from = first >> shift & 255;
    const to = second >> shift & 255;
    return color | Math.round(from + (to - from) * share) << shift;
  }, 0);
}
