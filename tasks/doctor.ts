/** `deno task doctor`: what this machine can run, and what to do about the rest. */
import { diagnose, gatherFacts } from "../src/doctor/mod.ts";
import { RequestError } from "../src/errors.ts";
import { report } from "./doctor/report.ts";
import { catalogue, language, run, task, TaskFailure } from "./cli/task.ts";
import { Painted, print } from "./cli/print.ts";
import { understandsEscapes } from "./cli/understands_escapes.ts";

const { text, both } = catalogue({
  en: {
    description:
      "Tells what this machine can run: processor, memory, GPUs, CUDA's libraries, the " +
      "execution provider that is used and why not the better one, which models are here and " +
      "whether they fit. For each problem, the one command that fixes it.",
    model: "the folder of the model",
    examples: "Examples:\n" +
      "  deno task doctor\n" +
      "  deno task doctor --model /data/newbie-image\n" +
      "  deno task doctor --json\n\n" +
      "Exit code: 0 when pictures can be made here, 1 when not, 2 for a wrong option.",
    noFolder: (folder: string) =>
      `--model ${folder}: there is no such folder. Give the folder that holds the model's files.`,
    yes: "Pictures can be made on this machine.",
    yesWithDemo: [
      "Pictures can be made on this machine with the demo model:",
      "  deno task create --model models/demo",
    ],
    no: "Pictures cannot be made on this machine yet: fix what is marked ✗.",
  },
  zh: {
    description:
      "说明本机能运行什么：处理器、内存、显卡、CUDA 库、使用哪个执行提供程序以及为何没有用" +
      "更好的、有哪些模型、能否放下；每个问题都给出一条解决命令。",
    model: "模型所在的文件夹",
    examples: "示例：\n" +
      "  deno task doctor\n" +
      "  deno task doctor --model /data/newbie-image\n" +
      "  deno task doctor --json\n\n" +
      "退出码：0 表示本机可以作画，1 表示不行，2 表示选项有误。",
    noFolder: (folder: string) => `--model ${folder}：没有这个文件夹。请给出存放模型文件的文件夹。`,
    yes: "本机可以作画。",
    yesWithDemo: ["本机可以用演示模型作画：", "  deno task create --model models/demo"],
    no: "本机还不能作画：请先解决标有 ✗ 的问题。",
  },
});

const command = task("doctor", text.description)
  .option("--model <folder>", text.model, ".")
  .addHelpText("after", `\n${text.examples}`);

await run<{ json?: true; model: string }>(command, async ({ json, model }) => {
  const { isDirectory } = await Deno.stat(model).catch(() => ({ isDirectory: false }));
  if (!isDirectory) throw new RequestError(both((text) => text.noFolder(model)));
  const facts = await gatherFacts({ model, language });
  const diagnosis = diagnose(facts, language);
  const color = understandsEscapes(Deno.stdout) && !Deno.noColor;
  if (!json) print(new Painted(report(facts, diagnosis, { color })), "");
  const result = { ...diagnosis, facts };
  if (!diagnosis.canMakePictures) throw new TaskFailure(text.no, result);
  const asked = diagnosis.model === "used" || facts.model.isDemo;
  if (!json) print(asked ? text.yes : text.yesWithDemo);
  return result;
});
