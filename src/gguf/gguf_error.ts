import { WeightsError } from "../weights_error.ts";

/** A GGUF file that cannot be used as it is: damaged, hostile, or with values that cannot be read. */
export class GgufError extends WeightsError {
  override name = "GgufError";
}
