/** `deno task quantize`: smaller copies of a model. */
import { resolve } from "node:path";
import { InvalidArgumentError, Option } from "commander";
import { RequestError } from "../src/errors.ts";
import { quantizeModel, quantizeModelToGguf } from "../src/quantize/mod.ts";
import { formatBytes } from "../src/format_bytes.ts";
import { ProgressLine } from "./cli/progress.ts";
import { duration, inLanguage, run, task, wholeNumber } from "./cli/task.ts";
import { tidied } from "./cli/tidied.ts";
import { tell } from "./cli/print.ts";

/** The blocks that lose least; larger ones save little. GGUF has no others. */
const DEFAULT_BLOCK = 32;

const percent = (ratio: number) => `${(100 * ratio).toFixed(2)} %`;

const TEXTS = {
  en: {
    description: "Makes a smaller copy of a model for smaller cards: the matrices of the " +
      "transformer's and of Gemma's attention and feed-forward layers become integers of 4 or 8 " +
      "bits. Embedders, modulations, the final layer, norms, embedding tables, the CLIP model and " +
      "the VAE stay as they are. The copy is used like the original: --model FOLDER.",
    folder: "a model's folder, or one part's; for GGUF also a part's file",
    bits: "bits of a weight",
    block: "weights that share a scale: 16, 32, 64 or 128",
    out: "the new folder (default: FOLDER-int4 or FOLDER-int8); for GGUF of one part, the new file",
    format:
      "what to write: a copy of the model in safetensors, or the transformer and Gemma as GGUF, " +
      "for other programs too (default: by the ending of --out)",
    onlyBlock: "GGUF has blocks of 32 alone: leave --block out.",
    examples: "\nExamples:\n  deno task quantize models/demo --bits 8 --out outputs/demo-int8" +
      "\n  deno task quantize . --bits 4 --out ../newbie-int4" +
      "\n  deno task quantize models/demo/transformer --bits 8 --out outputs/gemma-Q8_0.gguf",
    expected: "Expected 4 or 8.",
    progress: (file: string, done: number, total: number) => `  ${file}: matrix ${done}/${total}`,
    file: (path: string, before: string, after: string, error: string) =>
      `  ${path}: ${before} → ${after}; the weights changed by ${error}`,
    left: (count: number, block: number) =>
      `    ${count} matrices stay as they are: their rows cannot be cut into blocks of ${block}, or ` +
      "their values are too large for the scales.",
    done: (folder: string, time: string) => `Done: ${folder}, ${time}.`,
  },
  zh: {
    description:
      "为显存较小的显卡制作更小的模型副本：把 Transformer 和 Gemma 的注意力层与前馈层的" +
      "矩阵变为 4 位或 8 位整数。嵌入层、调制层、末层、归一化、词嵌入表、CLIP 模型和 VAE " +
      "保持不变。副本的用法与原模型相同：--model 文件夹。",
    folder: "模型的文件夹，或其中一个部件的文件夹；GGUF 也可以是部件的文件",
    bits: "每个权重的位数",
    block: "共用一个缩放系数的权重个数：16、32、64 或 128",
    out: "新文件夹（默认为 文件夹-int4 或 文件夹-int8）；单个部件的 GGUF 则为新文件",
    format: "写出什么：safetensors 的模型副本，或 GGUF 的 Transformer 和 Gemma，其他程序也能读取" +
      "（默认由 --out 的扩展名决定）",
    onlyBlock: "GGUF 的块只有 32 个值：请去掉 --block。",
    examples: "\n示例：\n  deno task quantize models/demo --bits 8 --out outputs/demo-int8" +
      "\n  deno task quantize . --bits 4 --out ../newbie-int4" +
      "\n  deno task quantize models/demo/transformer --bits 8 --out outputs/gemma-Q8_0.gguf",
    expected: "应为 4 或 8。",
    progress: (file: string, done: number, total: number) => `  ${file}：矩阵 ${done}/${total}`,
    file: (path: string, before: string, after: string, error: string) =>
      `  ${path}：${before} → ${after}；权重的变化为 ${error}`,
    left: (count: number, block: number) =>
      `    ${count} 个矩阵保持不变：其行长不能按 ${block} 分块，或数值超出缩放系数的范围。`,
    done: (folder: string, time: string) => `完成：${folder}，用时 ${time}。`,
  },
};
const text = inLanguage(TEXTS);

const command = task("quantize", text.description)
  .argument("<folder>", text.folder)
  .addOption(
    new Option("--bits <bits>", text.bits).argParser(bitsOf).makeOptionMandatory(),
  )
  .option("--block <weights>", text.block, wholeNumber, DEFAULT_BLOCK)
  .addOption(new Option("--format <name>", text.format).choices(["safetensors", "gguf"]))
  .option("--out <folder>", text.out)
  .addHelpText("after", text.examples);

interface Options {
  readonly json?: true;
  readonly bits: 4 | 8;
  readonly block: number;
  readonly out?: string;
  readonly format?: "safetensors" | "gguf";
}

await run<Options>(command, async ({ bits, block, out, format }, [folder]) => {
  const start = performance.now();
  const line = new ProgressLine();
  const onProgress = (file: string, done: number, total: number) =>
    line.draw(() => text.progress(file, done, total));
  const quantize = async () => {
    if (format !== "gguf" && (format !== undefined || !out?.endsWith(".gguf"))) {
      const target = out ?? `${resolve(folder!)}-int${bits}`;
      return await quantizeModel(folder!, target, { bits, blockSize: block, onProgress });
    }
    if (block !== DEFAULT_BLOCK) {
      throw new RequestError(TEXTS.en.onlyBlock, { zh: TEXTS.zh.onlyBlock });
    }
    return await quantizeModelToGguf(folder!, out, { bits, onProgress });
  };
  const result = await tidied(quantize, () => line.clear());
  for (const { path, bytesBefore, bytesAfter, relativeError, left } of result.files) {
    tell(
      text.file(path, formatBytes(bytesBefore), formatBytes(bytesAfter), percent(relativeError)),
    );
    if (left.length > 0) tell(text.left(left.length, block));
  }
  const milliseconds = performance.now() - start;
  tell(text.done(result.folder, duration(milliseconds)));
  return { ...result, bits, blockSize: block, milliseconds };
});

function bitsOf(value: string): 4 | 8 {
  if (value === "4") return 4;
  if (value === "8") return 8;
  throw new InvalidArgumentError(text.expected);
}
