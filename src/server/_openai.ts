/**
 * OpenAI's images API, as far as it speaks of pictures from prompts: platform.openai.com/docs/
 * api-reference/images.
 */
import { type Context, Hono } from "hono";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import { explainError, RequestError } from "../errors.ts";
import { exact, RANDOM_SEED } from "../settings/mod.ts";
import { encodeAs } from "../studio/encode_as.ts";
import type { AskedSource } from "../studio/source_picture.ts";
import type { Job } from "../studio/job.ts";
import type { PictureRequest } from "../studio/request.ts";
import { ask } from "./_ask.ts";
import { jsonOf, readAs } from "./_body.ts";
import { formOf } from "./_form.ts";
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
  seed: z.union([z.int().min(RANDOM_SEED), z.string().regex(/^(?:\d{1,20}|-1)$/)]).nullish(),
  negative_prompt: z.string().nullish(),
  steps: z.int().min(1).nullish(),
  guidance_scale: z.number().min(0).nullish(),
});

const edit = generation.extend({
  /** How far to go from the picture; not OpenAI's. */
  strength: z.number().min(0).max(1).nullish(),
});

/** What other servers that speak this protocol call these, and so do their clients. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  image_size: "size",
  batch_size: "n",
  num_inference_steps: "steps",
  cfg_scale: "guidance_scale",
};

/** A body with this server's names; where both are there, its own count. */
function withOwnNames(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body;
  const names = Object.entries(body).map(([name, value]) =>
    [Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name]! : name, value] as const
  );
  return { ...Object.fromEntries(names), ...body };
}

type Generation = z.infer<typeof generation>;
type Edit = z.infer<typeof edit>;

/** What is no text in a form's fields. */
const NUMBERS = ["n", "steps", "guidance_scale", "strength", "partial_images"];

/** What is masked is drawn from noise, because nothing may stand there. */
const STRENGTH_OF_MASK = 1;

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
    const asked = await jsonOf(context, z.preprocess(withOwnNames, generation));
    const job = await ask(server, {
      request: requestOf(asked, server),
      count: asked.n ?? 1,
    });
    return await answered(context, server, { asked, job, kind: "image_generation" });
  });

  app.post("/images/edits", async (context) => {
    const { asked, source } = await editOf(context, server);
    const isMasked = source.mask !== undefined || source.alphaMask;
    const strength = asked.strength ?? (isMasked ? STRENGTH_OF_MASK : undefined);
    const job = await ask(server, {
      request: {
        ...requestOf(asked, server),
        source,
        ...(strength === undefined ? {} : { strength }),
      },
      count: asked.n ?? 1,
    });
    return await answered(context, server, { asked, job, kind: "image_edit" });
  });

  // What the API has besides, and this model has not.
  app.all("*", (context) => {
    throw new OpenAiProblem({
      en: `There is no ${context.req.method} ${context.req.path} here.`,
      zh: `这里没有 ${context.req.method} ${context.req.path}。`,
    }, { status: 404, code: "unknown_url" });
  });
  return app;
}

function requestOf(asked: Generation, server: ServerContext): PictureRequest {
  refuseUnknown(asked.model ?? MODEL);
  return {
    prompt: asked.prompt,
    ...sizeOf(asked.size, server),
    ...(asked.seed == null ? {} : { generator: { seed: exact(BigInt(asked.seed)) } }),
    ...(asked.negative_prompt == null ? {} : { negativePrompt: asked.negative_prompt }),
    ...(asked.steps == null ? {} : { numInferenceSteps: asked.steps }),
    ...(asked.guidance_scale == null ? {} : { guidanceScale: asked.guidance_scale }),
  };
}

/**
 * The form of an edit. Its mask is transparent where the picture is drawn anew; without a mask, the
 * picture itself may be.
 */
async function editOf(
  context: Context,
  { given, thread }: ServerContext,
): Promise<{ readonly asked: Edit; readonly source: AskedSource }> {
  const form = await formOf(context);
  if (form === undefined) {
    throw new OpenAiProblem({
      en: "An edit is sent as multipart/form-data, with the picture in the field image.",
      zh: "编辑请求应以 multipart/form-data 发送，图片放在 image 字段中。",
    });
  }
  const asked = readAs(
    edit,
    Object.fromEntries(
      Object.entries(withOwnNames(form.texts) as typeof form.texts).map(([name, text]) => [
        name,
        name === "stream"
          ? text === "true"
          : NUMBERS.includes(name) && /^-?\d+(\.\d+)?$/.test(text)
          ? Number(text)
          : text,
      ]),
    ),
  );
  const files = (name: string) =>
    form.files.filter(({ field }) => field.replace(/\[\d*\]$/, "") === name);
  const [image, ...others] = files("image");
  if (image === undefined || others.length > 0) {
    const count = files("image").length;
    throw new OpenAiProblem({
      en: `image holds ${count} pictures; this model draws from one.`,
      zh: `image 中有 ${count} 张图片；本模型只从一张图片开始绘制。`,
    }, { param: "image" });
  }
  const { name, ...own } = await given.keep(await image.file.bytes());
  const [mask] = files("mask");
  if (mask === undefined) {
    return { asked, source: { image: name, ...(own.isTransparent ? { alphaMask: true } : {}) } };
  }
  const bytes = await thread.mask(await mask.file.bytes(), {
    drawn: "transparent",
    width: own.width,
    height: own.height,
  });
  return { asked, source: { image: name, mask: (await given.keep(bytes)).name } };
}

/** Pictures when they are done, or as a stream of events with previews. */
async function answered(
  context: Context,
  server: ServerContext,
  { asked, job, kind }: {
    readonly asked: Generation;
    readonly job: Job;
    readonly kind: "image_generation" | "image_edit";
  },
): Promise<Response> {
  const created_at = Math.floor(job.created / 1000);
  if (!asked.stream) {
    const done = await server.queue.finished(job.id);
    const data = await dataOf(server, done, asked, context.req.url);
    const output_format = asked.output_format ?? "png";
    return context.json({ created: created_at, output_format, data });
  }
  return streamSSE(context, async (stream) => {
    const tell = (event: string, data: object) =>
      stream.writeSSE({ event, data: JSON.stringify({ type: event, ...data }) });
    let partials = 0;
    const most = asked.partial_images ?? 0;
    using _watch = server.queue.watch((event) => {
      if (event.kind !== "preview" || event.id !== job.id || partials >= most) return;
      const { steps = 1 } = server.queue.job(job.id)?.progress ?? {};
      if (event.step < (partials + 1) * steps / (most + 1)) return;
      const b64_json = event.image.toBase64();
      void tell(`${kind}.partial_image`, {
        b64_json,
        partial_image_index: partials++,
        created_at,
      });
    }, { previews: most > 0 });
    try {
      const done = await server.queue.finished(job.id);
      for (const image of await dataOf(server, done, asked, context.req.url)) {
        const b64_json = "b64_json" in image ? image.b64_json : undefined;
        await tell(`${kind}.completed`, { b64_json, created_at });
      }
    } catch (error) {
      const message = explainError(error, languageFor(context));
      await tell("error", { error: { message, type: "server_error" } });
    }
  });
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
