/**
 * OpenAI's images API, as far as it speaks of pictures from prompts: platform.openai.com/docs/
 * api-reference/images.
 */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import { explainError, RequestError } from "../errors.ts";
import { encodeAs } from "../studio/encode_as.ts";
import type { Job } from "../studio/job.ts";
import { ask } from "./_ask.ts";
import { jsonOf } from "./_body.ts";
import { languageFor, statusOf } from "./_problem.ts";
import type { ServerContext } from "./types.ts";

/** What the model is called. */
export const MODEL = "newbie-image-exp0.1";
/** Names that clients send where nobody chose a model. */
const OPENAI_MODELS = /^(?:dall-e-\d|gpt-image-.+|chatgpt-image-.+)$/;

const generation = z.object({
  prompt: z.string(),
  model: z.string().nullish(),
  n: z.int().min(1).max(10).nullish(),
  size: z.string().nullish(),
  response_format: z.enum(["b64_json", "url"]).nullish(),
  output_format: z.enum(["png", "jpeg", "webp"]).nullish(),
  stream: z.boolean().nullish(),
  partial_images: z.int().min(0).max(3).nullish(),
  /** Not OpenAI's; other servers that speak this protocol have them, too. */
  seed: z.union([z.int().min(0), z.string().regex(/^\d{1,20}$/)]).nullish(),
  negative_prompt: z.string().nullish(),
  steps: z.int().min(1).nullish(),
  guidance_scale: z.number().min(0).nullish(),
});

type Generation = z.infer<typeof generation>;

/** A fault as OpenAI tells it. */
class OpenAiProblem extends RequestError {
  override name = "OpenAiProblem";
  readonly status: 400 | 404;
  readonly code: string | null;
  readonly param: string | null;

  constructor(
    texts: { en: string; zh: string },
    { status = 400, code = null, param = null }: {
      status?: 400 | 404;
      code?: string | null;
      param?: string | null;
    } = {},
  ) {
    super(texts);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** The app of `/v1`. */
export function openAiApi(server: ServerContext): Hono {
  const app = new Hono();
  const created = Math.floor(Date.now() / 1000);
  const model = { id: MODEL, object: "model", created, owned_by: "newbie" };

  app.onError((error, context) => {
    const status = error instanceof OpenAiProblem ? error.status : statusOf(error);
    return context.json({
      error: {
        message: explainError(error, languageFor(context)),
        type: status < 500 ? "invalid_request_error" : "server_error",
        param: error instanceof OpenAiProblem ? error.param : null,
        code: error instanceof OpenAiProblem ? error.code : null,
      },
    }, status);
  });

  app.get("/models", (context) => context.json({ object: "list", data: [model] }));
  app.get("/models/:id", (context) => {
    refuseUnknown(context.req.param("id"));
    return context.json(model);
  });

  app.post("/images/generations", async (context) => {
    const asked = await jsonOf(context, generation);
    refuseUnknown(asked.model ?? MODEL);
    const size = sizeOf(asked.size, server);
    const job = await ask(server, {
      request: {
        prompt: asked.prompt,
        ...size,
        ...(asked.seed == null ? {} : { generator: { seed: seedOf(asked.seed) } }),
        ...(asked.negative_prompt == null ? {} : { negativePrompt: asked.negative_prompt }),
        ...(asked.steps == null ? {} : { numInferenceSteps: asked.steps }),
        ...(asked.guidance_scale == null ? {} : { guidanceScale: asked.guidance_scale }),
      },
      count: asked.n ?? 1,
    });
    if (asked.stream) {
      return streamSSE(context, async (stream) => {
        let partials = 0;
        const most = asked.partial_images ?? 0;
        using _watch = server.queue.watch((event) => {
          if (event.kind !== "preview" || event.id !== job.id || partials >= most) return;
          const { steps = 1 } = server.queue.job(job.id)?.progress ?? {};
          if (event.step < (partials + 1) * steps / (most + 1)) return;
          const type = "image_generation.partial_image";
          const image = { b64_json: event.image.toBase64(), partial_image_index: partials++ };
          void stream.writeSSE({
            event: type,
            data: JSON.stringify({ type, ...image, created_at: created }),
          });
        }, { previews: most > 0 });
        const done = await server.queue.finished(job.id);
        const type = "image_generation.completed";
        try {
          for (const image of await dataOf(server, done, asked, context.req.url)) {
            const b64_json = "b64_json" in image ? image.b64_json : undefined;
            await stream.writeSSE({
              event: type,
              data: JSON.stringify({ type, b64_json, created_at: created }),
            });
          }
        } catch (error) {
          const message = explainError(error, languageFor(context));
          await stream.writeSSE({
            event: "error",
            data: JSON.stringify({ type: "error", error: { message, type: "server_error" } }),
          });
        }
      });
    }
    const done = await server.queue.finished(job.id);
    const data = await dataOf(server, done, asked, context.req.url);
    return context.json({
      created: Math.floor((done?.created ?? Date.now()) / 1000),
      output_format: asked.output_format ?? "png",
      data,
    });
  });
  return app;
}

async function dataOf(
  { gallery }: ServerContext,
  job: Job | undefined,
  { response_format, output_format, stream }: Generation,
  url: string,
) {
  if (job?.state === "failed") {
    throw new RequestError(job.error ?? { en: "It failed.", zh: "失败。" });
  }
  if (job === undefined || job.pictures.length === 0) {
    throw new OpenAiProblem(
      { en: "The request was cancelled.", zh: "请求已取消。" },
      { code: "cancelled" },
    );
  }
  gallery.refresh();
  return await Promise.all(job.pictures.map(async ({ path, name, prompt, seed }) => {
    const more = { revised_prompt: prompt, seed };
    if (response_format === "url" && !stream) {
      const address = `/api/gallery/file/${name.split("/").map(encodeURIComponent).join("/")}`;
      return { url: new URL(address, url).href, ...more };
    }
    const file = await gallery.read(name);
    if (file === undefined) {
      throw new RequestError({ en: `${path} is gone.`, zh: `${path} 已不存在。` });
    }
    const format = output_format ?? "png";
    const bytes = format === file.format ? file.bytes : await encodeAs(file.bytes, format);
    return { b64_json: bytes.toBase64(), ...more };
  }));
}

function refuseUnknown(model: string): void {
  if (model === MODEL || OPENAI_MODELS.test(model)) return;
  throw new OpenAiProblem({
    en: `The model ${JSON.stringify(model)} does not exist; this server has ${MODEL}.`,
    zh: `没有模型 ${JSON.stringify(model)}；本服务器只有 ${MODEL}。`,
  }, { status: 404, code: "model_not_found", param: "model" });
}

/** `auto` and nothing leave the size to the model. */
function sizeOf(size: string | null | undefined, { queue }: ServerContext) {
  if (size == null || size === "auto") return {};
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(size)?.map(Number) ?? [];
  if (width === undefined || height === undefined) {
    throw new OpenAiProblem({
      en: `size is ${JSON.stringify(size)}; expected auto, or width and height such as 1024x1024.`,
      zh: `size 是 ${JSON.stringify(size)}；应为 auto，或 1024x1024 这样的宽和高。`,
    }, { param: "size" });
  }
  const multiple = queue.facts?.sizeMultiple ?? 16;
  const near = (side: number) => Math.max(1, Math.round(side / multiple)) * multiple;
  return { width: near(width), height: near(height) };
}

function seedOf(seed: number | string): number | bigint {
  const value = BigInt(seed);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
