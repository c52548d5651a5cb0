/** `deno task bench`: speed and memory. */
import { type AdaptersResult, adaptersTable } from "../../bench/adapters.ts";
import {
  type ArithmeticRequest,
  type ArithmeticResult,
  arithmeticTable,
} from "../../bench/arithmetic.ts";
import { benchCompile } from "../../bench/compile.ts";
import { benchCpuForward, cpuForwardTable } from "../../bench/cpu_forward.ts";
import { benchCuda, gpuName } from "../../bench/cuda.ts";
import { cudaTable } from "../../bench/cuda_table.ts";
import { benchDraft } from "../../bench/draft.ts";
import { benchDecoders, DEMO_DECODERS } from "../../bench/decoders.ts";
import type { DemoResult } from "../../bench/demo.ts";
import { benchHashing } from "../../bench/hashing.ts";
import { describeMachine, type Machine } from "../../bench/machine.ts";
import { benchSession } from "../../bench/session.ts";
import { benchStepCache, stepCacheTable } from "../../bench/step_cache.ts";
import { inProcess, type Kernels } from "../../bench/process.ts";
import { benchSeveralGpus, severalGpusTable } from "../../bench/several_gpus.ts";
import { benchServe, serveTable } from "../../bench/serve.ts";
import { benchShards, shardsTable } from "../../bench/shards.ts";
import { benchTags, tagRows } from "../../bench/tags.ts";
import { median } from "../../bench/statistics.ts";
import { RequestError } from "../../src/errors.ts";
import { findCheckpoint } from "../../src/pipeline/checkpoint/find_checkpoint.ts";
import { Option } from "commander";
import { catalogue, run, task, wholeNumber } from "../cli/task.ts";
import { tell } from "../cli/print.ts";
import { record, RESULTS, today } from "./record.ts";

const DEFAULT_RUNS = 3;
/** What the published model makes by default. */
const PICTURE_SIZE = 1024;
const PICTURE_STEPS = 28;
const CAPTION_TOKENS = 256;
/** Adapters as people train them. */
const ADAPTER_RANK = 32;
const ADAPTER_RUNS = 20;
/** The demo model's pictures, in latents. */
const DEMO_LATENTS = 32;
const DEMO_CAPTION = 64;
const DEMO_TRANSFORMER = "models/demo/next-dit";

interface Options {
  readonly json?: true;
  readonly runs: number;
  readonly device: "cpu" | "cuda";
  readonly model?: string;
  readonly modelWithKl?: string;
  readonly reference?: string;
  readonly quantized?: readonly string[];
  readonly resident?: true;
  readonly severalGpus?: true;
  readonly pytorch?: string;
  readonly stepCache?: true;
  readonly draft?: true;
  readonly adapters?: true;
  readonly arithmetic?: true;
  readonly tags?: true;
  readonly serve?: true;
  readonly shards?: true;
  readonly record?: true;
}

