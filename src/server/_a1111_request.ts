/** Requests of AUTOMATIC1111's API in the words of ours. */
import { upscalerNames } from "../pipeline/find_upscaler.ts";
import { type AskedSettings, SETTINGS } from "../settings/mod.ts";
import type { JobRequest } from "../studio/picture_queue.ts";
import { dressed, type Preset, presetsOf } from "../studio/preset.ts";
import type { PictureRequest } from "../studio/request.ts";
import { decodeBase64, type Img2Img, type Txt2Img } from "./_a1111_bodies.ts";
import { HttpException } from "./_a1111_problem.ts";
import { MODEL } from "./_openai.ts";
import type { ServerContext } from "./types.ts";

/** Samplers by that program's names. */
export const SAMPLERS = SETTINGS.scheduler.name.infotext.words;
type SamplerName = keyof typeof SAMPLERS;

/** Its other samplers: clients name one of them where nobody chose any. */
const OTHER_SAMPLERS: ReadonlySet<string> = new Set([
  "euler a",
  "lms",
  "dpm2",
  "dpm2 a",
  "dpm++ 2s a",
  "dpm++ sde",
  "dpm++ 2m sde",
  "dpm++ 2m sde heun",
  "dpm++ 3m sde",
  "dpm fast",
  "dpm ad",
  "dpm adaptive",
  "lcm",
  "restart",
  "ddim",
  "ddim cfg++",
  "plms",
  "unipc",
]);

/** Schedules of noise; any other is the model's own. */
export const SCHEDULES = [
  ["automatic", "Automatic"],
  ["uniform", "Uniform"],
  ["simple", "Simple"],
] as const;

/** What enlarges a picture that is there. */
export const UPSCALERS = ["None", "Lanczos", "Nearest"] as const;
/** What enlarges latents. */
export const LATENT_UPSCALER = "Latent";

/** What stands for what in `inpainting_fill`. */
const FILLS = { fill: 0, original: 1 } as const;
const RESIZES = { stretch: 0, crop: 1, pad: 2 } as const;

type Drawing = Txt2Img | Img2Img;

/** A request for pictures from a prompt. */
export async function txt2imgRequest(asked: Txt2Img, server: ServerContext): Promise<JobRequest> {
  const request = await common(asked, server);
  if (!asked.enable_hr) return jobOf(asked, request);
  for (const name of ["prompt", "negative_prompt"] as const) {
    const other = asked[`hr_${name}`];
    if (other !== "" && other !== asked[name]) throw refused(`hr_${name}`, `only ${name}`);
  }
  const { width, height } = request;
  const scale = asked.hr_resize_x === 0 && asked.hr_resize_y === 0
    ? asked.hr_scale
    : Math.max(asked.hr_resize_x / width, asked.hr_resize_y / height);
  return jobOf(asked, {
    ...request,
    hires: {
      scale: within(scale, 1, 4, asked.hr_resize_x === 0 ? "hr_scale" : "hr_resize_x"),
      strength: within(asked.denoising_strength, 0, 1, "denoising_strength"),
      upscaler: await upscalerOf(asked.hr_upscaler ?? LATENT_UPSCALER),
      ...(asked.hr_second_pass_steps === 0 ? {} : { steps: asked.hr_second_pass_steps }),
    },
  });
}

/** A request for pictures from a picture. */
export async function img2imgRequest(asked: Img2Img, server: ServerContext): Promise<JobRequest> {
  const { thread, given } = server;
  const [init, ...others] = asked.init_images;
  if (init === undefined) {
    throw new HttpException(404, { en: "Init image not found", zh: "没有起点图片" });
  }
  if (others.length > 0) throw refused("init_images", "one picture");
  const { resize_mode: mode, inpainting_fill: fill } = asked;
  if (!Object.values<number>(RESIZES).includes(mode)) {
    throw refused("resize_mode", "0 (stretched), 1 (cropped) and 2 (padded)");
  }
  const isMasked = asked.mask != null && asked.mask !== "";
  if (isMasked && !Object.values<number>(FILLS).includes(fill)) {
    throw refused("inpainting_fill", "0 (fill) and 1 (original)");
  }
  const request = await common(asked, server);
  const size = { width: request.width, height: request.height };
  const bytes = decodeBase64(init);
  const own = await thread.measure(bytes);
  const maskBytes = isMasked
    ? await thread.mask(decodeBase64(asked.mask!), {
      drawn: "opaque-or-white",
      isInverted: asked.inpainting_mask_invert !== 0,
      width: own.width,
      height: own.height,
    })
    : undefined;
  const isPart = maskBytes !== undefined && asked.inpaint_full_res;
  const isStretched = mode === RESIZES.stretch && !isPart;
  const mostPixels = server.limits.pixels;
  const sized = async (file: Uint8Array) =>
    isStretched ? await thread.resize(file, { kind: "lanczos", ...size, mostPixels }) : file;
  let image = await sized(bytes);
  let mask: Uint8Array | undefined;
  if (maskBytes !== undefined) {
    mask = await sized(maskBytes);
    if (fill === FILLS.fill) image = await thread.fill(image, mask);
  }
  const blur = Number.isNaN(asked.mask_blur)
    ? Math.max(asked.mask_blur_x, asked.mask_blur_y)
    : asked.mask_blur;
  return jobOf(asked, {
    ...request,
    strength: within(asked.denoising_strength, 0, 1, "denoising_strength"),
    source: {
      image: (await given.keep(image)).name,
      ...(isPart
        ? { onlyMasked: Math.min(asked.inpaint_full_res_padding, 1024) }
        : { resize: mode === RESIZES.pad ? "pad" : "crop" }),
      ...(mask === undefined ? {} : { mask: (await given.keep(mask)).name }),
    },
    ...(mask === undefined ? {} : { maskBlur: Math.round(within(blur, 0, 1024, "mask_blur")) }),
  });
}

