import { CheckpointNotFoundError } from "./checkpoint_not_found_error.ts";

/**
 * There is nothing at the path that was given for a model or one of its parts. The request was wrong: a
 * task that meets it exits with 2.
 */
export class MissingPlaceError extends CheckpointNotFoundError {}
