import { RequestError } from "../errors.ts";
import type { Language, Texts } from "../language.ts";
import { shown } from "../shown.ts";
import type { ForeignRecipe } from "./foreign_recipe.ts";

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
    /** What can be used of it. */
    readonly recipe: ForeignRecipe;
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
    foreign: ({ recipe: { program, settings: { prompt } } }) =>
      `This picture carries no recipe of this toolkit, only what ${program} and its kin write: ` +
      (prompt === undefined
        ? "no prompt could be found in it. Give one with --prompt."
        : `"${shown(prompt)}". It cannot be made again bit for bit; \`deno task create --from\` ` +
          "draws a new picture from it."),
  },
  zh: {
    none: () =>
      "这张图片不含配方。`deno task create` 写出的图片才有配方；图像编辑器、聊天软件和截图都会丢掉它。" +
      "请使用原始文件。",
    newer: ({ version, known }) =>
      `这张图片的配方是第 ${version} 版，而本工具箱最高只认识第 ${known} 版。` +
      "请使用生成它的工具箱，或更新的版本。",
    damaged: ({ chinese }) => `这张图片的配方已损坏：${chinese.join("；")}。请使用原始文件。`,
    foreign: ({ recipe: { program, settings: { prompt } } }) =>
      `这张图片没有本工具箱的配方，只有 ${program} 一类程序写入的信息：` +
      (prompt === undefined
        ? "其中找不到提示词。请用 --prompt 给出。"
        : `“${shown(prompt)}”。它无法逐位重现；` +
          "`deno task create --from` 会据此生成一张新图片。"),
  },
};

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
