/**
 * Every setting of a picture, each stated once. The API's types, `create`'s options, the lines of a
 * batch, the questions of the conversation, the recipe and AUTOMATIC1111's text all follow from this
 * table.
 *
 * A new setting is one more entry, and the code that uses it. Give it `absent`: recipes that were
 * written before do not name it.
 *
 * @module
 */
import { GENERATOR_DEVICES } from "../random/mod.ts";
import { MOST_STEPS, SCHEDULE_NAMES, SCHEDULER_NAMES, SHIFT_RANGE } from "../schedulers/mod.ts";
import { choice, edges, file, flag, pixels, real, seed, size, text, whole } from "./kinds.ts";
import type {
  AskedOf,
  Declaration,
  Kind,
  ResolvedOf,
  Setting,
  SettingsTable,
  WrittenOf,
} from "./types.ts";

/** States a setting. */
export function setting<Value, const D extends Declaration<Value>>(
  kind: Kind<Value>,
  declaration: D & Declaration<Value>,
): D & Setting<Value> {
  return { kind, ...declaration };
}

const OF_MODEL = { en: "the model's own", zh: "模型自带的" } as const;
const OF_TRAINING = { en: "what the model was trained for", zh: "模型训练时的尺寸" } as const;

/** ComfyUI's and the web UI's names. */
const OTHER_SCHEDULER_NAMES = {
  "dpm++ 2m": "dpm-solver++",
  "dpmpp_2m": "dpm-solver++",
  "dpmpp": "dpm-solver++",
  "res multistep": "res_multistep",
} as const;

/** The strength with which a given picture is drawn anew, as in diffusers' pipelines for flows. */
export const DEFAULT_STRENGTH = 0.6;
/** One latent of NewBie. */
export const DEFAULT_MASK_BLUR = 8;
/** AUTOMATIC1111's is 0.7, which draws much anew. */
export const DEFAULT_HIRES_STRENGTH = 0.5;
/** A filter over pixels. */
export const DEFAULT_UPSCALER = "lanczos";
const MOST_MASK_BLUR = 1024;

