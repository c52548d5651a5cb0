/**
 * The API of AUTOMATIC1111's web UI, which most programs around it speak. Names, defaults and the
 * forms of answers and errors are those of its modules/api (version 1.10); what has no meaning here
 * is taken and passed over, as that program does with what it does not know.
 */
import { type Context, Hono } from "hono";
import * as z from "zod";
import { explainError, RequestError } from "../errors.ts";
import { readPictureTexts } from "../studio/picture_texts.ts";
import { resizePicture } from "../studio/resize_picture.ts";
import type { Job } from "../studio/job.ts";
import { type AskedSettings, SETTINGS } from "../settings/mod.ts";
import { ask } from "./_ask.ts";
import { languageFor, statusOf } from "./_problem.ts";
import { MODEL } from "./_openai.ts";
import type { ServerContext } from "./types.ts";

/** The version whose API this is. */
const VERSION = "v1.10.1";

/** Samplers by that program's names. */
const SAMPLERS = SETTINGS.scheduler.name.infotext.words;
type SamplerName = keyof typeof SAMPLERS;

/** Its other samplers: clients name one of them where nobody chose any. */
const OTHER_SAMPLERS: ReadonlySet<string> = new Set([
  "euler a",
  "lms",
  "heun",
  "dpm2",
  "dpm2 a",
  "dpm++ 2s a",
  "dpm++ sde",
  "dpm++ 2m sde",
  "dpm++ 2m sde heun",
  "dpm++ 3m sde",
  "dpm fast",
  "dpm adaptive",
  "lcm",
  "restart",
  "ddim",
  "ddim cfg++",
  "plms",
  "unipc",
]);

/** Schedules of noise: the model has its own. */
const SCHEDULES = [
  ["automatic", "Automatic"],
  ["simple", "Simple"],
  ["normal", "Normal"],
] as const;

const whole = (least: number, usual: number) =>
  z.preprocess(numberOf, z.int().min(least)).nullish().transform((value) => value ?? usual);
const number = (usual: number) =>
  z.preprocess(numberOf, z.number()).nullish().transform((value) => value ?? usual);
const words = z.string().nullish().transform((value) => value ?? "");
const named = z.string().nullish();

const txt2img = z.object({
  prompt: words,
  negative_prompt: words,
  styles: z.array(z.string()).nullish(),
  seed: z.preprocess(numberOf, z.union([z.int(), z.bigint()])).nullish(),
  subseed: whole(-1, -1),
  subseed_strength: number(0),
  seed_resize_from_h: whole(-1, -1),
  seed_resize_from_w: whole(-1, -1),
  sampler_name: named,
  sampler_index: named,
  scheduler: named,
  batch_size: whole(1, 1),
  n_iter: whole(1, 1),
  steps: whole(1, 50),
  cfg_scale: number(7),
  width: whole(1, 512),
  height: whole(1, 512),
  denoising_strength: z.number().nullish(),
  enable_hr: z.boolean().nullish(),
  script_name: named,
  override_settings: z.record(z.string(), z.unknown()).nullish(),
  send_images: z.boolean().nullish(),
  force_task_id: named,
});

type Txt2Img = z.infer<typeof txt2img>;

/** Pydantic takes numbers in quotes. */
function numberOf(value: unknown): unknown {
  if (typeof value !== "string" || !/^-?\d+(\.\d+)?$/.test(value.trim())) return value;
  const read = Number(value);
  return Number.isInteger(read) && !Number.isSafeInteger(read) ? BigInt(value.trim()) : read;
}

/** A fault as FastAPI's HTTPException tells it. */
class HttpException extends RequestError {
  override name = "HTTPException";
  readonly status: 400 | 404 | 422 | 500;

  constructor(status: 400 | 404 | 422 | 500, detail: string, zh: string) {
    super({ en: detail, zh });
    this.status = status;
  }
}

