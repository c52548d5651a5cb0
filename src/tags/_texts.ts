/** What is said of tags, in both languages. */
import type { Texts } from "../language.ts";

/** What a line should look like. */
const FORM = 'name,category,count,"aliases" (1girl,0,6008644,"1girls,sole_female")';

export const TEXTS = {
  unknownForm: {
    en: "its form does not say what it is about",
    zh: "从写法看不出它描述的是什么",
  },
  secondName: {
    en: "the list counts fewer characters than it names; this may be another name, or no character",
    zh: "列表所写的人数少于名字的数量；这可能是别名，或不是角色",
  },
  assumedPlace: {
    en: "the list says nothing of places, and this is the order in which it names the characters",
    zh: "列表没有说明位置，这里按角色出现的顺序从左到右排列",
  },
  whose: (characters: number): Texts<string> => ({
    en: `The list does not say which of the ${characters} characters these belong to. Put each ` +
      "character's tags after its 1girl or 1boy, or after left and right, or separate them with | " +
      "or an empty line.",
    zh:
      `列表没有说明这些标签属于 ${characters} 个角色中的哪一个。请把每个角色的标签写在各自的 1girl 或 1boy 之后，` +
      "或写在 left、right 之后，或用 | 或空行隔开。",
  }),
  unreadable: (path: string, reason: Texts<string>): Texts<string> => ({
    en: `${path} cannot be read: ${reason.en}.`,
    zh: `无法读取 ${path}：${reason.zh}。`,
  }),
  noFile: (path: string): Texts<string> => ({
    en: `${path} is no file.`,
    zh: `${path} 不是文件。`,
  }),
  tooLarge: (path: string, most: number): Texts<string> => ({
    en: `${path} is too large for a list of tags: at most ${most} bytes are read.`,
    zh: `${path} 作为标签列表太大：最多读取 ${most} 字节。`,
  }),
  notText: (path: string): Texts<string> => ({
    en: `${path} is no text in UTF-8, and so no list of tags.`,
    zh: `${path} 不是 UTF-8 文本，因此不是标签列表。`,
  }),
  utf16: (path: string): Texts<string> => ({
    en: `${path} is text in UTF-16; save it as UTF-8.`,
    zh: `${path} 是 UTF-16 文本；请另存为 UTF-8。`,
  }),
  longLine: (path: string, line: number, length: number, most: number): Texts<string> => ({
    en:
      `${path}, line ${line}: it has ${length} characters, and no line of a list of tags has more ` +
      `than ${most}. Expected a tag a line: ${FORM}.`,
    zh: `${path} 第 ${line} 行：有 ${length} 个字符，而标签列表的一行不会超过 ${most} 个。` +
      `应为每行一个标签：${FORM}。`,
  }),
  notCsv: (path: string, line: number): Texts<string> => ({
    en:
      `${path}, line ${line}: a quotation mark is never closed or closed too early, so this is no ` +
      "sound CSV.",
    zh: `${path} 第 ${line} 行：引号没有闭合，或闭合得太早，因此不是正确的 CSV。`,
  }),
  notTags: (path: string, line: number, found: string): Texts<string> => ({
    en: `${path}, line ${line}: expected ${FORM}, but found "${found}".`,
    zh: `${path} 第 ${line} 行：应为 ${FORM}，但读到 “${found}”。`,
  }),
} as const;
