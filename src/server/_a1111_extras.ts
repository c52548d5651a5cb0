/** Of AUTOMATIC1111's API: what is done with pictures that are there already. */
import type { Hono } from "hono";
import { readPictureTexts } from "../studio/picture_texts.ts";
import {
  decodeBase64,
  extraBatchImages,
  extraSingleImage,
  FASTAPI_REFUSALS,
  pngInfo,
  type Upscaling,
} from "./_a1111_bodies.ts";
import { HttpException } from "./_a1111_problem.ts";
import { UPSCALERS } from "./_a1111_request.ts";
import { jsonOf } from "./_body.ts";
import type { ServerContext } from "./types.ts";

/** Adds the routes. */
export function addExtras(app: Hono, server: ServerContext): void {
  app.post("/png-info", async (context) => {
    const { image } = await jsonOf(context, pngInfo, FASTAPI_REFUSALS);
    const { info, items, parameters } = readPictureTexts(decodeBase64(image));
    return context.json({ info, items, parameters });
  });

  app.post("/extra-single-image", async (context) => {
    const asked = await jsonOf(context, extraSingleImage, FASTAPI_REFUSALS);
    return context.json({ html_info: "", image: await upscaled(server, asked, asked.image) });
  });
  app.post("/extra-batch-images", async (context) => {
    const asked = await jsonOf(context, extraBatchImages, FASTAPI_REFUSALS);
    const images: string[] = [];
    for (const { data } of asked.imageList) images.push(await upscaled(server, asked, data));
    return context.json({ html_info: "", images });
  });
}

/**
 * A picture in the size that is asked for.
 *
 * @param image In base64.
 * @returns A PNG in base64.
 * @throws {HttpException} When there is no such upscaler.
 */
async function upscaled(
  { thread, limits }: ServerContext,
  asked: Omit<Upscaling, "image">,
  image: string,
): Promise<string> {
  const upscaler = asked.upscaler_1 ?? "None";
  if (!(UPSCALERS as readonly string[]).includes(upscaler)) {
    throw new HttpException(400, {
      en: `Invalid upscaler, needs to be one of these: ${UPSCALERS.join(" , ")}`,
      zh: `没有这个放大器，应为以下之一：${UPSCALERS.join("、")}`,
    });
  }
  const bytes = decodeBase64(image);
  const resized = await thread.resize(bytes, {
    kind: upscaler === "Nearest" ? "nearest" : "lanczos",
    // Without an upscaler, that program leaves the picture as it is.
    ...(upscaler === "None"
      ? { scale: 1 }
      : asked.resize_mode === 0
      ? { scale: asked.upscaling_resize }
      : { width: asked.upscaling_resize_w, height: asked.upscaling_resize_h }),
    mostPixels: 4 * limits.pixels,
  });
  return resized.toBase64();
}
