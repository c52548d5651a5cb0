import type { Context } from "hono";
import type { PictureFile } from "../studio/picture_file.ts";
import { CONTENT_TYPES } from "./_content_types.ts";
import { notFound } from "./_problem.ts";

/**
 * Answers with a picture whose name no other will ever have: a browser need not ask for it again.
 *
 * @throws {HttpProblem} When there is none.
 */
export function lastingPicture(context: Context, file: PictureFile | undefined): Response {
  if (file === undefined) throw notFound();
  context.header("Cache-Control", "private, max-age=31536000, immutable");
  return context.body(file.bytes, 200, { "Content-Type": CONTENT_TYPES[file.format] });
}
