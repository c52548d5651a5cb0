/** What `deno task bundle`, `load` and `compare` say. */
import type { ImageDifference } from "../../../src/container/mod.ts";
import { inLanguage } from "../../cli/language.ts";

type FileDifference = Extract<ImageDifference, { readonly kind: "file" }>;

export const texts = inLanguage({
  en: {
    description:
      "Packs the container image, the real weights where they are, checksums, an SBOM and a loader " +
      "script into one archive for machines without a network. The same commit gives the same " +
      "image, byte for byte, whatever engine built it.",
    image: "the image",
    out: "the new folder (default: outputs/newbie-VERSION-VARIANT)",
    split: "cut the archive into volumes, such as 4G for FAT32 or 4.7G for DVDs; " +
      "1G is 10⁹ bytes, 1GiB is 2³⁰",
    noModels: "without the real weights",
    sign: "sign SHA256SUMS with this secret key, of OpenSSH or of minisign",
    examples: "Examples:\n" +
      "  deno task bundle\n" +
      "  deno task bundle --split 4G --out /media/stick/newbie\n\n" +
      "With --split, a run that was interrupted goes on when the same command is given again.\n" +
      "There, `sh load.sh` or `deno task load FOLDER` verifies and installs it.",
    size: "Expected a size such as 4G, 4.7G or 700M.",
    noImage: (image: string) =>
      `There is no image ${image} in this engine. Build it (deno task build), or load it from a ` +
      "bundle (deno task load).",
    notOurs: (image: string) =>
      `The image ${image} lacks the labels of this toolkit's builds. Build it with: deno task build`,
    saving: (done: string) => `image: ${done} read`,
    writing: (done: string, total: string) => `bundle: ${done} of ${total}`,
    resumed: (done: number, total: number) =>
      `${done} of ${total} volumes are there already and whole.`,
    done: (folder: string, size: string, weights: number, time: string) =>
      `Bundled into ${folder} (${size}, ${
        weights === 0 ? "without real weights" : `${weights} files of weights`
      }) in ${time}.`,
    digests: (image: string, sums: string) => [`image:      ${image}`, `SHA256SUMS: ${sums}`],
    cancelled: "Cancelled; nothing is left of it.",
    cancelledAndKept: (part: string) =>
      `Cancelled. The volumes that are whole are kept in ${part}: the same command goes on from ` +
      "there.",
    kept: (part: string) =>
      `The volumes that are whole are kept in ${part}: the same command goes on from there.`,

    loadDescription:
      "Installs a bundle: verifies every byte, then loads the image into the engine and puts the " +
      "weights into models/.",
    places: "the bundle's folder, or one of its volumes; then other folders with volumes",
    verifyOnly: "only verify",
    imageOnly: "load the image, and leave the weights in the bundle",
    sha256: "the SHA-256 of SHA256SUMS that deno task bundle printed",
    key: "the public key, of OpenSSH or of minisign, that the bundle must be signed with",
    loadExamples: "Examples:\n" +
      "  deno task load /media/stick/newbie\n" +
      "  deno task load /media/disc1 /media/disc2 --verify",
    verifying: (done: string, total: string) => `verifying: ${done} of ${total}`,
    verified: (name: string, volumes: number, size: string) =>
      `${name} is whole: ${volumes} ${volumes === 1 ? "volume" : "volumes"}, ${size}.`,
    loading: (stage: "weights" | "image", done: string, total: string) =>
      `${stage}: ${done} of ${total}`,
    loaded: (image: string, weights: number, time: string) =>
      `Loaded ${image}${
        weights === 0 ? "" : ` and ${weights} files of weights`
      } in ${time}. Try: deno task container -- test`,

    compareDescription:
      "Tells where two images differ, down to the byte in the file in the layer: bundles, OCI " +
      "layouts, or archives of docker save.",
    a: "one image",
    b: "the other",
    compareExamples: "Example:\n  deno task compare outputs/newbie-0.1.0-cpu /media/stick/newbie",
    same: "The images are the same.",
    differ: (count: number) => `The images differ in ${count} ${count === 1 ? "place" : "places"}.`,
    setting: (path: string, a: string, b: string) => `configuration, ${path}: ${a} / ${b}`,
    layers: (a: number, b: number) => `layers: ${a} / ${b}`,
    file: ({ layer, path, onlyIn, aspects, firstByte }: FileDifference) => {
      if (onlyIn !== undefined) {
        return `layer ${layer}, ${path}: only in the ${onlyIn === "a" ? "first" : "second"}`;
      }
      const at = firstByte === undefined ? "" : `, from byte ${firstByte} on`;
      return `layer ${layer}, ${path}: ${aspects.join(", ")}${at}`;
    },
    order: (layer: number) => `layer ${layer}: the same files in another order or form`,
  },
  zh: {
    description:
      "将容器镜像、已有的正式权重、校验值、SBOM 和安装脚本打成一个归档，供没有网络的机器使用。" +
      "同一提交得到逐字节相同的镜像，与构建它的引擎无关。",
    image: "镜像",
    out: "新文件夹（默认为 outputs/newbie-版本-变体）",
    split: "将归档切成分卷，例如 FAT32 用 4G，DVD 用 4.7G；1G 为 10⁹ 字节，1GiB 为 2³⁰ 字节",
    noModels: "不包含正式权重",
    sign: "用此私钥（OpenSSH 或 minisign）为 SHA256SUMS 签名",
    examples: "示例：\n" +
      "  deno task bundle\n" +
      "  deno task bundle --split 4G --out /media/stick/newbie\n\n" +
      "使用 --split 时，被中断的任务可用同一命令继续。\n" +
      "在另一台机器上，sh load.sh 或 deno task load 文件夹 会先校验再安装。",
    size: "应为大小，例如 4G、4.7G 或 700M。",
    noImage: (image: string) =>
      `引擎中没有镜像 ${image}。请构建（deno task build），或从离线包加载（deno task load）。`,
    notOurs: (image: string) =>
      `镜像 ${image} 没有本工具箱构建时的标签。请用 deno task build 构建。`,
    saving: (done: string) => `镜像：已读取 ${done}`,
    writing: (done: string, total: string) => `离线包：${done}，共 ${total}`,
    resumed: (done: number, total: number) => `${total} 个分卷中已有 ${done} 个，且完好。`,
    done: (folder: string, size: string, weights: number, time: string) =>
      `已打包到 ${folder}（${size}，${
        weights === 0 ? "不含正式权重" : `${weights} 个权重文件`
      }），用时 ${time}。`,
    digests: (image: string, sums: string) => [`镜像：      ${image}`, `SHA256SUMS：${sums}`],
    cancelled: "已取消，没有留下任何内容。",
    cancelledAndKept: (part: string) =>
      `已取消。完整的分卷保留在 ${part} 中，再次运行同一命令即可继续。`,
    kept: (part: string) => `完整的分卷保留在 ${part} 中，再次运行同一命令即可继续。`,

    loadDescription: "安装离线包：先校验每一个字节，再将镜像加载到引擎，并把权重放入 models/。",
    places: "离线包的文件夹，或其中一个分卷；之后可列出其他存放分卷的文件夹",
    verifyOnly: "只校验",
    imageOnly: "只加载镜像，权重留在离线包中",
    sha256: "deno task bundle 打印的 SHA256SUMS 的 SHA-256",
    key: "离线包应当使用的签名公钥（OpenSSH 或 minisign）",
    loadExamples: "示例：\n" +
      "  deno task load /media/stick/newbie\n" +
      "  deno task load /media/disc1 /media/disc2 --verify",
    verifying: (done: string, total: string) => `正在校验：${done}，共 ${total}`,
    verified: (name: string, volumes: number, size: string) =>
      `${name} 完好：${volumes} 个分卷，${size}。`,
    loading: (stage: "weights" | "image", done: string, total: string) =>
      `${stage === "weights" ? "权重" : "镜像"}：${done}，共 ${total}`,
    loaded: (image: string, weights: number, time: string) =>
      `已加载 ${image}${
        weights === 0 ? "" : ` 和 ${weights} 个权重文件`
      }，用时 ${time}。试一试：deno task container -- test`,

    compareDescription:
      "指出两个镜像的不同之处，精确到层中文件的字节：离线包、OCI 布局或 docker save 的归档。",
    a: "一个镜像",
    b: "另一个镜像",
    compareExamples: "示例：\n  deno task compare outputs/newbie-0.1.0-cpu /media/stick/newbie",
    same: "两个镜像相同。",
    differ: (count: number) => `两个镜像有 ${count} 处不同。`,
    setting: (path: string, a: string, b: string) => `配置 ${path}：${a} / ${b}`,
    layers: (a: number, b: number) => `层数：${a} / ${b}`,
    file: ({ layer, path, onlyIn, aspects, firstByte }: FileDifference) => {
      if (onlyIn !== undefined) {
        return `第 ${layer} 层 ${path}：只在${onlyIn === "a" ? "第一个" : "第二个"}镜像中`;
      }
      const names = {
        content: "内容",
        type: "类型",
        mode: "权限",
        owner: "所有者",
        time: "时间",
        target: "链接目标",
        device: "设备号",
        attributes: "扩展属性",
      };
      const at = firstByte === undefined ? "" : `，从第 ${firstByte} 字节起`;
      return `第 ${layer} 层 ${path}：${aspects.map((aspect) => names[aspect]).join("、")}${at}`;
    },
    order: (layer: number) => `第 ${layer} 层：文件相同，但顺序或写法不同`,
  },
});
