/** `deno task bench:weights`: full-size checkpoints of random weights. */
import { InvalidArgumentError } from "commander";
import { PART_NAMES, type PartName, writeRandomWeights } from "./random_weights.ts";
import { RequestError } from "../../src/errors.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { catalogue, duration, run, task, wholeNumber } from "../cli/task.ts";
import { tell } from "../cli/print.ts";

const DEMO_MODEL = "models/demo";
const DEFAULT_SEED = 1;

const { text, both } = catalogue({
  en: {
    description:
      "Writes checkpoints of random bfloat16 weights with the published model's shapes " +
      "and names, in the toolkit's own layout: they cost the same to load and to run, and draw " +
      "noise. With all parts 14.9 GiB.",
    folder: "where the parts' folders go",
    only: `the parts to write, with commas: ${PART_NAMES.join(", ")} (default: all)`,
    layers: "at most so many layers of each kind, for small machines",
    vocabulary: "rows of the two embedding tables (default: 262208 and 250002)",
    seed: "which random weights",
    notes: "\nThe tokenizers are the demo model's: token ids beyond theirs never occur. " +
      "vae is AutoencoderTiny (TAEF1), in the place where the pipeline looks; to run vae_kl, FLUX's " +
      "AutoencoderKL, put its folder there." +
      "\n\nExamples:\n  deno task bench:weights /data/random" +
      "\n  deno task bench:weights outputs/small --layers 2 --vocabulary 4096",
    unknownPart: "Expected one or more of:",
    atLeastOne: (option: string) => `${option} is 0; expected at least 1.`,
    writing: (part: string, bytes: number) => `Writing ${part}, ${formatBytes(bytes)} …`,
    done: (folder: string, bytes: number, time: string) =>
      `Done: ${formatBytes(bytes)} in ${folder}, ${time}.`,
  },
  zh: {
    description:
      "按已发布模型的形状和名称写出随机 bfloat16 权重，采用工具箱的布局：加载和运行的开销" +
      "与正式权重相同，画出的只是噪声。全部部件共 14.9 GiB。",
    folder: "各部件文件夹的存放位置",
    only: `要写出的部件，用逗号分隔：${PART_NAMES.join(", ")}（默认全部）`,
    layers: "每种层最多写出多少层，供小型机器使用",
    vocabulary: "两个词嵌入表的行数（默认 262208 和 250002）",
    seed: "随机种子",
    notes:
      "\n分词器取自演示模型：超出其词表的 token 编号不会出现。vae 是 AutoencoderTiny（TAEF1），" +
      "位于流水线读取的位置；要运行 vae_kl，即 FLUX 的 AutoencoderKL，请把它的文件夹放到该位置。" +
      "\n\n示例：\n  deno task bench:weights /data/random" +
      "\n  deno task bench:weights outputs/small --layers 2 --vocabulary 4096",
    unknownPart: "应为以下一项或多项：",
    atLeastOne: (option: string) => `${option} 为 0；至少应为 1。`,
    writing: (part: string, bytes: number) => `正在写出 ${part}，${formatBytes(bytes)} …`,
    done: (folder: string, bytes: number, time: string) =>
      `完成：${folder}，共 ${formatBytes(bytes)}，用时 ${time}。`,
  },
});

const command = task("bench:weights", text.description)
  .argument("<folder>", text.folder)
  .option("--only <parts>", text.only, partNames)
  .option("--layers <count>", text.layers, wholeNumber)
  .option("--vocabulary <rows>", text.vocabulary, wholeNumber)
  .option("--seed <seed>", text.seed, wholeNumber, DEFAULT_SEED)
  .addHelpText("after", text.notes);

interface Options {
  readonly json?: true;
  readonly only?: readonly PartName[];
  readonly layers?: number;
  readonly vocabulary?: number;
  readonly seed: number;
}

await run<Options>(command, async ({ only, layers, vocabulary, seed }, [folder]) => {
  for (
    const [option, value] of Object.entries({ "--layers": layers, "--vocabulary": vocabulary })
  ) {
    if (value === 0) throw new RequestError(both((text) => text.atLeastOne(option)));
  }
  const start = performance.now();
  const parts = await writeRandomWeights(folder!, {
    parts: only,
    layers,
    vocabulary,
    seed,
    tokenizers: DEMO_MODEL,
    onPart: (part, bytes) => tell(text.writing(part, bytes)),
  });
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  const milliseconds = performance.now() - start;
  tell(text.done(folder!, bytes, duration(milliseconds)));
  return { folder, bytes, milliseconds, seed, parts };
});

/** Reads `--only`; each part once, in the order of writing. */
function partNames(value: string): PartName[] {
  const names = value.split(",").map((name) => name.trim());
  if (!names.every((name) => (PART_NAMES as readonly string[]).includes(name))) {
    throw new InvalidArgumentError(`${text.unknownPart} ${PART_NAMES.join(", ")}.`);
  }
  return PART_NAMES.filter((name) => names.includes(name));
}
