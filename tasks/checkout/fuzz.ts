/** `deno task fuzz`: damaged safetensors headers and prompts. */
import { fuzzPrompts, timeHostilePrompts } from "./fuzz/prompts.ts";
import { fuzz } from "./fuzz/safetensors.ts";
import { NewBieError } from "../../src/mod.ts";
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
    description: "Throws damaged safetensors headers at the reader, each of which must end in a " +
      "clear error or a valid result within a second, and all within 100 MB; and prompts at the " +
      "prompt engine, of which none may lose a word, end in another error than its own, or take " +
      "longer than its length explains.",
    count: "how many headers, and how many prompts",
    seed: "which ones",
    example: "\nExample:\n  deno task fuzz --count 10000 --seed 2",
    headers: (count: number, seconds: number, slowest: number, megabytes: string, faults: number) =>
      `${count} headers in ${seconds} s, the slowest ${slowest} ms; memory grew by ${megabytes} ` +
      `MB; ${faults} violations.`,
    prompts: (count: number, seconds: number, slowest: number, faults: number) =>
      `${count} prompts in ${seconds} s, the slowest ${slowest} ms; ${faults} violations.`,
    growth: (piece: string, exponent: number, milliseconds: number) =>
      `Hostile prompts: time grows with the length to the power of ${exponent} at most (${piece}); ` +
      `65,536 characters take ${milliseconds} ms at most.`,
    tooSteep: (piece: string, exponent: number) =>
      `Prompts of ${piece}: time grows with the length to the power of ${exponent}.`,
  },
  zh: {
    description: "用损坏的 safetensors 文件头测试读取程序：每个都必须在一秒内给出明确的错误或" +
      "有效的结果，总内存不超过 100 MB；再用各种提示词测试提示词引擎：不丢失任何字，不出现意外" +
      "错误，耗时只随长度线性增长。",
    count: "文件头和提示词各测试多少个",
    seed: "随机种子",
    example: "\n示例：\n  deno task fuzz --count 10000 --seed 2",
    headers: (count: number, seconds: number, slowest: number, megabytes: string, faults: number) =>
      `${count} 个文件头，用时 ${seconds} 秒，最慢 ${slowest} 毫秒；内存增长 ${megabytes} MB；` +
      `${faults} 处违例。`,
    prompts: (count: number, seconds: number, slowest: number, faults: number) =>
      `${count} 个提示词，用时 ${seconds} 秒，最慢 ${slowest} 毫秒；${faults} 处违例。`,
    growth: (piece: string, exponent: number, milliseconds: number) =>
      `恶意提示词：耗时最多随长度的 ${exponent} 次方增长（${piece}）；65,536 个字符最多用时 ` +
      `${milliseconds} 毫秒。`,
    tooSteep: (piece: string, exponent: number) =>
      `由 ${piece} 组成的提示词：耗时随长度的 ${exponent} 次方增长。`,
  },
});

const command = task("fuzz", text.description)
  .option("--count <cases>", text.count, wholeNumber, DEFAULT_COUNT)
  .option("--seed <seed>", text.seed, wholeNumber, DEFAULT_SEED)
  .addHelpText("after", text.example);

await run<{ json?: true; count: number; seed: number }>(command, async ({ count, seed }) => {
  const headers = await fuzz(count, seed);
  const megabytes = (headers.rssGrowthBytes / 1e6).toFixed(0);
  const { seconds, slowestMs, violationCount } = headers;
  tell(text.headers(headers.count, seconds, slowestMs, megabytes, violationCount));
  const prompts = fuzzPrompts(count, seed);
  tell(
    text.prompts(count, prompts.seconds, prompts.slowestMs, prompts.violationCount),
  );
  const growth = timeHostilePrompts();
  const steepest = growth.reduce((a, b) => a.exponent > b.exponent ? a : b);
  const slowest = Math.max(...growth.map(({ milliseconds }) => milliseconds.at(-1)!));
  tell(text.growth(JSON.stringify(steepest.piece), steepest.exponent, slowest));
  const violations = [
    ...headers.violations,
    ...prompts.violations,
    ...growth.filter(({ exponent }) => exponent > STEEPEST_GROWTH)
      .map(({ piece, exponent }) => text.tooSteep(JSON.stringify(piece), exponent)),
  ];
  if (violations.length > 0) {
    throw new NewBieError({
      en: ["Rules were broken:", ...violations],
      zh: ["有违例：", ...violations],
    });
  }
  return { ...headers, prompts: { ...prompts, growth } };
});
