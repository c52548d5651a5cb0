/** What `deno task create` says. */
import { partWords } from "../../src/families/mod.ts";
import { listed } from "../../src/pipeline/adapters/adapter_names.ts";
import type { LeftOver } from "../../src/recipe/mod.ts";
import { shown } from "../../src/shown.ts";
import { catalogue } from "../cli/language.ts";

const pictures = (count: number) => `${count} ${count === 1 ? "picture" : "pictures"}`;

/** The same in all languages. */
const EXAMPLES = `  deno task create
  deno task create --prompt-file models/demo/health_check.xml --seed 7 --output miku.png
  deno task create --prompt "1girl, solo, blue hair, smile" --steps 20 --count 4
  deno task create --batch prompts.jsonl --shard 0/4
  deno task create --batch prompts.jsonl --claim
  deno task create --prompt @models/demo/two_characters.xml --draft
  deno task create --prompt "1girl, red hair" --grid "seed=1-3 steps=10,20,30"
  deno task create --from last --seed 8
  deno task create --from last --strength 0.4 --prompt "1girl, smile"
  deno task create --image room.png --mask window.png --prompt "a window at night"`;

export const { text, both } = catalogue({
  en: {
    description:
      "Makes pictures from XML prompts. Without a prompt it asks for everything; with one, or with " +
      "--batch or --from, it asks nothing. Pictures go to outputs/YYYYMMDD/, and no file is " +
      "ever overwritten.",
    options: {
      promptFile: "a file with the prompt; - is the standard input",
      lora: "use an adapter (LoRA and its relatives): a file, or a name in models/loras, perhaps " +
        "with a weight: style:0.8; several times for several; none for none; the same as " +
        "<lora:style:0.8> in the prompt",
      output:
        "file name inside the folder of outputs: .png, .jpg, .webp or .avif (with --batch: the " +
        "folder inside outputs/)",
      model: "folder with the model",
      batch:
        "many pictures: a JSON Lines file, one request a line, a JSON array, a .txt file with a " +
        "prompt a line, or a folder of .xml files",
      shard: "only part i of n of a batch, for machines that share one",
      claim:
        "draw what no other worker draws: any number of them share a batch, in a folder that " +
        "all of them see",
      from:
        "make the picture of this file again (PNG, JPEG, WebP, AVIF), or of the last one that was " +
        "saved: last; or draw from what another program wrote into it; other options change its recipe",
      show: "show the picture in the terminal",
      showSteps: "show the steps, too",
      combinations: "make every prompt that the choices of a template allow, with one seed; " +
        "--count is the most",
      preset:
        "settings, a negative prompt and words around the prompt, from presets/NAME.json or a " +
        "file; other options win; may stand several times",
      wildcards: "where __name__ of a template is looked up (default: wildcards)",
      grid: 'pictures that differ in up to three settings, and a sheet of all of them: "seed=1-3 ' +
        'steps=10,20", "scheduler=euler,heun guidance=3,5"; prompt="red|blue" replaces red in the prompt',
      sheet: "a sheet of all the pictures, too: --count 9 --sheet",
      strict: "read all weights again and compare them with checksums.txt",
    },
    examples: `\nExamples:\n${EXAMPLES}`,
    askPrompt: "Enter your XML prompt (or 'q' to quit): ",
    promptHint:
      "XML may take several lines, and an empty line ends it. @file.xml reads a file, - takes lines as " +
      "they are. The arrow keys bring back former prompts, Tab completes. At every question < goes back to " +
      "the one before and q leaves; /negative asks for a negative prompt, /preset for a preset, /image " +
      "for a picture to start from; " +
      "Ctrl-C goes back to the prompt.",
    morePrompt: "... ",
    lastLine: "... (an empty line ends it) ",
    promptKept: "The prompt is kept. Ctrl-C again leaves.",
    noName: (answer: string) =>
      `${answer} is a line of a prompt, not the name of a file; < goes back to the prompt.`,
    mendLine: (line: number) => `Mend line ${line} (empty to start over): `,
    noCommand: (name: string, known: readonly string[]) =>
      `There is no /${shown(name)}; there are ${known.map((name) => `/${name}`).join(", ")}.`,
    askNegative: (now: string) =>
      `Enter negative prompt (${now === "" ? "none so far" : `now ${shown(now)}; - for none`}): `,
    negativeIs: (negative: string) =>
      negative === "" ? "No negative prompt." : `Negative prompt: ${shown(negative)}`,
    askPreset: "Enter the name of a preset, or a file (- for none): ",
    askImage: "Enter a picture to start from, or last, and how far to go from it (- for none): ",
    imageIs: (path: string, strength: number) =>
      `Drawing from ${shown(path)}, strength ${strength}; /mask FILE says where, /image - ends it.`,
    noImage: "Drawing from noise again.",
    askMask: "Enter a mask, white where to draw (- for none): ",
    maskIs: (path: string | undefined) => path === undefined ? "No mask." : `Mask: ${shown(path)}`,
    presetNames: (names: readonly string[]) =>
      names.length === 0
        ? "There is none in presets/ yet."
        : `In presets/: ${names.map((name) => shown(name)).join(", ")}`,
    presetIs: (name: string | undefined) =>
      name === undefined ? "No preset; the settings stay." : `Preset: ${shown(name)}`,
    askOutput: (name: string) => `Enter output filename (default: ${name}): `,
    ask: (what: string, byDefault: string) => `Enter ${what} (default ${byDefault}): `,
    askLoras: (usual: string, names: readonly string[]) =>
      `Enter adapters, such as ${names[0]}:0.8 (default ${usual === "" ? "none" : usual}; ` +
      `there are: ${listed(names, ", ")}): `,
    noLora: (name: string, similar: readonly string[]) =>
      `There is no adapter ${shown(name)}.` +
      (similar.length === 0 ? "" : ` Did you mean ${similar.map((one) => shown(one)).join(", ")}?`),
    again: (problem: string) => `${problem} Try again.`,
    progress: (bar: string, steps: string, rest: string, memory: string) =>
      `${bar} ${steps}, ${rest} left, ${memory}`,
    picture: (index: number, count: number) => `Picture ${index} of ${count}: `,
    done: (path: string) => `Done! Saved to ${path}`,
    made: (seed: unknown, time: string, foretold: number, evaluations: number) =>
      ` (seed ${seed}, ${time}` +
      (foretold === 0 ? ")" : `, ${foretold} of ${evaluations} evaluations predicted)`),
    drawn: (prompt: string) => `: ${shown(prompt)}`,
    presetsThere: (names: readonly string[]) =>
      names.length === 0
        ? ""
        : `\nPresets in presets/: ${names.map((name) => shown(name)).join(", ")}`,
    gridStart: (count: number, axes: string) =>
      `${count} ${count === 1 ? "picture" : "pictures"}: ${shown(axes)}`,
    sheetIsNoPicture: (path: string) =>
      `${path} is a sheet of pictures: name one of them to go on from.`,
    sheetSaved: (path: string, percent: number | undefined) =>
      `Sheet saved to ${path}` +
      (percent === undefined
        ? ""
        : `; so that it is no larger than 16 megapixels, its pictures have ${percent} % of their size`),
    sheetLabel: (label: string, meant: string) => `On the sheet, "${label}" stands for ${meant}`,
    needsPrompt: (option: string) =>
      `${option} asks no questions: give --prompt, --prompt-file or --from, too.`,
    fastKernels: [
      "With the toolkit's own kernels a step takes about a sixth less time on this card:",
      "  deno task create:fast",
      "It is `create` with leave to call all native code, with which a package could get round the",
      "refusal of the network (docs/speed.md). This is said once.",
    ],
    cancelled: "Cancelled.",
    goodbye: "Goodbye.",
    promptFaulty: "The prompt has errors. Mend it, or draw it exactly as typed with --raw.",
    emptyPrompt: "The prompt is empty.",
    together: (one: string, other: string) => `${one} cannot be combined with ${other}.`,
    jsonNeedsPrompt: "--json asks no questions: give --prompt, --prompt-file, --batch or --from.",
    needsBatch: (option: string) => `${option} shares out a batch: give --batch, too.`,
    resized: (size: string) => `The model cannot draw that size: ${size} is used instead.`,
    lorasMissing: (names: readonly string[]) =>
      `Adapters that are not here, and so not used: ${
        names.map((name) => shown(name)).join(", ")
      }.`,
    pictureLacking: (settings: readonly LeftOver[]) =>
      `Not taken over without the picture that it was drawn from: ${
        settings.map(({ name, value }) => `${name} ${value}`).join(", ")
      }. --image FILE gives it, and --mask FILE the mask.`,
    upscalerMissing: (name: string) =>
      `The upscaler "${name}" is not in models/upscaler/: Lanczos' filter enlarges instead.`,
    enlarged: (path: string, size: string) =>
      `${path} was enlarged by upscale; its recipe makes the picture of ${size} before that.`,
    recipeDiffers: (parts: readonly string[]) =>
      `The picture was made with another ${parts.join(", ")}: it may not come out the same.`,
    parts: {
      ...partWords("en"),
      image: "picture to start from",
      mask: "mask",
      upscaler: "upscaler",
      adapters: "set of adapters",
      provider: "execution provider",
      dtype: "dtype",
      onnxruntime: "version of ONNX Runtime",
      arithmetic: "kind of processor, which rounds the last bits otherwise",
    },
    batchStart: (todo: number, done: number, others: number) =>
      `${pictures(todo)} to make, ${done} already there` +
      (others === 0 ? "." : `, ${others} for other shards.`),
    batchLine: (done: number, total: number, path: string, time: string, rest?: string) =>
      `${done}/${total} ${path} (${time}${rest === undefined ? "" : `, ${rest} left`})`,
    batchWaiting: (count: number) =>
      `${count} ${count === 1 ? "picture is" : "pictures are"} being made by other workers; ` +
      "waiting, to take over what they leave.",
    batchFailed: (place: string) => `${place}: `,
    batchDone: (made: number, already: number, folder: string) =>
      `Done! ${pictures(made)} made, ${already} ${already === 1 ? "was" : "were"} there: ${folder}`,
    batchFailures: (count: number, total: number) =>
      `${count} of ${total} requests failed, for the reasons above.`,
  },
  zh: {
    description:
      "用 XML 提示词生成图片。不给提示词时逐项询问；给出提示词、--batch 或 --from 时不再询问。" +
      "图片保存在 outputs/YYYYMMDD/，绝不覆盖任何文件。",
    options: {
      promptFile: "存放提示词的文件；- 表示标准输入",
      lora: "使用适配器（LoRA 等）：文件，或 models/loras 中的名称，可带权重，例如 style:0.8；" +
        "可多次给出；none 表示不用；提示词里写 <lora:style:0.8> 效果相同",
      output:
        "输出文件夹内的文件名：.png、.jpg、.webp 或 .avif（配合 --batch 时：outputs/ 内的文件夹）",
      model: "模型所在的文件夹",
      batch: "批量生成：每行一个请求的 JSON Lines 文件、JSON 数组、每行一个提示词的 .txt 文件，" +
        "或存放 .xml 文件的文件夹",
      shard: "只做批次的第 i 份（共 n 份），供多台机器分工",
      claim: "只生成其他进程没有在生成的图片：任意多个进程共同完成一个批次，文件夹须对所有进程可见",
      from: "重新生成这张图片（PNG、JPEG、WebP、AVIF），或用 last 表示最近保存的一张；" +
        "也可据其他程序写入的信息生成；其他选项可修改其配方",
      show: "在终端里显示图片",
      showSteps: "同时显示每一步",
      combinations: "用同一种子生成模板各选项的全部组合；--count 为上限",
      preset: "预设：设置、反向提示词和提示词前后的文字，取自 presets/名称.json 或某个文件；" +
        "其他选项优先；可以给出多个",
      wildcards: "模板中的 __名称__ 在哪个文件夹里查找（默认：wildcards）",
      grid: '至多三项设置各取多个值，并拼成一张总览图："seed=1-3 steps=10,20"、' +
        '"scheduler=euler,heun guidance=3,5"；prompt="red|blue" 把提示词中的 red 依次替换',
      sheet: "另外把所有图片拼成一张总览图：--count 9 --sheet",
      strict: "重新读取全部权重，并与 checksums.txt 比较",
    },
    examples: `\n示例：\n${EXAMPLES}`,
    askPrompt: "请输入 XML 提示词（输入 q 退出）：",
    promptHint:
      "XML 可以分多行输入，以空行结束。@file.xml 读取文件，- 逐行原样读取。方向键找回以前的提示词，Tab 补全。" +
      "在任何问题处，< 返回上一个问题，q 退出；/negative 输入反向提示词，/preset 选择预设，/image 指定起点图片；" +
      "Ctrl-C 回到提示词。",
    morePrompt: "... ",
    lastLine: "...（空行结束）",
    promptKept: "提示词已保留。再按一次 Ctrl-C 退出。",
    noName: (answer: string) => `${answer} 是提示词的一行，不是文件名；输入 < 可返回提示词。`,
    mendLine: (line: number) => `修改第 ${line} 行（留空则重新输入）：`,
    noCommand: (name: string, known: readonly string[]) =>
      `没有 /${shown(name)}；可用的有 ${known.map((name) => `/${name}`).join(" 和 ")}。`,
    askNegative: (now: string) =>
      `请输入反向提示词（${now === "" ? "目前没有" : `目前是 ${shown(now)}；- 表示不用`}）：`,
    negativeIs: (negative: string) =>
      negative === "" ? "没有反向提示词。" : `反向提示词：${shown(negative)}`,
    askPreset: "请输入预设的名字或文件（- 表示不用）：",
    askImage: "请输入起点图片的文件名或 last，以及强度（- 表示不用）：",
    imageIs: (path: string, strength: number) =>
      `以 ${shown(path)} 为起点，强度 ${strength}；/mask 文件 指定重画之处，/image - 取消。`,
    noImage: "重新从噪声开始。",
    askMask: "请输入蒙版图片，白色处重画（- 表示不用）：",
    maskIs: (path: string | undefined) =>
      path === undefined ? "没有蒙版。" : `蒙版：${shown(path)}`,
    presetNames: (names: readonly string[]) =>
      names.length === 0
        ? "presets/ 中还没有预设。"
        : `presets/ 中有：${names.map((name) => shown(name)).join("、")}`,
    presetIs: (name: string | undefined) =>
      name === undefined ? "不用预设；设置保持不变。" : `预设：${shown(name)}`,
    askOutput: (name: string) => `请输入输出文件名（默认：${name}）：`,
    ask: (what: string, byDefault: string) => `请输入${what}（默认 ${byDefault}）：`,
    askLoras: (usual: string, names: readonly string[]) =>
      `请输入适配器，例如 ${names[0]}:0.8（默认 ${usual === "" ? "无" : usual}；` +
      `现有：${listed(names, "、")}）：`,
    noLora: (name: string, similar: readonly string[]) =>
      `没有适配器 ${shown(name)}。` +
      (similar.length === 0 ? "" : `是否是 ${similar.map((one) => shown(one)).join("、")}？`),
    again: (problem: string) => `${problem}请重新输入。`,
    progress: (bar: string, steps: string, rest: string, memory: string) =>
      `${bar} ${steps}，剩余 ${rest}，${memory}`,
    picture: (index: number, count: number) => `第 ${index}/${count} 张：`,
    done: (path: string) => `完成！已保存到 ${path}`,
    made: (seed: unknown, time: string, foretold: number, evaluations: number) =>
      `（种子 ${seed}，用时 ${time}` +
      (foretold === 0 ? "）" : `，${evaluations} 次求值中有 ${foretold} 次由预测代替）`),
    drawn: (prompt: string) => `：${shown(prompt)}`,
    presetsThere: (names: readonly string[]) =>
      names.length === 0
        ? ""
        : `\npresets/ 中的预设：${names.map((name) => shown(name)).join("、")}`,
    gridStart: (count: number, axes: string) => `${count} 张图片：${shown(axes)}`,
    sheetIsNoPicture: (path: string) => `${path} 是总览图：请指定其中一张图片作为起点。`,
    sheetSaved: (path: string, percent: number | undefined) =>
      `总览图已保存到 ${path}` +
      (percent === undefined ? "" : `；为不超过 1600 万像素，其中的图片缩小到 ${percent} %`),
    sheetLabel: (label: string, meant: string) => `总览图中的“${label}”表示 ${meant}`,
    needsPrompt: (option: string) =>
      `${option} 不会提问：请同时给出 --prompt、--prompt-file 或 --from。`,
    fastKernels: [
      "使用本工具箱自带的内核，这张显卡每一步约少用六分之一的时间：",
      "  deno task create:fast",
      "它与 `create` 相同，但允许调用任意本机代码，软件包可能借此绕过对网络的禁止",
      "（docs/speed.zh-CN.md）。此提示只出现一次。",
    ],
    cancelled: "已取消。",
    goodbye: "再见。",
    promptFaulty: "提示词有错误。请修改，或用 --raw 原样交给模型。",
    emptyPrompt: "提示词是空的。",
    together: (one: string, other: string) => `${one} 不能与 ${other} 同时使用。`,
    jsonNeedsPrompt: "--json 不会提问：请给出 --prompt、--prompt-file、--batch 或 --from。",
    needsBatch: (option: string) => `${option} 用来分配批次：请同时给出 --batch。`,
    resized: (size: string) => `模型不能生成该尺寸的图片，改用 ${size}。`,
    lorasMissing: (names: readonly string[]) =>
      `这里没有、因而未使用的适配器：${names.map((name) => shown(name)).join("、")}。`,
    pictureLacking: (settings: readonly LeftOver[]) =>
      `没有它的起点图片，未能沿用：${
        settings.map(({ name, value }) => `${name} ${value}`).join("、")
      }。可用 --image 文件 给出，蒙版用 --mask 文件。`,
    upscalerMissing: (name: string) =>
      `放大器“${name}”不在 models/upscaler/ 中：改用 Lanczos 滤波放大。`,
    enlarged: (path: string, size: string) =>
      `${path} 由 upscale 放大过；它的配方生成放大之前 ${size} 的图片。`,
    recipeDiffers: (parts: readonly string[]) =>
      `这张图片生成时用的${parts.join("、")}与现在不同：结果可能不会完全相同。`,
    parts: {
      ...partWords("zh"),
      image: "起点图片",
      mask: "蒙版",
      upscaler: "放大器",
      adapters: "适配器",
      provider: "执行提供程序",
      dtype: "数据类型",
      onnxruntime: " ONNX Runtime 版本",
      arithmetic: "处理器（末位的舍入不同）",
    },
    batchStart: (todo: number, done: number, others: number) =>
      `待生成 ${todo} 张，已有 ${done} 张` +
      (others === 0 ? "。" : `，其余 ${others} 张属于其他分片。`),
    batchLine: (done: number, total: number, path: string, time: string, rest?: string) =>
      `${done}/${total} ${path}（用时 ${time}${rest === undefined ? "" : `，剩余 ${rest}`}）`,
    batchWaiting: (count: number) => `其他进程正在生成 ${count} 张；等待中，若有进程中断则接手。`,
    batchFailed: (place: string) => `${place}：`,
    batchDone: (made: number, already: number, folder: string) =>
      `完成！生成 ${made} 张，已有 ${already} 张：${folder}`,
    batchFailures: (count: number, total: number) =>
      `${total} 个请求中有 ${count} 个失败，原因见上文。`,
  },
});
