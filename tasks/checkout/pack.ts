/** `deno task pack`: the toolkit, its packages, Deno and the models in one archive, without an engine. */
import { fileURLToPath } from "node:url";
import configuration from "../../deno.json" with { type: "json" };
import { makePack, trackedFiles } from "../../src/container/mod.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { DENO, verifyProject } from "../../src/integrity/mod.ts";
import { tell } from "../cli/print.ts";
import { ProgressLine } from "../cli/progress.ts";
import { duration, inLanguage, run, task, TaskFailure } from "../cli/task.ts";
import { cancellable } from "./engine.ts";

const text = inLanguage({
  en: {
    description:
      "Packs the toolkit, its packages, the Deno that runs and the models into one archive. Unpacked " +
      "on any Linux on x86-64 with glibc, with no network, npm or container: ./newbie test",
    out: "the new archive (default: outputs/newbie-VERSION-linux-x64.tar)",
    noModels: "without the real weights",
    examples: "Example:\n  deno task pack --out /media/stick/newbie.tar\n\nThere:\n" +
      "  tar -xf newbie.tar && newbie-*/newbie test",
    verifying: (done: string, total: string) => `verifying: ${done} of ${total}`,
    packing: (done: string, total: string) => `packing: ${done} of ${total}`,
    unsound:
      "What lies here is not what is pinned, so it is not packed. deno task verify tells what.",
    otherDeno: (target: string, version: string) =>
      `This can only be packed by Deno ${DENO.version} on ${DENO.target}, and this is Deno ${version} ` +
      `on ${target}.`,
    done: (path: string, size: string, weights: number, time: string) =>
      `Packed ${path} (${size}, ${
        weights === 0 ? "without real weights" : `${weights} files of weights`
      }) in ${time}.`,
    needs: (glibc: string, cpp: string) => `It needs glibc ${glibc} and GLIBCXX_${cpp}, or newer.`,
    sha256: (digest: string) => `SHA-256: ${digest}`,
  },
  zh: {
    description:
      "将工具箱、软件包、正在运行的 Deno 和模型打成一个归档。在任何使用 glibc 的 x86-64 Linux 上解开后，" +
      "无需网络、npm 或容器即可运行：./newbie test",
    out: "新的归档（默认：outputs/newbie-版本-linux-x64.tar）",
    noModels: "不包含正式权重",
    examples: "示例：\n  deno task pack --out /media/stick/newbie.tar\n\n在目标机器上：\n" +
      "  tar -xf newbie.tar && newbie-*/newbie test",
    verifying: (done: string, total: string) => `正在校验：${done}，共 ${total}`,
    packing: (done: string, total: string) => `正在打包：${done}，共 ${total}`,
    unsound: "这里的内容与固定的不符，因此没有打包。deno task verify 会指出不符之处。",
    otherDeno: (target: string, version: string) =>
      `只能由 ${DENO.target} 上的 Deno ${DENO.version} 打包，而当前是 ${target} 上的 Deno ${version}。`,
    done: (path: string, size: string, weights: number, time: string) =>
      `已打包到 ${path}（${size}，${
        weights === 0 ? "不含正式权重" : `${weights} 个权重文件`
      }），用时 ${time}。`,
    needs: (glibc: string, cpp: string) => `需要 glibc ${glibc} 和 GLIBCXX_${cpp}，或更新的版本。`,
    sha256: (digest: string) => `SHA-256：${digest}`,
  },
});

interface Options {
  readonly json?: true;
  readonly out?: string;
  readonly models: boolean;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const command = task("pack", text.description)
  .option("--out <file>", text.out)
  .option("--no-models", text.noModels)
  .addHelpText("after", `\n${text.examples}`);

await run<Options>(command, async ({ out, models }) => {
  const start = performance.now();
  if (Deno.build.target !== DENO.target || Deno.version.deno !== DENO.version) {
    throw new TaskFailure(text.otherDeno(Deno.build.target, Deno.version.deno), {});
  }
  const line = new ProgressLine();
  return await cancellable(async (signal) => {
    const { files, time } = await trackedFiles(ROOT);
    const { isSound } = await verifyProject(ROOT, {
      signal,
      onProgress: (done, total) =>
        line.draw(() => text.verifying(formatBytes(done), formatBytes(total))),
    }).finally(() => line.clear());
    if (!isSound) throw new TaskFailure(text.unsound, {});
    const name = `newbie-${configuration.version}-linux-x64`;
    if (out === undefined) await Deno.mkdir("outputs", { recursive: true });
    const pack = await makePack({
      root: ROOT,
      files,
      deno: Deno.execPath(),
      name,
      out: out ?? `outputs/${name}.tar`,
      time,
      withModels: models,
      signal,
      onProgress: (done, total) =>
        line.draw(() => text.packing(formatBytes(done), formatBytes(total))),
    }).finally(() => line.clear());
    const took = duration(performance.now() - start);
    tell(text.done(pack.path, formatBytes(pack.bytes), pack.weights, took));
    tell(
      text.needs(pack.needs.get("GLIBC")!, pack.needs.get("GLIBCXX")!),
      text.sha256(pack.sha256),
    );
    return { ...pack, needs: Object.fromEntries(pack.needs) };
  });
});
