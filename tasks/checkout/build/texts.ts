/** What `deno task build` says. */
import type { DownloadProblem } from "../../install/texts.ts";
import { catalogue } from "../../cli/language.ts";

export const { text: texts, both } = catalogue({
  en: {
    description:
      "Builds the container image from this commit: everything is fetched and verified first, and " +
      "the build itself has no network.",
    variant: "with CUDA, or for machines without a GPU",
    base: "build on this image instead of the pinned one, such as a copy in your own registry",
    platform: "the machines that the image is for",
    tag: "a further name for the image",
    cache: "the folder that keeps what was fetched",
    context: "write the build's context to stdout as a tar archive, and build nothing",
    asBuilt: "leave the image as the engine made it: sooner done, with another ID at every build",
    canonical: "Giving the image the form that is the same at every build.",
    examples: "Examples:\n" +
      "  deno task build\n" +
      "  deno task build --variant cpu\n" +
      "  deno task build --base registry.lab/cuda@sha256:af85…\n" +
      "  deno task build --context --variant cpu > context.tar\n\n" +
      "The engine is the one at DOCKER_HOST, or at /var/run/docker.sock. The image is named\n" +
      "newbie:<variant> and newbie:latest.\n" +
      "Exit code: 0 when it is built, 1 when not, 2 for a wrong option.",
    noTerminal: "The archive is not for a terminal. Write it to a file: --context > context.tar",
    onlyPlatform: (platform: string, only: string) =>
      `There is no image for ${platform}: Deno, tini and the CUDA provider are pinned for ${only}.`,
    badTag: (tag: string) =>
      `--tag ${tag} is not an image's name. Expected repository:tag in lower case, such as ` +
      "newbie:today.",
    dirty: (files: number) =>
      `The working tree differs from the commit in ${files} ${files === 1 ? "file" : "files"}; ` +
      "the image is built from what lies here, and says that it is dirty:",
    untracked: "(git does not track files with ??, so that they are not in the image)",
    busy: (cache: string) =>
      `Another build is running with the same folder (${cache}). Wait for its end, or give this ` +
      "one a folder of its own with --cache.",
    fetching: (files: number, hosts: string) =>
      `Fetching ${files} ${files === 1 ? "file" : "files"} from ${hosts}.`,
    noNetPermission: (host: string, file: string) =>
      `This task may reach ${host} only when it is allowed to in a terminal. Or put the file in ` +
      `place yourself: ${file}`,
    download: (url: string, problem: DownloadProblem, file: string) => {
      const byHand = `Without a network, put it in place from another machine: ${file}`;
      switch (problem.code) {
        case "not-reached":
          return [`${url} cannot be reached: ${problem.reason}.`, byHand];
        case "status":
          return [`${url}: the server says ${problem.status}.`, byHand];
        case "interrupted":
          return `${url}: broke off after ${problem.done}: ${problem.reason}. Run the task again.`;
        case "other-bytes":
          return `${url} is not the pinned file and was thrown away: its checksum is ` +
            `${problem.found}.`;
      }
    },
    engine: (product: string, version: string) => `Engine: ${product} ${version}`,
    builtOn: (name: string) => `Base: ${name}`,
    pulling: (done: string, total: string) => `fetching the base image: ${done} of ${total}`,
    sending: (done: string) => `context: ${done} sent`,
    step: (number: number, total: number, text: string) => `Step ${number}/${total}: ${text}`,
    built: (
      tags: string,
      size: string,
      id: string,
      time: string,
    ) => [`Built ${tags} (${size}) in ${time}.`, id],
    and: ", ",
  },
  zh: {
    description: "由当前提交构建容器镜像：先获取并校验所需的一切，构建过程本身不使用网络。",
    variant: "带 CUDA，或用于没有 GPU 的机器",
    base: "改用此镜像作为基础，而不是固定的镜像，例如自有仓库中的副本",
    platform: "镜像所适用的机器",
    tag: "镜像的另一个名称",
    cache: "保存已获取文件的文件夹",
    context: "将构建上下文作为 tar 归档写到标准输出，不进行构建",
    asBuilt: "保留引擎构建出的镜像：更快完成，但每次构建的 ID 都不同",
    canonical: "正在将镜像转换为每次构建都相同的形式。",
    examples: "示例：\n" +
      "  deno task build\n" +
      "  deno task build --variant cpu\n" +
      "  deno task build --base registry.lab/cuda@sha256:af85…\n" +
      "  deno task build --context --variant cpu > context.tar\n\n" +
      "使用 DOCKER_HOST 或 /var/run/docker.sock 处的引擎。镜像名为 newbie:<变体> 和 newbie:latest。\n" +
      "退出码：构建完成为 0，失败为 1，选项有误为 2。",
    noTerminal: "归档不能输出到终端。请写入文件：--context > context.tar",
    onlyPlatform: (platform: string, only: string) =>
      `没有适用于 ${platform} 的镜像：Deno、tini 和 CUDA 执行提供程序都固定为 ${only}。`,
    badTag: (tag: string) =>
      `--tag ${tag} 不是镜像名称。应为小写的“仓库:标签”，例如 newbie:today。`,
    dirty: (files: number) =>
      `工作区有 ${files} 个文件与提交不同；镜像由这里现有的内容构建，并标明为 dirty：`,
    untracked: "（带 ?? 的文件未被 git 跟踪，不会进入镜像）",
    busy: (cache: string) =>
      `另一个构建正在使用同一文件夹（${cache}）。请等它结束，或用 --cache 为本次构建指定单独的文件夹。`,
    fetching: (files: number, hosts: string) => `正在从 ${hosts} 获取 ${files} 个文件。`,
    noNetPermission: (host: string, file: string) =>
      `只有在终端中得到允许，本任务才能访问 ${host}。也可以自行放置该文件：${file}`,
    download: (url: string, problem: DownloadProblem, file: string) => {
      const byHand = `没有网络时，请从另一台机器取得并放到：${file}`;
      switch (problem.code) {
        case "not-reached":
          return [`无法访问 ${url}：${problem.reason}。`, byHand];
        case "status":
          return [`${url}：服务器返回 ${problem.status}。`, byHand];
        case "interrupted":
          return `${url}：下载到 ${problem.done} 时中断：${problem.reason}。请再次运行。`;
        case "other-bytes":
          return `${url} 不是固定的文件，已丢弃：其校验值为 ${problem.found}。`;
      }
    },
    engine: (product: string, version: string) => `引擎：${product} ${version}`,
    builtOn: (name: string) => `基础镜像：${name}`,
    pulling: (done: string, total: string) => `正在获取基础镜像：${done}，共 ${total}`,
    sending: (done: string) => `上下文：已发送 ${done}`,
    step: (number: number, total: number, text: string) => `步骤 ${number}/${total}：${text}`,
    built: (
      tags: string,
      size: string,
      id: string,
      time: string,
    ) => [`已构建 ${tags}（${size}），用时 ${time}。`, id],
    and: "、",
  },
});