const { text, both } = catalogue({
  en: {
    description: "Measures the toolkit on this machine.",
    record: `record in ${RESULTS}/, as what is measured from now on`,
    device: "what to measure",
    runs: "CPU: runs of the demo model, of which the median counts",
    stepCache: "CPU: what the step cache saves and changes, and nothing else",
    draft: "CPU: how much a draft differs from the whole picture, and nothing else",
    adapters:
      "what adapters on every layer cost, and nothing else; with --model on its transformer",
    arithmetic:
      "CUDA: how near the demo model's pictures in 16 and 8 bits are to those of float32, " +
      "and nothing else",
    tags: "CPU: a list of 200,000 tags, and nothing else",
    serve: "CPU: how fast serve answers, and its memory after 500 pictures, and nothing else",
    shards: "CPU: a batch by one process and by two that share the cores, and nothing else",
    model: "CUDA: folder of a full-size model with AutoencoderTiny",
    modelWithKl: "CUDA: the same with AutoencoderKL",
    reference: "CUDA: what bench/reference/components.py stored of its weights",
    quantized: "CUDA: quantised copies of the model; with --pytorch one of the demo model",
    pytorch:
      "CPU: one forward beside PyTorch's, by this Python, and nothing else; with --quantized",
    resident: "CUDA: forwards and pictures with all parts in the GPU's memory, and nothing else",
    severalGpus: "CUDA: pictures on one GPU and on two, and nothing else",
    examples: "Examples:",
    atLeastOne: (runs: number) => `--runs is ${runs}; expected at least 1.`,
    copyNeeded: "--pytorch needs --quantized: deno task quantize models/demo --bits 8 makes one.",
    modelNeeded: "--device cuda needs --model: deno task bench:weights writes one.",
  },
  zh: {
    description: "测量本工具箱在这台机器上的性能。",
    record: `把结果记录到 ${RESULTS}/，取代原有的记录`,
    device: "要测量的设备",
    runs: "CPU：演示模型运行的次数，取中位数",
    stepCache: "CPU：只测步骤缓存节省了多少、改变了什么",
    draft: "CPU：只测快速预览与完整图片相差多少",
    adapters: "只测每一层都带适配器时慢多少；可用 --model 指定 Transformer 的文件夹",
    arithmetic: "CUDA：只测演示模型的 16 位和 8 位图片与 float32 图片相差多少",
    tags: "CPU：只测一份 20 万个标签的列表",
    serve: "CPU：只测 serve 应答有多快，以及画 500 张图片后的内存",
    shards: "CPU：只测一个批次由一个进程或两个分享核心的进程来画",
    model: "CUDA：带 AutoencoderTiny 的完整尺寸模型的文件夹",
    modelWithKl: "CUDA：同上，带 AutoencoderKL",
    reference: "CUDA：bench/reference/components.py 用其权重保存的结果",
    quantized: "CUDA：该模型的量化副本；与 --pytorch 同用时为演示模型的一份",
    pytorch: "CPU：只测一次前向，并用这个 Python 测 PyTorch 作比较；需要 --quantized",
    resident: "CUDA：只测 Transformer 的一次前向，以及各部分常驻显存时的图片",
    severalGpus: "CUDA：只测一块显卡与两块显卡上的图片",
    examples: "示例：",
    atLeastOne: (runs: number) => `--runs 是 ${runs}；至少应为 1。`,
    copyNeeded:
      "--pytorch 需要 --quantized：可用 deno task quantize models/demo --bits 8 制作一份。",
    modelNeeded: "--device cuda 需要 --model：可用 deno task bench:weights 写出一个。",
  },
});

const command = task("bench", text.description)
  .addOption(new Option("--device <name>", text.device).choices(["cpu", "cuda"]).default("cpu"))
  .option("--runs <count>", text.runs, wholeNumber, DEFAULT_RUNS)
  .option("--step-cache", text.stepCache)
  .option("--draft", text.draft)
  .option("--adapters", text.adapters)
  .option("--arithmetic", text.arithmetic)
  .option("--tags", text.tags)
  .option("--serve", text.serve)
  .option("--shards", text.shards)
  .option("--model <folder>", text.model)
  .option("--model-with-kl <folder>", text.modelWithKl)
  .option("--reference <file>", text.reference)
  .option("--quantized <folders...>", text.quantized)
  .option("--pytorch <python>", text.pytorch)
  .option("--resident", text.resident)
  .option("--several-gpus", text.severalGpus)
  .option("--record", text.record)
  .addHelpText(
    "after",
    `\n${text.examples}\n  deno task bench --runs 5 --record\n` +
      "  deno task bench --device cuda --model /data/random",
  );

