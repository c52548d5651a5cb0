/** What is said of a picture that another program made, before a new one is drawn from it. */
import type { ForeignRecipe } from "../../src/recipe/mod.ts";
import { type AskedSettings, RANDOM_SEED } from "../../src/settings/mod.ts";
import { shown } from "../../src/shown.ts";
import type { Language, Texts } from "../../src/language.ts";

/** How many of the things that are left are named. */
const MOST_NAMED = 12;
const LONGEST_VALUE = 60;
/** Of a prompt, so many characters and lines are shown. */
const LONGEST_PROMPT = 4000;
const MOST_LINES = 60;

interface Words {
  readonly head: (path: string, program: string, taken: string) => string;
  readonly left: (names: string, more: number) => string;
  readonly prompt: string;
  readonly negative: string;
  readonly rest: (characters: number) => string;
  readonly between: string;
  readonly names: {
    readonly seed: string;
    readonly steps: string;
    readonly guidance: string;
    readonly sampler: string;
    readonly size: string;
  };
}

const WORDS: Texts<Words> = {
  en: {
    head: (path, program, taken) =>
      `${path} was made by ${program} or its kin. Another model draws a new picture from it` +
      `${taken === "" ? "" : `, with ${taken}`}.`,
    left: (names, more) => `Not taken over: ${names}${more === 0 ? "" : `; and ${more} more`}.`,
    prompt: "Its prompt:",
    negative: "Its negative prompt:",
    rest: (characters) => `… and ${characters} more characters`,
    between: ", ",
    names: {
      seed: "seed",
      steps: "steps",
      guidance: "guidance",
      sampler: "sampler",
      size: "size",
    },
  },
  zh: {
    head: (path, program, taken) =>
      `${path} 由 ${program} 一类程序生成。将由另一个模型据此生成新图片` +
      `${taken === "" ? "" : `，沿用${taken}`}。`,
    left: (names, more) => `未能沿用：${names}${more === 0 ? "" : `；另有 ${more} 项`}。`,
    prompt: "它的提示词：",
    negative: "它的反向提示词：",
    rest: (characters) => `……另有 ${characters} 个字符`,
    between: "、",
    names: {
      seed: "种子",
      steps: "步数",
      guidance: "引导强度",
      sampler: "采样器",
      size: "尺寸",
    },
  },
};

/**
 * Lines that say what is taken over from another program's picture, what is not, and its prompts.
 *
 * @param asked What is not taken over, since it was asked for otherwise.
 */
export function foreignReport(
  path: string,
  recipe: ForeignRecipe,
  language: Language,
  asked: AskedSettings = {},
): readonly string[] {
  const { program, settings, left } = recipe;
  const { prompt, negativePrompt, numInferenceSteps, guidanceScale, width, height } = settings;
  const { generator: { seed } = {}, scheduler: { name: sampler } = {} } = settings;
  const words = WORDS[language];
  const { names } = words;
  const isOwn = (key: keyof AskedSettings) => asked[key] === undefined;
  const taken = [
    ...(seed === undefined || seed === RANDOM_SEED || !isOwn("generator")
      ? []
      : [`${names.seed} ${seed}`]),
    ...(width === undefined || !isOwn("width") || !isOwn("height")
      ? []
      : [`${names.size} ${width}×${height}`]),
    ...(numInferenceSteps === undefined || !isOwn("numInferenceSteps")
      ? []
      : [`${names.steps} ${numInferenceSteps}`]),
    ...(guidanceScale === undefined || !isOwn("guidanceScale")
      ? []
      : [`${names.guidance} ${guidanceScale}`]),
    ...(sampler === undefined || !isOwn("scheduler") ? [] : [`${names.sampler} ${sampler}`]),
  ];
  const named = left.slice(0, MOST_NAMED).map(({ name, value }) =>
    `${shown(name)} "${shown(value, LONGEST_VALUE)}"`
  );
  return [
    words.head(path, program, taken.join(words.between)),
    ...(left.length === 0 ? [] : [words.left(named.join("; "), left.length - named.length)]),
    ...(prompt === undefined ? [] : [words.prompt, ...linesOf(prompt, words)]),
    ...(negativePrompt === undefined ? [] : [words.negative, ...linesOf(negativePrompt, words)]),
  ];
}

/** A prompt's lines; of one that would fill the terminal the first, and how much there is besides. */
function linesOf(prompt: string, { rest }: Words): readonly string[] {
  const kept = prompt.slice(0, LONGEST_PROMPT).split(/\r?\n/).slice(0, MOST_LINES);
  const more = prompt.length - kept.join("\n").length;
  return prompt.length <= LONGEST_PROMPT && prompt.split("\n").length <= MOST_LINES
    ? kept
    : [...kept, rest(more)];
}
