/** What is said of adapters that cannot be applied, in both languages. */
import { headed, type Message } from "../errors.ts";
import type { Language, Texts } from "../language.ts";
import { inBoth } from "../language.ts";
import { shown } from "../shown.ts";
import { AdapterError, type AdapterProblem, type AdapterProblemKind } from "./adapter_error.ts";

const en = {
  doesNotFit: (faulty: number, all: number) =>
    `this adapter does not fit the model, and nothing of it is applied: ${faulty} of its ${all} ` +
    `keys ${faulty === 1 ? "is" : "are"} at fault.`,
  kinds: {
    unknown: (count: number) => `${count} keys name modules that the model does not have`,
    "no-change": (count: number) =>
      `${count} keys end as no adapter's do, in lora_A.weight and the like`,
    unread: (count: number) => `${count} keys are of a kind of adapter that is not read`,
    half: (count: number) => `${count} modules have one part of their change without the other`,
    shape: (count: number) => `${count} changes have a shape that does not fit the model`,
    rank: (count: number) => `${count} changes contradict themselves about their rank`,
    alpha: (count: number) => `${count} modules have an alpha that is no finite number`,
    dtype: (count: number) => `${count} keys have a dtype that weights cannot have`,
    "not-finite": (count: number) => `${count} keys have values that are no finite numbers`,
    "too-large": (count: number) =>
      `${count} keys have values that are too large for this arithmetic (--dtype float32 and bfloat16 ` +
      "hold larger ones than float16)",
    twice: (count: number) => `${count} keys say again what another key said`,
    "no-bias": (count: number) => `${count} biases are changed that the model does not have`,
    "dora-columns": (count: number) =>
      `${count} matrices of queries, keys and values have DoRA's norms by column, which needs them ` +
      "in one matrix, and this model has them apart",
  } satisfies Record<AdapterProblemKind, (count: number) => string>,
  more: (count: number) => `… and ${count} more`,
  looksLike: (model: string) => `The names are those of ${model}: it is an adapter of that model.`,
  width: (found: number, expected: number, models: string | undefined) =>
    `Its matrices are made for a width of ${found}` +
    `${models === undefined ? "" : `, that of ${models}`}; this model's is ${expected}.`,
  embedding:
    "This is an embedding (textual inversion), which stands for a word in another model's " +
    "encoder, and is not read.",
  checkpoint: "These are the names of a whole checkpoint, not of an adapter: give it as " +
    "--transformer, --text-encoder or --clip-model.",
  encoder: "Some are a text encoder's, and only the transformer was given: give the whole model, " +
    "with its text encoders.",
  remedy: (modules: readonly string[]) =>
    `Expected: an adapter made for this very model, of modules such as ${modules.join(", ")}.`,
  noAdapter: "holds no tensor, so there is no adapter in it.",
  noWeights: (folder: string) =>
    `has no safetensors file in it. An adapter's folder holds adapter_model.safetensors; where ` +
    `there is adapter_model.bin instead, save it again with safe_serialization=True. (${folder})`,
  severalFiles: (names: readonly string[]) =>
    `is a folder with several files and no adapter_model.safetensors: ${names.join(", ")}. Give ` +
    "one of them.",
  pickle:
    "is no safetensors file, and what Python's pickle wrote is not read, since it can run any " +
    "program. Save the adapter as safetensors.",
  config: (problem: string) => `${problem}. Take the folder as it was written, or write it again.`,
  peftType: (type: string) =>
    `peft_type ${type} is not read. Of PEFT, LORA, LOKR and LOHA are, and LYCORIS as NewBie's trainer ` +
    "writes it",
  initialised: (how: string) =>
    `init_lora_weights ${how} changes the model itself when the adapter is made, so that the ` +
    "adapter alone is not enough. Save it with PEFT's path_initial_model_for_weight_conversion, " +
    "which makes a plain LoRA of it",
  replicated:
    "layer_replication makes another model of layers used several times, which is not read",
  invoked:
    "alora_invocation_tokens makes an adapter that works from certain tokens of a text on, " +
    "which is not read",
  pattern: (key: string, pattern: string) =>
    `${key}: the expression ${pattern} cannot be read; no look-ahead, no back-reference and no long ` +
    "repetition is",
  tooManyPatterns: (key: string, count: number, most: number) =>
    `${key} has ${count} expressions; at most ${most} are read`,
  tooLong: (bytes: number, most: number) => `has ${bytes} bytes; at most ${most} are read`,
  notAnObject: "is not a JSON object",
};

