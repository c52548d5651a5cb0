/** What `deno task install` says. */
import type { Message } from "../../src/errors.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { CUDA_PROVIDER } from "../../src/integrity/mod.ts";
import { catalogue } from "../cli/language.ts";

/** Why a download did not come to its end. */
export type DownloadProblem =
  | { readonly code: "not-reached"; readonly reason: string }
  | { readonly code: "status"; readonly status: string }
  | { readonly code: "interrupted"; readonly reason: string; readonly done: string }
  | { readonly code: "other-bytes"; readonly found: string };

const { package: name, version, onnxruntime, tarball } = CUDA_PROVIDER;

export const { text: texts, both } = catalogue({
  en: {
    description:
      "Applies the patches in patches/ to the packages in node_modules; it is silent when nothing is to do. With --cuda it puts ONNX " +
      "Runtime's CUDA provider where it belongs, too.",
    cuda: "install ONNX Runtime's CUDA provider (deno task install:cuda)",
    from: "take the provider from a tarball or a folder instead of the npm registry",
    examples: "Examples:\n" +
      "  deno task install\n" +
      `  deno task install:cuda                            ${
        formatBytes(tarball.bytes)
      } from npm\n` +
      "  deno task install:cuda --from provider.tgz        without a network\n\n" +
      `The tarball is that of ${name}@${version}:\n` +
      `  npm pack ${name}@${version}\n\n` +
      "Exit code: 0 when all is in place, 1 when not, 2 for a wrong option.",
    applied: (patch: string, files: number) => `Applied ${patch} to ${files} files.`,
    doesNotFit: (patch: string) => `${patch} does not fit, and nothing of it was applied.`,
    hunk: (number: number) => `Hunk ${number}:`,
    noFile: "There is no such file.",
    installed: (versions: string) => `Installed instead: ${versions}.`,
    layAnew: [
      "The installed packages are not those that it was made for. Install them again:",
      "  rm -rf node_modules && deno task install",
    ],
    notWritable: (patch: string, code: string) =>
      `${patch} could not be applied, because node_modules cannot be written (${code}). ` +
      "Start deno task install as a user who may, before the folder becomes read-only.",
    fromNeedsCuda: "--from says where the CUDA provider comes from: give --cuda as well.",
    ownTask: [
      "The CUDA provider has a task of its own, with the permissions that it needs:",
      "  deno task install:cuda",
    ],
    platform: (os: string, arch: string) =>
      `There is a CUDA provider for Linux on x86_64 alone, and this is ${os} on ${arch}. ` +
      "On the CPU, pictures can be made without it.",
    version: (found: string) =>
      `The pinned CUDA provider was built with ONNX Runtime ${onnxruntime}, and node_modules has ` +
      `${found}. Nothing was installed.`,
    noPackage: "nothing",
    waiting: "Another process installs the CUDA provider; waiting for it.",
    inPlace: "The CUDA provider is in place, and has the pinned bytes.",
    downloading: (host: string) =>
      `Downloading ${name} ${version} (${formatBytes(tarball.bytes)}) from ${host}.`,
    progress: (bar: string, done: string, total: string, left: string) =>
      `  ${bar} ${done} / ${total}, ${left} left`,
    done: (folder: string) => `The CUDA provider is installed in ${folder}.`,
    complete: "All libraries that it needs are here. deno task doctor says what else counts.",
    missing: (names: string) => `It needs libraries that are not here: ${names}.`,
    elsewhere: (folders: string) =>
      `It needs libraries that lie where the loader does not look: ${folders}.`,
    separator: ", ",
    doctor: "deno task doctor names the command that fixes it.",
    noSuchSource: (from: string) => `--from ${from}: there is no such tarball or folder.`,
    badRegistry: (value: string) => `The npm registry is set to "${value}", which is no http URL.`,
    noNetPermission: (host: string) => [
      `npm's registry is set to ${host}, which this task may reach only when it is allowed to at a ` +
      "terminal. Or download the tarball there, and give it:",
      `  npm pack ${name}@${version}`,
      `  deno task install:cuda --from ${name}-${version}.tgz`,
    ],
    download: (url: string, problem: DownloadProblem): Message => {
      const offline = "Where there is a network, npm pack " + `${name}@${version}` +
        " gets the tarball; deno task install:cuda --from takes it.";
      switch (problem.code) {
        case "not-reached":
          return [`${url} cannot be reached: ${problem.reason}.`, offline];
        case "status":
          return [`${url}: the server answers ${problem.status}.`, offline];
        case "interrupted":
          return `The download broke off after ${problem.done}: ${problem.reason}. ` +
            "Start it again, and it continues there.";
        case "other-bytes":
          return `${url} is not the pinned tarball, and was thrown away: it has ${problem.found}, ` +
            `and should have ${tarball.integrity}. Nothing was installed.`;
      }
    },
    damaged: (from: string, reason: string) =>
      `${from} is no .tgz, or is damaged (${reason}). Nothing was installed.`,
    absent: (from: string, file: string) => `${from} has no ${file}. Nothing was installed.`,
    otherBytes: (from: string, file: string) =>
      `${file} of ${from} is not the pinned one of ${name} ${version}. Nothing was installed.`,
    diskFull: (folder: string) =>
      `The disk is full: ${folder} needs about 450 MiB for a moment. Nothing was installed.`,
  },
  zh: {
    description: "把 patches/ 中的补丁应用到 node_modules 里的软件包。" +
      "无事可做时不输出任何内容。加上 --cuda 还会安装 ONNX Runtime 的 CUDA 执行提供程序。",
    cuda: "安装 ONNX Runtime 的 CUDA 执行提供程序（deno task install:cuda）",
    from: "不从 npm 仓库下载，而是从压缩包或文件夹取得该程序",
    examples: "示例：\n" +
      "  deno task install\n" +
      `  deno task install:cuda                            从 npm 下载 ${
        formatBytes(tarball.bytes)
      }\n` +
      "  deno task install:cuda --from provider.tgz        不使用网络\n\n" +
      `压缩包取自 ${name}@${version}：\n` +
      `  npm pack ${name}@${version}\n\n` +
      "退出码：0 表示全部就绪，1 表示未就绪，2 表示选项有误。",
    applied: (patch: string, files: number) => `已将 ${patch} 应用到 ${files} 个文件。`,
    doesNotFit: (patch: string) => `${patch} 不适用，没有改动任何文件。`,
    hunk: (number: number) => `第 ${number} 处改动：`,
    noFile: "没有这个文件。",
    installed: (versions: string) => `实际安装的版本：${versions}。`,
    layAnew: [
      "已安装的软件包不是该补丁所针对的版本。请重新安装：",
      "  rm -rf node_modules && deno task install",
    ],
    notWritable: (patch: string, code: string) =>
      `无法应用 ${patch}：node_modules 不可写（${code}）。` +
      "请在该文件夹变为只读之前，由有权限的用户运行 deno task install。",
    fromNeedsCuda: "--from 指定 CUDA 执行提供程序的来源：请同时给出 --cuda。",
    ownTask: [
      "CUDA 执行提供程序由单独的任务安装，该任务具有所需的权限：",
      "  deno task install:cuda",
    ],
    platform: (os: string, arch: string) =>
      `CUDA 执行提供程序只有 Linux x86_64 版本，而本机是 ${os}，${arch}。在 CPU 上作画不需要它。`,
    version: (found: string) =>
      `固定版本的 CUDA 执行提供程序是用 ONNX Runtime ${onnxruntime} 构建的，` +
      `而 node_modules 中是 ${found}。没有安装任何内容。`,
    noPackage: "空的",
    waiting: "另一个进程正在安装 CUDA 执行提供程序，正在等待。",
    inPlace: "CUDA 执行提供程序已就位，内容与固定的校验值一致。",
    downloading: (host: string) =>
      `正在从 ${host} 下载 ${name} ${version}（${formatBytes(tarball.bytes)}）。`,
    progress: (bar: string, done: string, total: string, left: string) =>
      `  ${bar} ${done} / ${total}，还需 ${left}`,
    done: (folder: string) => `CUDA 执行提供程序已安装到 ${folder}。`,
    complete: "它需要的库已齐全。其他条件请看 deno task doctor。",
    missing: (names: string) => `它还需要以下库，本机没有：${names}。`,
    elsewhere: (folders: string) => `它需要的部分库位于加载器不会查找的位置：${folders}。`,
    separator: "、",
    doctor: "解决命令请看 deno task doctor。",
    noSuchSource: (from: string) => `--from ${from}：没有这个压缩包或文件夹。`,
    badRegistry: (value: string) => `npm 仓库被设为“${value}”，这不是 http 网址。`,
    noNetPermission: (host: string) => [
      `npm 仓库被设为 ${host}，只有在终端中得到允许，本任务才能访问它。` +
      "也可以先下载压缩包，再交给本任务：",
      `  npm pack ${name}@${version}`,
      `  deno task install:cuda --from ${name}-${version}.tgz`,
    ],
    download: (url: string, problem: DownloadProblem): Message => {
      const offline = `可以在有网络的机器上用 npm pack ${name}@${version} 取得压缩包，` +
        "再用 deno task install:cuda --from 安装。";
      switch (problem.code) {
        case "not-reached":
          return [`无法访问 ${url}：${problem.reason}。`, offline];
        case "status":
          return [`${url}：服务器返回 ${problem.status}。`, offline];
        case "interrupted":
          return `下载到 ${problem.done} 时中断：${problem.reason}。再次运行会从中断处继续。`;
        case "other-bytes":
          return `${url} 不是固定的压缩包，已丢弃：其校验值为 ${problem.found}，` +
            `应为 ${tarball.integrity}。没有安装任何内容。`;
      }
    },
    damaged: (from: string, reason: string) =>
      `${from} 不是 .tgz 文件，或已损坏（${reason}）。没有安装任何内容。`,
    absent: (from: string, file: string) => `${from} 中没有 ${file}。没有安装任何内容。`,
    otherBytes: (from: string, file: string) =>
      `${from} 中的 ${file} 与 ${name} ${version} 的固定校验值不符。没有安装任何内容。`,
    diskFull: (folder: string) => `磁盘已满：${folder} 暂时需要约 450 MiB。没有安装任何内容。`,
  },
});
