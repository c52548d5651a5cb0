/** What is said of checkpoints on disk, in both languages. */
import { isGgufName } from "../../safetensors/mod.ts";
import { explainError, type Message } from "../../errors.ts";
import type { Texts } from "../../language.ts";
import { type EachPart, type PartName, PARTS } from "../../families/mod.ts";
import type { CheckpointLayout } from "./types.ts";

/** Everything that can be said. */
export interface Catalogue {
  noPlace(place: string): string;
  noNamedPart(part: PartName, path: string): string;
  notThatPart(part: PartName, path: string, family: string): string;
  noVariant(place: string, variant: string): string;
  notFound(folder: string, transformer: string): string;
  isPart(place: string, folder: string): string;
  isInside(place: string, folders: readonly string[]): string;
  lacks(
    root: string,
    layout: Exclude<CheckpointLayout, "comfyui"> | "demo",
    missing: readonly string[],
  ): string;
  notOneModel(folder: string, problems: readonly string[], unreadable: readonly unknown[]): Message;
  noFileOf(part: PartName): string;
  noneFits(
    part: PartName,
    misfits: readonly { readonly file: string; readonly reason: Texts<string> }[],
  ): string;
  severalFilesOf(part: PartName, files: readonly string[]): string;
  noTokenizer(weights: string, tensor: string, places: readonly string[]): string;
  demo(folder: string): string;
  demoInstead(folder: string, models: string): string;
  found(layout: CheckpointLayout, folder: string, files: readonly string[]): string;
}

/** The options that name a part. */
const OPTIONS: EachPart<string> = {
  transformer: "--transformer",
  textEncoder: "--text-encoder",
  clipModel: "--clip-model",
  vae: "--vae",
};
/** Files that a message lists with what is wrong with them. */
const MOST_REFUSED = 10;

