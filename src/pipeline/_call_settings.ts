/** What a call of `generate` is made with: what was asked for, and a default for the rest. */
import { type GeneratorOptions, randomSeed } from "../random/mod.ts";
import type { Scheduler } from "../schedulers/mod.ts";
import {
  checkSettings,
  DEFAULT_HIRES_STRENGTH,
  DEFAULT_MASK_BLUR,
  DEFAULT_STRENGTH,
  DEFAULT_UPSCALER,
  RANDOM_SEED,
  resolveSettings,
  SETTINGS,
} from "../settings/mod.ts";
import type { GivenPictures } from "./_given_pictures.ts";
import { isList } from "./_noise.ts";
import type { CallSettings, GenerateOptions } from "./types.ts";

/** What the model decides where nobody says anything. */
export interface ModelSettings {
  readonly scheduler: Scheduler;
  readonly isDemo: boolean;
  /** Pixels. */
  readonly defaultSize: number;
  /** Pixels of a value of the latents. */
  readonly vaeScaleFactor: number;
}

/** What counts for a mask where nobody says anything. */
const MASKED = {
  differentialMask: false,
  overlay: "original",
  maskBlur: DEFAULT_MASK_BLUR,
} as const;

/** The same for drawing a second time. */
const HIRES = {
  hires: { strength: DEFAULT_HIRES_STRENGTH, upscaler: DEFAULT_UPSCALER },
} as const;

/**
 * Completes a request. Sizes, prompts and generators are checked where they are used.
 *
 * @throws {RequestError} When another setting is out of range.
 */
export function callSettings(
  options: GenerateOptions,
  { scheduler: { name, shift, schedule = "uniform" }, isDemo, defaultSize, vaeScaleFactor }:
    ModelSettings,
  pictures?: GivenPictures,
): Omit<CallSettings, "generator"> {
  const { prompt, negativePrompt: _negative, generator: _, ...rest } = options;
  const { numImagesPerPrompt = 1, ...others } = rest;
  const { negativePrompt = options.negativePromptEmbeds === undefined ? "" : undefined } = options;
  const { variation, ...unvaried } = others;
  const isRandom = variation?.strength !== undefined &&
    (variation.seed === undefined || variation.seed === RANDOM_SEED);
  const single = {
    ...unvaried,
    // Another random seed is remembered, so that the picture can be made again.
    ...(variation === undefined
      ? {}
      : { variation: isRandom ? { ...variation, seed: randomSeed() } : variation }),
    scheduler: { name, shift, schedule },
  };
  checkSettings({ ...single, width: undefined, height: undefined });
  const [, , rows, columns] = options.latents?.dims ?? [];
  const byModel = {
    height: pictures?.image.dims[2] ?? (rows === undefined ? defaultSize : rows * vaeScaleFactor),
    width: pictures?.image.dims[3] ??
      (columns === undefined ? defaultSize : columns * vaeScaleFactor),
    ...(pictures === undefined ? {} : { strength: DEFAULT_STRENGTH }),
    ...(pictures?.mask === undefined ? {} : MASKED),
    ...(options.hires?.scale === undefined ? {} : HIRES),
  };
  const { generator: _own, ...shared } = resolveSettings(single, { byModel, isDemo });
  const { prompt: _prompt, negativePrompt: _default, ...settings } = shared;
  return {
    ...settings,
    ...(prompt === undefined ? {} : { prompt }),
    ...(negativePrompt === undefined ? {} : { negativePrompt }),
    numImagesPerPrompt,
  };
}

/** The generators of a call, to be made again with: one for all pictures, or one for each. */
export function calledWith(
  generator: GenerateOptions["generator"],
  generators: readonly GeneratorOptions[],
): GeneratorOptions | readonly GeneratorOptions[] {
  const { device } = SETTINGS.generator;
  const whole = generators.map((own) => ({ device: device.default, ...own }));
  return isList(generator) ? whole : whole[0]!;
}
