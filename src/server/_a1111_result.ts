/** What AUTOMATIC1111's API answers when pictures are drawn. */
import { RequestError } from "../errors.ts";
import type { Job } from "../studio/job.ts";
import { readPictureTexts } from "../studio/picture_texts.ts";
import { type Img2Img, numberOf, type Txt2Img } from "./_a1111_bodies.ts";
import { SAMPLERS } from "./_a1111_request.ts";
import { MODEL } from "./_openai.ts";
import type { ServerContext } from "./types.ts";

/** The version whose API this is. */
const VERSION = "v1.10.1";

/**
 * Pictures with what was asked for, and `info` as a text of JSON.
 *
 * @throws {RequestError} When the job failed.
 */
export async function resultOf(
  { gallery, queue }: ServerContext,
  asked: Txt2Img | Img2Img,
  job: Job | undefined,
): Promise<object> {
  if (job?.state === "failed") {
    throw new RequestError(job.error ?? { en: "It failed.", zh: "失败。" });
  }
  gallery.refresh();
  const pictures = job?.pictures ?? [];
  const files = await Promise.all(
    pictures.map(async ({ name }) => await gallery.read(name)),
  );
  const infotexts = files.map((file) =>
    file === undefined ? "" : readPictureTexts(file.bytes).info
  );
  const { request } = job ?? {};
  const scheduler = request?.scheduler?.name ?? queue.facts?.scheduler.name ?? "euler";
  const sampler = (SAMPLERS as Readonly<Record<string, string>>)[scheduler] ?? scheduler;
  const seeds = pictures.map(({ seed }) => numberOf(seed) as number | bigint);
  const { variation } = request ?? {};
  const subseeds = pictures.map(({ index }) =>
    variation?.seed === undefined ? -1 : BigInt(variation.seed) + BigInt(index)
  );
  const [first] = pictures;
  const isHires = request?.hires !== undefined;
  const info = {
    prompt: first?.prompt ?? asked.prompt,
    all_prompts: pictures.map(({ prompt }) => prompt),
    negative_prompt: request?.negativePrompt ?? asked.negative_prompt,
    all_negative_prompts: pictures.map(() => request?.negativePrompt ?? asked.negative_prompt),
    seed: seeds[0] ?? -1,
    all_seeds: seeds,
    subseed: subseeds[0] ?? -1,
    all_subseeds: subseeds,
    subseed_strength: variation?.strength ?? 0,
    width: request?.width ?? asked.width,
    height: request?.height ?? asked.height,
    sampler_name: sampler,
    cfg_scale: asked.cfg_scale,
    steps: asked.steps,
    batch_size: asked.batch_size,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: MODEL,
    sd_model_hash: null,
    sd_vae_name: null,
    sd_vae_hash: null,
    seed_resize_from_w: asked.seed_resize_from_w,
    seed_resize_from_h: asked.seed_resize_from_h,
    denoising_strength: isHires || "init_images" in asked ? asked.denoising_strength : null,
    extra_generation_params: {},
    index_of_first_image: 0,
    infotexts,
    styles: asked.styles,
    job_timestamp: timestampOf(job?.created ?? 0),
    clip_skip: 1,
    is_using_inpainting_conditioning: false,
    version: VERSION,
  };
  return {
    images: asked.send_images
      ? files.flatMap((file) => file === undefined ? [] : [file.bytes.toBase64()])
      : [],
    parameters: jsonable(asked),
    info: JSON.stringify(info, digits),
  };
}

/** Python writes whole numbers of any length. */
function digits(_key: string, value: unknown): unknown {
  return typeof value === "bigint"
    ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value))
    : value;
}

/** What was asked for; pictures only where they are asked for. */
function jsonable(asked: Txt2Img | Img2Img): unknown {
  const plain = { ...asked, seed: Number(asked.seed), subseed: Number(asked.subseed) };
  if (!("init_images" in plain) || plain.include_init_images) return plain;
  return { ...plain, init_images: null, mask: null };
}

/** `20260105123059`, as that program writes moments. */
export function timestampOf(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}` +
    `${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
