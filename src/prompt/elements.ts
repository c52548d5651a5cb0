/**
 * The elements that the model was trained on, in the order in which upstream writes them: the one list
 * that the checks, the completion and the sorting of tags go by.
 *
 * @module
 */

/**
 * Of a character. README of NewBieAI-Lab/NewBie-image-Exp0.1, "XML structured prompt": `n`, `gender`,
 * `appearance`, `clothing`, `expression`, `action`, `position`. `body_type` and `interaction` are
 * from the prompt builders that the community uses with the model (ComfyUI's NewBie nodes).
 */
export const CHARACTER_ELEMENTS = [
  "n",
  "gender",
  "appearance",
  "clothing",
  "body_type",
  "expression",
  "action",
  "interaction",
  "position",
] as const;

/**
 * Of the picture. The same README: `count`, `style`, `background`, `atmosphere`, `quality`,
 * `objects`, `other`; the rest from the prompt builders, which also write `caption` beside
 * `general_tags`.
 */
export const GENERAL_ELEMENTS = [
  "count",
  "artist",
  "artists",
  "style",
  "background",
  "environment",
  "perspective",
  "atmosphere",
  "lighting",
  "quality",
  "resolution",
  "objects",
  "other",
  "caption",
  // The builders write these here as well as in a character.
  "body_type",
  "interaction",
  "extra_tags",
] as const;

/** The name of an element that holds tags. */
export type ElementName = typeof CHARACTER_ELEMENTS[number] | typeof GENERAL_ELEMENTS[number];
