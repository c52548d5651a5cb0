import type { Message } from "../../errors.ts";
import { inBoth } from "../../language.ts";
import { type Catalogue, TEXTS } from "./_texts.ts";
import { CheckpointNotFoundError } from "./checkpoint_not_found_error.ts";
import { MissingPlaceError } from "./missing_place_error.ts";

/** The error that says what is missing. */
export function notFound(say: (text: Catalogue) => Message): CheckpointNotFoundError {
  return new CheckpointNotFoundError(inBoth(TEXTS, say));
}

/** The error for a given path with nothing there. */
export function missingPlace(say: (text: Catalogue) => Message): MissingPlaceError {
  return new MissingPlaceError(inBoth(TEXTS, say));
}