function jobOf(asked: Drawing, request: PictureRequest): JobRequest {
  return { request, count: asked.batch_size * asked.n_iter };
}

type Sized = PictureRequest & { readonly width: number; readonly height: number };

async function common(asked: Drawing, server: ServerContext): Promise<Sized> {
  if (asked.script_name) {
    throw new HttpException(422, {
      en: `Script '${asked.script_name}' not found`,
      zh: `没有脚本 '${asked.script_name}'`,
    });
  }
  requireModel(asked.override_settings?.["sd_model_checkpoint"]);
  const { defaultSize: _, sizeMultiple } = server.queue.facts ?? await server.queue.load();
  const near = (side: number) => Math.max(1, Math.round(side / sizeMultiple)) * sizeMultiple;
  const name = samplerOf(asked.sampler_name || asked.sampler_index || "Euler");
  const schedule = scheduleOf(asked.scheduler ?? "");
  const { seed, subseed, subseed_strength: strength } = asked;
  const [fromWidth, fromHeight] = [asked.seed_resize_from_w, asked.seed_resize_from_h];
  const styles = await stylesOf(asked.styles, server);
  const negatives = [
    asked.negative_prompt,
    ...styles.map(({ settings }) => settings.negativePrompt),
  ];
  return {
    prompt: dressed(styles, asked.prompt),
    negativePrompt: negatives.filter((part) => part !== undefined && part !== "").join(", "),
    numInferenceSteps: asked.steps,
    guidanceScale: asked.cfg_scale,
    width: near(asked.width),
    height: near(asked.height),
    ...(name === undefined && schedule === undefined ? {} : {
      scheduler: {
        ...(name === undefined ? {} : { name }),
        ...(schedule === undefined ? {} : { schedule }),
      },
    }),
    ...(isRandom(seed) ? {} : { generator: { seed } }),
    ...(strength <= 0 ? {} : {
      variation: {
        strength: within(strength, 0, 1, "subseed_strength"),
        ...(isRandom(subseed) ? {} : { seed: subseed }),
      },
    }),
    ...(fromWidth > 0 && fromHeight > 0 ? { seedResizeFrom: `${fromWidth}x${fromHeight}` } : {}),
  };
}

/** −1, and any other negative number, asks for a random seed. */
function isRandom(seed: number | bigint): boolean {
  return seed < 0;
}

/** Styles are presets; one that is not here counts for nothing, as in that program. */
async function stylesOf(
  names: readonly string[],
  { presets: folder }: ServerContext,
): Promise<readonly Preset[]> {
  if (names.length === 0) return [];
  const known = await presetsOf(folder);
  return names.flatMap((name) => known.get(name)?.read() ?? []);
}

/** @throws {HttpException} When another model is asked for. */
export function requireModel(name: unknown): void {
  if (name === undefined || name === null || name === "" || name === MODEL) return;
  throw new HttpException(400, {
    en: `model ${JSON.stringify(name)} not found`,
    zh: `没有模型 ${JSON.stringify(name)}`,
  });
}

/** Undefined for a sampler that only that program has: then the model's own is used. */
function samplerOf(name: string): SamplerName | undefined {
  const plain = name.trim().toLowerCase().replace(/ (?:karras|exponential|polyexponential)$/, "");
  // Its aliases: k_dpmpp_2m, k_euler_ancestral.
  const spelt = plain.replace(/^k_/, "").replaceAll("_", " ").replace(/^dpmpp/, "dpm++")
    .replace(/\bancestral\b/, "a").replace(/^dpm 2/, "dpm2");
  const own = Object.entries(SAMPLERS).find(([alias, label]) =>
    [plain, spelt].includes(label.toLowerCase()) || alias === plain
  );
  if (own !== undefined) return own[0] as SamplerName;
  if (OTHER_SAMPLERS.has(spelt)) return undefined;
  throw new HttpException(400, { en: "Sampler not found", zh: "没有这个采样器" });
}

function scheduleOf(name: string): NonNullable<AskedSettings["scheduler"]>["schedule"] {
  const plain = name.trim().toLowerCase();
  return plain === "uniform" || plain === "simple" ? plain : undefined;
}

async function upscalerOf(name: string): Promise<string> {
  if (name.startsWith(LATENT_UPSCALER)) return "latent";
  if (name === "Lanczos" || name === "None") return "lanczos";
  const networks = await upscalerNames();
  if (networks.includes(name)) return name;
  const known = [LATENT_UPSCALER, "Lanczos", ...networks];
  throw new HttpException(400, {
    en: `could not find upscaler named ${JSON.stringify(name)}; there are: ${known.join(", ")}`,
    zh: `没有放大器 ${JSON.stringify(name)}；现有：${known.join("、")}`,
  });
}

function within(value: number, least: number, most: number, name: string): number {
  if (value >= least && value <= most) return value;
  throw new HttpException(422, {
    en: `${name} is ${value}; expected a number from ${least} to ${most}`,
    zh: `${name} 是 ${value}；应为 ${least} 到 ${most} 的数`,
  });
}

function refused(name: string, here: string): HttpException {
  return new HttpException(422, {
    en: `This server does not know that value of ${name}; it knows ${here}`,
    zh: `本服务器不支持 ${name} 的这个值；支持：${here}`,
  });
}