/** What pydantic says of a body that is not as it should be. */
class ValidationProblem extends RequestError {
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

/** How far A1111's own words for a run go. */
interface Run {
  readonly job: string;
  isInterrupted: boolean;
  isSkipped: boolean;
}

/** The app of `/sdapi/v1`. */
export function a1111Api(server: ServerContext): Hono {
  const { queue } = server;
  const app = new Hono();
  const options = new Map<string, unknown>();
  let run: Run | undefined;
  let lastPreview: { readonly id: string; readonly image: Uint8Array } | undefined;
  // A client that asks for progress again and again wants previews; it says so only by asking.
  let previews: Disposable | undefined;
  let forgetting: ReturnType<typeof setTimeout> | undefined;

  app.onError((error, context) => {
    if (error instanceof ValidationProblem) return context.json({ detail: error.detail }, 422);
    const status = error instanceof HttpException ? error.status : statusOf(error);
    const said = explainError(error, languageFor(context));
    const isHttp = error instanceof HttpException;
    return context.json({
      error: isHttp ? "HTTPException" : error.name,
      detail: isHttp ? said : "",
      body: "",
      errors: isHttp ? "" : said,
    }, status);
  });

  const wantPreviews = () => {
    previews ??= queue.watch((event) => {
      if (event.kind === "preview") lastPreview = event;
    }, { previews: true });
    clearTimeout(forgetting);
    forgetting = setTimeout(() => {
      previews?.[Symbol.dispose]();
      previews = undefined;
      lastPreview = undefined;
    }, 10_000);
    Deno.unrefTimer(forgetting);
  };

  app.post("/txt2img", async (context) => {
    const asked = await bodyOf(context, txt2img);
    if (asked.script_name) {
      throw new HttpException(
        422,
        `Script '${asked.script_name}' not found`,
        `没有脚本 '${asked.script_name}'`,
      );
    }
    const request = requestOf(asked, server);
    const count = asked.batch_size * asked.n_iter;
    const job = await ask(server, { request, count });
    run = { job: job.id, isInterrupted: false, isSkipped: false };
    const done = await queue.finished(job.id);
    if (done?.state === "failed") {
      throw new RequestError(done.error ?? { en: "It failed.", zh: "失败。" });
    }
    return context.json(await resultOf(server, asked, done));
  });

  app.get("/progress", (context) => {
    wantPreviews();
    const job = queue.current;
    const waiting = queue.jobs.filter(({ state }) => state === "queued").length;
    const { picture = 0, step = 0, steps = 0, millisecondsLeft = 0 } = job?.progress ?? {};
    const done = job === undefined ? 0 : (picture + (steps === 0 ? 0 : step / steps)) / job.count;
    const isSkipping = context.req.query("skip_current_image")?.toLowerCase() === "true";
    const preview = isSkipping || lastPreview?.id !== job?.id ? undefined : lastPreview?.image;
    return context.json({
      progress: done,
      eta_relative: millisecondsLeft / 1000,
      state: {
        skipped: run?.isSkipped ?? false,
        interrupted: run?.isInterrupted ?? false,
        stopping_generation: false,
        job: job === undefined ? "" : job.id,
        job_count: job === undefined ? 0 : job.count + waiting,
        job_timestamp: timestampOf(job?.started ?? 0),
        job_no: picture,
        sampling_step: step,
        sampling_steps: steps,
      },
      current_image: preview?.toBase64() ?? null,
      textinfo: null,
    });
  });

  app.post("/interrupt", (context) => {
    const { current } = queue;
    if (current !== undefined) queue.cancel(current.id);
    if (run !== undefined) run.isInterrupted = true;
    return context.json({});
  });
  app.post("/skip", (context) => {
    queue.skip();
    if (run !== undefined) run.isSkipped = true;
    return context.json(null);
  });

  const known = (): Record<string, unknown> => ({
    samples_save: true,
    samples_format: "png",
    sd_model_checkpoint: MODEL,
    sd_checkpoint_hash: null,
    sd_vae: "Automatic",
    CLIP_stop_at_last_layers: 1,
    eta_noise_seed_delta: 0,
    show_progress_every_n_steps: 1,
    ...Object.fromEntries(options),
  });
  app.get("/options", (context) => context.json(known()));
  app.post("/options", async (context) => {
    const asked = await bodyOf(context, z.record(z.string(), z.unknown()));
    requireModel(asked["sd_model_checkpoint"]);
    for (const [name, value] of Object.entries(asked)) {
      if (name in known() && name !== "sd_model_checkpoint") options.set(name, value);
    }
    return context.json(null);
  });

  app.get("/sd-models", (context) =>
    context.json([{
      title: MODEL,
      model_name: MODEL,
      hash: null,
      sha256: null,
      filename: queue.facts?.weights["transformer"] ?? MODEL,
      config: null,
    }]));
  app.get("/samplers", (context) =>
    context.json(
      Object.entries(SAMPLERS).map(([alias, name]) => ({
        name,
        aliases: [alias],
        options: {},
      })),
    ));
  app.get("/schedulers", (context) =>
    context.json(SCHEDULES.map(([name, label]) => ({
      name,
      label,
      aliases: null,
      default_rho: -1,
      need_inner_model: false,
    }))));
  app.get("/upscalers", (context) =>
    context.json(["None", "Lanczos", "Nearest"].map((name) => ({
      name,
      model_name: null,
      model_path: null,
      model_url: null,
      scale: 4,
    }))));
  app.get("/latent-upscale-modes", (context) => context.json([]));
  app.get(
    "/loras",
    async (context) =>
      context.json((await server.desk.adapterNames()).map((name) => ({
        name,
        alias: name,
        path: name,
        metadata: {},
      }))),
  );
  app.get("/hypernetworks", (context) => context.json([]));
  app.get("/face-restorers", (context) => context.json([]));
  app.get("/realesrgan-models", (context) => context.json([]));
  app.get("/sd-vae", (context) => context.json([]));
  app.get("/prompt-styles", (context) => context.json([]));
  app.get("/embeddings", (context) => context.json({ loaded: {}, skipped: {} }));
  app.get("/scripts", (context) => context.json({ txt2img: [], img2img: [] }));
  app.get("/script-info", (context) => context.json([]));
  app.get(
    "/cmd-flags",
    (context) => context.json({ api: true, port: null, listen: false, nowebui: true }),
  );
  app.post("/refresh-checkpoints", (context) => context.json(null));
  app.post("/refresh-loras", (context) => context.json(null));
  app.post("/refresh-vae", (context) => context.json(null));
  app.post("/reload-checkpoint", async (context) => {
    await queue.load();
    return context.json({});
  });
  app.post("/unload-checkpoint", async (context) => {
    await queue.unload();
    return context.json({});
  });
  app.get("/memory", (context) => {
    const { total, free } = Deno.systemMemoryInfo();
    return context.json({
      ram: { free, used: Deno.memoryUsage().rss, total },
      cuda: { error: "unavailable" },
    });
  });

  app.post("/png-info", async (context) => {
    const { image } = await bodyOf(context, z.object({ image: z.string() }));
    const { info, items, parameters } = readPictureTexts(decodeBase64(image));
    return context.json({ info, items, parameters });
  });

  app.post("/extra-single-image", async (context) => {
    const asked = await bodyOf(
      context,
      z.object({
        image: words,
        resize_mode: whole(0, 0),
        upscaling_resize: number(2),
        upscaling_resize_w: whole(1, 512),
        upscaling_resize_h: whole(1, 512),
        upscaling_crop: z.boolean().nullish(),
        upscaler_1: named,
      }),
    );
    const upscaler = asked.upscaler_1 ?? "None";
    if (!["None", "Lanczos", "Nearest"].includes(upscaler)) {
      throw new HttpException(
        400,
        `Invalid upscaler, needs to be one of these: None , Lanczos , Nearest`,
        "没有这个放大器，应为以下之一：None、Lanczos、Nearest",
      );
    }
    const resized = await resizePicture(decodeBase64(asked.image), {
      kind: upscaler === "Nearest" ? "nearest" : "lanczos",
      // Without an upscaler, that program leaves the picture as it is.
      ...(upscaler === "None"
        ? { scale: 1 }
        : asked.resize_mode === 0
        ? { scale: asked.upscaling_resize }
        : { width: asked.upscaling_resize_w, height: asked.upscaling_resize_h }),
      mostPixels: 4 * server.limits.pixels,
    });
    return context.json({ html_info: "", image: resized.toBase64() });
  });

  app.all("*", (context) => context.json({ detail: "Not Found" }, 404));
  return app;
}

async function bodyOf<Schema extends z.ZodType>(
  context: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  let json: unknown;
  try {
    json = await context.req.json();
  } catch {
    throw new HttpException(422, "There was an error parsing the body", "无法解析请求的正文");
  }
  const read = schema.safeParse(json, { reportInput: true });
  if (!read.success) throw new ValidationProblem(read.error);
  return read.data;
}

/** Base64, with or without `data:image/png;base64,` before it. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    const plain = text.replace(/^data:[^,]*;base64,/, "");
    const bytes = Uint8Array.fromBase64(plain);
    if (bytes.length > 0) return bytes;
  } catch {
    // Told below.
  }
  throw new HttpException(500, "Invalid encoded image", "图片的编码无效");
}

function requireModel(name: unknown): void {
  if (name === undefined || name === null || name === MODEL) return;
  throw new HttpException(
    400,
    `model ${JSON.stringify(name)} not found`,
    `没有模型 ${JSON.stringify(name)}`,
  );
}

function requestOf(asked: Txt2Img, { queue }: ServerContext): AskedSettings & { prompt: string } {
  const override = asked.override_settings ?? {};
  requireModel(override["sd_model_checkpoint"]);
  const multiple = queue.facts?.sizeMultiple ?? 16;
  const near = (side: number) => Math.max(1, Math.round(side / multiple)) * multiple;
  const name = samplerOf(asked.sampler_name ?? asked.sampler_index ?? "Euler");
  const { seed } = asked;
  return {
    prompt: asked.prompt,
    negativePrompt: asked.negative_prompt,
    numInferenceSteps: asked.steps,
    guidanceScale: asked.cfg_scale,
    width: near(asked.width),
    height: near(asked.height),
    ...(name === undefined ? {} : { scheduler: { name } }),
    ...(seed == null || Number(seed) < 0 ? {} : { generator: { seed } }),
  };
}

/** Undefined for a sampler that only that program has: then the model's own is used. */
function samplerOf(name: string): SamplerName | undefined {
  const plain = name.trim().toLowerCase().replace(/ (?:karras|exponential|polyexponential)$/, "");
  const own = Object.entries(SAMPLERS).find(([alias, label]) =>
    label.toLowerCase() === plain || alias === plain.replace(/^k_/, "")
  );
  if (own !== undefined) return own[0] as SamplerName;
  if (OTHER_SAMPLERS.has(plain)) return undefined;
  throw new HttpException(400, "Sampler not found", "没有这个采样器");
}

async function resultOf(
  { gallery, queue }: ServerContext,
  asked: Txt2Img,
  job: Job | undefined,
): Promise<object> {
  gallery.refresh();
  const pictures = job?.pictures ?? [];
  const files = await Promise.all(
    pictures.map(async ({ name }) => await gallery.read(name)),
  );
  const infotexts = files.map((file) =>
    file === undefined ? "" : readPictureTexts(file.bytes).info
  );
  const { request } = job ?? {};
  const scheduler = request?.scheduler?.name ?? queue.facts?.scheduler.name ?? "euler";
  const sampler = (SAMPLERS as Readonly<Record<string, string>>)[scheduler] ?? scheduler;
  const seeds = pictures.map(({ seed }) => numberOf(seed) as number | bigint);
  const [first] = pictures;
  const info = {
    prompt: first?.prompt ?? asked.prompt,
    all_prompts: pictures.map(({ prompt }) => prompt),
    negative_prompt: asked.negative_prompt,
    all_negative_prompts: pictures.map(() => asked.negative_prompt),
    seed: seeds[0] ?? -1,
    all_seeds: seeds,
    subseed: -1,
    all_subseeds: pictures.map(() => -1),
    subseed_strength: 0,
    width: request?.width ?? asked.width,
    height: request?.height ?? asked.height,
    sampler_name: sampler,
    cfg_scale: asked.cfg_scale,
    steps: asked.steps,
    batch_size: asked.batch_size,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: MODEL,
    sd_model_hash: null,
    sd_vae_name: null,
    sd_vae_hash: null,
    seed_resize_from_w: -1,
    seed_resize_from_h: -1,
    denoising_strength: asked.denoising_strength ?? null,
    extra_generation_params: {},
    index_of_first_image: 0,
    infotexts,
    styles: asked.styles ?? [],
    job_timestamp: timestampOf(job?.created ?? 0),
    clip_skip: 1,
    is_using_inpainting_conditioning: false,
    version: VERSION,
  };
  const isSent = asked.send_images ?? true;
  return {
    images: isSent
      ? files.flatMap((file) => file === undefined ? [] : [file.bytes.toBase64()])
      : [],
    parameters: jsonable(asked),
    info: JSON.stringify(info, digits),
  };
}

/** Python writes whole numbers of any length. */
function digits(_key: string, value: unknown): unknown {
  return typeof value === "bigint"
    ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value))
    : value;
}

function jsonable(asked: Txt2Img): unknown {
  return { ...asked, seed: asked.seed == null ? -1 : Number(asked.seed) };
}

/** `20260105123059`, as that program writes moments. */
function timestampOf(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}` +
    `${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
