import { RequestError } from "../errors.ts";

/** How strongly the prompt pulls, and when. */
export interface GuidanceOptions {
  /**
   * How far to go from the unconditional velocity to the conditional one and beyond, 0 or more:
   * 0 ignores the prompt, 1 ignores the negative prompt.
   */
  readonly guidanceScale: number;

  /**
   * The time from which on the conditional velocity is used alone, in the model's time (0 = noise,
   * 1 = image). Anything above 1 means never.
   *
   * @default {100}
   */
  readonly cfgTrunc?: number | undefined;

  /**
   * The norm that the guided velocity may have at most, as a multiple of the conditional one's,
   * 0 or more; 0 sets no limit.
   *
   * @default {1}
   */
  readonly renormCfg?: number | undefined;
}

const DEFAULT_CFG_TRUNC = 100;
const DEFAULT_RENORM_CFG = 1;

/**
 * Classifier-free guidance for one sample: u + scale·(c − u), brought down to `renormCfg`·‖c‖ where
 * it is longer. The norm is over all values given: channels, rows and columns of the one sample.
 *
 * The maths is `NextDiT.forward_with_cfg` of the NewBie repository, with one difference: where the
 * guided velocity is zero everywhere it stays zero, and is not divided by its norm. Truncation in
 * time is the business of {@linkcode needsUnconditional}.
 *
 * @param conditional c, the velocity with the prompt.
 * @param unconditional u, the velocity with the negative prompt; as many values as `conditional`.
 * @param options The scale and the limit of the norm.
 * @returns The guided velocity, in an array of its own.
 * @throws {RequestError} When an option is out of range.
 * @throws {RangeError} When the two velocities differ in length.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const conditional = Float32Array.of(3, 4);
 * const unconditional = Float32Array.of(3, 0);
 * // Unlimited, the guided velocity is (3, 8); ‖(3, 4)‖ = 5 is the most that renormCfg 1 allows.
 * const guided = combineGuidance(conditional, unconditional, { guidanceScale: 2 });
 * assert.ok(Math.abs(Math.hypot(...guided) - 5) < 1e-5);
 * ```
 */
export function combineGuidance(
  conditional: Float32Array,
  unconditional: Float32Array,
  options: GuidanceOptions,
): Float32Array {
  const { guidanceScale, renormCfg } = checked(options);
  if (conditional.length !== unconditional.length) {
    throw new RangeError(
      `The conditional velocity has ${conditional.length} values and the unconditional one ` +
        `${unconditional.length}; expected as many.`,
    );
  }
  const guided = new Float32Array(conditional.length);
  for (let i = 0; i < guided.length; i++) {
    const c = conditional[i]!;
    const u = unconditional[i]!;
    // u + (c − u) need not give back c in floating point.
    guided[i] = guidanceScale === 1 ? c : u + guidanceScale * (c - u);
  }
  if (renormCfg === 0) return guided;

  const norm = euclideanNorm(guided);
  const limit = renormCfg * euclideanNorm(conditional);
  if (norm > limit) {
    const factor = limit / norm;
    for (let i = 0; i < guided.length; i++) guided[i]! *= factor;
  }
  return guided;
}

/**
 * Whether guidance at this time needs the unconditional velocity. If not, the guided velocity is
 * the conditional one, exactly, and the model need not be asked a second time.
 *
 * That is so from `cfgTrunc` on, and for guidance 1, unless a `renormCfg` below 1 would shorten the
 * conditional velocity itself.
 *
 * @param timestep The model's time, 0 = noise, 1 = image.
 * @param options The guidance.
 * @returns Whether {@linkcode combineGuidance} is called for.
 * @throws {RequestError} When an option is out of range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const guidance = { guidanceScale: 5, cfgTrunc: 0.5 };
 * assert.ok(needsUnconditional(0.25, guidance));
 * assert.ok(!needsUnconditional(0.5, guidance));
 * ```
 */
export function needsUnconditional(timestep: number, options: GuidanceOptions): boolean {
  const { guidanceScale, cfgTrunc, renormCfg } = checked(options);
  if (timestep >= cfgTrunc) return false;
  const shortens = renormCfg > 0 && renormCfg < 1;
  return guidanceScale !== 1 || shortens;
}

function checked(options: GuidanceOptions): Record<keyof GuidanceOptions, number> {
  const {
    guidanceScale,
    cfgTrunc = DEFAULT_CFG_TRUNC,
    renormCfg = DEFAULT_RENORM_CFG,
  } = options;
  if (!(Number.isFinite(guidanceScale) && guidanceScale >= 0)) {
    throw new RequestError(
      `guidanceScale is ${guidanceScale}; expected a finite number of 0 or more (5 is usual, ` +
        `1 switches guidance off).`,
      {
        zh: `guidanceScale 是 ${guidanceScale}；应为不小于 0 的有限数（常用 5，1 表示关闭引导）。`,
      },
    );
  }
  if (typeof cfgTrunc !== "number" || Number.isNaN(cfgTrunc)) {
    throw new RequestError(
      `cfgTrunc is ${cfgTrunc}; expected the time from which on guidance is switched off ` +
        `(0 is noise, 1 is the image, anything above 1 means never).`,
      {
        zh:
          `cfgTrunc 是 ${cfgTrunc}；应为从何时起关闭引导的时间（0 是噪声，1 是图像，大于 1 表示从不）。`,
      },
    );
  }
  if (!(Number.isFinite(renormCfg) && renormCfg >= 0)) {
    throw new RequestError(
      `renormCfg is ${renormCfg}; expected a finite number of 0 or more (1 is usual, 0 sets no ` +
        `limit).`,
      { zh: `renormCfg 是 ${renormCfg}；应为不小于 0 的有限数（常用 1，0 表示不设上限）。` },
    );
  }
  return { guidanceScale, cfgTrunc, renormCfg };
}

function euclideanNorm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}
