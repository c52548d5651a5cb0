/** A mask as what was done to it, one step after another. */

/** One thing that was done to a mask. */
export type MaskStep =
  | {
    readonly kind: "paint" | "erase";
    /** x, y and the brush's width, again and again, in pixels of the picture. */
    readonly points: readonly number[];
  }
  | { readonly kind: "invert" | "clear" };

/** Where a picture is drawn anew. */
export interface Mask {
  /** A mask that the server has, under the steps: white where it is drawn anew. */
  readonly base?: string;
  readonly steps: readonly MaskStep[];
}
