/**
 * Does XML bind attributes to the right character?
 *
 * @module
 */
import { NewBieError } from "../../src/errors.ts";
import { type RgbImage, shrink } from "../../src/image/mod.ts";
import { measureCharacters } from "./checker.ts";
import {
  type CheckerErrors,
  checkerErrors,
  type CheckerValidation,
  readCheckerValidation,
} from "./checker_validation.ts";
import {
  type Consistency,
  type ConsistencyScore,
  measureConsistency,
  scoreConsistency,
  type TwoSided,
} from "./consistency.ts";
import {
  type EvalScene,
  PROMPT_KINDS,
  type PromptKind,
  readEvalSet,
  readGroundTruth,
} from "./eval_set.ts";
import { type Sample, type Score, score } from "./metrics.ts";
import type { PictureSource } from "./pictures.ts";

/** The checker's largest error on pictures that are known to be right: with more it has to be mended. */
const CHECKER_ERROR_BOUND = 0.02;
/** How many pictures are shown, and their width and height there. */
export const SHOWN_PICTURES = 48;
const SHOWN_SIZE = 160;
/** How many scenes are also drawn from prompts that say nothing of looks. */
const UNSAID_SCENES = 100;

/** The scores of both kinds of prompts. */
export interface Scores {
  readonly xml: Score;
  readonly tags: Score & {
    /** Those that go through the characters one after the other. */
    readonly ordered: Score;
    /** Those in no order at all: not even a person could say whose an attribute is. */
    readonly unordered: Score;
  };
}

/** The outcome of an evaluation. */
export interface Evaluation extends Scores {
  /** The share of the checker's measurements that are wrong, on all scenes as they should look. */
  readonly checkerError: number;
  readonly checker: {
    /** On all scenes, as recorded. */
    readonly recorded: CheckerErrors;
    /** On those in the repository, now. */
    readonly now: CheckerErrors;
  };
  /** How often what no prompt named is one choice; and what the same measure says of drawn pictures. */
  readonly unsaid: {
    readonly made: { readonly [Name in TwoSided]: ConsistencyScore };
    readonly groundTruth: { readonly [Name in TwoSided]: ConsistencyScore };
  };
}

/** How far an evaluation is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/**
 * Measures a picture for each prompt of each scene.
 *
 * @param shown Receives the first pictures made from XML, small.
 * @throws {NewBieError} When the checker itself errs too often.
 */
export async function evaluate(
  scenes: readonly EvalScene[],
  source: PictureSource,
  options: {
    readonly onProgress?: (progress: Progress) => void;
    readonly shown?: RgbImage[];
  } = {},
): Promise<Evaluation> {
  const checker = await checkChecker();
  const samples: Record<PromptKind, Sample[]> = { xml: [], tags: [] };
  const unsaid: Consistency[] = [];
  for (const [index, scene] of scenes.entries()) {
    for (const kind of PROMPT_KINDS) {
      const picture = await source.picture(scene, kind);
      samples[kind].push({ truth: scene.truth, measured: measureCharacters(picture) });
      if (kind === "xml" && index < SHOWN_PICTURES) {
        options.shown?.push(shrink(picture, SHOWN_SIZE, SHOWN_SIZE));
      }
    }
    if (index < UNSAID_SCENES) {
      unsaid.push(...measureConsistency(await source.picture(scene, "unsaid")));
    }
    options.onProgress?.({ done: index + 1, total: scenes.length });
  }
  return {
    ...scoresOf(scenes, samples),
    checkerError: checker.recorded.error,
    checker,
    unsaid: {
      made: scoreConsistency(unsaid),
      groundTruth: scoreConsistency((await readGroundTruth()).flatMap(measureConsistency)),
    },
  };
}

/** The scores of samples that are in the order of their scenes. */
function scoresOf(
  scenes: readonly EvalScene[],
  { xml, tags }: Record<PromptKind, readonly Sample[]>,
): Scores {
  return {
    xml: score(xml),
    tags: {
      ...score(tags),
      ordered: score(tags.filter((_, index) => scenes[index]!.ordered)),
      unordered: score(tags.filter((_, index) => !scenes[index]!.ordered)),
    },
  };
}

async function checkChecker(): Promise<Evaluation["checker"]> {
  const now = checkerErrors(await readEvalSet(), await readGroundTruth());
  if (now.error > CHECKER_ERROR_BOUND) {
    throw new NewBieError(
      `The checker errs on ${(100 * now.error).toFixed(1)} % of what bench/eval/ground_truth.png ` +
        `shows, more than ${100 * CHECKER_ERROR_BOUND} %: its measurements mean nothing.`,
      {
        zh: `检查器对 bench/eval/ground_truth.png 的误差为 ${(100 * now.error).toFixed(1)} %，` +
          `超过 ${100 * CHECKER_ERROR_BOUND} %：测量结果没有意义。`,
      },
    );
  }
  const recorded: CheckerValidation = await readCheckerValidation();
  return { recorded: recorded.clean, now };
}