await run<Options>(command, async (options) => {
  if (options.adapters) return await benchTheAdapters(options);
  if (options.arithmetic) return await benchTheArithmetic(options);
  if (options.device === "cuda") return await benchOnCuda(options);
  if (options.pytorch !== undefined) return await benchBesidePytorch(options, options.pytorch);
  if (options.stepCache) return await benchTheStepCache(options);
  if (options.tags) return await benchTheTags(options);
  if (options.draft) return await benchTheDraft(options);
  if (options.serve) return await benchTheServer(options);
  if (options.shards) return await benchTheShards(options);
  const { runs } = options;
  if (runs < 1) throw new RequestError(both((text) => text.atLeastOne(runs)));
  const machine = await describeMachine();
  const date = today();
  const compile = benchCompile();
  const session = await benchSession();
  const decoders = await benchDecoders(DEMO_DECODERS);
  const hashing = await benchHashing();
  const adapters = await adaptersOn("cpu", DEMO_TRANSFORMER);
  const tags = await benchTags();
  const demo = await benchDemo(runs);
  const results = { date, machine, compile, session, decoders, hashing, adapters, tags, demo };
  const table = markdown(
    "CPU",
    date,
    `${described(machine)}. Medians. \`deno task bench\``,
    [
      "| transformer of the published size, layers | graphs compiled in | size |",
      "| --- | --- | --- |",
      ...compile.map(({ layers, milliseconds, kibibytes }) =>
        `| ${layers} | ${milliseconds.toFixed(0)} ms | ${kibibytes.toFixed(0)} KiB |`
      ),
      "",
      `| demo model's transformer, ${session.weightsMebibytes.toFixed(1)} MiB of weights | |`,
      "| --- | --- |",
      `| header read, graphs compiled | ${session.compile.toFixed(0)} ms |`,
      `| sessions loaded | ${session.load.toFixed(0)} ms |`,
      "",
      "| picture | AutoencoderTiny | AutoencoderKL | times as fast |",
      "| --- | --- | --- | --- |",
      ...decoders.map(({ size, tiny, kl, ratio }) =>
        `| ${size} × ${size} | ${tiny.toFixed(0)} ms | ${kl.toFixed(0)} ms | ${ratio.toFixed(1)} |`
      ),
      "",
      `| checksums of ${hashing.megabytes.toFixed(0)} MB, as verify takes them | |`,
      "| --- | --- |",
      `| one thread | ${hashing.oneThread.toFixed(0)} MB/s |`,
      `| ${machine.cores} threads | ${hashing.allThreads.toFixed(0)} MB/s |`,
      `| sha256sum | ${hashing.sha256sum.toFixed(0)} MB/s |`,
      `| ${machine.cores} threads, times as fast as sha256sum | ${hashing.ratio.toFixed(1)} |`,
      "",
      ...adaptersTable(adapters),
      "",
      ...tagRows(tags),
      "",
      `| demo model, 30 steps with guidance, median of ${runs} runs | |`,
      "| --- | --- |",
      ...Object.entries(demo).map(([name, value]) =>
        name === "peakMemory"
          ? `| peak memory | ${value.toFixed(0)} MiB |`
          : `| ${name} | ${value.toFixed(0)} ms |`
      ),
    ],
  );
  await show(options, "cpu", results, table);
  return results;
});

/** Forwards with and without adapters, in a process of their own. */
async function adaptersOn(
  device: "cpu" | "cuda",
  folder: string,
  kernels: Kernels = "own",
): Promise<AdaptersResult> {
  const isDemo = folder === DEMO_TRANSFORMER;
  return await inProcess<AdaptersResult>("bench/adapters.ts", {
    folder,
    device,
    dtype: "auto",
    latentSize: isDemo ? DEMO_LATENTS : PICTURE_SIZE / 8,
    caption: isDemo ? DEMO_CAPTION : CAPTION_TOKENS,
    runs: ADAPTER_RUNS,
    rank: ADAPTER_RANK,
  }, kernels);
}

/** What adapters cost: on a CPU, or on a GPU with both kinds of kernels. */
async function benchTheAdapters(options: Options) {
  const { device, model } = options;
  const machine = await describeMachine();
  const date = today();
  const folder = model === undefined
    ? DEMO_TRANSFORMER
    : (await findCheckpoint(model)).transformer.weights;
  const kinds: readonly Kernels[] = device === "cuda" ? ["onnxruntime", "own"] : ["own"];
  const measured = [];
  for (const kernels of kinds) {
    measured.push({ kernels, ...await adaptersOn(device, folder, kernels) });
  }
  const table = markdown(
    "Adapters",
    date,
    `${machine.cpu}, ${machine.os}; Deno ${machine.deno}, ONNX Runtime ${machine.onnxruntime}; ` +
      `${device}. \`deno task bench --adapters\``,
    measured.flatMap((result, index) => [
      ...index > 0 ? [""] : [],
      ...device === "cuda" ? [`Kernels: ${result.kernels}`, ""] : [],
      ...adaptersTable(result),
    ]),
  );
  const results = { date, machine, device, measured };
  await show(options, `adapters_${device}`, results, table);
  return results;
}

