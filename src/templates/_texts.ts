/** What is said of templates, in both languages. */
import type { Texts } from "../language.ts";

const both = (en: string, zh: string): Texts<string> => ({ en, zh });

export const TEXTS = {
  unclosed: (opening: string, closing: string) =>
    both(
      `${opening} is never closed. Close it with ${closing}, or write \\${opening[0]} for the ` +
        "character itself.",
      `${opening} 没有闭合。请用 ${closing} 闭合；若只是这个字符本身，请写作 \\${opening[0]}。`,
    ),
  variableName: both(
    "expected the name of a variable after ${: letters, digits, _ and -, such as ${hair=red_hair}. " +
      "For the character itself write \\$.",
    "${ 之后应为变量名：字母、数字、_ 和 -，例如 ${hair=red_hair}。若只是这个字符本身，请写作 \\$。",
  ),
  variableEnd: (name: string) =>
    both(
      `expected }, : or = after the variable ${name}.`,
      `变量 ${name} 之后应为 }、: 或 =。`,
    ),
  wrapEnd: both(
    "expected $$ between the wrapper and what goes into it: %{a picture of ...$$a cat}.",
    "外层与内层之间应有 $$：%{a picture of ...$$a cat}。",
  ),
  weights: both(
    "no option of this choice can be taken: all their weights are 0.",
    "这组选项全部权重为 0，无法选取。",
  ),
  tooDeep: (most: number) =>
    both(
      `choices stand more than ${most} deep inside each other. Put a part of them into a wildcard file.`,
      `选项嵌套超过 ${most} 层。请把其中一部分放进通配符文件。`,
    ),
  tooLong: (length: number, most: number) =>
    both(
      `the text has ${length} characters; at most ${most} are read.`,
      `文本有 ${length} 个字符；最多读取 ${most} 个。`,
    ),
  resultTooLong: (most: number) =>
    both(
      `what the template makes grows beyond ${most} characters.`,
      `模板展开后的文本超过 ${most} 个字符。`,
    ),
  endlessCombinations: (most: number): Texts<string> => ({
    en:
      `its combinations take more than ${most} choices. Ask for fewer of them with --count, or nest ` +
      "fewer choices in each other.",
    zh: `它的全部组合需要超过 ${most} 次选择。请用 --count 少要一些，或减少选项的嵌套。`,
  }),
  endless: (most: number) =>
    both(
      `making one prompt of the template takes more than ${most} choices. Does a wildcard use itself?`,
      `由模板生成一条提示词需要超过 ${most} 次选择。是否有通配符引用了自身？`,
    ),
  recursion: (chain: readonly string[]) =>
    both(
      `wildcards use each other without an end: ${chain.join(" → ")}.`,
      `通配符互相引用，没有尽头：${chain.join(" → ")}。`,
    ),
  variableRecursion: (name: string) =>
    both(`the variable ${name} is made of itself.`, `变量 ${name} 引用了自身。`),
  unknownVariable: (name: string) =>
    both(
      `the variable ${name} has no value here. Set it with \${${name}=…}, or give a default: \${${name}:…}.`,
      `变量 ${name} 在这里没有值。请用 \${${name}=…} 设置，或给出默认值：\${${name}:…}。`,
    ),
  unknownWildcard: (name: string, near: readonly string[], folder?: string) =>
    both(
      `there is no wildcard __${name}__` + (folder === undefined ? "." : ` in ${folder}.`) +
        (near.length === 0 ? "" : ` Did you mean ${near.map((it) => `__${it}__`).join(" or ")}?`) +
        " For the text itself write \\_\\_.",
      `${folder === undefined ? "" : `${folder} 中`}没有通配符 __${name}__。` +
        (near.length === 0 ? "" : `是否想写 ${near.map((it) => `__${it}__`).join(" 或 ")}？`) +
        "若只是文字本身，请写作 \\_\\_。",
    ),
  emptyWildcard: (name: string) =>
    both(
      `the wildcard __${name}__ is there, but its file or list holds no value. Write one a line.`,
      `通配符 __${name}__ 存在，但其文件或列表中没有任何值。请每行写一个值。`,
    ),
  nothing: both(
    "the template makes no prompt: none of its combinations has as many different options as it asks for.",
    "模板生成不了任何提示词：没有一种组合能凑齐所要求的不同选项。",
  ),
  tooMany: (most: number) =>
    both(
      `the template has more than ${most} combinations. Say with --count how many of them to take, or let ` +
        "chance choose.",
      `模板的组合超过 ${most} 种。请用 --count 指定取多少种，或改为随机选取。`,
    ),
  noFolder: (folder: string) =>
    both(
      `the folder ${folder} with the wildcards is missing.`,
      `缺少存放通配符的文件夹 ${folder}。`,
    ),
  fileTooLarge: (file: string, most: number) =>
    both(
      `${file} is too large for a wildcard file: at most ${most} bytes are read.`,
      `${file} 作为通配符文件太大：最多读取 ${most} 字节。`,
    ),
  fileUnreadable: (file: string, reason: Texts<string>) =>
    both(`${file} cannot be read: ${reason.en}.`, `无法读取 ${file}：${reason.zh}。`),
  notText: (file: string) =>
    both(
      `${file} is neither UTF-8 nor UTF-16 text. Save it as UTF-8.`,
      `${file} 不是 UTF-8 或 UTF-16 文本。请另存为 UTF-8。`,
    ),
  damaged: (file: string, reason: string) =>
    both(`${file} is damaged: ${reason}`, `${file} 已损坏：${reason}`),
  tooManyFiles: (folder: string, most: number) =>
    both(
      `${folder} holds more than ${most} wildcard files.`,
      `${folder} 中的通配符文件超过 ${most} 个。`,
    ),
} as const;
