/** Errors on their way to a client. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { explainError, NewBieError, RequestError } from "../errors.ts";
import { ImageError } from "../image/mod.ts";
import { type Language, languageOf } from "../language.ts";
import { QueueFullError } from "../studio/picture_queue.ts";

/** A request that is refused with a status of its own. */
export class HttpProblem extends NewBieError {
  override name = "HttpProblem";
  readonly status: ContentfulStatusCode;

  constructor(status: ContentfulStatusCode, en: string, zh: string) {
    super({ en, zh });
    this.status = status;
  }
}

/** There is nothing of that name. */
export function notFound(): HttpProblem {
  return new HttpProblem(404, "There is nothing under this address.", "这个地址下没有内容。");
}

/** The status that tells what kind of error it is. */
export function statusOf(error: unknown): ContentfulStatusCode {
  if (error instanceof HttpProblem) return error.status;
  if (error instanceof QueueFullError) return 503;
  return error instanceof RequestError || error instanceof ImageError ? 400 : 500;
}

/** The language that a client asks for. */
export function languageFor(context: Context): Language {
  const [first = ""] = (context.req.header("Accept-Language") ?? "").split(/[,;]/);
  return languageOf(first.trim());
}

/** The error as our own API says it. */
export function problemBody(error: unknown, language: Language) {
  const { name } = error instanceof Error ? error : new Error();
  return { error: { name, message: explainError(error, language) } };
}
