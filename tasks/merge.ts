/** `deno task merge`: copies of a model with adapters in them. */
import { Option } from "commander";
import { RequestError } from "../src/errors.ts";
import { PART_NAMES, partWords } from "../src/families/mod.ts";
import { formatBytes } from "../src/format_bytes.ts";
import { type AdapterChoice, mergeModel, mergePart } from "../src/merge/mod.ts";
import { findCheckpoint } from "../src/pipeline/checkpoint/find_checkpoint.ts";
import { namedFiles } from "../src/pipeline/checkpoint/named_files.ts";
import { findAdapter, loraFolders } from "../src/pipeline/adapters/adapter_folders.ts";
import { parseLora } from "../src/studio/lora_request.ts";
import { tell } from "./cli/print.ts";
import { ProgressLine } from "./cli/progress.ts";
import { tidied } from "./cli/tidied.ts";
import { duration, inLanguage, run, task } from "./cli/task.ts";

const percent = (ratio: number) => `${(100 * ratio).toFixed(2)} %`;

const text = inLanguage({
  en: {
    description:
      "Makes a copy of a model with adapters in it: of LoRA, LoKr, LoHa, DoRA and their " +
      "relatives, from the files of every program that writes them. A folder as --out is a whole " +
      "model, used like the original: --model FOLDER. A file as --out is the transformer alone.",
    lora:
      "an adapter's file or PEFT folder, and how strongly it is put in (default: 1); several add " +
      "up, and a weight may be negative",
    out: "the new folder, or a new file NAME.safetensors",
    model: "the folder with the model",
    transformer: "the transformer instead, a file or a folder; --out is a file then",
    examples: "\nExamples:\n  deno task merge --lora style.safetensors:0.8 --out ../with-style" +
      "\n  deno task merge --lora a.safetensors --lora b.safetensors:-0.3 \\" +
      "\n    --transformer models/next-dit-3.5b --out ../merged.safetensors",
    progress: (file: string, done: number, total: number) => `  ${file}: tensor ${done}/${total}`,
    adapter: (path: string, weight: string, format: string, changes: string) =>
      `  ${path} (${format}), weight ${weight}: ${changes}`,
    textWeight: (weight: number, textWeight: number) =>
      `${weight}, in the text encoders ${textWeight}`,
    changes: (part: string, count: number) =>
      `${count} ${count === 1 ? "change" : "changes"} of the ${part}`,
    nothing: "changes nothing that this model computes with",
    file: (path: string, changed: number, tensors: number, bytes: string, change: string) =>
      `  ${path}: ${changed} of ${tensors} tensors changed, most by about ${change}; ${bytes}`,
    done: (target: string, time: string) => `Done: ${target}, ${time}.`,
    and: ", ",
    parts: partWords("en"),
  },
  zh: {
    description:
      "制作一份合并了适配器的模型副本：LoRA、LoKr、LoHa、DoRA 及其同类，读取各种程序写出的文件。" +
      "--out 为文件夹时是完整的模型，用法与原模型相同：--model 文件夹。--out 为文件时只有 Transformer。",
    lora: "适配器的文件、PEFT 文件夹或 models/loras 中的名称，以及合并的权重（默认为 1）；" +
      "多个相加，权重可以为负",
    out: "新文件夹，或新文件 名称.safetensors",
    model: "模型的文件夹",
    transformer: "改为只指定 Transformer 的文件或文件夹；此时 --out 是文件",
    examples: "\n示例：\n  deno task merge --lora style.safetensors:0.8 --out ../with-style" +
      "\n  deno task merge --lora a.safetensors --lora b.safetensors:-0.3 \\" +
      "\n    --transformer models/next-dit-3.5b --out ../merged.safetensors",
    progress: (file: string, done: number, total: number) => `  ${file}：张量 ${done}/${total}`,
    adapter: (path: string, weight: string, format: string, changes: string) =>
      `  ${path}（${format}），权重 ${weight}：${changes}`,
    textWeight: (weight: number, textWeight: number) => `${weight}（文本编码器中为 ${textWeight}）`,
    changes: (part: string, count: number) => `改动 ${part} ${count} 处`,
    nothing: "没有改动此模型用到的内容",
    file: (path: string, changed: number, tensors: number, bytes: string, change: string) =>
      `  ${path}：${tensors} 个张量中改动 ${changed} 个，变化大多约为 ${change}；${bytes}`,
    done: (target: string, time: string) => `完成：${target}，用时 ${time}。`,
    and: "、",
    parts: partWords("zh"),
  },
});

const SINGLE_FILE = /\.safetensors$/i;

const command = task("merge", text.description)
  .addOption(
    new Option("--lora <file[:weight]>", text.lora).argParser(collected).makeOptionMandatory(),
  )
  .addOption(new Option("--out <path>", text.out).makeOptionMandatory())
  .option("--model <folder>", text.model, ".")
  .option("--transformer <path>", text.transformer)
  .addHelpText("after", text.examples);

interface Options {
  readonly json?: true;
  readonly lora: readonly string[];
  readonly out: string;
  readonly model: string;
  readonly transformer?: string;
}

await run<Options>(command, async ({ lora, out, model, transformer }) => {
  const start = performance.now();
  const line = new ProgressLine();
  const onProgress = (file: string, done: number, total: number) =>
    line.draw(() => text.progress(file, done, total));
  const adapters = await choices(lora, model);
  const merge = async () => {
    if (transformer === undefined && !SINGLE_FILE.test(out)) {
      return await mergeModel(model, adapters, out, { onProgress });
    }
    if (!SINGLE_FILE.test(out)) {
      throw new RequestError({
        en: "With --transformer, --out must be a file: NAME.safetensors.",
        zh: "使用 --transformer 时，--out 必须是文件：名称.safetensors。",
      });
    }
    const place = transformer === undefined
      ? (await findCheckpoint(model)).transformer
      : await namedFiles(transformer, "transformer");
    return await mergePart(place, adapters, out, { onProgress });
  };
  const result = await tidied(merge, () => line.clear());
  for (const { path, weight, textWeight, format, changes } of result.adapters) {
    const weights = textWeight === undefined ? String(weight) : text.textWeight(weight, textWeight);
    const said = PART_NAMES.flatMap((part) => {
      const count = changes[part];
      return count === undefined ? [] : [text.changes(text.parts[part], count)];
    });
    tell(text.adapter(path, weights, format, said.join(text.and) || text.nothing));
  }
  for (const { path, changed, tensors, bytes, medianChange } of result.files) {
    tell(text.file(path, changed, tensors, formatBytes(bytes), percent(medianChange)));
  }
  const milliseconds = performance.now() - start;
  tell(text.done(result.target, duration(milliseconds)));
  return { ...result, milliseconds };
});

function collected(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** The adapters that are meant, by their files or their names. */
async function choices(loras: readonly string[], model: string): Promise<AdapterChoice[]> {
  const asked = loras.map(parseLora);
  return await Promise.all(asked.map(async ({ name, weight, textWeight }) => {
    const { path } = await findAdapter({ name, mayBePath: true }, { folders: loraFolders(model) });
    return { path, weight, ...(textWeight === undefined ? {} : { textWeight }) };
  }));
}
