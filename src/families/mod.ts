/**
 * The model families that the toolkit knows.
 *
 * @module
 */
import { NEWBIE } from "./newbie.ts";
import type { ModelFamily } from "./types.ts";

export { type EachPart, PART_NAMES, type PartName, PARTS, partWords } from "./parts.ts";
export { NEWBIE };
export type {
  DecoderKind,
  Encoder,
  ModelFamily,
  Network,
  PartShape,
  PublishedPart,
} from "./types.ts";

/** All families; where files could be several's, the first is meant. */
export const FAMILIES: readonly ModelFamily[] = [NEWBIE];
