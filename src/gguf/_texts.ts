/** What is said of GGUF files, in both languages. Names and shapes come as messages show them. */
import type { Texts } from "../language.ts";

const DAMAGED = "The file is damaged or was written wrongly: fetch or convert it again.";
const ZH_DAMAGED = "文件已损坏或写入有误：请重新下载或转换。";

const en = {
  unreadable: (reason: string) => `cannot be read: ${reason}.`,
  notAFile: "is not a file.",
  becameShorter: "the file became shorter while it was read.",

  noMagic: "it does not begin with the letters GGUF, so it is no GGUF file.",
  lfsPointer:
    "this looks like a Git LFS pointer that stands for the weights. Fetch them: git lfs pull.",
  bigEndian: "it is big-endian, as for other processors than this one's. Take the usual edition.",
  unknownVersion: (version: number) =>
    `its version is ${version}; the versions 1, 2 and 3 can be read.`,
  tooManyTensors: (count: bigint, rest: number) =>
    `it announces ${count} tensors, for which the ${rest} bytes that follow are too few. ${DAMAGED}`,
  tooManyKeys: (count: bigint, rest: number) =>
    `it announces ${count} entries of metadata, for which the ${rest} bytes that follow are too ` +
    `few. ${DAMAGED}`,
  overMostTensors: (count: bigint, most: number) =>
    `it announces ${count} tensors; ${most} are possible. ${DAMAGED}`,
  overMostKeys: (count: bigint, most: number) =>
    `it announces ${count} entries of metadata; ${most} are possible. ${DAMAGED}`,
  cutShort: (at: number, what: string) => `it ends at byte ${at}, within ${what}. ${DAMAGED}`,
  headerTooLong: (limit: number) =>
    `what stands in front of the data is longer than ${limit} bytes. ${DAMAGED}`,
  split: (parts: number | bigint) =>
    `it is one of ${parts} parts. Join them first, with llama.cpp's gguf-split --merge, or take ` +
    "the edition in one file.",

  aKey: "the name of an entry",
  aName: "the name of a tensor",
  aValue: "a value",
  aTensor: "the description of a tensor",
  theCounts: "the counts at its beginning",

  ofKey: (key: string, problem: string) => `metadata ${key}: ${problem}`,
  emptyName: `a name is empty. ${DAMAGED}`,
  nameTooLong: (length: bigint, limit: number) =>
    `a name of ${length} bytes; ${limit} are possible. ${DAMAGED}`,
  notUtf8: `a name is not valid UTF-8. ${DAMAGED}`,
  keyTwice: `it is there twice. ${DAMAGED}`,
  unknownValueType: (type: number) =>
    `its type is ${type}, which the format does not know. ${DAMAGED}`,
  noBoolean: (byte: number) => `a truth value is ${byte}. ${DAMAGED}`,
  stringTooLong: (length: bigint, rest: number) =>
    `a text of ${length} bytes, but only ${rest} bytes of the file follow. ${DAMAGED}`,
  listTooLong: (count: bigint, rest: number) =>
    `a list of ${count} members, for which the ${rest} bytes that follow are too few. ${DAMAGED}`,
  tooDeep: (depth: number) => `lists are nested more than ${depth} deep. ${DAMAGED}`,
  notAnAlignment: (shown: string) =>
    `expected a power of two of at least 8, found ${shown}. ${DAMAGED}`,

  ofTensor: (tensor: string, problem: string) => `tensor ${tensor}: ${problem}`,
  namedTwice: `the file names it twice, so it does not say which is meant. ${DAMAGED}`,
  tooManyAxes: (axes: number, limit: number) =>
    `it has ${axes} axes; ${limit} are possible. ${DAMAGED}`,
  tooManyValues: `its shape asks for more than 2^53 values, which no file holds. ${DAMAGED}`,
  noWholeBlocks: (type: string, row: number, block: number) =>
    `its rows of ${row} values are no whole blocks of ${type}, which have ${block}. ${DAMAGED}`,
  unknownType: (type: number) =>
    `its values are of the type ${type}, which is not known here, so that nothing says where the ` +
    "tensors lie. Take a file with other types.",
  notAligned: (offset: bigint, alignment: number) =>
    `it begins at ${offset} of the data, which is no multiple of ${alignment}. ${DAMAGED}`,
  exceedsFile: (begin: number | bigint, end: number | bigint, size: number) =>
    `it takes the bytes ${begin} to ${end}, but the file has ${size}. It was cut short or is ` +
    "damaged: fetch it again.",
  overlaps: (other: string) => `it overlaps tensor ${other}. ${DAMAGED}`,
};

