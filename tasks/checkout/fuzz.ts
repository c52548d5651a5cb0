/** `deno task fuzz`: inputs that nobody expects, of every kind that comes from elsewhere. */
import { Option } from "commander";
import { fuzzKind } from "./fuzz/fuzz_kind.ts";
import { FUZZ_KINDS, type FuzzKindName } from "./fuzz/kinds.ts";
import { fuzzPrompts, timeHostilePrompts } from "./fuzz/prompts.ts";
import { fuzz } from "./fuzz/safetensors.ts";
import { NewBieError } from "../../src/errors.ts";
import { inLanguage, run, task, wholeNumber } from "../cli/task.ts";
import { tell } from "../cli/print.ts";

const DEFAULT_COUNT = 100_000;
const DEFAULT_SEED = 1;
/**
 * Time must not grow faster than with this power of the length; a quadratic parser grows with the
 * second power.
 */
const STEEPEST_GROWTH = 1.5;

const text = inLanguage({
  en: {
    description:
      "Throws damaged and hostile inputs at their readers: safetensors and GGUF headers, prompts, " +
      "templates, pictures and their texts, recipes, configurations, tokenizers, adapters, bundles, lists of checksums, lines of " +
      "batches. Each must end in a valid result or in an error for people within a second, and each " +
      "kind within bounded memory (headers 100 MB, the others 600 MB). No prompt may lose a word or " +
      "take longer than its length explains; no bundle may write outside models/ or change what is " +
      "listed; no list may be read as another than was written.",
    count: "how many of each kind",
    kind: "only this kind",
    seed: "which ones",
    example: "\nExample:\n  deno task fuzz --count 10000 --seed 2",
    headers: (count: number, seconds: number, slowest: number, megabytes: string, faults: number) =>
      `${count} headers in ${seconds} s, the slowest ${slowest} ms; memory grew by ${megabytes} ` +
      `MB; ${faults} violations.`,
    prompts: (count: number, seconds: number, slowest: number, faults: number) =>
      `${count} prompts in ${seconds} s, the slowest ${slowest} ms; ${faults} violations.`,
    kinds: (kind: string, count: number, seconds: number, slowest: number, faults: number) =>
      `${kind}: ${count} in ${seconds} s, the slowest ${slowest} ms; ${faults} violations.`,
    growth: (piece: string, exponent: number, milliseconds: number) =>
      `Hostile prompts: time grows with the length to the power of ${exponent} at most (${piece}); ` +
      `65,536 characters take ${milliseconds} ms at most.`,
    tooSteep: (piece: string, exponent: number) =>
      `Prompts of ${piece}: time grows with the length to the power of ${exponent}.`,
  },
  zh: {
    description:
      "用损坏的和恶意的输入测试各个读取程序：safetensors 和 GGUF 文件头、提示词、模板、图片及其中的文本、" +
      "配方、配置、分词器、适配器、离线包、校验值列表、批次的行。每个都必须在一秒内给出有效的结果或" +
      "给人看的错误，每一类的内存都有上限（文件头 100 MB，其他 600 MB）。提示词不能丢失任何字，" +
      "耗时只随长度线性增长；离线包不能写到 models/ 之外，也不能改动已列出的校验值；" +
      "列表写出后必须能原样读回。",
    count: "每一类测试多少个",
    kind: "只测试这一类",
    seed: "随机种子",
    example: "\n示例：\n  deno task fuzz --count 10000 --seed 2",
    headers: (count: number, seconds: number, slowest: number, megabytes: string, faults: number) =>
      `${count} 个文件头，用时 ${seconds} 秒，最慢 ${slowest} 毫秒；内存增长 ${megabytes} MB；` +
      `${faults} 处违例。`,
    prompts: (count: number, seconds: number, slowest: number, faults: number) =>
      `${count} 个提示词，用时 ${seconds} 秒，最慢 ${slowest} 毫秒；${faults} 处违例。`,
    kinds: (kind: string, count: number, seconds: number, slowest: number, faults: number) =>
      `${kind}：${count} 个，用时 ${seconds} 秒，最慢 ${slowest} 毫秒；${faults} 处违例。`,
    growth: (piece: string, exponent: number, milliseconds: number) =>
      `恶意提示词：耗时最多随长度的 ${exponent} 次方增长（${piece}）；65,536 个字符最多用时 ` +
      `${milliseconds} 毫秒。`,
    tooSteep: (piece: string, exponent: number) =>
      `由 ${piece} 组成的提示词：耗时随长度的 ${exponent} 次方增长。`,
  },
});

const KINDS = ["headers", "prompts", ...Object.keys(FUZZ_KINDS)];
/** What a person reads of each kind's violations, of which there may be thousands. */
const MOST_TOLD = 10;

const command = task("fuzz", text.description)
  .option("--count <cases>", text.count, wholeNumber, DEFAULT_COUNT)
  .option("--seed <seed>", text.seed, wholeNumber, DEFAULT_SEED)
  .addOption(new Option("--kind <name>", text.kind).choices(KINDS))
  .addHelpText("after", text.example);

interface Options {
  readonly json?: true;
  readonly count: number;
  readonly seed: number;
  readonly kind?: string;
}

await run<Options>(command, async ({ count, seed, kind }) => {
  const isAsked = (name: string) => kind === undefined || kind === name;
  const violations: string[] = [];
  const headers = isAsked("headers") ? await throwHeaders(count, seed) : undefined;
  violations.push(...headers?.violations ?? []);
  const prompts = isAsked("prompts") ? throwPrompts(count, seed, violations) : undefined;
  const kinds = [];
  for (const name of (Object.keys(FUZZ_KINDS) as FuzzKindName[]).filter(isAsked)) {
    const report = await fuzzKind(name, count, seed);
    const { seconds, slowestMs } = report;
    tell(text.kinds(name, count, seconds, slowestMs, report.violations.length));
    violations.push(...report.violations.slice(0, MOST_TOLD));
    kinds.push(report);
  }
  if (violations.length > 0) {
    throw new NewBieError({
      en: ["Rules were broken:", ...violations],
      zh: ["有违例：", ...violations],
    });
  }
  return { ...headers, ...(prompts === undefined ? {} : { prompts }), kinds };
});

async function throwHeaders(count: number, seed: number) {
  const headers = await fuzz(count, seed);
  const megabytes = (headers.rssGrowthBytes / 1e6).toFixed(0);
  const { seconds, slowestMs, violationCount } = headers;
  tell(text.headers(headers.count, seconds, slowestMs, megabytes, violationCount));
  return headers;
}

function throwPrompts(count: number, seed: number, violations: string[]) {
  const prompts = fuzzPrompts(count, seed);
  tell(
    text.prompts(count, prompts.seconds, prompts.slowestMs, prompts.violationCount),
  );
  const growth = timeHostilePrompts();
  const steepest = growth.reduce((a, b) => a.exponent > b.exponent ? a : b);
  const slowest = Math.max(...growth.map(({ milliseconds }) => milliseconds.at(-1)!));
  tell(text.growth(JSON.stringify(steepest.piece), steepest.exponent, slowest));
  violations.push(
    ...prompts.violations,
    ...growth.filter(({ exponent }) => exponent > STEEPEST_GROWTH)
      .map(({ piece, exponent }) => text.tooSteep(JSON.stringify(piece), exponent)),
  );
  return { ...prompts, growth };
}
