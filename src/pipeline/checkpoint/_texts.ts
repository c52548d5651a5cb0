/** What is said of checkpoints on disk, in both languages. */
import { explainError, type Message } from "../../errors.ts";
import type { Texts } from "../../language.ts";
import type { CheckpointLayout, Role } from "./find_checkpoint.ts";

interface Catalogue {
  noFolder(folder: string): string;
  notFound(folder: string, transformer: string): string;
  lacks(
    root: string,
    layout: Exclude<CheckpointLayout, "comfyui"> | "demo",
    missing: readonly string[],
  ): string;
  notOneModel(folder: string, problems: readonly string[], unreadable: readonly unknown[]): Message;
  noFileOf(role: Role): string;
  severalFilesOf(role: Role, files: readonly string[]): string;
  noTokenizer(weights: string, tensor: string, places: readonly string[]): string;
  demo(folder: string): string;
  demoInstead(folder: string, models: string): string;
  found(layout: CheckpointLayout, folder: string, files: readonly string[]): string;
}

export const TEXTS: Texts<Catalogue> = {
  en: {
    noFolder: (folder) => `${folder} is no folder. Give the folder that holds the model's files.`,
    notFound: (folder, transformer) =>
      `No model was found in ${folder}. Expected one of: the toolkit's own layout ` +
      `(models/${transformer}/ and its companions, or models/demo/), a Hugging Face ` +
      "pipeline folder (transformer/, text_encoder/, clip_model/, vae/), or ComfyUI's single " +
      "safetensors files. README.md lists the files and where to put them.",
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
      "Put exactly one file of each part into the folder.",
      ...unreadable.map((error) => `Not considered: ${explainError(error, "en")}`),
    ],
    noFileOf: (role) => `no file has the tensors of the ${role}`,
    severalFilesOf: (role, files) =>
      `several files have the tensors of the ${role}: ${files.join(", ")}`,
    noTokenizer: (weights, tensor, places) =>
      `${weights} has no tokenizer: no tensor ${tensor} inside, and neither ` +
      `${places.join(" nor ")} exists. Copy the tokenizer.json published with the encoder to ` +
      "the first of these places.",
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
    noFolder: (folder) => `${folder} 不是文件夹。请给出存放模型文件的文件夹。`,
    notFound: (folder, transformer) =>
      `${folder} 里没有找到模型。应为以下之一：工具箱自己的布局（models/${transformer}/ 及其配套文件夹，` +
      "或 models/demo/）、Hugging Face 流水线文件夹（transformer/、text_encoder/、" +
      "clip_model/、vae/）、ComfyUI 的 safetensors 单文件。README.zh-CN.md 列出了各文件及其位置。",
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
      "请让每个部件在文件夹里恰好有一个文件。",
      ...unreadable.map((error) => `未考虑：${explainError(error, "zh")}`),
    ],
    noFileOf: (role) => `没有文件含有${ZH_ROLES[role]}的张量`,
    severalFilesOf: (role, files) => `多个文件含有${ZH_ROLES[role]}的张量：${files.join("、")}`,
    noTokenizer: (weights, tensor, places) =>
      `${weights} 没有分词器：里面没有张量 ${tensor}，${places.join(" 和 ")} 也都不存在。` +
      "请把随编码器发布的 tokenizer.json 复制到其中第一个位置。",
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

/** What the parts are called in Chinese. */
export const ZH_ROLES: Readonly<Record<Role, string>> = {
  transformer: "Transformer",
  textEncoder: "文本编码器",
  clipModel: "CLIP 模型",
  vae: "解码器（VAE）",
};
