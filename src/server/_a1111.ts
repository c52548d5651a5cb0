/**
 * The API of AUTOMATIC1111's web UI, which most programs around it speak. Names, defaults and the
 * forms of answers and errors are those of its modules/api (version 1.10); what has no meaning here
 * is taken and passed over, as that program does with what it does not know.
 */
import { Hono } from "hono";
import { upscalerNames } from "../pipeline/find_upscaler.ts";
import { readPictureTexts } from "../studio/picture_texts.ts";
import type { JobRequest } from "../studio/picture_queue.ts";
import { presetsOf } from "../studio/preset.ts";
import {
  decodeBase64,
  extraBatchImages,
  extraSingleImage,
  FASTAPI_REFUSALS,
  type Img2Img,
  img2img,
  pngInfo,
  settings,
  type Txt2Img,
  txt2img,
  type Upscaling,
} from "./_a1111_bodies.ts";
import { a1111Problem, HttpException } from "./_a1111_problem.ts";
import {
  img2imgRequest,
  LATENT_UPSCALER,
  requireModel,
  SAMPLERS,
  SCHEDULES,
  txt2imgRequest,
  UPSCALERS,
} from "./_a1111_request.ts";
import { resultOf, timestampOf } from "./_a1111_result.ts";
import { ask } from "./_ask.ts";
import { jsonOf } from "./_body.ts";
import { MODEL } from "./_openai.ts";
import type { ServerContext } from "./types.ts";

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

  app.onError(a1111Problem);

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

  const draw = async (asked: Txt2Img | Img2Img, request: JobRequest) => {
    const job = await ask(server, request);
    run = { job: job.id, isInterrupted: false, isSkipped: false };
    return await resultOf(server, asked, await queue.finished(job.id));
  };
  app.post("/txt2img", async (context) => {
    const asked = await jsonOf(context, txt2img, FASTAPI_REFUSALS);
    return context.json(await draw(asked, await txt2imgRequest(asked, server)));
  });
  app.post("/img2img", async (context) => {
    const asked = await jsonOf(context, img2img, FASTAPI_REFUSALS);
    return context.json(await draw(asked, await img2imgRequest(asked, server)));
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
    const asked = await jsonOf(context, settings, FASTAPI_REFUSALS);
    requireModel(asked["sd_model_checkpoint"]);
    for (const [name, value] of Object.entries(asked)) {
      const isKnown = Object.hasOwn(known(), name);
      if (isKnown && name !== "sd_model_checkpoint") options.set(name, value);
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
  app.get(
    "/upscalers",
    async (context) =>
      context.json([...UPSCALERS, ...await upscalerNames()].map((name) => ({
        name,
        model_name: null,
        model_path: null,
        model_url: null,
        scale: 4,
      }))),
  );
  app.get("/latent-upscale-modes", (context) => context.json([{ name: LATENT_UPSCALER }]));
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
  app.get("/prompt-styles", async (context) => {
    const presets = [...await presetsOf(server.presets)].flatMap(([name, { read }]) => {
      try {
        const { before, after, settings } = read();
        const around = [before, "{prompt}", after].filter((part) => part !== "");
        const prompt = around.length === 1 ? "" : around.join(", ");
        return [{ name, prompt, negative_prompt: settings.negativePrompt ?? "" }];
      } catch {
        // A faulty preset is told of by our own API.
        return [];
      }
    });
    return context.json(presets);
  });
  app.get("/extensions", (context) => context.json([]));
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
    const { image } = await jsonOf(context, pngInfo, FASTAPI_REFUSALS);
    const { info, items, parameters } = readPictureTexts(decodeBase64(image));
    return context.json({ info, items, parameters });
  });

  app.post("/extra-single-image", async (context) => {
    const asked = await jsonOf(context, extraSingleImage, FASTAPI_REFUSALS);
    return context.json({ html_info: "", image: await upscaled(asked, asked.image) });
  });
  app.post("/extra-batch-images", async (context) => {
    const asked = await jsonOf(context, extraBatchImages, FASTAPI_REFUSALS);
    const images: string[] = [];
    for (const { data } of asked.imageList) images.push(await upscaled(asked, data));
    return context.json({ html_info: "", images });
  });
  const upscaled = async (asked: Omit<Upscaling, "image">, image: string) => {
    const upscaler = asked.upscaler_1 ?? "None";
    if (!(UPSCALERS as readonly string[]).includes(upscaler)) {
      throw new HttpException(400, {
        en: `Invalid upscaler, needs to be one of these: ${UPSCALERS.join(" , ")}`,
        zh: `没有这个放大器，应为以下之一：${UPSCALERS.join("、")}`,
      });
    }
    const bytes = decodeBase64(image);
    const resized = await server.thread.resize(bytes, {
      kind: upscaler === "Nearest" ? "nearest" : "lanczos",
      // Without an upscaler, that program leaves the picture as it is.
      ...(upscaler === "None"
        ? { scale: 1 }
        : asked.resize_mode === 0
        ? { scale: asked.upscaling_resize }
        : { width: asked.upscaling_resize_w, height: asked.upscaling_resize_h }),
      mostPixels: 4 * server.limits.pixels,
    });
    return resized.toBase64();
  };

  app.all("*", (context) => context.json({ detail: "Not Found" }, 404));
  return app;
}