export const TEXTS: Texts<Catalogue> = {
  en: {
    noPlace: (place) =>
      `${place} is neither a folder nor a file. Give the folder that holds the model's files.`,
    noNamedPart: (part, path) =>
      `${path}, named with ${
        OPTIONS[part]
      }, does not exist. Give a safetensors file or its folder.`,
    notThatPart: (part, path, family) =>
      `${path} has no ${PARTS[part].en} of ${family}: its tensors are those of something else. ` +
      `Name another file with ${OPTIONS[part]}.`,
    noVariant: (place, variant) =>
      `No part in ${place} has weights of the variant ${variant} ` +
      `(model.${variant}.safetensors or the like). Leave out --variant, or fetch these files.`,
    notFound: (folder, transformer) =>
      `No model was found in ${folder}. Expected one of: the toolkit's own layout ` +
      `(models/${transformer}/ and its companions, or models/demo/), a Hugging Face ` +
      "pipeline folder (transformer/, text_encoder/, clip_model/, vae/), or ComfyUI's single " +
      "safetensors files. README.md lists the files and where to put them.",
    isPart: (place, folder) => `${place} is one part of the model in ${folder}. Give that folder.`,
    isInside: (place, folders) =>
      `No model was found in ${place}, but one folder deeper there is: ${
        folders.join(", ")
      }. Give ` +
      "that folder.",
    lacks: (root, layout, missing) => {
      const kinds = {
        demo: "demo model",
        toolkit: "toolkit's layout",
        diffusers: "Hugging Face pipeline folder",
      };
      return `${root} is a ${kinds[layout]}, but lacks ${
        missing.join(", ")
      }. README.md lists the ` +
        "files and where to put them.";
    },
    notOneModel: (folder, problems, unreadable) => [
      `The single files in ${folder} do not make one model: ${problems.join("; ")}. ` +
      "README.md lists the files; parts that lie elsewhere can be named: " +
      `${Object.values(OPTIONS).join(", ")}.`,
      ...unreadable.slice(0, MOST_REFUSED)
        .map((error) => `Not considered: ${explainError(error, "en")}`),
    ],
    noFileOf: (part) => `no file has the tensors of the ${PARTS[part].en}`,
    noneFits: (part, misfits) =>
      `no ${PARTS[part].en} fits (${
        misfits.map(({ file, reason }) => `${file}: ${reason.en}`).join("; ")
      })`,
    severalFilesOf: (part, files) =>
      `several files could be the ${PARTS[part].en} (${files.join(", ")}): name one with ` +
      OPTIONS[part],
    noTokenizer: (weights, tensor, places) =>
      `${weights} has no tokenizer: no tensor ${tensor} inside, and neither ` +
      `${places.join(" nor ")} exists. Copy the tokenizer.json published with the encoder to ` +
      "the first of these places." +
      (isGgufName(weights) ? " The one inside a GGUF file is not read." : ""),
    demo: (folder) => `Demo model in ${folder}.`,
    demoInstead: (folder, models) =>
      `Demo model in ${folder}: there are no real weights in ${models}.`,
    found: (layout, folder, files) => {
      const layouts = {
        toolkit: "toolkit layout",
        diffusers: "Hugging Face pipeline folder",
        comfyui: "ComfyUI single files",
      };
      return `${layouts[layout]} in ${folder}: ${files.join(", ")}`;
    },
  },
  zh: {
    noPlace: (place) => `${place} 既不是文件夹也不是文件。请给出存放模型文件的文件夹。`,
    noNamedPart: (part, path) =>
      `用 ${OPTIONS[part]} 指定的 ${path} 不存在。请给出 safetensors 文件或其文件夹。`,
    notThatPart: (part, path, family) =>
      `${path} 里没有 ${family} 的${PARTS[part].zh}：其中的张量属于别的模型。` +
      `请用 ${OPTIONS[part]} 指定另一个文件。`,
    noVariant: (place, variant) =>
      `${place} 中没有任何部件带有变体 ${variant} 的权重（如 model.${variant}.safetensors）。` +
      "请去掉 --variant，或下载这些文件。",
    notFound: (folder, transformer) =>
      `${folder} 里没有找到模型。应为以下之一：工具箱自己的布局（models/${transformer}/ 及其配套文件夹，` +
      "或 models/demo/）、Hugging Face 流水线文件夹（transformer/、text_encoder/、" +
      "clip_model/、vae/）、ComfyUI 的 safetensors 单文件。README.zh-CN.md 列出了各文件及其位置。",
    isPart: (place, folder) => `${place} 只是 ${folder} 中模型的一个部件。请给出那个文件夹。`,
    isInside: (place, folders) =>
      `${place} 里没有找到模型，但再往里一层有：${folders.join("、")}。请给出那个文件夹。`,
    lacks: (root, layout, missing) => {
      const kinds = {
        demo: "演示模型",
        toolkit: "工具箱的布局",
        diffusers: " Hugging Face 流水线文件夹",
      };
      return `${root} 是${kinds[layout]}，但缺少 ${missing.join("、")}。` +
        "README.zh-CN.md 列出了各文件及其位置。";
    },
    notOneModel: (folder, problems, unreadable) => [
      `${folder} 里的单文件不能组成一个模型：${problems.join("；")}。` +
      "README.zh-CN.md 列出了所需文件；放在别处的部件可用选项指定：" +
      `${Object.values(OPTIONS).join("、")}。`,
      ...unreadable.slice(0, MOST_REFUSED)
        .map((error) => `未考虑：${explainError(error, "zh")}`),
    ],
    noFileOf: (part) => `没有文件含有 ${PARTS[part].zh} 的张量`,
    noneFits: (part, misfits) =>
      `没有合适的${PARTS[part].zh}（${
        misfits.map(({ file, reason }) => `${file}：${reason.zh}`).join("；")
      }）`,
    severalFilesOf: (part, files) =>
      `多个文件都可以是${PARTS[part].zh}（${files.join("、")}）：请用 ${
        OPTIONS[part]
      } 指定其中一个`,
    noTokenizer: (weights, tensor, places) =>
      `${weights} 没有分词器：里面没有张量 ${tensor}，${places.join(" 和 ")} 也都不存在。` +
      "请把随编码器发布的 tokenizer.json 复制到其中第一个位置。" +
      (isGgufName(weights) ? "GGUF 文件里的分词器不会读取。" : ""),
    demo: (folder) => `演示模型，位于 ${folder}。`,
    demoInstead: (folder, models) => `演示模型，位于 ${folder}：${models} 里没有正式权重。`,
    found: (layout, folder, files) => {
      const layouts = {
        toolkit: "工具箱的布局",
        diffusers: "Hugging Face 流水线文件夹",
        comfyui: "ComfyUI 单文件",
      };
      return `${layouts[layout]}，位于 ${folder}：${files.join("、")}`;
    },
  },
};
