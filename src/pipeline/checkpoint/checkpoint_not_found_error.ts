import { NewBieError } from "../../errors.ts";

/** No checkpoint was found, or parts of it are missing. */
export class CheckpointNotFoundError extends NewBieError {
  override name = "CheckpointNotFoundError";
}
