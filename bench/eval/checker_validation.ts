/**
 * How often the checker errs on pictures that are known to be right.
 *
 * @module
 */
import * as z from "zod";
import type { RgbImage } from "../../src/image/mod.ts";
import { type Attribute, ATTRIBUTES, POSITIONS } from "./attributes.ts";
import { measureCharacters } from "./checker.ts";
import type { EvalScene } from "./eval_set.ts";
import { score } from "./metrics.ts";

/** Where the errors on all scenes are recorded. */
export const CHECKER_VALIDATION = "bench/eval/checker_validation.json";

/** What bench/eval/validate_checker.ts records. */
export interface CheckerValidation {
  /** On pictures as they were drawn. */
  readonly clean: CheckerErrors;
  /** On the same, blurred, noisy, and with shifted colours. */
  readonly degraded: CheckerErrors;
}

/** Errors on a set of pictures. */
export interface CheckerErrors {
  readonly characters: number;
  /** The share of measurements that are wrong, or that could not be made. */
  readonly error: number;
  /** The misbinding that the checker would report, though there is none. */
  readonly misbinding: number;
  readonly perAttribute: { readonly [Name in Attribute]: { wrong: number; unknown: number } };
}

/** Measures pictures of scenes as they should look. */
export function checkerErrors(
  scenes: readonly EvalScene[],
  pictures: readonly RgbImage[],
): CheckerErrors {
  const samples = pictures.map((picture, index) => ({
    truth: scenes[index]!.truth,
    measured: measureCharacters(picture),
  }));
  const found = samples.flatMap(({ truth, measured }) =>
    POSITIONS.map((place) => ({ truth: truth[place], measured: measured[place] }))
  );
  const { attributeAccuracy, misbinding, characters } = score(samples);
  return {
    characters,
    error: 1 - attributeAccuracy,
    misbinding,
    perAttribute: Object.fromEntries(ATTRIBUTES.map((name) => {
      const values = found.map(({ truth, measured }) => [truth[name], measured[name]] as const);
      const unknown = values.filter(([, value]) => value === undefined).length;
      const different = values.filter(([right, value]) => value !== right).length;
      return [name, { wrong: different - unknown, unknown }];
    })) as CheckerErrors["perAttribute"],
  };
}

const counts = z.object({ wrong: z.int(), unknown: z.int() });
const errors = z.object({
  characters: z.int(),
  error: z.number(),
  misbinding: z.number(),
  perAttribute: z.object({
    hair: counts,
    eyes: counts,
    clothing: counts,
    skin: counts,
    cat_ears: counts,
    glasses: counts,
    hat: counts,
  }),
});
const validation = z.object({ clean: errors, degraded: errors });

/** The recorded errors on all scenes. */
export async function readCheckerValidation(): Promise<CheckerValidation> {
  return validation.parse(JSON.parse(await Deno.readTextFile(CHECKER_VALIDATION)));
}
