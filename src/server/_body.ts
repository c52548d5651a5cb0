import type { Context } from "hono";
import * as z from "zod";
import { RequestError } from "../errors.ts";
import { schemaProblems } from "../schema_problems.ts";

/**
 * The body of a request as a schema reads it.
 *
 * @throws {RequestError} When it is no JSON, or does not say what it should.
 */
export async function jsonOf<Schema extends z.ZodType>(
  context: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  let json: unknown;
  try {
    json = await context.req.json();
  } catch (cause) {
    throw new RequestError(
      { en: "The body is no JSON.", zh: "请求的正文不是 JSON。" },
      { cause },
    );
  }
  return readAs(schema, json);
}

/**
 * What was sent as a schema reads it.
 *
 * @throws {RequestError} Naming everything that is wrong.
 */
export function readAs<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
): z.output<Schema> {
  const read = schema.safeParse(json, { reportInput: true });
  if (read.success) return read.data;
  const problems = schemaProblems(read.error);
  throw new RequestError({
    en: `The body does not say what it should: ${problems.map(({ en }) => en).join("; ")}.`,
    zh: `请求的正文不符合要求：${problems.map(({ zh }) => zh).join("；")}。`,
  });
}
