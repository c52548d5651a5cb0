/** Requests as forms with files: multipart/form-data. */
import type { Context } from "hono";
import { RequestError } from "../errors.ts";

/** What a form says. */
export interface Form {
  /** Of a field that stands there several times, the last. */
  readonly texts: Readonly<Record<string, string>>;
  /** In their order. */
  readonly files: readonly { readonly field: string; readonly file: File }[];
}

/**
 * The form of a request; undefined where its body is none.
 *
 * @throws {RequestError} When it cannot be read.
 */
export async function formOf(context: Context): Promise<Form | undefined> {
  const type = context.req.header("Content-Type") ?? "";
  if (!/^multipart\/form-data\b/i.test(type)) return undefined;
  let form: FormData;
  try {
    form = await context.req.formData();
  } catch (cause) {
    throw new RequestError({
      en: "The body is no multipart/form-data.",
      zh: "请求的正文不是 multipart/form-data。",
    }, { cause });
  }
  const texts: Record<string, string> = {};
  const files: { field: string; file: File }[] = [];
  for (const [field, value] of form) {
    if (typeof value === "string") texts[field] = value;
    else files.push({ field, file: value });
  }
  return { texts, files };
}
