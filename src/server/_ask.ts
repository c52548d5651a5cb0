/** What all three protocols share: a request is checked and goes into the queue. */
import { RequestError } from "../errors.ts";
import { MAX_PROMPT_LENGTH } from "../prompt/mod.ts";
import { checkSettings } from "../settings/mod.ts";
import { gridCells } from "../studio/grid.ts";
import type { Job } from "../studio/job.ts";
import type { JobRequest } from "../studio/picture_queue.ts";
import type { PictureMeasure } from "../studio/picture_thread.ts";
import type { PictureRequest } from "../studio/request.ts";
import { roomOf, sourceSize } from "../studio/source_picture.ts";
import { openGiven } from "./_given.ts";
import type { ServerContext } from "./types.ts";

/** What the model draws where nothing is known of it yet. */
const UNKNOWN = { defaultSize: 0, sizeMultiple: 16 };

/**
 * Puts a request into the queue. What it says of pictures to start from are names, see
 * {@linkcode openGiven}.
 *
 * @throws {RequestError} When it asks for more than is allowed, or the prompt has errors.
 * @throws {ImageError} When a picture cannot be decoded.
 * @throws {QueueFullError} When too much waits.
 */
export async function ask(server: ServerContext, asked: JobRequest): Promise<Job> {
  const { queue, desk, limits } = server;
  const { grid, count = 1 } = asked;
  refuseNeedless(asked.request);
  const { source, measure } = await openGiven(server, asked.request.source ?? {});
  // How a picture is cut depends on the model.
  if (measure !== undefined && queue.facts === undefined) await queue.load();
  const request = asked.request.source === undefined ? asked.request : { ...asked.request, source };
  const cells: readonly { readonly request: PictureRequest }[] = grid === undefined
    ? [{ request }]
    : gridCells(grid, request);
  refuseMore("count", grid === undefined ? count : cells.length, limits.pictures);
  for (const cell of cells) {
    // Whatever protocol it came by: a job whose settings are none could not even be listed.
    checkSettings(cell.request);
    refuseTooMuch(server, cell.request, measure);
  }
  const different = new Map(cells.map(({ request }) => [
    JSON.stringify([request.prompt, request.negativePrompt, request.loras]),
    request,
  ]));
  for (const one of different.values()) {
    refuseLong("prompt", one.prompt);
    refuseLong("negative_prompt", one.negativePrompt);
    refuseLong("system_prompt", one.systemPrompt);
    if (one.prompt.trim() === "") {
      throw new RequestError({ en: "The prompt is empty.", zh: "提示词为空。" });
    }
    refuseFaulty(server, one);
    await desk.refuseUnknownAdapters(one);
  }
  return queue.add({ ...asked, request });
}

/** A size, and where in it the picture lies that was given: the rest is new. */
interface DrawnSize {
  readonly width: number;
  readonly height: number;
  readonly place: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
}

/**
 * In which size a request with a picture to start from will be drawn.
 *
 * @throws {RequestError} When there is no picture, or it would be too large.
 */
export async function drawnSize(
  server: ServerContext,
  { width, height, source = {} }: PictureRequest,
): Promise<DrawnSize> {
  const { measure } = await openGiven(server, source);
  if (measure === undefined) {
    throw new RequestError({
      en: "There is no picture to start from (image).",
      zh: "没有起点图片（image）。",
    });
  }
  const { defaultSize, sizeMultiple } = server.queue.facts ?? UNKNOWN;
  const asked = {
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
  };
  // Of a model that nobody knows yet, no picture is too large.
  const model = { multiple: sizeMultiple, trained: defaultSize || Infinity };
  const { expand, onlyMasked, ...alone } = source;
  if (onlyMasked !== undefined) {
    // A part of it is drawn, and put back into it.
    const { width, height } = measure;
    return { width, height, place: { left: 0, top: 0, width, height } };
  }
  const inner = sourceSize(measure, alone, asked, model);
  const whole = sourceSize(measure, source, asked, model);
  const { left = 0, top = 0 } = expand === undefined ? {} : roomOf(expand, sizeMultiple);
  return { ...whole, place: { left, top, ...inner } };
}

