/** `deno task test`: the health check, one verified picture. */
import { dirname, join } from "node:path";
import { writeFileAtomically } from "../src/files.ts";
import { encodePng, NewBieError } from "../src/mod.ts";
import { recipeText } from "../src/recipe/mod.ts";
import { GUIDANCE_SCALE, judge, runHealthCheck, SEED, STEPS } from "../src/studio/health_check.ts";
import { addModelOptions, type ModelOptions } from "./cli/model_options.ts";
import { ProgressLine } from "./cli/progress.ts";
import { catalogue, duration, language, run, task } from "./cli/task.ts";
import { tell } from "./cli/print.ts";

const OUTPUT = "success_output.png";
/** Where the picture goes when the toolkit's own folder is read-only, as in a container. */
const OUTPUT_ELSEWHERE = `outputs/${OUTPUT}`;
/** The same where a person started, when that is read-only, too: an installation that many share. */
const OUTPUT_OF_PERSON = join(Deno.env.get("INIT_CWD") ?? ".", OUTPUT_ELSEWHERE);
/** How file systems say that a folder is not to be written. */
const NOT_WRITABLE = ["EROFS", "EACCES", "EPERM"];

const guidance = GUIDANCE_SCALE.toFixed(1);
const { text, both } = catalogue({
  en: {
    description: `Health check: makes one picture with the demo model (${STEPS} steps, guidance ` +
      `${guidance}, seed ${SEED}), writes ${OUTPUT} (in a read-only folder ${OUTPUT_ELSEWHERE}) and ` +
      "compares it with the recorded one.",
    example: "Example:",
    stages: {
      load: "load",
      encode: "encode",
      denoise: "denoise",
      decode: "decode",
      total: "total",
    },
    step: "step",
    semicolon: "; ",
    failed: (output: string, problems: string) =>
      `${output} was written, but ${problems}. A weight, the sampler or the arithmetic differs from ` +
      "what was recorded.",
    success: (output: string, size: string, verdict: string) =>
      `Success: ${output} (${size}), ${verdict} to the record.`,
    drawnBy: (where: string, dtype: string, kernels: string | undefined) =>
      `  drawn on ${where} in ${dtype}${kernels === undefined ? "" : ` by ${kernels}`}`,
    kernels: { toolkit: "the toolkit's kernels", onnxruntime: "ONNX Runtime's kernels" },
    identical: "identical",
    nowhere: [
      `${OUTPUT} can be written neither here nor in outputs/. Start it in a folder of your own:`,
      '  cd ~ && deno task --config "$OLDPWD/deno.json" test',
    ],
  },
  zh: {
    description:
      `健康检查：用演示模型生成一张图片（${STEPS} 步，引导强度 ${guidance}，种子 ${SEED}），` +
      `写入 ${OUTPUT}（文件夹只读时写入 ${OUTPUT_ELSEWHERE}），并与记录的图片比较。`,
    example: "示例：",
    stages: { load: "加载", encode: "编码", denoise: "去噪", decode: "解码", total: "合计" },
    step: "步骤",
    semicolon: "；",
    failed: (output: string, problems: string) =>
      `已写入 ${output}，但是：${problems}。某个权重、采样器或运算与记录时不同。`,
    success: (output: string, size: string, verdict: string) =>
      `成功：${output}（${size}），与记录相比：${verdict}。`,
    drawnBy: (where: string, dtype: string, kernels: string | undefined) =>
      `  在 ${where} 上以 ${dtype} 绘制${kernels === undefined ? "" : `，使用${kernels}`}`,
    kernels: { toolkit: "本工具箱的内核", onnxruntime: " ONNX Runtime 的内核" },
    identical: "完全一致",
    nowhere: [
      `${OUTPUT} 在这里和 outputs/ 中都不能写入。请在自己的文件夹中启动：`,
      '  cd ~ && deno task --config "$OLDPWD/deno.json" test',
    ],
  },
});

const command = task("test", text.description)
  .addHelpText("after", `\n${text.example}\n  deno task test --json`);

addModelOptions(command);

await run<ModelOptions & { json?: true }>(command, async ({ device, dtype, offload, threads }) => {
  const start = performance.now();
  const line = new ProgressLine();
  const result = await runHealthCheck({
    device,
    dtype,
    offload,
    threads,
    language,
    onStep: (done, total) => line.draw(() => `  ${text.step} ${done}/${total}`),
  }).finally(() => line.clear());
  const { image, recipe } = result;
  const output = await write(encodePng(image, { text: recipeText(recipe) }));
  const timings = { ...result.timings, total: performance.now() - start };
  for (const stage of Object.keys(text.stages) as (keyof typeof timings)[]) {
    tell(`  ${text.stages[stage].padEnd(8)}${duration(timings[stage]).padStart(8)}`);
  }

  const { provider, dtype: type, arithmetic: { processor, kernels } = {} } = recipe;
  const where = provider === "cpu" || processor === undefined ? provider : processor;
  tell(text.drawnBy(where, type, kernels && text.kernels[kernels]));

  const { psnr, latentDeviation, problems } = await judge(result);
  if (problems.length > 0) {
    throw new NewBieError(
      both((text, language) =>
        text.failed(output, problems.map((problem) => problem[language]).join(text.semicolon))
      ),
    );
  }
  const identical = psnr === Infinity;
  const verdict = identical ? text.identical : `PSNR ${psnr.toFixed(1)} dB`;
  tell(text.success(output, `${image.width} × ${image.height}`, verdict));
  return {
    output,
    width: image.width,
    height: image.height,
    // JSON has no infinity: null stands for a picture without any difference.
    psnr: identical ? null : psnr,
    identical,
    latentDeviation,
    provider,
    dtype: type,
    ...(kernels === undefined ? {} : { kernels }),
    timings,
  };
});

/** @returns Where the picture is. */
async function write(png: Uint8Array): Promise<string> {
  const writeTo = (path: string) => writeFileAtomically(path, png, { scratchIn: dirname(path) });
  try {
    await writeTo(OUTPUT);
    return OUTPUT;
  } catch (error) {
    if (!NOT_WRITABLE.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    for (const path of [OUTPUT_ELSEWHERE, OUTPUT_OF_PERSON]) {
      try {
        if (path === OUTPUT_OF_PERSON) await Deno.mkdir(dirname(path), { recursive: true });
        await writeTo(path);
        return path;
      } catch {
        // All of them are told at once.
      }
    }
    throw new NewBieError(both((text) => text.nowhere), { cause: error });
  }
}
