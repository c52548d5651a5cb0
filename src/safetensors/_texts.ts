/** What is said of weight files, in both languages. Names and shapes come as messages show them. */
import type { Texts } from "../language.ts";

const DAMAGED = "The file is damaged or was written wrongly: fetch or export it again.";
/** How to name a file to whoever opened its folder. */
const NAMING = " (--transformer, --text-encoder, --clip-model or --vae, followed by its path)";
const ZH_NAMING = "（--transformer、--text-encoder、--clip-model 或 --vae，后接其路径）";
const ZH_DAMAGED = "文件已损坏或写入有误：请重新下载或导出。";

const en = {
  // Reading files.
  unreadable: (reason: string) => `cannot be read: ${reason}.`,
  noSuchPlace: "there is no such file or folder",
  notPermitted: (systemMessage: string) => systemMessage,
  notAFile: "is not a file.",
  becameShorter: "the file became shorter while it was read.",
  zeroByte: (at: number) =>
    `there is a zero byte in the JSON text, ${at} bytes after its beginning. ${DAMAGED}`,

  pickled:
    "is a pickle, which can run programs of its author's when it is read, so it is not. Take " +
    "the edition in safetensors or GGUF, or convert it with a program that you trust.",

  // The length at the beginning.
  tooSmall: (size: number, prefix: number) =>
    `the file has ${size} bytes, too few for a safetensors file, which begins with the ` +
    `${prefix} bytes of its header's length. ${DAMAGED}`,
  lfsPointer:
    "this looks like a Git LFS pointer that stands for the weights. Fetch them: git lfs pull.",
  textInstead: (shown: string) =>
    `this is no weights file but a text, which begins with ${shown}: perhaps a web page or a message ` +
    "that was saved in its place, as where a log-in is needed. Fetch it again.",
  emptyHeader: `the header's length is 0. ${DAMAGED}`,
  cutShort: (prefix: number, announced: bigint, rest: number) =>
    `the first ${prefix} bytes announce a header of ${announced} bytes, but only ${rest} ` +
    "follow. The file is cut short or is not a safetensors file: fetch it again.",
  tooManyTensors: (most: number) => `it describes more than ${most} tensors. ${DAMAGED}`,
  tooManyTexts: (key: string, most: number) => `${key} has more than ${most} entries. ${DAMAGED}`,
  headerTooLong: (length: bigint, limit: number) =>
    `the header of ${length} bytes exceeds the format's limit of ${limit}. ${DAMAGED}`,

  // JSON.
  headerSyntax: (at: number, problem: string) =>
    `header, byte ${at} of the file: ${problem}. ${DAMAGED}`,
  indexSyntax: (at: number, problem: string) =>
    `byte ${at}: ${problem}. The index is damaged: fetch or export it again.`,
  expected: (what: string, found: string) => `expected ${what}, found ${found}`,
  theEnd: "the end",
  character: (shown: string) => `\`${shown}\``,
  theByte: (hexadecimal: string) => `the byte 0x${hexadecimal}`,
  nameInQuotes: "a name in double quotes",
  colon: "a colon after the name",
  commaOrBrace: "a comma or the closing brace",
  commaOrBracket: "a comma or the closing bracket",
  nothingMore: "nothing after the closing brace",
  anObject: "an object",
  anArray: "an array",
  aString: "a string",
  aValue: "a value",
  unclosedString: "a string is not closed",
  controlCharacter: "a string holds a control character that is not escaped",
  notUtf8: "a string is not valid UTF-8",
  unknownEscape: "a string holds an escape that JSON does not have",
  halfSurrogate: "a string holds half of a surrogate pair",
  negative: (what: string) => `${what} is negative`,
  leadingZero: (what: string) => `${what} begins with a zero, which JSON does not allow`,
  notAnInteger: (what: string) => `${what} is not written as an integer`,
  tooLarge: (what: string) => `${what} exceeds 2^53 − 1`,
  tooDeep: (depth: number) => `values are nested more than ${depth} deep`,

  // The header.
  noBrace: "the header does not begin with `{`. It is not a safetensors file, or it is " +
    "damaged: fetch or export it again.",
  headerBrace: "the header's opening brace",
  namedTwice: (name: string) =>
    `the header names ${name} twice, so it does not say which is meant. ${DAMAGED}`,
  metadataObject: (key: string) => `an object as ${key}`,
  metadataTwice: (metadata: string, key: string) => `${metadata} holds ${key} twice. ${DAMAGED}`,

  // One tensor.
  ofTensor: (tensor: string, problem: string) => `tensor ${tensor}: ${problem}`,
  tensorObject: (tensor: string) => `an object that describes tensor ${tensor}`,
  tensorDtype: (tensor: string) => `the dtype of tensor ${tensor} in double quotes`,
  integersOf: (field: string, tensor: string) =>
    `an array of integers as ${field} of tensor ${tensor}`,
  numberIn: (field: string, tensor: string) => `a number in ${field} of tensor ${tensor}`,
  fieldTwice: (field: string) => `${field} is given twice. ${DAMAGED}`,
  unknownField: (field: string) =>
    `it has a field ${field}; the format knows dtype, shape and data_offsets. ${DAMAGED}`,
  fieldsMissing: (fields: readonly string[]) => `${fields.join(" and ")} missing. ${DAMAGED}`,
  unknownDtype: (dtype: string, known: Iterable<string>) =>
    `unknown dtype ${dtype}; the format knows ${[...known].join(", ")}.`,
  notTwoOffsets: (count: number) => `data_offsets holds ${count} numbers instead of 2. ${DAMAGED}`,
  offsetsReversed: (begin: number, end: number) =>
    `its data_offsets end before they begin: [${begin}, ${end}]. ${DAMAGED}`,
  tooManyBits: `its shape asks for more than 2^53 bits, which no file holds. ${DAMAGED}`,
  otherByteLength: (dtype: string, shape: string, asked: number, begin: number, end: number) =>
    `dtype ${dtype} and shape ${shape} ask for ${asked} bytes, but ` +
    `data_offsets [${begin}, ${end}] hold ${end - begin}. ${DAMAGED}`,

  // The layout of all tensors.
  atBytes: (tensor: string, begin: number, end: number, problem: string) =>
    `tensor ${tensor}, bytes ${begin} to ${end} of the file, ${problem}`,
  exceedsFile: (size: number) =>
    `exceeds the file, which has ${size}. It was cut short or is damaged: fetch it again.`,
  theHeader: "the header",
  theTensor: (tensor: string) => `tensor ${tensor}`,
  overlaps: (before: string, end: number) => `overlaps ${before}, which ends at ${end}. ${DAMAGED}`,
  leavesGap: (before: string, end: number) =>
    `leaves a gap after ${before}, which ends at ${end}. ${DAMAGED}`,
  rest: (end: number, size: number) =>
    `the tensors end at byte ${end}, but the file has ${size} bytes; nothing ` +
    `says what the other ${size - end} are. ${DAMAGED}`,

  // Dtypes.
  noWeight: (tensorIs: string) =>
    `weights must be F32, F16, BF16, F8_E4M3, F8_E5M2 or I8 with a scale, but ${tensorIs}. Take a ` +
    "checkpoint in one of these dtypes, or convert this one.",
  foreignQuantization: (program: string) =>
    `its matrices are quantised in a form that is not read (${program}). Take an edition in bfloat16, ` +
    "float8 or GGUF; smaller copies are made by deno task quantize.",
  unreadableBlocks: (tensor: string, type: string) =>
    `tensor ${tensor} is ${type}; of GGUF, F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to ` +
    "Q6_K, IQ4_NL and IQ4_XS can be read. Take an edition in one of these.",
  otherScale: (scale: string, dtype: string, shape: string, rows: number) =>
    `its scale ${scale} is ${dtype} of the shape ${shape}; expected one number, or ${rows} for as ` +
    "many rows, in F32, F16 or BF16. Take a checkpoint that is scaled by tensor or by row.",
  unknownFormat: (format: string, known: Iterable<string>) =>
    `its format is ${format}, which cannot be read; ${[...known].join(", ")} can. Take a ` +
    "checkpoint in one of these formats.",
  otherFormat: (format: string, dtype: string, found: string) =>
    `its format is ${format}, which is ${dtype}, but it is ${found}. ${DAMAGED}`,
  otherRotation: (size: string, shape: string) =>
    `it is rotated in groups of ${size}, which must be a power of 4 that divides the rows of ` +
    `${shape}. ${DAMAGED}`,
  tensorIs: (tensor: string, dtype: string) => `tensor ${tensor} is ${dtype}`,

  // Quantised matrices.
  unknownBits: (key: string, stated: string) =>
    `its metadata states ${key} ${stated}; 4 and 8 can be read.`,
  ofMatrix: (tensor: string, bits: number, problem: string) =>
    `tensor ${tensor}, a matrix quantised in ${bits} bits, ${problem}. ` +
    "Quantise the original again: deno task quantize.",
  matrixShape: (shape: string) =>
    `has the shape ${shape} instead of [rows, blocks, bytes of a block]`,
  blockSize: (size: number, smallest: number) =>
    `has blocks of ${size} values; a block must have ${smallest} or a greater power of two`,
  scalesMissing: (scales: string) => `needs ${scales} in F32, F16 or BF16 in the same file`,
  scalesShape: (expected: string, scales: string, found: string) =>
    `needs scales of the shape ${expected}, but ${scales} has ${found}`,

  // Folders, indices and shards.
  noModelFile: (files: readonly string[], index: string) =>
    `has neither ${files.join(" nor ")} nor an index (*${index}).`,
  otherFiles: (files: readonly string[]) =>
    ` It does hold ${files.join(", ")}: name the one that is meant${NAMING}.`,
  pickledFiles: (files: readonly string[]) =>
    ` It does hold ${
      files.join(", ")
    }, but pickles can run programs of their author's when they are ` +
    "read, so they are not. Take the edition in safetensors or GGUF.",
  shardsAlone: (count: number, index: string) =>
    `holds ${count} shards, but not their index (*${index}), which says what belongs together. ` +
    "Fetch it from where the shards come from.",
  partlyFetched: (files: readonly string[]) =>
    ` It does hold ${
      files.join(", ")
    }, which was not fetched to its end: let its program go on, or ` +
    "fetch it again.",
  severalFiles: (files: readonly string[]) =>
    `holds ${files.join(" and ")}, and it is not clear which is meant: name it${NAMING}.`,
  severalVariants: (names: readonly string[]) =>
    `holds ${names.length} variants of its weights and no full ones: choose one with --variant ` +
    `${names.join(" or --variant ")} (in the API: variant).`,
  noVariant: (variant: string, found: readonly string[]) =>
    `has no weights of the variant ${variant}` +
    (found.length === 0 ? "." : `; it has ${found.join(", ")}.`),
  indexTooLong: (size: number, limit: number) => `has ${size} bytes; an index may have ${limit}.`,
  indexBrace: "the index's opening brace",
  weightMapTwice: "weight_map is given twice.",
  noWeightMap: "has no weight_map, so it is not the index of a sharded checkpoint.",
  weightMapObject: "an object as weight_map",
  mappedTwice: (tensor: string) =>
    `weight_map names ${tensor} twice. Fetch or export the index again.`,
  fileOfTensor: (tensor: string) => `the file of tensor ${tensor} in double quotes`,
  shardOutside: (tensor: string, path: string) =>
    `puts tensor ${tensor} into ${path}; a shard must be a file in the ` +
    "index's own folder, named by a relative path with forward slashes, and not hidden.",
  shardsMissing: (missing: readonly string[], count: number, index: string) =>
    `${missing.length} of ${count} shards missing beside ${index}: ${missing.join(", ")}. ` +
    "Fetch them into the same folder.",
  aboutTensor: (tensor: string, problem: string) =>
    `index and shards do not belong together, since tensor ${tensor} ${problem}; fetch all of them ` +
    "anew.",
  inTwoShards: (first: string, second: string) => `is both in ${first} and in ${second}`,
  inOtherShard: (shard: string, stated: string) =>
    `is in ${shard}, but the index puts it into ${stated}`,
  notInShard: (shard: string) => `is not in ${shard}, where the index puts it`,

  // Rows.
  aboutRows: (tensor: string, problem: string) => `tensor ${tensor} ${problem}.`,
  scalar: "is a scalar and so has no rows",
  quantised: "is quantised and so has no rows to read",
  otherEntry: (shape: string, dtype: string, byteLength: number) =>
    `of shape ${shape} in ${dtype} does not take the ${byteLength} bytes that its entry states`,
  closed: "can no longer be read: it was closed",
  noSuchRow: (count: number, row: number) =>
    `has ${count} rows, counted from 0, but row ${row} was asked for. If rows are ` +
    "token ids, the tokenizer does not belong to these weights",
  shortened: "is no longer there in full: the file became shorter. Open it again",
};