/** One forward of the demo model on a CPU, beside PyTorch's. */
async function benchBesidePytorch(options: Options, python: string) {
  const { quantized: [quantized] = [] } = options;
  if (quantized === undefined) throw new RequestError(both((text) => text.copyNeeded));
  const machine = await describeMachine();
  const date = today();
  const { torch, forwards } = await benchCpuForward({ quantized, python, log: tell });
  const table = markdown(
    "One forward beside PyTorch's",
    date,
    `models/demo on ${described(machine)}, PyTorch ${torch}. \`deno task bench --pytorch\``,
    cpuForwardTable(forwards),
  );
  const results = { date, machine, torch, forwards };
  await show(options, "cpu_forward", results, table);
  return results;
}

/** The demo model's pictures in other types than float32. */
async function benchTheArithmetic(options: Options) {
  const machine = await describeMachine();
  const date = today();
  const gpu = await gpuName();
  const request: ArithmeticRequest = { device: "cuda", dtypes: ["bfloat16", "float16", "int8"] };
  const pictures = await inProcess<ArithmeticResult[]>(
    "bench/arithmetic.ts",
    request,
    "own",
    tell,
  );
  const table = markdown(
    "Arithmetic",
    date,
    `XML prompts of held-out scenes, models/demo, with our own kernels on ${gpu}; Deno ` +
      `${machine.deno}, ONNX Runtime ${machine.onnxruntime}. \`deno task bench --arithmetic\``,
    arithmeticTable(pictures),
  );
  const results = { date, machine, gpu, pictures };
  await show(options, "arithmetic_cuda", results, table);
  return results;
}

/** The demo model's pictures with and without the step cache. */
async function benchTheStepCache(options: Options) {
  const machine = await describeMachine();
  const date = today();
  const pictures = await benchStepCache(tell);
  const table = markdown(
    "Step cache",
    date,
    `The demo model on ${machine.cpu}, ${machine.os}; Deno ${machine.deno}, ONNX Runtime ` +
      `${machine.onnxruntime}. \`deno task bench --step-cache\``,
    stepCacheTable(pictures),
  );
  const results = { date, machine, pictures };
  await show(options, "step_cache", results, table);
  return results;
}

/** A list of tags, read and completed from. */
async function benchTheTags(options: Options) {
  const machine = await describeMachine();
  const date = today();
  const tags = await benchTags();
  const table = markdown(
    "Lists of tags",
    date,
    `${machine.cpu}, ${machine.os}; Deno ${machine.deno}. \`deno task bench --tags\``,
    tagRows(tags),
  );
  const results = { date, machine, tags };
  await show(options, "tags", results, table);
  return results;
}

/** The demo model's drafts against its pictures. */
async function benchTheDraft(options: Options) {
  const date = today();
  const measured = await benchDraft(tell);
  const { scenes, drawnOn, steps: [draft, usual], psnr: { mean, least } } = measured;
  const table = markdown(
    "Draft",
    date,
    `XML prompts of ${scenes} held-out scenes, models/demo, ${drawnOn.device} in ${drawnOn.dtype}; ` +
      "the same noise. `deno task bench --draft`",
    [
      `| steps of Euler's method | PSNR to ${usual} steps, mean | least |`,
      "| --- | --- | --- |",
      `| ${draft} | ${mean.toFixed(1)} dB | ${least.toFixed(1)} dB |`,
    ],
  );
  const results = { date, ...measured };
  await show(options, "draft", results, table);
  return results;
}

