import { WeightsError } from "../weights_error.ts";

/**
 * A weight file that cannot be used as it is: damaged, hostile, incomplete, absent, or in a dtype
 * that is not a weight's.
 */
export class SafetensorsError extends WeightsError {
  override name = "SafetensorsError";
}