/** Everything that can be said. */
export type AdapterTexts = typeof en;

const zh: AdapterTexts = {
  doesNotFit: (faulty, all) =>
    `此适配器与模型不符，没有应用其中任何内容：${all} 个键中有 ${faulty} 个有问题。`,
  kinds: {
    unknown: (count) => `${count} 个键所指的模块，模型没有`,
    "no-change": (count) => `${count} 个键的结尾不是 lora_A.weight 之类，不属于适配器`,
    unread: (count) => `${count} 个键属于无法读取的适配器类型`,
    half: (count) => `${count} 个模块的改动只有一半`,
    shape: (count) => `${count} 处改动的形状与模型不符`,
    rank: (count) => `${count} 处改动的秩自相矛盾`,
    alpha: (count) => `${count} 个模块的 alpha 不是有限的数`,
    dtype: (count) => `${count} 个键的 dtype 不能用作权重`,
    "not-finite": (count) => `${count} 个键含有非有限的数值`,
    "too-large": (count) =>
      `${count} 个键含有超出此运算类型的数值（--dtype float32 和 bfloat16 的范围比 float16 大）`,
    twice: (count) => `${count} 个键重复了其他键的内容`,
    "no-bias": (count) => `改动了 ${count} 个模型没有的偏置`,
    "dora-columns": (count) =>
      `${count} 个查询、键、值的矩阵按列计算 DoRA 的范数，需要三者在同一个矩阵里，而此模型是分开的`,
  },
  more: (count) => `… 还有 ${count} 个`,
  looksLike: (model) => `这些是 ${model} 的名字：它是那个模型的适配器。`,
  width: (found, expected, models) =>
    `它的矩阵为宽度 ${found} 制作${models === undefined ? "" : `，即 ${models} 的宽度`}；` +
    `此模型的宽度是 ${expected}。`,
  embedding: "这是嵌入（textual inversion），代表另一个模型的编码器中的一个词，无法读取。",
  checkpoint: "这些是整个模型的名字，不是适配器的：请用 --transformer、--text-encoder 或 " +
    "--clip-model 指定。",
  encoder: "其中有文本编码器的键，而只指定了 Transformer：请指定带有文本编码器的完整模型。",
  remedy: (modules) => `应为：为此模型制作的适配器，改动 ${modules.join("、")} 之类的模块。`,
  noAdapter: "里面没有张量，也就没有适配器。",
  noWeights: (folder) =>
    `里面没有 safetensors 文件。适配器的文件夹应有 adapter_model.safetensors；如果只有 ` +
    `adapter_model.bin，请用 safe_serialization=True 重新保存。（${folder}）`,
  severalFiles: (names) =>
    `是一个有多个文件的文件夹，其中没有 adapter_model.safetensors：${
      names.join("、")
    }。请指定其中之一。`,
  pickle: "不是 safetensors 文件；Python 的 pickle 写出的文件可以运行任意程序，因此不读取。" +
    "请把适配器保存为 safetensors。",
  config: (problem) => `${problem}。请使用原样的文件夹，或重新保存。`,
  peftType: (type) =>
    `peft_type ${type} 无法读取。PEFT 的类型中能读取 LORA、LOKR、LOHA，以及 NewBie 训练器写出的 LYCORIS`,
  initialised: (how) =>
    `init_lora_weights ${how} 在制作适配器时改动了模型本身，只有适配器是不够的。请用 PEFT 的 ` +
    "path_initial_model_for_weight_conversion 保存，它会转换成普通的 LoRA",
  replicated: "layer_replication 会把层重复使用，成为另一个模型，无法读取",
  invoked: "alora_invocation_tokens 使适配器只从文本的某些 token 起生效，无法读取",
  pattern: (key, pattern) => `${key}：无法读取表达式 ${pattern}；不支持前瞻、反向引用和很长的重复`,
  tooManyPatterns: (key, count, most) => `${key} 有 ${count} 个表达式；最多读取 ${most} 个`,
  tooLong: (bytes, most) => `有 ${bytes} 字节；最多读取 ${most} 字节`,
  notAnObject: "不是 JSON 对象",
};

export const TEXTS: Texts<AdapterTexts> = { en, zh };

