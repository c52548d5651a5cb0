/** What all three protocols share: a request is checked and goes into the queue. */
import { RequestError } from "../errors.ts";
import type { Job } from "../studio/job.ts";
import type { JobRequest } from "../studio/picture_queue.ts";
import type { ServerContext } from "./types.ts";

/**
 * Puts a request into the queue.
 *
 * @throws {RequestError} When it asks for more than is allowed, or the prompt has errors.
 * @throws {QueueFullError} When too much waits.
 */
export async function ask(
  { queue, desk, limits }: ServerContext,
  asked: JobRequest,
): Promise<Job> {
  const { request, count = 1 } = asked;
  const { numInferenceSteps = 0, width, height } = request;
  const size = queue.facts?.defaultSize ?? 0;
  const pixels = (width ?? size) * (height ?? size);
  refuseMore("count", count, limits.pictures);
  refuseMore("steps", numInferenceSteps, limits.steps);
  refuseMore("width × height", pixels, limits.pixels);
  refuseOdd("width", width, queue.facts?.sizeMultiple);
  refuseOdd("height", height, queue.facts?.sizeMultiple);
  if (request.source !== undefined) {
    throw new RequestError({
      en: "A request over HTTP may not name files of this computer (image, mask).",
      zh: "通过 HTTP 的请求不能指定本机的文件（image、mask）。",
    });
  }
  if (request.prompt.trim() === "") {
    throw new RequestError({ en: "The prompt is empty.", zh: "提示词为空。" });
  }
  const linted = desk.lint(request.prompt, { language: "en" });
  if (!request.raw && !linted.isTemplate) {
    const [fault, ...others] = linted.diagnostics.filter(({ severity }) => severity === "error");
    if (fault !== undefined) {
      const zh = desk.lint(request.prompt, { language: "zh" }).diagnostics
        .find(({ severity }) => severity === "error")!;
      const more = others.length;
      throw new RequestError({
        en: `Line ${fault.line}, column ${fault.column} of the prompt: ${fault.message}` +
          (fault.suggestion === undefined ? "" : ` ${fault.suggestion}`) +
          (more === 0
            ? ""
            : ` There ${more === 1 ? "is 1 more error" : `are ${more} more errors`}.`),
        zh: `提示词第 ${zh.line} 行第 ${zh.column} 列：${zh.message}${zh.suggestion ?? ""}` +
          (more === 0 ? "" : `另有 ${more} 处错误。`),
      });
    }
  }
  await desk.refuseUnknownAdapters(request);
  return queue.add(asked);
}

function refuseMore(name: string, value: number, most: number): void {
  if (value <= most) return;
  throw new RequestError({
    en: `${name} is ${value}; this server makes at most ${most}.`,
    zh: `${name} 是 ${value}；本服务器最多允许 ${most}。`,
  });
}

function refuseOdd(name: string, value: number | undefined, multiple = 1): void {
  if (value === undefined || value % multiple === 0) return;
  const nearest = Math.max(1, Math.round(value / multiple)) * multiple;
  throw new RequestError({
    en: `${name} is ${value}; expected a number of pixels that is a multiple of ${multiple}, ` +
      `such as ${nearest}.`,
    zh: `${name} 是 ${value}；应为 ${multiple} 的倍数（像素），例如 ${nearest}。`,
  });
}
