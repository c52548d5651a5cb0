/** Whose numbers to draw: those of `torch.Generator("cpu")` or of `torch.Generator("cuda")`. */
export type GeneratorDevice = typeof GENERATOR_DEVICES[number];

/** All kinds of generators. */
export const GENERATOR_DEVICES = ["cpu", "cuda"] as const;

/** Which generator {@linkcode createGenerator} imitates. */
export interface GeneratorOptions {
  /**
   * An integer from −2⁶³ to 2⁶⁴ − 1, as for `torch.Generator.manual_seed`; negative ones count from
   * 2⁶⁴ downwards. Beyond 2⁵³ − 1 it must be a bigint. A CPU generator uses the low 32 bits alone.
   */
  readonly seed: number | bigint;
  /**
   * The kind of `torch.Generator`. Either works on any machine: `"cuda"` needs no GPU.
   *
   * @default {"cpu"}
   */
  readonly device?: GeneratorDevice;
  /**
   * How many multiprocessors the imitated GPU has. With `"cuda"` it changes the values of calls for
   * more than `multiProcessorCount` × `maxThreadsPerMultiProcessor` values, and of calls after
   * calls for more than four times as many.
   *
   * @default {132}
   */
  readonly multiProcessorCount?: number;
  /**
   * How many threads one multiprocessor of the imitated GPU holds: 2048 on an A100, H100, H200 or
   * B200, 1536 on a GeForce RTX 30, 40 or 50, 1024 on a T4 or RTX 20.
   *
   * @default {2048}
   */
  readonly maxThreadsPerMultiProcessor?: number;
}

/** A stream of numbers from the standard normal distribution. */
export interface Generator {
  /** The kind of `torch.Generator` it imitates. */
  readonly device: GeneratorDevice;
  /** The seed as `torch.Generator.initial_seed` reports it: from 0 to 2⁶⁴ − 1. */
  readonly seed: bigint;
  /**
   * The next `torch.randn` of `count` values, of whatever shape, in row-major order.
   *
   * @throws {RequestError} When `count` is not a number of values that can be drawn in one call.
   */
  randn(count: number): Float32Array;
  /**
   * Writes the next `torch.randn` of `out.length` values into `out`, with no memory besides.
   *
   * One call is one call of `torch.randn`: as in PyTorch, two calls for half as many values each
   * need not give the same values as one.
   *
   * @throws {RequestError} When `out` is too long to be drawn in one call.
   */
  fillNormal(out: Float32Array): void;
}