/** The error that says what is wrong with a file or folder as a whole. */
export function refusal(
  file: string,
  say: (text: AdapterTexts, language: Language) => Message,
  options: ErrorOptions & { readonly problems?: readonly AdapterProblem[] } = {},
): AdapterError {
  const message = inBoth(TEXTS, say);
  const name = shown(file);
  return new AdapterError(file, {
    en: headed(`${name}: `, message.en),
    zh: headed(`${name}：`, message.zh),
  }, options);
}

const MOST_EXAMPLES = 3;

/** The one error of all that is wrong with an adapter's keys. */
export function misfit(
  file: string,
  problems: readonly AdapterProblem[],
  allKeys: number,
  known: {
    readonly lookalike: Lookalike | undefined;
    /** How wide the transformer is that its matrices are made for, and how wide this one is. */
    readonly width: { readonly found: number; readonly expected: number } | undefined;
    readonly modules: readonly string[];
    readonly lacksEncoder: boolean;
  },
): AdapterError {
  const byKind = Map.groupBy(problems, ({ kind }) => kind);
  const faulty = Math.min(allKeys, problems.reduce((sum, { keys }) => sum + keys, 0));
  return refusal(file, (text, language) => {
    const lines = [...byKind].map(([kind, found]) => {
      const examples = found.slice(0, MOST_EXAMPLES).map(({ name, detail }) => {
        const said = detail[language];
        return said === "" ? shown(name) : `${shown(name)} (${said})`;
      });
      const rest = found.length - examples.length;
      const list = [...examples, ...(rest > 0 ? [text.more(rest)] : [])].join(", ");
      return `  ${text.kinds[kind](found.length)}: ${list}`;
    });
    const { lookalike, width, modules, lacksEncoder } = known;
    const cause = lookalike === undefined
      ? width !== undefined
        ? [text.width(width.found, width.expected, MODELS_BY_WIDTH[width.found]?.[language])]
        : lacksEncoder
        ? [text.encoder]
        : []
      : [typeof lookalike === "object" ? text.looksLike(lookalike.model) : text[lookalike]];
    return [text.doesNotFit(faulty, allKeys), ...lines, ...cause, text.remedy(modules)];
  }, { problems });
}

/** What a file is that does not fit: another model's adapter, or none at all. */
type Lookalike = "checkpoint" | "embedding" | { readonly model: string };

/** Models with the names of this one's modules, by their width. */
const MODELS_BY_WIDTH: Readonly<Record<number, Texts<string>>> = {
  2304: {
    en: "the published NewBie-image and of Lumina-Image 2.0",
    zh: "已发布的 NewBie-image 和 Lumina-Image 2.0",
  },
  3840: { en: "Z-Image", zh: "Z-Image 模型" },
};

/** Models whose adapters go about, by names that theirs have and ours have not. */
const LOOKALIKES: readonly (readonly [RegExp, string])[] = [
  [/double_stream_blocks|single_stream_blocks/, "HiDream"],
  [/double_blocks|single_blocks|single_transformer_blocks/, "FLUX"],
  [/joint_blocks/, "Stable Diffusion 3"],
  [
    /(?:input|output|middle)_blocks?_|down_blocks|up_blocks|mid_block/,
    "Stable Diffusion (1.5 or SDXL)",
  ],
  [
    /transformer_blocks/,
    "a model with transformer_blocks, such as Qwen-Image or Stable Diffusion 3",
  ],
  [
    /(?<!transformer_)blocks[._]\d+[._](?:cross_attn|self_attn|attn[12]|ffn)/,
    "Wan, Cosmos or Anima",
  ],
  [/lora_te\d?_text_model|text_encoder.*text_model\.encoder/, "a model with CLIP's text encoder"],
];

/** The only tensors of embeddings, by several programs. */
const EMBEDDING = /^(?:emb_params|clip_[gl]|t5xxl|string_to_param\..*)$/;

/** What else a file may be, where these of its keys tell. */
export function lookalikeOf(keys: readonly string[]): Lookalike | undefined {
  if (keys.length === 0) return undefined;
  const found = LOOKALIKES.find(([pattern]) => keys.some((key) => pattern.test(key)));
  const whole = keys.filter((key) => /\.(?:weight|bias)$/.test(key) && !/lora/i.test(key)).length;
  if (whole * 2 > keys.length) return "checkpoint";
  if (found !== undefined) return { model: found[1] };
  return keys.every((key) => EMBEDDING.test(key)) ? "embedding" : undefined;
}
