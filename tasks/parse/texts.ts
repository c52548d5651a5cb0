/** What `deno task parse` says. */
import { catalogue } from "../cli/language.ts";

/** In this process's language. */
export const { text: texts, both } = catalogue({
  en: {
    description:
      "Shows how a prompt is understood, or where it is wrong: its tree, the text that " +
      "the encoders read, and how many tokens that has.",
    prompt: "the prompt, @file to read one, or - for standard input",
    promptOption: "the same, as create has it",
    file: "read the prompt from a file",
    negative: "the negative prompt, @file to read one, - for standard input (default: empty)",
    model: "the folder of the model whose tokenizers count",
    toXml: "sort a flat list of tags into an XML prompt",
    assign: "with --to-xml: whose a tag is, such as blue_hair=1,black_hair=2; 0 is the picture's",
    examples: `
Examples:
  deno task parse --to-xml "1girl, blue_hair, left, 1boy, black_hair, right, beach"
  deno task parse prompt.xml            a file's name is no prompt: it is read as text
  deno task parse @prompt.xml
  deno task parse '<character_1><n>miku</n></character_1>'
  cat prompt.xml | deno task parse --json

Exits with 0 for a prompt that makes a picture, warnings or not, and with 2 for one with errors.`,
    twoPrompts: "There is more than one prompt: give one argument, or --file. Put a prompt with " +
      "spaces in quotation marks.",
    alreadyXml: "This prompt is XML already; --to-xml takes a flat list of tags.",
    noTags: "There are no tags to sort: the prompt is empty.",
    wrongAssigned: (pair: string) =>
      `${pair} says of no tag whose it is: expected TAG=NUMBER, such as blue_hair=1.`,
    unusedAnswer: (tag: string, characters: number) =>
      `--assign: ${tag} is no tag of this list, or its number is no character's: there ` +
      `${characters === 1 ? "is 1 character" : `are ${characters} characters`}.`,
    parametersLeft: (negativePrompt: string) =>
      "The picture's parameters below the prompt were left out." +
      (negativePrompt === "" ? "" : ` For --negative-prompt: ${negativePrompt}`),
    alias: (alias: string, name: string) => `${alias} is an alias of ${name}, which was taken.`,
    aliasOf: (alias: string, name: string) => `${alias} is an alias of ${name}.`,
    misspelt: (tag: string, names: readonly string[]) =>
      `No list in tags/ has ${tag}. Did you mean ${names.join(" or ")}?`,
    unsure: (tag: string, place: string, reason: string) =>
      `Not sure of ${tag}, which was put into ${place}: ${reason}.`,
    whose: (question: string, tags: readonly string[]) =>
      `${question} Or say it with --assign "${tags[0]}=1". In question: ${tags.join(", ")}`,
    argument: "prompt",
    negativePrompt: "negative prompt",
    noModel: "Tokens are not counted, because no model's tokenizers can be read:",
    kinds: {
      xml: "XML",
      text: "plain text: read as it is, because it does not begin with an element",
    },
    headings: {
      kind: "Kind",
      loras: "Adapters",
      tree: "Tree",
      canonical: "Canonical text",
      conditioning: "Conditioning",
      tokens: "Tokens",
    },
    empty: "(empty)",
    gemma: "Gemma 3 reads the model's system prompt and the text:",
    gemmaPasted:
      "Gemma 3 reads the system prompt that stands in front of the prompt, and the text:",
    clip: "Jina CLIP reads the text alone.",
    canonicalHere: "<canonical text>",
    emptyNegative: "The negative prompt is empty and stays empty: no system prompt before it.",
    givenNegative: "Of the negative prompt, Gemma 3 reads:",
    tokensOf: (encoder: string, count: number, most: number) => `${encoder}: ${count} of ${most}`,
    negativeTokensOf: (encoder: string, count: number, most: number) =>
      `${encoder}, negative prompt: ${count} of ${most}`,
    summary: (errors: number, warnings: number) =>
      `${errors} ${errors === 1 ? "error" : "errors"}, ` +
      `${warnings} ${warnings === 1 ? "warning" : "warnings"}.`,
  },
  zh: {
    description: "显示提示词被如何理解，或错在哪里：结构树、编码器读到的文本，以及它的 token 数。",
    prompt: "提示词；@文件 表示从文件读取，- 表示标准输入",
    promptOption: "同上，与 create 的选项相同",
    file: "从文件读取提示词",
    negative: "反向提示词；@文件 表示从文件读取，- 表示标准输入（默认：空）",
    model: "模型所在的文件夹，用其中的分词器计数",
    toXml: "把平铺的标签列表整理成 XML 提示词",
    assign: "配合 --to-xml：标签属于谁，例如 blue_hair=1,black_hair=2；0 表示整张图片",
    examples: `
示例：
  deno task parse --to-xml "1girl, blue_hair, left, 1boy, black_hair, right, beach"
  deno task parse prompt.xml            单写文件名不会读取文件，而会当作文本
  deno task parse @prompt.xml
  deno task parse '<character_1><n>miku</n></character_1>'
  cat prompt.xml | deno task parse --json

能够出图的提示词（无论有无警告）退出码为 0，有错误的为 2。`,
    twoPrompts: "给出了不止一个提示词：请只给一个参数，或用 --file。含空格的提示词请加引号。",
    alreadyXml: "这个提示词已经是 XML；--to-xml 接受平铺的标签列表。",
    noTags: "没有可整理的标签：提示词是空的。",
    wrongAssigned: (pair: string) =>
      `${pair} 没有说明标签属于谁：应为 标签=数字，例如 blue_hair=1。`,
    unusedAnswer: (tag: string, characters: number) =>
      `--assign：列表中没有标签 ${tag}，或没有该编号的角色：共有 ${characters} 个角色。`,
    parametersLeft: (negativePrompt: string) =>
      "已略去提示词下方的图片参数。" +
      (negativePrompt === "" ? "" : `可用于 --negative-prompt：${negativePrompt}`),
    alias: (alias: string, name: string) => `${alias} 是 ${name} 的别名，已替换。`,
    aliasOf: (alias: string, name: string) => `${alias} 是 ${name} 的别名。`,
    misspelt: (tag: string, names: readonly string[]) =>
      `tags/ 中的列表没有 ${tag}。是否想写 ${names.join(" 或 ")}？`,
    unsure: (tag: string, place: string, reason: string) =>
      `不确定 ${tag}，暂放入 ${place}：${reason}。`,
    whose: (question: string, tags: readonly string[]) =>
      `${question}也可以用 --assign "${tags[0]}=1" 说明。尚不明确的有：${tags.join("、")}`,
    argument: "提示词",
    negativePrompt: "反向提示词",
    noModel: "没有统计 token 数，因为读不到模型的分词器：",
    kinds: {
      xml: "XML",
      text: "普通文本：不以元素开头，因此原样读取",
    },
    headings: {
      kind: "类型",
      loras: "适配器",
      tree: "结构树",
      canonical: "规范文本",
      conditioning: "条件输入",
      tokens: "token 数",
    },
    empty: "（空）",
    gemma: "Gemma 3 读取模型的系统提示词和文本：",
    gemmaPasted: "Gemma 3 读取写在提示词前面的系统提示词和文本：",
    clip: "Jina CLIP 只读取文本。",
    canonicalHere: "〈规范文本〉",
    emptyNegative: "反向提示词为空，保持为空：前面不加系统提示词。",
    givenNegative: "反向提示词中，Gemma 3 读取：",
    tokensOf: (encoder: string, count: number, most: number) => `${encoder}：${count} / ${most}`,
    negativeTokensOf: (encoder: string, count: number, most: number) =>
      `${encoder}（反向提示词）：${count} / ${most}`,
    summary: (errors: number, warnings: number) => `${errors} 个错误，${warnings} 个警告。`,
  },
});
