/**
 * What is said of each fault, in every language.
 *
 * @module
 */
import type { Language } from "../language.ts";
import { CLOSING, OPENING } from "./_brackets.ts";

/** A message, and what to do. */
export type Saying = readonly [message: string, suggestion?: string];

/** How to write a text that would otherwise be read as markup. */
const AS_TEXT = "If it is text, write &lt; instead of <.";
const AS_TEXT_ZH = "如果它是文字，请把 < 写成 &lt;。";

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** A tag that asks for an adapter, as `readLoraTags` takes it. */
const LORA_TAG = new RegExp(
  `^[${OPENING}](?:lora|lyco|lycoris)[:：][^${OPENING}${CLOSING}]+[${CLOSING}]$`,
  "i",
);

const en = {
  "not-xml": (): Saying => [
    "expected an XML prompt, which begins with an element such as <character_1>, but this is plain " +
    "text.",
  ],
  "too-long": (length: number, bound: number): Saying => [
    `the prompt has ${length} characters, but ${bound} is the bound.`,
    "Shorten it.",
  ],
  "too-deep": (name: string, depth: number, bound: number): Saying => [
    `<${name}> is nested ${depth} deep, but ${bound} is the bound.`,
    "Close elements that are meant to stand side by side.",
  ],
  "entity-bound": (written: string): Saying => [
    `${written} has no place in a prompt: the bound on entities that a prompt defines is 0.`,
    "Remove it.",
  ],
  "unclosed-tag": (name: string, isDoubled: boolean): Saying => [
    `<${name}> is never closed.`,
    isDoubled
      ? `Write </${name}> if it was meant to close the <${name}> before it.`
      : `Add </${name}> where it ends. ${AS_TEXT}`,
  ],
  "doubled-tag": (name: string): Saying => [
    `<${name}> opens inside <${name}> and is never closed.`,
    `Write </${name}> if it was meant to close the <${name}> before it.`,
  ],
  "unclosed-inside": (outer: string, name: string, line: number, column: number): Saying => [
    `</${outer}> closes an element inside which <${name}>, opened at line ${line}, column ` +
    `${column}, is still open.`,
    `Put </${name}> before it.`,
  ],
  "crossed-tags": (outer: string, name: string, line: number, column: number): Saying => [
    `</${outer}> crosses <${name}>, opened at line ${line}, column ${column}, which is closed only ` +
    "after it.",
    `Put </${name}> before it.`,
  ],
  "misnamed-tag": (
    written: string,
    expected: string,
    line: number,
    column: number,
    known: string | undefined,
  ): Saying => [
    `</${written}> closes nothing here: expected </${expected}> for <${expected}>, opened at line ` +
    `${line}, column ${column}.`,
    known === written
      ? `Correct <${expected}> to <${written}>.`
      : `Write </${expected}>, or add the missing tag.`,
  ],
  "misspelt-closing-tag": (
    written: string,
    expected: string,
    line: number,
    column: number,
    known: string | undefined,
  ): Saying => [
    `</${written}> is read as </${expected}>, which closes <${expected}>, opened at line ${line}, ` +
    `column ${column}.`,
    known === written ? `Correct <${expected}> to <${written}>.` : `Write </${expected}>.`,
  ],
  "stray-closing-tag": (name: string): Saying => [
    `</${name}> closes nothing.`,
    `Remove it, or add <${name}> before it.`,
  ],
  "unfinished-tag": (tag: string): Saying => [
    `${tag} has no > at its end.`,
    `Write ${tag}>.`,
  ],
  "unended": (opening: string, closing: string): Saying => [
    `${opening} is never closed.`,
    `Add ${closing}, or remove it.`,
  ],
  "closing-tag-content": (name: string): Saying => [
    `a closing tag holds more than a name; it is read as </${name}>.`,
    `Write </${name}>.`,
  ],
  "unpaired-tag": (tag: string): Saying => [
    tag.startsWith("</")
      ? `${tag} closes nothing, and is read as text.`
      : `${tag} is never closed, and is read as text.`,
    "Remove it, or close it if it is an element.",
  ],
  "attribute-value": (name: string): Saying => [
    `the attribute ${name} has no value.`,
    `Write ${name}="value". ${AS_TEXT}`,
  ],
  "attribute-quotes": (name: string, value: string): Saying => [
    `the value of ${name} is not quoted.`,
    `Write ${name}="${value}".`,
  ],
  "attribute-name": (name: string, element: string): Saying => [
    `${name} is no name of an attribute, and is not read.`,
    `Write <${element} name="value">. ${AS_TEXT}`,
  ],
  "duplicate-attribute": (name: string): Saying => [
    `the attribute ${name} is given twice; the first one is read.`,
    "Keep one.",
  ],
  "stray-text": (): Saying => [
    "this text stands outside of every element, and is read as part of <general_tags><other>.",
    "Put it into the element where it belongs.",
  ],
  "loose-text": (name: string): Saying => [
    `this text stands in <${name}> beside elements.`,
    "Put it into an element of its own.",
  ],
  "tags-in-text": (name: string): Saying => [
    `this is read as plain text, although it has <${name}> in it.`,
    "To have it read as XML, begin with an element such as <character_1>.",
  ],
  "unknown-tag": (name: string, known: string): Saying => [
    `<${name}> is not among the elements that the model was trained on.`,
    `Did you mean <${known}>?`,
  ],
  "full-width-tag": (tag: string): Saying => [
    "this tag has full-width brackets; it is read as one with < and >.",
    `Write ${tag}.`,
  ],
  "not-a-tag": (): Saying => [
    "this looks like a closing tag, but is none; it is read as text.",
    "A name begins with a letter or _ and has letters, digits, _, - and . in it.",
  ],
  "duplicate-character": (name: string, line: number, free: string): Saying => [
    `<${name}> stands here a second time; the first is in line ${line}.`,
    `If this is another character, call it <${free}>.`,
  ],
  "duplicate-name": (name: string, line: number): Saying => [
    `two characters are called ${name}; the first is in line ${line}.`,
    "If they are two people, give each a name of its own.",
  ],
  "nested-character": (name: string, outer: string): Saying => [
    `<${name}> stands inside of <${outer}>; the model was trained on characters side by side.`,
    `Close <${outer}> before it.`,
  ],
  "outside-character": (name: string): Saying => [
    `<${name}> belongs to a character, but stands outside of one.`,
    "Move it into <character_1>, or into the character it describes.",
  ],
  "empty-element": (name: string): Saying => [
    `<${name}> is empty and says nothing.`,
    "Fill or remove it.",
  ],
  "count-mismatch": (tag: string, described: number, right: string | undefined): Saying => [
    `<count> says ${tag}, but ${plural(described, "character")} ${
      described === 1 ? "is" : "are"
    } described${right === undefined ? "" : ` (${right})`}.`,
    right === undefined
      ? "Correct the count, or describe as many characters."
      : `Write ${right}, or describe who is missing.`,
  ],
  "weighted-tag": (tag: string): Saying => [
    `the model has no weights for single tags; ${tag} is read letter by letter.`,
    tag.endsWith("::")
      ? "Remove the number and the colons."
      : /[\d+-]$/.test(tag)
      ? "Remove the brackets and what follows them."
      : "Remove the brackets and the number.",
  ],
  "escaped-parenthesis": (tag: string): Saying => [
    `the backslashes in ${tag} are read as part of the text; the model was trained on tags without ` +
    "them.",
    `Write ${tag.replaceAll("\\", "")}.`,
  ],
  "lora-tag": (tag: string): Saying =>
    /^.hypernet/i.test(tag)
      ? [`there are no hypernetworks here; ${tag} is read as text.`, "Remove it."]
      : !LORA_TAG.test(tag)
      ? [`${tag} is read as text, and asks for no adapter.`, "Write <lora:NAME:0.8>."]
      : [
        `${tag} asks for an adapter: deno task create loads it and takes this out of the text, and ` +
        "whatever else reads this prompt takes it as text.",
      ],
  "template": (found: string): Saying => [
    `${found} is a template: deno task create puts something in its place for each picture, and ` +
    "whatever else reads this prompt takes it as text.",
    "Write what is meant, if it is not meant as a template.",
  ],
  "alternation": (tag: string): Saying => [
    `the model does not change prompts between steps; ${tag} is read as text.`,
    "Keep one of the parts.",
  ],
  "break-word": (word: string): Saying => [
    `${word} divides prompts in other programs; here it is read as a word.`,
    "Remove it.",
  ],
  "embedding-name": (found: string): Saying => [
    `there are no embeddings (textual inversions) here; ${found} is read as text.`,
    "Remove it.",
  ],
  "swarm-tag": (found: string): Saying => [
    `${found} says something to SwarmUI; here it is read as text.`,
    /^.random/i.test(found)
      ? "Write a choice, such as {red|blue}."
      : /^.wildcard/i.test(found)
      ? "Write the wildcard as __name__."
      : "Remove it.",
  ],
  "option-in-prompt": (found: string): Saying => [
    `${found} is an option of another program; here it is read as text.`,
    "Remove it, and give what it says beside the prompt, as deno task create --help lists it.",
  ],
  "picture-parameters": (): Saying => [
    "this line is what AUTOMATIC1111's web UI notes of a picture; here it is read as text.",
    "Remove it, and give what it says beside the prompt, such as --negative-prompt and --steps; " +
    "of the picture itself, deno task create --from FILE reads it.",
  ],
  "literal-entity": (written: string, meant: string | undefined): Saying => [
    `${written} is read letter by letter.`,
    meant === undefined
      ? "Write the character that it stands for."
      : `Write ${meant === " " ? "an ordinary space" : meant}.`,
  ],
  "unused-json": (places: readonly string[]): Saying => [
    `of the JSON around the prompt the model reads tags and caption; it has no use for ${
      places.join(", ")
    }.`,
    "Say it in the prompt: where a character stands in <position>, such as left.",
  ],
  "invisible-character": (code: string, name: string, isSpace: boolean): Saying => [
    `the invisible character U+${code} (${name}) stands here, and the encoders read it.`,
    isSpace ? "Write an ordinary space." : "Remove it.",
  ],
  "control-character": (code: string): Saying => [
    `the control character U+${code} stands in the text.`,
    "Remove it.",
  ],
  "too-many-tokens": (encoder: string, count: number, limit: number, lost: string): Saying => [
    `${encoder} reads ${limit} of ${count} tokens; these words fall off: ${lost}`,
    "Shorten the prompt, or put what matters first.",
  ],
};