/** The studio's server, asked as a page asks it. */
async function benchTheServer(options: Options) {
  const machine = await describeMachine();
  const date = today();
  const measured = await benchServe(tell);
  const table = markdown(
    "Serve",
    date,
    `models/demo on ${described(machine)}. \`deno task bench --serve\``,
    serveTable(measured),
  );
  const results = { date, machine, ...measured };
  await show(options, "serve", results, table);
  return results;
}

/** A batch that processes share. */
async function benchTheShards(options: Options) {
  const machine = await describeMachine();
  const date = today();
  const measured = await benchShards(tell);
  const table = markdown(
    "Shared batches",
    date,
    `models/demo on ${described(machine)}. \`deno task bench --shards\``,
    shardsTable(measured),
  );
  const results = { date, machine, ...measured };
  await show(options, "shards", results, table);
  return results;
}

/** The full-size model on a GPU. */
async function benchOnCuda(options: Options) {
  const { model, modelWithKl, reference, quantized = [], resident: residentOnly = false } = options;
  if (model === undefined) {
    throw new RequestError(both((text) => text.modelNeeded));
  }
  const machine = await describeMachine();
  const date = today();
  const drawn = { model, steps: PICTURE_STEPS, size: PICTURE_SIZE, caption: CAPTION_TOKENS };
  if (options.severalGpus) {
    const measured = await benchSeveralGpus({ ...drawn, log: tell });
    const gpu = await gpuName();
    const table = markdown(
      "Several GPUs",
      date,
      `${gpu}; ${machine.cpu}, ${machine.cores} cores; Deno ${machine.deno}, ONNX Runtime ` +
        `${machine.onnxruntime}; our own kernels, random weights of the published sizes, ` +
        `${PICTURE_SIZE} × ${PICTURE_SIZE}, ${PICTURE_STEPS} steps, ${CAPTION_TOKENS} caption tokens, ` +
        "guidance 5 (two forwards a step). `deno task bench --device cuda --several-gpus`",
      severalGpusTable(measured),
    );
    const results = { date, machine, gpu, measured };
    await show(options, "several_gpus", results, table);
    return results;
  }
  const measured = await benchCuda({
    ...drawn,
    ...(modelWithKl === undefined ? {} : { modelWithKl }),
    ...(reference === undefined ? {} : { reference }),
    quantized,
    residentOnly,
    log: tell,
  });
  const results = { date, machine, ...measured };
  const table = markdown(
    `CUDA${residentOnly ? ", all parts resident" : ""}`,
    date,
    `${measured.gpu}; ${machine.cpu}, ${machine.cores} cores; Deno ${machine.deno}, ONNX Runtime ` +
      `${machine.onnxruntime}; random weights of the published sizes, ${CAPTION_TOKENS} caption tokens, ` +
      "guidance 5 (two forwards a step). `deno task bench --device cuda" +
      `${residentOnly ? " --resident" : ""}\``,
    cudaTable(measured),
  );
  await show(options, residentOnly ? "cuda_resident" : "cuda", results, table);
  return results;
}

/** What was measured and when, where and by which command, and the results. */
function markdown(title: string, date: string, origin: string, rows: readonly string[]): string {
  return [`# ${title}, ${date}`, "", origin, "", ...rows, ""].join("\n");
}

/** A machine and the versions on it, for people. */
function described({ cpu, cores, memoryGiB, os, deno, onnxruntime }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${os}; Deno ${deno}, ONNX Runtime ${onnxruntime}`;
}

/** Tells what was measured, and records it where that was asked for. */
async function show(
  options: Options,
  name: string,
  results: unknown,
  table: string,
): Promise<void> {
  tell(table.split("\n"));
  if (options.record) await record(name, results, table);
}

/** Medians over runs in processes of their own. */
async function benchDemo(runs: number): Promise<DemoResult> {
  const results: DemoResult[] = [];
  for (let index = 0; index < runs; index++) {
    results.push(await inProcess<DemoResult>("bench/demo.ts"));
  }
  const names = Object.keys(results[0]!) as (keyof DemoResult)[];
  return Object.fromEntries(
    names.map((name) => [name, median(results.map((result) => result[name]))]),
  ) as unknown as DemoResult;
}
