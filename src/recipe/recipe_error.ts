import { RequestError } from "../errors.ts";
import type { Language, Texts } from "../language.ts";
import { shown } from "../shown.ts";

/** Why a picture's recipe cannot be used. */
export type RecipeProblem =
  /** There is none, of no program. */
  | { readonly kind: "none" }
  /** A later version of the toolkit wrote it. */
  | { readonly kind: "newer"; readonly version: number; readonly known: number }
  /** It does not say what it should. */
  | {
    readonly kind: "damaged";
    readonly details: readonly string[];
    /** The same in Chinese. */
    readonly chinese: readonly string[];
  }
  /** There is only what programs of that kind write. */
  | {
    readonly kind: "foreign";
    readonly program: "AUTOMATIC1111" | "ComfyUI";
    /** What it says, by that program's names; `Prompt` and `Negative prompt` too. */
    readonly parameters: Readonly<Record<string, string>>;
    /** Which names would be needed besides. */
    readonly missing: readonly string[];
  };

type Explanations = {
  readonly [Kind in RecipeProblem["kind"]]: (
    problem: Extract<RecipeProblem, { kind: Kind }>,
  ) => string;
};

const explanations: Texts<Explanations> = {
  en: {
    none: () =>
      "This picture carries no recipe. Pictures have one as `deno task create` writes them; image " +
      "editors, messengers and screenshots leave it out. Give the original file.",
    newer: ({ version, known }) =>
      `This picture's recipe has version ${version}, and this toolkit knows versions up to ` +
      `${known}. Use the toolkit that made it, or a later one.`,
    damaged: ({ details }) =>
      `This picture's recipe is damaged: ${details.join("; ")}. Give the original file.`,
    foreign: ({ program, parameters, missing }) =>
      `This picture carries no recipe of this toolkit, only what ${program} and its kin write` +
      `${told(parameters, " (", ", ", ")")}. ` +
      (missing.length > 0 ? `To make it again is missing: ${missing.join(", ")}. ` : "") +
      "Make a new picture from its prompt instead, with --prompt.",
  },
  zh: {
    none: () =>
      "这张图片不含配方。`deno task create` 写出的图片才有配方；图像编辑器、聊天软件和截图都会丢掉它。" +
      "请使用原始文件。",
    newer: ({ version, known }) =>
      `这张图片的配方是第 ${version} 版，而本工具箱最高只认识第 ${known} 版。` +
      "请使用生成它的工具箱，或更新的版本。",
    damaged: ({ chinese }) => `这张图片的配方已损坏：${chinese.join("；")}。请使用原始文件。`,
    foreign: ({ program, parameters, missing }) =>
      `这张图片没有本工具箱的配方，只有 ${program} 一类程序写入的信息` +
      `${told(parameters, "（", "，", "）")}。` +
      (missing.length > 0 ? `要重新生成它，还缺少：${missing.join("、")}。` : "") +
      "请改用 --prompt，用它的提示词生成新图片。",
  },
};

/** Parameters that tell most people enough. */
const TELLING = ["Steps", "Sampler", "CFG scale", "Seed", "Size", "Model"];

function told(
  parameters: Readonly<Record<string, string>>,
  before: string,
  between: string,
  after: string,
): string {
  const parts = TELLING.flatMap((name) => {
    const value = parameters[name];
    return value === undefined ? [] : [`${name}: ${shown(value)}`];
  });
  return parts.length === 0 ? "" : before + parts.join(between) + after;
}

/** A picture's recipe cannot be used. */
export class RecipeError extends RequestError {
  override name = "RecipeError";
  readonly problem: RecipeProblem;

  constructor(problem: RecipeProblem, options?: ErrorOptions) {
    super({ en: explain(problem, "en"), zh: explain(problem, "zh") }, options);
    this.problem = problem;
  }
}

function explain(problem: RecipeProblem, language: Language): string {
  const texts = explanations[language];
  switch (problem.kind) {
    case "none":
      return texts.none(problem);
    case "newer":
      return texts.newer(problem);
    case "damaged":
      return texts.damaged(problem);
    case "foreign":
      return texts.foreign(problem);
  }
}