/** Refuses settings that say nothing without a picture, or without a mask. */
function refuseNeedless(
  { strength, maskBlur, overlay, differentialMask, source = {} }: PictureRequest,
): void {
  const { image, mask, alphaMask, expand, resize } = source;
  const given = (words: Readonly<Record<string, unknown>>) =>
    Object.keys(words).find((word) => words[word] !== undefined);
  const forImage = given({ strength, mask, alpha_mask: alphaMask, expand, resize });
  if (image === undefined && forImage !== undefined) {
    throw new RequestError({
      en: `${forImage} says nothing without a picture to start from (image).`,
      zh: `没有起点图片（image）时，${forImage} 没有意义。`,
    });
  }
  const hasMask = mask !== undefined || alphaMask === true || expand !== undefined;
  const forMask = given({ mask_blur: maskBlur, overlay, differential_mask: differentialMask });
  if (hasMask || forMask === undefined) return;
  throw new RequestError({
    en: `${forMask} says nothing without a mask (mask, alpha_mask or expand).`,
    zh: `没有蒙版（mask、alpha_mask 或 expand）时，${forMask} 没有意义。`,
  });
}

function refuseTooMuch(
  { queue, limits }: ServerContext,
  { numInferenceSteps = 0, width, height, source = {}, hires = {} }: PictureRequest,
  measure: PictureMeasure | undefined,
): void {
  const { defaultSize, sizeMultiple } = queue.facts ?? UNKNOWN;
  refuseMore("steps", numInferenceSteps, limits.steps);
  refuseMore("hires_steps", hires.steps ?? 0, limits.steps);
  refuseOdd("width", width, sizeMultiple);
  refuseOdd("height", height, sizeMultiple);
  const asked = {
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
  };
  const model = { multiple: sizeMultiple, trained: defaultSize };
  const size = measure === undefined
    ? { width: width ?? defaultSize, height: height ?? defaultSize }
    : sourceSize(measure, source, asked, model);
  refuseMore("width × height", size.width * size.height * (hires.scale ?? 1) ** 2, limits.pixels);
}

/** Refuses a prompt with errors, naming the first. */
function refuseFaulty({ desk }: ServerContext, { prompt, raw = false }: PictureRequest): void {
  const linted = desk.lint(prompt, { language: "en" });
  if (raw || linted.isTemplate) return;
  const [fault, ...others] = linted.diagnostics.filter(({ severity }) => severity === "error");
  if (fault === undefined) return;
  const zh = desk.lint(prompt, { language: "zh" }).diagnostics
    .find(({ severity }) => severity === "error")!;
  const more = others.length;
  throw new RequestError({
    en: `Line ${fault.line}, column ${fault.column} of the prompt: ${fault.message}` +
      (fault.suggestion === undefined ? "" : ` ${fault.suggestion}`) +
      (more === 0 ? "" : ` There ${more === 1 ? "is 1 more error" : `are ${more} more errors`}.`),
    zh: `提示词第 ${zh.line} 行第 ${zh.column} 列：${zh.message}${zh.suggestion ?? ""}` +
      (more === 0 ? "" : `另有 ${more} 处错误。`),
  });
}

function refuseLong(name: string, text = ""): void {
  if (text.length <= MAX_PROMPT_LENGTH) return;
  throw new RequestError({
    en: `${name} has ${text.length} characters; at most ${MAX_PROMPT_LENGTH} are read.`,
    zh: `${name} 有 ${text.length} 个字符；最多读取 ${MAX_PROMPT_LENGTH} 个。`,
  });
}

function refuseMore(name: string, value: number, most: number): void {
  if (value <= most) return;
  throw new RequestError({
    en: `${name} is ${value}; this server makes at most ${most}.`,
    zh: `${name} 是 ${value}；本服务器最多允许 ${most}。`,
  });
}

function refuseOdd(name: string, value: number | undefined, multiple: number): void {
  if (value === undefined || value % multiple === 0) return;
  const nearest = Math.max(1, Math.round(value / multiple)) * multiple;
  throw new RequestError({
    en: `${name} is ${value}; expected a number of pixels that is a multiple of ${multiple}, ` +
      `such as ${nearest}.`,
    zh: `${name} 是 ${value}；应为 ${multiple} 的倍数（像素），例如 ${nearest}。`,
  });
}
