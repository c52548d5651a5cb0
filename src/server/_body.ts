import type { Context } from "hono";
import type * as z from "zod";
import { RequestError } from "../errors.ts";
import { schemaProblems } from "../schema_problems.ts";

/** How a protocol refuses a body. */
export interface BodyRefusals {
  /** What is thrown for a body that is no JSON. */
  readonly noJson: (cause: unknown) => Error;
  /** What is thrown for one that does not say what it should. */
  readonly mismatch: (error: z.ZodError) => Error;
}

const REFUSALS: BodyRefusals = {
  noJson: (cause) =>
    new RequestError({ en: "The body is no JSON.", zh: "请求的正文不是 JSON。" }, { cause }),
  mismatch(error) {
    const problems = schemaProblems(error);
    return new RequestError({
      en: `The body does not say what it should: ${problems.map(({ en }) => en).join("; ")}.`,
      zh: `请求的正文不符合要求：${problems.map(({ zh }) => zh).join("；")}。`,
    });
  },
};

/**
 * The body of a request as a schema reads it.
 *
 * @param refusals By default {@linkcode RequestError}s.
 * @throws What the protocol refuses it with: when it is no JSON, or does not say what it should.
 */
export async function jsonOf<Schema extends z.ZodType>(
  context: Context,
  schema: Schema,
  refusals: BodyRefusals = REFUSALS,
): Promise<z.output<Schema>> {
  let json: unknown;
  try {
    json = await context.req.json();
  } catch (cause) {
    throw refusals.noJson(cause);
  }
  return readAs(schema, json, refusals);
}

/** The body of a request as it is. */
export async function bytesOf(context: Context): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await context.req.arrayBuffer());
}

/**
 * What was sent as a schema reads it.
 *
 * @throws {RequestError} Naming everything that is wrong, unless the protocol refuses otherwise.
 */
export function readAs<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  { mismatch }: BodyRefusals = REFUSALS,
): z.output<Schema> {
  const read = schema.safeParse(json, { reportInput: true });
  if (!read.success) throw mismatch(read.error);
  return read.data;
}