type Catalogue = typeof en;

const zh: Catalogue = {
  "not-xml": () => ["应为 XML 提示词，即以 <character_1> 之类的元素开头；这里却是普通文本。"],
  "too-long": (length, bound) => [`提示词有 ${length} 个字符，上限为 ${bound}。`, "请缩短。"],
  "too-deep": (name, depth, bound) => [
    `<${name}> 嵌套了 ${depth} 层，上限为 ${bound}。`,
    "请把本应并列的元素各自闭合。",
  ],
  "entity-bound": (written) => [
    `提示词里不能有 ${written}：允许自定义的实体数量上限为 0。`,
    "请删除。",
  ],
  "unclosed-tag": (name, isDoubled) => [
    `<${name}> 没有闭合。`,
    isDoubled
      ? `如果它本来要闭合前面的 <${name}>，请写成 </${name}>。`
      : `请在它结束的地方加上 </${name}>。${AS_TEXT_ZH}`,
  ],
  "doubled-tag": (name) => [
    `<${name}> 里面又有 <${name}>，而且没有闭合。`,
    `如果它本来要闭合前面的 <${name}>，请写成 </${name}>。`,
  ],
  "unclosed-inside": (outer, name, line, column) => [
    `</${outer}> 闭合时，第 ${line} 行第 ${column} 列的 <${name}> 还没有闭合。`,
    `请在它前面加上 </${name}>。`,
  ],
  "crossed-tags": (outer, name, line, column) => [
    `</${outer}> 与第 ${line} 行第 ${column} 列的 <${name}> 交叉：后者在它之后才闭合。`,
    `请把 </${name}> 移到它前面。`,
  ],
  "misnamed-tag": (written, expected, line, column, known) => [
    `</${written}> 在这里没有可闭合的元素：第 ${line} 行第 ${column} 列的 <${expected}> 需要 </${expected}>。`,
    known === written
      ? `请把 <${expected}> 改为 <${written}>。`
      : `请写成 </${expected}>，或补上缺少的标签。`,
  ],
  "misspelt-closing-tag": (written, expected, line, column, known) => [
    `</${written}> 被当作 </${expected}>，闭合第 ${line} 行第 ${column} 列的 <${expected}>。`,
    known === written ? `请把 <${expected}> 改为 <${written}>。` : `请写成 </${expected}>。`,
  ],
  "stray-closing-tag": (name) => [
    `</${name}> 没有可闭合的元素。`,
    `请删除它，或在前面加上 <${name}>。`,
  ],
  "unfinished-tag": (tag) => [`${tag} 的末尾缺少 >。`, `请写成 ${tag}>。`],
  "unended": (opening, closing) => [`${opening} 之后没有结束。`, `请加上 ${closing}，或删除它。`],
  "closing-tag-content": (name) => [
    `闭合标签里除了名称还有别的内容；它被当作 </${name}>。`,
    `请写成 </${name}>。`,
  ],
  "unpaired-tag": (tag) => [
    tag.startsWith("</")
      ? `${tag} 没有可闭合的元素，将被当作文字。`
      : `${tag} 没有闭合，将被当作文字。`,
    "请删除它；如果它是元素，请闭合它。",
  ],
  "attribute-value": (name) => [
    `属性 ${name} 没有值。`,
    `请写成 ${name}="值"。${AS_TEXT_ZH}`,
  ],
  "attribute-quotes": (name, value) => [
    `属性 ${name} 的值没有加引号。`,
    `请写成 ${name}="${value}"。`,
  ],
  "attribute-name": (name, element) => [
    `${name} 不能作为属性名，不会被读取。`,
    `请写成 <${element} 属性="值">。${AS_TEXT_ZH}`,
  ],
  "duplicate-attribute": (name) => [`属性 ${name} 重复了，读取第一个。`, "请只保留一个。"],
  "stray-text": () => [
    "这段文字不在任何元素之内，将被当作 <general_tags><other> 的一部分。",
    "请把它放进所属的元素。",
  ],
  "loose-text": (name) => [
    `这段文字直接写在 <${name}> 里，与其他元素并列。`,
    "请把它放进单独的元素。",
  ],
  "tags-in-text": (name) => [
    `虽然其中有 <${name}>，但整段被当作普通文本。`,
    "要按 XML 读取，请以 <character_1> 之类的元素开头。",
  ],
  "unknown-tag": (name, known) => [
    `模型训练时没有 <${name}> 这个元素。`,
    `是不是想写 <${known}>？`,
  ],
  "full-width-tag": (tag) => ["这个标签用了全角括号，已按 < 和 > 读取。", `请写成 ${tag}。`],
  "not-a-tag": () => [
    "这里看起来像闭合标签，其实不是，将被当作文字。",
    "名称须以字母或 _ 开头，只含字母、数字、_、- 和 .。",
  ],
  "duplicate-character": (name, line, free) => [
    `<${name}> 在这里第二次出现，第一次在第 ${line} 行。`,
    `如果是另一个角色，请命名为 <${free}>。`,
  ],
  "duplicate-name": (name, line) => [
    `有两个角色都叫 ${name}，第一个在第 ${line} 行。`,
    "如果是两个人，请分别取名。",
  ],
  "nested-character": (name, outer) => [
    `<${name}>写在 <${outer}> 里面；模型训练时各角色是并列的。`,
    `请在它前面闭合 <${outer}>。`,
  ],
  "outside-character": (name) => [
    `<${name}> 属于角色，却写在角色之外。`,
    "请移到 <character_1> 或它所描述的角色里。",
  ],
  "empty-element": (name) => [`<${name}> 是空的，没有任何作用。`, "请填写内容或删除它。"],
  "count-mismatch": (tag, described, right) => [
    `<count> 写的是 ${tag}，实际描述了 ${described} 个角色${
      right === undefined ? "" : `（${right}）`
    }。`,
    right === undefined
      ? "请修改人数，或描述相应数量的角色。"
      : `请写成 ${right}，或补上缺少的角色。`,
  ],
  "weighted-tag": (tag) => [
    `模型没有单个标签的权重，${tag} 会原样当作文字读取。`,
    tag.endsWith("::")
      ? "请去掉数字和冒号。"
      : /[\d+-]$/.test(tag)
      ? "请去掉括号及其后的部分。"
      : "请去掉括号和数字。",
  ],
  "escaped-parenthesis": (tag) => [
    `${tag} 里的反斜杠会被当作文字，而模型训练时的标签没有反斜杠。`,
    `请写成 ${tag.replaceAll("\\", "")}。`,
  ],
  "lora-tag": (tag) =>
    /^.hypernet/i.test(tag)
      ? [`这里没有 hypernetwork，${tag} 会被当作文字。`, "请删除。"]
      : !LORA_TAG.test(tag)
      ? [`${tag} 会被当作文字，不会加载适配器。`, "请写成 <lora:名称:0.8>。"]
      : [
        `${tag} 指定适配器：deno task create 会加载它并把这段文字去掉，` +
        "其他读取该提示词的地方会把它当作文字。",
      ],
  "template": (found) => [
    `${found} 是模板：deno task create 会为每张图片替换它，其他读取该提示词的地方会把它当作文字。`,
    "如果不是要写模板，请直接写出想要的内容。",
  ],
  "alternation": (tag) => [
    `模型不会在各步之间更换提示词，${tag} 会被当作文字。`,
    "请只保留其中一部分。",
  ],
  "break-word": (word) => [`${word} 在其他程序里用来分段，在这里会被当作一个词。`, "请删除。"],
  "embedding-name": (found) => [
    `这里没有嵌入（textual inversion），${found} 会被当作文字。`,
    "请删除。",
  ],
  "swarm-tag": (found) => [
    `${found} 是 SwarmUI 的写法，在这里会被当作文字。`,
    /^.random/i.test(found)
      ? "请写成 {red|blue} 这样的选择。"
      : /^.wildcard/i.test(found)
      ? "请把通配符写成 __名称__。"
      : "请删除。",
  ],
  "option-in-prompt": (found) => [
    `${found} 是其他程序的选项，在这里会被当作文字。`,
    "请删除，并在提示词之外给出：见 deno task create --help。",
  ],
  "picture-parameters": () => [
    "这一行是 AUTOMATIC1111 的网页界面为图片记下的参数，在这里会被当作文字。",
    "请删除，并在提示词之外给出，例如 --negative-prompt 和 --steps；" +
    "deno task create --from 文件 可从图片本身读取。",
  ],
  "literal-entity": (written, meant) => [
    `${written} 会原样当作文字读取。`,
    meant === undefined
      ? "请写出它所代表的字符。"
      : `请写成${meant === " " ? "普通空格" : ` ${meant}`}。`,
  ],
  "unused-json": (places) => [
    `提示词外层的 JSON 中，模型只读取 tags 和 caption；用不到：${places.join("、")}。`,
    "请写进提示词：角色的位置写在 <position> 中，例如 left。",
  ],
  "invisible-character": (code, name, isSpace) => [
    `这里有不可见字符 U+${code}（${name}），编码器会读到它。`,
    isSpace ? "请改为普通空格。" : "请删除。",
  ],
  "control-character": (code) => [`文字中有控制字符 U+${code}。`, "请删除。"],
  "too-many-tokens": (encoder, count, limit, lost) => [
    `${encoder} 只读取 ${count} 个 token 中的前 ${limit} 个，以下内容会被截掉：${lost}`,
    "请缩短提示词，或把重要的内容放在前面。",
  ],
};

const TEXTS: Readonly<Record<Language, Catalogue>> = { en, zh };

/** The name of a kind of fault. */
export type Code = keyof Catalogue;

/** What is needed to speak of a kind of fault. */
export type Details<C extends Code> = Parameters<Catalogue[C]>;

/** What to say of a fault. */
export function sayingOf<C extends Code>(
  code: C,
  details: Details<C>,
  language: Language,
): Saying {
  const speak = TEXTS[language][code] as (...details: Details<C>) => Saying;
  return speak(...details);
}
