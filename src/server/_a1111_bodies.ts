/**
 * What programs send to AUTOMATIC1111's API: names and defaults of its processing.py and
 * modules/api/models.py. What is not here is taken and passed over, as that program does.
 */
import * as z from "zod";
import { HttpException, ValidationProblem } from "./_a1111_problem.ts";
import type { BodyRefusals } from "./_body.ts";

const whole = (least: number, usual: number) =>
  z.preprocess(numberOf, z.int().min(least)).nullish().transform((value) => value ?? usual);
const number = (usual: number) =>
  z.preprocess(numberOf, z.number()).nullish().transform((value) => value ?? usual);
const flag = (usual: boolean) =>
  z.preprocess(
    (value) => value === 0 || value === 1 ? value === 1 : value,
    z.boolean(),
  ).nullish().transform((value) => value ?? usual);
const words = z.string().nullish().transform((value) => value ?? "");
const named = z.string().nullish();
const seed = z.preprocess(numberOf, z.union([z.int(), z.bigint()])).nullish()
  .transform((value) => value ?? -1);

/** What both ways of drawing have. */
const drawing = {
  prompt: words,
  negative_prompt: words,
  styles: z.array(z.string()).nullish().transform((value) => value ?? []),
  seed,
  subseed: seed,
  subseed_strength: number(0),
  seed_resize_from_h: whole(-1, -1),
  seed_resize_from_w: whole(-1, -1),
  sampler_name: named,
  sampler_index: named,
  scheduler: named,
  batch_size: whole(1, 1),
  n_iter: whole(1, 1),
  steps: whole(1, 50),
  cfg_scale: number(7),
  width: whole(1, 512),
  height: whole(1, 512),
  denoising_strength: number(0.75),
  script_name: named,
  override_settings: z.record(z.string(), z.unknown()).nullish(),
  send_images: flag(true),
};

export const txt2img = z.object({
  ...drawing,
  enable_hr: flag(false),
  hr_scale: number(2),
  hr_upscaler: named,
  hr_second_pass_steps: whole(0, 0),
  hr_resize_x: whole(0, 0),
  hr_resize_y: whole(0, 0),
  hr_prompt: words,
  hr_negative_prompt: words,
});

export const img2img = z.object({
  ...drawing,
  init_images: z.array(z.string()).nullish().transform((value) => value ?? []),
  resize_mode: whole(0, 0),
  mask: named,
  mask_blur: number(NaN),
  mask_blur_x: number(4),
  mask_blur_y: number(4),
  inpainting_fill: whole(0, 0),
  inpaint_full_res: flag(true),
  inpaint_full_res_padding: whole(0, 0),
  inpainting_mask_invert: whole(0, 0),
  include_init_images: flag(false),
});

const upscaling = {
  resize_mode: whole(0, 0),
  upscaling_resize: number(2),
  upscaling_resize_w: whole(1, 512),
  upscaling_resize_h: whole(1, 512),
  upscaler_1: named,
};

export const extraSingleImage = z.object({ ...upscaling, image: words });
export const extraBatchImages = z.object({
  ...upscaling,
  imageList: z.array(z.object({ data: z.string() })),
});
export const pngInfo = z.object({ image: z.string() });
export const settings = z.record(z.string(), z.unknown());

export type Txt2Img = z.output<typeof txt2img>;
export type Img2Img = z.output<typeof img2img>;
export type Upscaling = z.output<typeof extraSingleImage>;

/** Pydantic takes numbers in quotes. */
export function numberOf(value: unknown): unknown {
  if (typeof value !== "string" || !/^-?\d+(\.\d+)?$/.test(value.trim())) return value;
  const read = Number(value);
  return Number.isInteger(read) && !Number.isSafeInteger(read) ? BigInt(value.trim()) : read;
}

/** As FastAPI refuses a body. */
export const FASTAPI_REFUSALS: BodyRefusals = {
  noJson: () =>
    new HttpException(422, {
      en: "There was an error parsing the body",
      zh: "无法解析请求的正文",
    }),
  mismatch: (error) => new ValidationProblem(error),
};

/**
 * Base64, with or without `data:image/png;base64,` before it.
 *
 * @throws {HttpException} When it is none.
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    const plain = text.slice(/^data:[^,]{0,80},/.exec(text.slice(0, 100))?.[0].length ?? 0);
    const bytes = Uint8Array.fromBase64(plain);
    if (bytes.length > 0) return bytes;
  } catch {
    // Told below.
  }
  throw new HttpException(500, { en: "Invalid encoded image", zh: "图片的编码无效" });
}
