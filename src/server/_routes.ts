/** Routes that describe themselves, for the OpenAPI document. */
import type { Context, Hono } from "hono";
import * as z from "zod";
import { jsonOf } from "./_body.ts";

/** What is said of a route. */
export interface Route<Body extends z.ZodType | undefined> {
  readonly method: "get" | "post" | "put" | "delete";
  /** With `:name` for a part, and `{.+}` behind it for one with slashes in it. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** What the body has to be; its JSON schema, where it says more than zod's own. */
  readonly body?: Body;
  readonly bodyJson?: () => object;
  /** Another kind of body: a picture's file. */
  readonly bodyType?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** The kind of what comes back; JSON where absent. */
  readonly answer?: string;
  readonly status?: number;
}

/** The routes of an app. */
export class Routes {
  readonly #app: Hono;
  readonly #routes: Route<z.ZodType | undefined>[] = [];

  constructor(app: Hono) {
    this.#app = app;
  }

  /** Adds a route; what its body says is checked before `handle` sees it. */
  add<Body extends z.ZodType | undefined = undefined>(
    route: Route<Body>,
    handle: (
      context: Context,
      body: Body extends z.ZodType<infer Value> ? Value : undefined,
    ) => Response | Promise<Response>,
  ): void {
    this.#routes.push(route);
    this.#app[route.method](route.path, async (context) => {
      const body = route.body === undefined ? undefined : await jsonOf(context, route.body);
      return await handle(context, body as Parameters<typeof handle>[1]);
    });
  }

  /** The OpenAPI document. */
  document(): object {
    const paths: Record<string, Record<string, object>> = {};
    for (const route of this.#routes) {
      const path = route.path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
      (paths[path] ??= {})[route.method] = operation(route);
    }
    return {
      openapi: "3.1.0",
      info: {
        title: "NewBie Toolkit",
        version: "0.1.0",
        description: "Pictures from prompts. Everything goes through one queue, one at a time.",
      },
      paths,
      components: {
        schemas: {
          Error: {
            type: "object",
            properties: {
              error: {
                type: "object",
                properties: { name: { type: "string" }, message: { type: "string" } },
                required: ["name", "message"],
              },
            },
            required: ["error"],
          },
        },
      },
    };
  }
}

function operation(route: Route<z.ZodType | undefined>): object {
  const { tag, summary, body, bodyJson, bodyType, query = {}, answer, status = 200 } = route;
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const json = bodyJson?.() ?? (body === undefined ? undefined : schemaOf(body));
  const content = json === undefined
    ? bodyType === undefined ? undefined : { [bodyType]: {} }
    : { "application/json": { schema: json } };
  return {
    tags: [tag],
    summary,
    parameters: [
      ...names.map((name) => ({
        name,
        in: "path",
        required: true,
        schema: { type: "string" },
      })),
      ...Object.entries(query).map(([name, description]) => ({
        name,
        in: "query",
        description,
        schema: { type: "string" },
      })),
    ],
    ...(content === undefined ? {} : { requestBody: { required: true, content } }),
    responses: {
      [status]: { description: summary, content: { [answer ?? "application/json"]: {} } },
      default: {
        description: "What was wrong, in the language of Accept-Language: en or zh.",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return json;
}
