/** Of AUTOMATIC1111's API: what there is, and the options that clients set and read again. */
import type { Hono } from "hono";
import { upscalerNames } from "../pipeline/find_upscaler.ts";
import { presetsOf } from "../studio/preset.ts";
import { FASTAPI_REFUSALS, settings } from "./_a1111_bodies.ts";
import { LATENT_UPSCALER, requireModel, SAMPLERS, SCHEDULES, UPSCALERS } from "./_a1111_request.ts";
import { jsonOf } from "./_body.ts";
import { MODEL } from "./_openai.ts";
import type { ServerContext } from "./types.ts";

/** Adds the routes of options. */
export function addOptions(app: Hono): void {
  const options = new Map<string, unknown>();
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
}

/** Adds the routes of lists. */
export function addLists(app: Hono, server: ServerContext): void {
  const { queue } = server;
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
}
