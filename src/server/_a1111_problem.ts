/** Faults as AUTOMATIC1111's web UI tells them. */
import type { Context } from "hono";
import type * as z from "zod";
import { explainError, RequestError } from "../errors.ts";
import type { Texts } from "../language.ts";
import { languageFor, statusOf } from "./_problem.ts";

type Status = 400 | 404 | 422 | 500;

/** A fault as FastAPI's HTTPException tells it. */
export class HttpException extends RequestError {
  override name = "HTTPException";
  readonly status: Status;

  constructor(status: Status, texts: Texts<string>) {
    super(texts);
    this.status = status;
  }
}

/** What pydantic says of a body that is not as it should be. */
export class ValidationProblem extends RequestError {
  override name = "RequestValidationError";
  readonly detail: readonly object[];

  constructor(error: z.ZodError) {
    const detail = error.issues.map(({ path, message, code }) => ({
      loc: ["body", ...path.map((part) => typeof part === "symbol" ? String(part) : part)],
      msg: message,
      type: code === "invalid_type" ? "type_error" : "value_error",
    }));
    const said = detail.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`).join("; ");
    super({ en: said, zh: said });
    this.detail = detail;
  }
}

/** Any error in that program's form. */
export function a1111Problem(error: unknown, context: Context): Response {
  if (error instanceof ValidationProblem) return context.json({ detail: error.detail }, 422);
  const said = explainError(error, languageFor(context));
  const isHttp = error instanceof HttpException;
  return context.json({
    error: isHttp ? "HTTPException" : error instanceof Error ? error.name : "Error",
    detail: isHttp ? said : "",
    body: "",
    errors: isHttp ? "" : said,
  }, isHttp ? error.status : statusOf(error));
}