/** Everything that can be said. */
export type Catalogue = typeof en;

const zh: Catalogue = {
  unreadable: (reason) => `无法读取：${reason}。`,
  notAFile: "不是文件。",
  becameShorter: "读取过程中文件变短了。",

  noMagic: "开头不是 GGUF 四个字母，因此不是 GGUF 文件。",
  lfsPointer: "这看起来是代替权重的 Git LFS 指针。请下载权重本身：git lfs pull。",
  bigEndian: "采用大端字节序，是为其他处理器准备的。请使用普通版本。",
  unknownVersion: (version) => `版本是 ${version}；可以读取版本 1、2 和 3。`,
  tooManyTensors: (count, rest) =>
    `声称有 ${count} 个张量，而后面只有 ${rest} 字节，放不下。${ZH_DAMAGED}`,
  tooManyKeys: (count, rest) =>
    `声称有 ${count} 项元数据，而后面只有 ${rest} 字节，放不下。${ZH_DAMAGED}`,
  overMostTensors: (count, most) => `声称有 ${count} 个张量；最多 ${most} 个。${ZH_DAMAGED}`,
  overMostKeys: (count, most) => `声称有 ${count} 项元数据；最多 ${most} 项。${ZH_DAMAGED}`,
  cutShort: (at, what) => `结束于第 ${at} 字节，而${what}还没有完。${ZH_DAMAGED}`,
  headerTooLong: (limit) => `数据之前的部分超过 ${limit} 字节。${ZH_DAMAGED}`,
  split: (parts) =>
    `这是 ${parts} 个部分之一。请先用 llama.cpp 的 gguf-split --merge 合并，或使用单文件的版本。`,

  aKey: "元数据的名字",
  aName: "张量的名字",
  aValue: "一个值",
  aTensor: "张量的描述",
  theCounts: "开头的数目",

  ofKey: (key, problem) => `元数据 ${key}：${problem}`,
  emptyName: `有一个名字是空的。${ZH_DAMAGED}`,
  nameTooLong: (length, limit) => `有一个名字长 ${length} 字节；最多 ${limit} 字节。${ZH_DAMAGED}`,
  notUtf8: `有一个名字不是有效的 UTF-8。${ZH_DAMAGED}`,
  keyTwice: `出现了两次。${ZH_DAMAGED}`,
  unknownValueType: (type) => `类型是 ${type}，格式中没有这种类型。${ZH_DAMAGED}`,
  noBoolean: (byte) => `真值是 ${byte}。${ZH_DAMAGED}`,
  stringTooLong: (length, rest) =>
    `文字长 ${length} 字节，而文件后面只有 ${rest} 字节。${ZH_DAMAGED}`,
  listTooLong: (count, rest) =>
    `列表有 ${count} 项，而后面只有 ${rest} 字节，放不下。${ZH_DAMAGED}`,
  tooDeep: (depth) => `列表的嵌套超过 ${depth} 层。${ZH_DAMAGED}`,
  notAnAlignment: (shown) => `应为不小于 8 的 2 的幂，实际是 ${shown}。${ZH_DAMAGED}`,

  ofTensor: (tensor, problem) => `张量 ${tensor}：${problem}`,
  namedTwice: `文件里出现了两次，无法确定用哪一个。${ZH_DAMAGED}`,
  tooManyAxes: (axes, limit) => `有 ${axes} 个轴；最多 ${limit} 个。${ZH_DAMAGED}`,
  tooManyValues: `它的形状需要超过 2^53 个值，没有文件放得下。${ZH_DAMAGED}`,
  noWholeBlocks: (type, row, block) =>
    `每行 ${row} 个值，不是整数个 ${type} 块，每块有 ${block} 个值。${ZH_DAMAGED}`,
  unknownType: (type) =>
    `值的类型是 ${type}，这里不认识，因此无从得知各张量的位置。请使用其他类型的文件。`,
  notAligned: (offset, alignment) =>
    `从数据的第 ${offset} 字节开始，不是 ${alignment} 的倍数。${ZH_DAMAGED}`,
  exceedsFile: (begin, end, size) =>
    `占用第 ${begin} 到 ${end} 字节，而文件只有 ${size} 字节。文件不完整或已损坏：请重新下载。`,
  overlaps: (other) => `与张量 ${other} 重叠。${ZH_DAMAGED}`,
};

export const TEXTS: Texts<Catalogue> = { en, zh };

/** Something to be said, in the words of a catalogue. */
export type Say = (text: Catalogue) => string;
