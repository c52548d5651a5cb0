/** What is said of tags, in both languages. */
import type { Texts } from "../language.ts";

export const TEXTS = {
  unknownForm: {
    en: "its form does not say what it is about",
    zh: "从写法看不出它描述的是什么",
  },
  whose: (characters: number): Texts<string> => ({
    en: `The list does not say which of the ${characters} characters these belong to. Put each ` +
      "character's tags after its 1girl or 1boy, or after left and right, or separate them with | " +
      "or an empty line.",
    zh:
      `列表没有说明这些标签属于 ${characters} 个角色中的哪一个。请把每个角色的标签写在各自的 1girl 或 1boy 之后，` +
      "或写在 left、right 之后，或用 | 或空行隔开。",
  }),
} as const;