/** Everything that can be said. */
export type Catalogue = typeof en;

const zh: Catalogue = {
  unreadable: (reason) => `无法读取：${reason}。`,
  noSuchPlace: "没有这个文件或文件夹",
  notPermitted: () => "没有读取权限",
  notAFile: "不是文件。",
  becameShorter: "读取过程中文件变短了。",
  pickled:
    "是 pickle 文件，读取时可能运行其作者的程序，因此不予读取。请使用 safetensors 或 GGUF 版本，" +
    "或用可信的程序转换。",
  zeroByte: (at) => `JSON 文本中有零字节，距开头 ${at} 字节。${ZH_DAMAGED}`,

  tooSmall: (size, prefix) =>
    `文件只有 ${size} 字节，不可能是 safetensors 文件：这种文件的前 ${prefix} 字节是文件头的长度。` +
    ZH_DAMAGED,
  lfsPointer: "这看起来是代替权重的 Git LFS 指针。请下载权重本身：git lfs pull。",
  textInstead: (shown) =>
    `这不是权重文件，而是以 ${shown} 开头的文本：可能是需要登录时代替它保存下来的网页或提示。` +
    "请重新下载。",
  emptyHeader: `文件头的长度是 0。${ZH_DAMAGED}`,
  cutShort: (prefix, announced, rest) =>
    `前 ${prefix} 字节说文件头有 ${announced} 字节，但后面只有 ${rest} 字节。` +
    "文件不完整，或者不是 safetensors 文件：请重新下载。",
  tooManyTensors: (most) => `描述了超过 ${most} 个张量。${ZH_DAMAGED}`,
  tooManyTexts: (key, most) => `${key} 有超过 ${most} 项。${ZH_DAMAGED}`,
  headerTooLong: (length, limit) =>
    `文件头有 ${length} 字节，超过格式的上限 ${limit} 字节。${ZH_DAMAGED}`,

  headerSyntax: (at, problem) => `文件头，文件的第 ${at} 字节：${problem}。${ZH_DAMAGED}`,
  indexSyntax: (at, problem) => `第 ${at} 字节：${problem}。索引已损坏：请重新下载或导出。`,
  expected: (what, found) => `应为${what}，实际是${found}`,
  theEnd: "末尾",
  character: (shown) => ` \`${shown}\``,
  theByte: (hexadecimal) => `字节 0x${hexadecimal}`,
  nameInQuotes: "带双引号的名字",
  colon: "名字后的冒号",
  commaOrBrace: "逗号或右花括号",
  commaOrBracket: "逗号或右方括号",
  nothingMore: "结尾（右花括号之后不能再有内容）",
  anObject: "对象",
  anArray: "数组",
  aString: "字符串",
  aValue: "一个值",
  unclosedString: "字符串没有结束",
  controlCharacter: "字符串里有未转义的控制字符",
  notUtf8: "字符串不是有效的 UTF-8",
  unknownEscape: "字符串里有 JSON 没有的转义",
  halfSurrogate: "字符串里有不成对的代理项",
  negative: (what) => `${what}是负数`,
  leadingZero: (what) => `${what}以 0 开头，JSON 不允许这样写`,
  notAnInteger: (what) => `${what}不是整数`,
  tooLarge: (what) => `${what}超过 2^53 − 1`,
  tooDeep: (depth) => `值的嵌套超过 ${depth} 层`,

  noBrace: "文件头不是以 `{` 开头。它不是 safetensors 文件，或者已损坏：请重新下载或导出。",
  headerBrace: "文件头的左花括号",
  namedTwice: (name) => `文件头里 ${name} 出现了两次，无法确定用哪一个。${ZH_DAMAGED}`,
  metadataObject: (key) => `对象（${key}）`,
  metadataTwice: (metadata, key) => `${metadata} 里 ${key} 出现了两次。${ZH_DAMAGED}`,

  ofTensor: (tensor, problem) => `张量 ${tensor}：${problem}`,
  tensorObject: (tensor) => `描述张量 ${tensor} 的对象`,
  tensorDtype: (tensor) => `带双引号的 dtype（张量 ${tensor}）`,
  integersOf: (field, tensor) => `整数数组（张量 ${tensor} 的 ${field}）`,
  numberIn: (field, tensor) => `张量 ${tensor} 的 ${field} 中的数`,
  fieldTwice: (field) => `${field} 出现了两次。${ZH_DAMAGED}`,
  unknownField: (field) => `有字段 ${field}；格式只有 dtype、shape 和 data_offsets。${ZH_DAMAGED}`,
  fieldsMissing: (fields) => `缺少 ${fields.join("、")}。${ZH_DAMAGED}`,
  unknownDtype: (dtype, known) => `未知的 dtype ${dtype}；格式有 ${[...known].join("、")}。`,
  notTwoOffsets: (count) => `data_offsets 应有 2 个数，实际有 ${count} 个。${ZH_DAMAGED}`,
  offsetsReversed: (begin, end) =>
    `data_offsets 的终点在起点之前：[${begin}, ${end}]。${ZH_DAMAGED}`,
  tooManyBits: `它的形状需要超过 2^53 位，没有文件放得下。${ZH_DAMAGED}`,
  otherByteLength: (dtype, shape, asked, begin, end) =>
    `dtype ${dtype} 和形状 ${shape} 需要 ${asked} 字节，而 ` +
    `data_offsets [${begin}, ${end}] 是 ${end - begin} 字节。${ZH_DAMAGED}`,

  atBytes: (tensor, begin, end, problem) =>
    `张量 ${tensor}（文件的第 ${begin} 到 ${end} 字节）${problem}`,
  exceedsFile: (size) => `超出了文件，文件只有 ${size} 字节。文件不完整或已损坏：请重新下载。`,
  theHeader: "文件头",
  theTensor: (tensor) => `张量 ${tensor} `,
  overlaps: (before, end) => `与${before}重叠，后者结束于 ${end}。${ZH_DAMAGED}`,
  leavesGap: (before, end) => `与${before}之间有空隙，后者结束于 ${end}。${ZH_DAMAGED}`,
  rest: (end, size) =>
    `张量结束于第 ${end} 字节，但文件有 ${size} 字节；其余 ${size - end} 字节没有说明。` +
    ZH_DAMAGED,

  noWeight: (tensorIs) =>
    `权重必须是 F32、F16、BF16、F8_E4M3、F8_E5M2 或带缩放系数的 I8，但${tensorIs}。` +
    "请使用这几种 dtype 的模型，或转换这一个。",
  foreignQuantization: (program) =>
    `其中的矩阵以不能读取的形式量化（${program}）。请使用 bfloat16、float8 或 GGUF 的版本；` +
    "较小的副本可用 deno task quantize 制作。",
  unreadableBlocks: (tensor, type) =>
    `张量 ${tensor} 是 ${type}；GGUF 中可以读取 F32、F16、BF16、Q4_0、Q4_1、Q5_0、Q5_1、Q8_0、` +
    "Q2_K 至 Q6_K、IQ4_NL 和 IQ4_XS。请使用其中一种的版本。",
  otherScale: (scale, dtype, shape, rows) =>
    `缩放系数 ${scale} 是形状为 ${shape} 的 ${dtype}；应为 F32、F16 或 BF16 的一个数，` +
    `或每行一个，共 ${rows} 个。请使用按张量或按行缩放的模型。`,
  unknownFormat: (format, known) =>
    `格式是 ${format}，无法读取；可以读取 ${[...known].join("、")}。请使用这几种格式的模型。`,
  otherFormat: (format, dtype, found) =>
    `格式是 ${format}，即 ${dtype}，但它是 ${found}。${ZH_DAMAGED}`,
  otherRotation: (size, shape) =>
    `按每组 ${size} 个值旋转，而每组的值数必须是 4 的幂，并能整除 ${shape} 的行长。${ZH_DAMAGED}`,
  tensorIs: (tensor, dtype) => `张量 ${tensor} 是 ${dtype}`,

  unknownBits: (key, stated) => `元数据里的 ${key} 是 ${stated}；只能读取 4 和 8。`,
  ofMatrix: (tensor, bits, problem) =>
    `张量 ${tensor}（${bits} 位量化的矩阵）${problem}。请重新量化原模型：deno task quantize。`,
  matrixShape: (shape) => `的形状是 ${shape}，应为 [行数, 块数, 每块字节数]`,
  blockSize: (size, smallest) => `每块有 ${size} 个值；每块的值数应为 ${smallest} 或更大的 2 的幂`,
  scalesMissing: (scales) => `需要同一文件中 F32、F16 或 BF16 的 ${scales}`,
  scalesShape: (expected, scales, found) =>
    `需要形状为 ${expected} 的缩放系数，但 ${scales} 的形状是 ${found}`,

  noModelFile: (files, index) => `没有 ${files.join("、")}，也没有索引（*${index}）。`,
  otherFiles: (files) => `不过有 ${files.join("、")}：请指明要用的文件${ZH_NAMING}。`,
  pickledFiles: (files) =>
    `不过有 ${files.join("、")}，但 pickle 文件在读取时可能运行其作者的程序，因此不予读取。` +
    "请使用 safetensors 或 GGUF 版本。",
  shardsAlone: (count, index) =>
    `有 ${count} 个分片，但没有说明其组成的索引（*${index}）。请从分片的来源处下载索引。`,
  partlyFetched: (files) =>
    `不过有 ${files.join("、")}，它没有下载完：请让下载程序继续，或重新下载。`,
  severalFiles: (files) =>
    `有 ${files.join("、")}，无法确定用哪一个：请指明要用的文件${ZH_NAMING}。`,
  severalVariants: (names) =>
    `有 ${names.length} 种变体，而没有完整的权重：请用 --variant ${
      names.join(" 或 --variant ")
    } 选择一种` +
    "（API 中为 variant）。",
  noVariant: (variant, found) =>
    `没有变体 ${variant} 的权重` + (found.length === 0 ? "。" : `；现有 ${found.join("、")}。`),
  indexTooLong: (size, limit) => `有 ${size} 字节；索引最多 ${limit} 字节。`,
  indexBrace: "索引的左花括号",
  weightMapTwice: "weight_map 出现了两次。",
  noWeightMap: "没有 weight_map，不是分片模型的索引。",
  weightMapObject: "对象（weight_map）",
  mappedTwice: (tensor) => `weight_map 里 ${tensor} 出现了两次。请重新下载或导出索引。`,
  fileOfTensor: (tensor) => `带双引号的文件名（张量 ${tensor} 所在的文件）`,
  shardOutside: (tensor, path) =>
    `把张量 ${tensor} 放在 ${path}；分片必须是索引所在文件夹里的文件，` +
    "用带正斜杠的相对路径表示，且不能是隐藏文件。",
  shardsMissing: (missing, count, index) =>
    `${index} 旁边应有 ${count} 个分片，缺少 ${missing.length} 个：${missing.join("、")}。` +
    "请下载到同一个文件夹。",
  aboutTensor: (tensor, problem) =>
    `索引与分片不配套，因为张量 ${tensor} ${problem}；请全部重新下载。`,
  inTwoShards: (first, second) => `同时在 ${first} 和 ${second} 里`,
  inOtherShard: (shard, stated) => `在 ${shard} 里，但索引说它在 ${stated} 里`,
  notInShard: (shard) => `不在 ${shard} 里，而索引说它在那里`,

  aboutRows: (tensor, problem) => `张量 ${tensor} ${problem}。`,
  scalar: "是标量，没有行",
  quantised: "是量化的，没有可以读取的行",
  otherEntry: (shape, dtype, byteLength) =>
    `的形状 ${shape} 和 dtype ${dtype} 与条目所说的 ${byteLength} 字节不符`,
  closed: "已经关闭，不能再读取",
  noSuchRow: (count, row) =>
    `有 ${count} 行，从 0 数起，但要读的是第 ${row} 行。如果行是 token 的编号，` +
    "那么分词器与这些权重不配套",
  shortened: "已不完整：文件变短了。请重新打开",
};

export const TEXTS: Texts<Catalogue> = { en, zh };

/** Something to be said, in the words of a catalogue. */
export type Say = (text: Catalogue) => string;