/** The table. */
export const SETTINGS = {
  /** XML or plain text. */
  prompt: setting(text(), {
    word: "prompt",
    infotext: { name: "Prompt" },
    about: {
      en: "the prompt, XML or plain text; @file.xml reads a file, - the standard input",
      zh: "提示词，XML 或普通文本；@file.xml 读取文件，- 读取标准输入",
    },
  }),
  /**
   * What the picture should not be.
   *
   * @default {""}
   */
  negativePrompt: setting(text(), {
    default: "",
    word: "negative_prompt",
    infotext: { name: "Negative prompt" },
    about: { en: "what the picture should not be", zh: "图片中不希望出现的内容" },
  }),
  /**
   * What Gemma reads before the prompt; `""` for nothing. By default the one used in training for
   * the prompt's kind, XML or plain text. An empty prompt stays empty.
   */
  systemPrompt: setting(text(), {
    isOptional: true,
    word: "system_prompt",
    infotext: { name: "System prompt" },
    about: {
      en: "what Gemma reads before the prompt, instead of the one used in training",
      zh: "Gemma 在提示词之前读到的文字，代替训练时使用的那一段",
    },
  }),
  /**
   * Whether XML reaches the encoders exactly as typed; otherwise it is put in canonical form.
   *
   * @default {false}
   */
  raw: setting(flag(), {
    default: false,
    absent: false,
    word: "raw",
    infotext: { name: "Raw prompt" },
    about: {
      en: "give the prompt to the encoders exactly as typed",
      zh: "把提示词原样交给编码器",
    },
  }),
  /**
   * Steps of the sampler, from 1 to 1000.
   *
   * @default {30}
   */
  numInferenceSteps: setting(whole({ least: 1, most: MOST_STEPS }), {
    default: 30,
    word: "steps",
    infotext: { name: "Steps" },
    question: { en: "steps", zh: "步数" },
    about: { en: "steps of the sampler", zh: "采样步数" },
  }),
  /**
   * How strongly the prompt pulls (classifier-free guidance), from 0 to 1000; 1 ignores the negative
   * prompt. The demo model was made for 3 to 7; measured by `deno task eval`.
   *
   * @default {7; the demo model 3}
   */
  guidanceScale: setting(real({ least: 0, most: 1000 }), {
    default: 7,
    demo: 3,
    word: "guidance",
    infotext: { name: "CFG scale" },
    question: { en: "guidance scale", zh: "引导强度" },
    about: {
      en: "how strongly the prompt pulls; 1 ignores the negative prompt",
      zh: "提示词的引导强度；为 1 时忽略反向提示词",
    },
  }),
  /**
   * From this time on (0 = noise, 1 = image) there is no guidance.
   *
   * @default {100}
   */
  cfgTrunc: setting(real({}), {
    default: 100,
    word: "cfg_trunc",
    infotext: { name: "CFG trunc", omit: 100 },
    about: {
      en: "the time from which on there is no guidance: 0 is noise, 1 the image, more means never",
      zh: "从这一时刻起不再引导：0 为噪声，1 为图像，更大表示一直引导",
    },
  }),
  /**
   * The guided velocity's largest norm as a multiple of the conditional one's; 0 for no limit.
   *
   * @default {1}
   */
  renormCfg: setting(real({ least: 0 }), {
    default: 1,
    word: "renorm_cfg",
    infotext: { name: "Renorm CFG", omit: 1 },
    about: {
      en:
        "the largest norm that guidance may give a step, as a multiple of the one without; 0 for " +
        "no limit",
      zh: "引导后每一步的最大范数，以无引导时的倍数计；0 表示不限",
    },
  }),
  /**
   * Leaves out evaluations of the model where a velocity can be foretold from earlier ones with at
   * most this relative error; 0 for none. See `withStepCache`. 0.2 leaves out two fifths of 28 steps.
   *
   * @default {0}
   */
  stepCache: setting(real({ least: 0 }), {
    default: 0,
    absent: 0,
    word: "step_cache",
    infotext: { name: "Step cache" },
    about: {
      en:
        "leave out steps of the model that can be predicted within this relative error: faster, " +
        "slightly different; 0.2 leaves out two fifths",
      zh: "省去能在此相对误差内预测的模型求值：更快，结果略有不同；0.2 约省五分之二",
    },
  }),
  /** The sampler; by default the checkpoint's own, else Euler with shift 6. */
  scheduler: {
    /** Its method. */
    name: setting(choice(SCHEDULER_NAMES, OTHER_SCHEDULER_NAMES), {
      word: "scheduler",
      infotext: {
        name: "Sampler",
        // The web UI's names; it has no midpoint rule.
        words: {
          euler: "Euler",
          midpoint: "Midpoint",
          heun: "Heun",
          "dpm-solver++": "DPM++ 2M",
          res_multistep: "Res Multistep",
        },
      },
      otherwise: OF_MODEL,
      about: { en: "sampler", zh: "采样器" },
    }),
    /** How much of a run is spent near the noise; 1 shifts nothing. */
    shift: setting(real(SHIFT_RANGE), {
      word: "shift",
      otherwise: OF_MODEL,
      infotext: { name: "Shift" },
      about: {
        en: "how much of a run is spent near the noise; 1 shifts nothing",
        zh: "采样在噪声附近花多少时间；1 表示不偏移",
      },
    }),
    /**
     * How the steps are spaced before the shift.
     *
     * @default {"uniform"}
     */
    schedule: setting(choice(SCHEDULE_NAMES), {
      default: "uniform",
      absent: "uniform",
      word: "schedule",
      infotext: { name: "Schedule type", words: { uniform: "Uniform", simple: "Simple" } },
      about: {
        en: "how the steps are spaced; simple is ComfyUI's, the same where the steps divide 1000",
        zh: "各步的间隔；simple 与 ComfyUI 的同名设置一致，步数整除 1000 时两者相同",
      },
    }),
  },
  /** The noise that a picture begins with. */
  generator: {
    /** By default a random one. */
    seed: setting(seed(), {
      word: "seed",
      otherwise: { en: "random", zh: "随机" },
      infotext: { name: "Seed" },
      question: { en: "seed", zh: "种子" },
      about: {
        en: "seed of the noise, always shown; -1 for a random one",
        zh: "噪声的种子，总会显示出来；-1 表示随机",
      },
    }),
    /**
     * Whose numbers are drawn with the seed: those of `torch.Generator("cpu")` or of `("cuda")`.
     *
     * @default {"cpu"}
     */
    device: setting(choice(GENERATOR_DEVICES), {
      default: "cpu",
      word: "generator",
      infotext: { name: "RNG", words: { cpu: "CPU", cuda: "NV" } },
      about: {
        en: "whose random numbers to draw, torch's on the CPU or on a GPU; either works anywhere",
        zh: "采用 torch 在 CPU 上还是在 GPU 上的随机数；两者在任何机器上都可用",
      },
    }),
    /** Of the imitated GPU; 132 where absent. */
    multiProcessorCount: setting(whole({ least: 1 }), {
      isOptional: true,
      word: "multiprocessor_count",
      infotext: { name: "RNG multiprocessors" },
      about: {
        en: "with --generator cuda: how many multiprocessors the imitated GPU has",
        zh: "配合 --generator cuda：所模仿的 GPU 有多少个多处理器",
      },
    }),
    /** Of the imitated GPU; 2048 where absent. */
    maxThreadsPerMultiProcessor: setting(whole({ least: 1 }), {
      isOptional: true,
      word: "max_threads_per_multiprocessor",
      infotext: { name: "RNG threads" },
      about: {
        en: "with --generator cuda: how many threads one of them holds",
        zh: "配合 --generator cuda：每个多处理器容纳多少线程",
      },
    }),
  },
  /** Pixels; a multiple of 16 for NewBie. By default what the model was trained for. */
  width: setting(pixels(), {
    word: "width",
    otherwise: OF_TRAINING,
    infotext: { name: "Size" },
    question: { en: "size, width x height", zh: "尺寸，宽x高" },
    about: {
      en: "pixels, a multiple of 16",
      zh: "宽度（像素），16 的倍数",
    },
  }),
  /** Pixels; likewise. */
  height: setting(pixels(), {
    word: "height",
    otherwise: OF_TRAINING,
    infotext: { name: "Size" },
    question: { en: "size, width x height", zh: "尺寸，宽x高" },
    about: {
      en: "pixels, likewise",
      zh: "高度（像素），同上",
    },
  }),
  /**
   * How far to go from the picture that is given: 0 keeps it, 1 starts from noise alone. Only with a
   * picture; 0.6 where nobody says it.
   */
  strength: setting(real({ least: 0, most: 1 }), {
    isOptional: true,
    word: "strength",
    otherwise: { en: String(DEFAULT_STRENGTH), zh: String(DEFAULT_STRENGTH) },
    infotext: { name: "Denoising strength" },
    about: {
      en: "with --image: how far to go from it; 0 keeps it, 1 starts from noise",
      zh: "配合 --image：与原图的差异程度；0 保持原图，1 完全从噪声开始",
    },
  }),
  /**
   * Whether a mask's greys say how much each place may change; otherwise what is at least half white
   * is drawn anew. Only with a mask.
   */
  differentialMask: setting(flag(), {
    isOptional: true,
    word: "differential_mask",
    infotext: { name: "Differential mask" },
    about: {
      en: "with --mask: its greys say how much each place may change",
      zh: "配合 --mask：灰度表示各处可以改变多少",
    },
  }),
  /**
   * What is pasted outside of the mask at the end: the original's pixels, which is usual, or nothing.
   */
  overlay: setting(choice(["original", "none"]), {
    isOptional: true,
    word: "overlay",
    otherwise: { en: "original", zh: "original（原图）" },
    infotext: { name: "Overlay" },
    about: {
      en: "with --mask: paste the original's pixels outside of it at the end, or nothing",
      zh: "配合 --mask：最后在蒙版之外贴回原图的像素，或不贴",
    },
  }),
  /**
   * Over how many pixels outside of the mask the drawn picture fades into the original; 8 where nobody
   * says it.
   */
  maskBlur: setting(whole({ least: 0, most: MOST_MASK_BLUR, placeholder: "<pixels>" }), {
    isOptional: true,
    word: "mask_blur",
    otherwise: { en: String(DEFAULT_MASK_BLUR), zh: String(DEFAULT_MASK_BLUR) },
    infotext: { name: "Mask blur" },
    about: {
      en: "with --mask: over how many pixels outside of it both pictures fade into each other",
      zh: "配合 --mask：蒙版之外用多少像素过渡到原图",
    },
  }),
  /** Noise that lies between that of the seed and that of another one, as AUTOMATIC1111 mixes it. */
  variation: {
    /** The other seed; by default a random one. */
    seed: setting(seed(), {
      isOptional: true,
      word: "variation_seed",
      otherwise: { en: "random", zh: "随机" },
      infotext: { name: "Variation seed" },
      about: {
        en: "with --variation-strength: the seed of the other noise",
        zh: "配合 --variation-strength：另一份噪声的种子",
      },
    }),
    /** How far to go to it; 1 is the other seed's noise. */
    strength: setting(real({ least: 0, most: 1 }), {
      isOptional: true,
      word: "variation_strength",
      infotext: { name: "Variation seed strength" },
      about: {
        en: "vary the picture: how much of another seed's noise to mix in, such as 0.1",
        zh: "让图片略有变化：混入多少另一种子的噪声，例如 0.1",
      },
    }),
  },
  /** The size whose noise lies in the middle of this picture's: `512x512`. */
  seedResizeFrom: setting(size(), {
    isOptional: true,
    word: "seed_resize_from",
    infotext: { name: "Seed resize from" },
    about: {
      en: "keep the noise that the seed had at this size in the middle of the picture",
      zh: "在图片中央保留该种子在此尺寸下的噪声",
    },
  }),
  /** Draws the picture, enlarges it and draws it again from that. */
  hires: {
    /** How many times as wide and high. */
    scale: setting(real({ least: 1, most: 4 }), {
      isOptional: true,
      word: "hires",
      infotext: { name: "Hires upscale" },
      about: {
        en: "draw, enlarge so many times, and draw again from that: 1.5 or 2",
        zh: "先绘制，再放大这么多倍，然后以它为起点重画：1.5 或 2",
      },
    }),
    /** How far the second drawing goes from the enlarged one; 0.5 where nobody says it. */
    strength: setting(real({ least: 0, most: 1 }), {
      isOptional: true,
      word: "hires_strength",
      otherwise: { en: String(DEFAULT_HIRES_STRENGTH), zh: String(DEFAULT_HIRES_STRENGTH) },
      infotext: { name: "Hires strength" },
      about: {
        en: "with --hires: how far the second drawing goes from the enlarged picture",
        zh: "配合 --hires：第二次绘制与放大后图片的差异程度",
      },
    }),
    /** Steps of the second drawing; by default those of the first. */
    steps: setting(whole({ least: 1, most: MOST_STEPS }), {
      isOptional: true,
      word: "hires_steps",
      otherwise: { en: "as many as --steps", zh: "与 --steps 相同" },
      infotext: { name: "Hires steps" },
      about: {
        en: "with --hires: steps of the second drawing, before the strength",
        zh: "配合 --hires：第二次绘制的步数（乘以强度之前）",
      },
    }),
    /** `lanczos`, `latent`, or a network's file or its name in models/upscaler. */
    upscaler: setting(file(), {
      isOptional: true,
      word: "hires_upscaler",
      otherwise: { en: DEFAULT_UPSCALER, zh: "lanczos（滤波）" },
      infotext: { name: "Hires upscaler" },
      about: {
        en: "with --hires: what enlarges: lanczos, latent, or a network in models/upscaler",
        zh: "配合 --hires：用什么放大：lanczos、latent，或 models/upscaler 中的网络",
      },
    }),
  },
  /** The picture that a person gives to start from, and what is made of it before. */
  source: {
    /** A PNG, JPEG, WebP or AVIF. */
    image: setting(file(), {
      isOptional: true,
      word: "image",
      infotext: { name: "Image" },
      about: {
        en: "a picture to start from (PNG, JPEG, WebP, AVIF), or last; see --strength",
        zh: "作为起点的图片（PNG、JPEG、WebP、AVIF），或用 last；另见 --strength",
      },
    }),
    /** White where the picture is drawn anew. */
    mask: setting(file(), {
      isOptional: true,
      word: "mask",
      infotext: { name: "Mask" },
      about: {
        en:
          "with --image: a picture that is white where it is drawn anew, and black where it stays",
        zh: "配合 --image：蒙版图片，白色处重画，黑色处保留",
      },
    }),
    /** Whether what is transparent is drawn anew. */
    alphaMask: setting(flag(), {
      isOptional: true,
      word: "alpha_mask",
      infotext: { name: "Alpha mask" },
      about: {
        en: "with --image: draw anew what is transparent in it",
        zh: "配合 --image：重画其中透明的部分",
      },
    }),
    /**
     * Draws the mask's place alone, in the size that is asked for, with so many pixels around it, and
     * puts it back into the picture, which keeps its size.
     */
    onlyMasked: setting(whole({ least: 0, most: MOST_MASK_BLUR, placeholder: "<pixels>" }), {
      isOptional: true,
      word: "only_masked",
      infotext: { name: "Masked area padding" },
      about: {
        en: "with --mask: draw its place alone, enlarged, with so many pixels around it: 32",
        zh: "配合 --mask：只把蒙版所在区域放大重画，四周保留这么多像素：32",
      },
    }),
    /**
     * How it comes to the size that is asked for: within it, filling it with the rest cut off, or within
     * it with its edges drawn out.
     */
    resize: setting(choice(["fit", "crop", "pad"]), {
      isOptional: true,
      word: "resize",
      otherwise: {
        en: "crop with --width and --height, else fit",
        zh: "给出宽和高时为 crop，否则为 fit",
      },
      infotext: { name: "Resize" },
      about: {
        en:
          "with --image: how it comes to the size: within it, filling it, or with drawn-out edges",
        zh: "配合 --image：如何调整到所需尺寸：完整放入、裁剪填满，或延伸边缘",
      },
    }),
    /** Adds room at its edges, which is drawn anew. */
    expand: setting(edges(), {
      isOptional: true,
      word: "expand",
      infotext: { name: "Expand" },
      about: {
        en: "with --image: add so many pixels at its edges and draw there: left=128,top=64",
        zh: "配合 --image：在边缘外扩这么多像素并在其中绘制：left=128,top=64",
      },
    }),
  },
} as const satisfies SettingsTable;

/**
 * How many pictures to make of one prompt, which is no setting of any one of them.
 */
export const COUNT = {
  kind: whole({ least: 1, most: 10_000, placeholder: "<pictures>" }),
  default: 1,
  word: "count",
  question: { en: "number of pictures", zh: "图片张数" },
  about: {
    en: "how many pictures, with seeds in a row",
    zh: "生成几张图片，种子依次加一",
  },
} as const;

/**
 * A quick look with few steps; `deno task bench --draft` measures how near it comes to the whole
 * picture. What else is asked for counts as always.
 */
export const DRAFT = {
  word: "draft",
  settings: { numInferenceSteps: 8, scheduler: { name: "euler" } },
  about: {
    en: "a quick look: 8 steps of Euler's method; --steps and --scheduler overrule it",
    zh: "快速预览：欧拉法 8 步；--steps 和 --scheduler 优先",
  },
} as const;

/** All settings of one picture, as `generate` resolved them. */
export type Settings = ResolvedOf<typeof SETTINGS>;

/** What is asked for of a picture; what is absent is left to the model. */
export type AskedSettings = AskedOf<typeof SETTINGS>;

/** The settings as a recipe has them. */
export type RecipeSettings = WrittenOf<typeof SETTINGS>;
