/** Our own API: jobs, prompts, gallery, machine. */
import { type Context, Hono } from "hono";
import { createHash } from "node:crypto";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import { explainError, RequestError } from "../errors.ts";
import { upscalerNames } from "../pipeline/find_upscaler.ts";
import { cellCount, parseGrid } from "../studio/grid.ts";
import type { Job, QueueEvent } from "../studio/job.ts";
import { loraText } from "../studio/lora_request.ts";
import { pictureSettings } from "../studio/picture_settings.ts";
import {
  describedSettings,
  wordedRequest,
  wordedSchema,
  wordedSettings,
} from "../studio/worded_settings.ts";
import { shown } from "../shown.ts";
import { presetNames, presetsOf } from "../studio/preset.ts";
import { removePreset, savePreset } from "../studio/preset_files.ts";
import { ask, drawnSize } from "./_ask.ts";
import { formOf } from "./_form.ts";
import { jsonOf } from "./_body.ts";
import { HttpProblem, languageFor, notFound } from "./_problem.ts";
import { addPlanning } from "./_planning.ts";
import { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

const prompt = z.object({
  prompt: z.string().max(1 << 20),
  width: z.int().positive().exactOptional(),
  height: z.int().positive().exactOptional(),
});
const place = z.object({
  prompt: z.string().max(1 << 20),
  offset: z.int().min(0).describe("UTF-16 units from the start of the prompt"),
});

/** A silence of so many milliseconds is broken, so that nobody takes the connection for a dead one. */
const HEARTBEAT_MILLISECONDS = 15_000;

/** The app of the API. */
export function ownApi(server: ServerContext): Hono {
  const app = new Hono();
  const routes = new Routes(app);
  addJobs(routes, server);
  addPictures(routes, server);
  addPrompts(routes, server);
  addPlanning(routes, server);
  addPresets(routes, server);
  addGallery(routes, server);
  addMachine(routes, server);
  app.get("/openapi.json", (context) => context.json(routes.document()));
  return app;
}

function addJobs(routes: Routes, server: ServerContext): void {
  const { queue, limits } = server;
  const tag = "jobs";
  let watchers = 0;

  const jobOf = (context: Context): Job => {
    const job = queue.job(context.req.param("id")!);
    if (job === undefined) throw notFound();
    return job;
  };

  routes.add({
    method: "post",
    path: "/api/jobs",
    tag,
    summary: "Ask for pictures; as multipart/form-data: request (the JSON), image and mask (files)",
    bodyJson: () => wordedSchema(),
    status: 201,
  }, async (context) => {
    const { presets } = server;
    const request = await wordedRequest(await askedOf(context, server), { presets });
    return context.json(jobJson(await ask(server, request), server), 201);
  });

  routes.add(
    { method: "get", path: "/api/jobs", tag, summary: "All jobs, the oldest first" },
    (context) => context.json({ jobs: queue.jobs.map((job) => jobJson(job, server)) }),
  );

  routes.add(
    { method: "get", path: "/api/jobs/:id", tag, summary: "A job as it stands" },
    (context) => context.json(jobJson(jobOf(context), server)),
  );

  routes.add(
    { method: "post", path: "/api/jobs/:id/cancel", tag, summary: "Stop a job" },
    (context) => {
      const { id } = jobOf(context);
      return context.json({ cancelled: queue.cancel(id) });
    },
  );

  routes.add(
    { method: "delete", path: "/api/jobs/:id", tag, summary: "Forget a finished job" },
    (context) => {
      const { id } = jobOf(context);
      return context.json({ forgotten: queue.forget(id) });
    },
  );

  const events = (context: Context, id: string | undefined) => {
    if (watchers >= limits.watchers) {
      throw new HttpProblem(503, "Too many connections watch already.", "观看的连接过多。");
    }
    watchers++;
    return streamSSE(context, async (stream) => {
      const pending: QueueEvent[] = [];
      let wake = Promise.withResolvers<void>();
      const take = (event: QueueEvent) => {
        const isOther = id !== undefined && event.kind !== "closed" && idOf(event) !== id;
        if (isOther) return;
        // Whoever reads slowly gets the latest, not everything late.
        const stale = pending.findIndex((other) =>
          other.kind === event.kind && idOf(other) === idOf(event)
        );
        if (stale >= 0) pending.splice(stale, 1);
        pending.push(event);
        wake.resolve();
      };
      using _watch = queue.watch(take, { previews: context.req.query("previews") !== "0" });
      stream.onAbort(() => wake.resolve());
      try {
        const jobs = id === undefined ? queue.jobs : [queue.job(id)!];
        await stream.writeSSE({
          event: "jobs",
          data: JSON.stringify({
            jobs: jobs.map((job) => jobJson(job, server)),
            model: queue.model,
          }),
        });
        while (!stream.aborted) {
          const event = pending.shift();
          if (event?.kind === "closed") break;
          if (event !== undefined) {
            await stream.writeSSE(messageOf(event, server));
            if (event.kind === "job" && id !== undefined && event.job.ended !== undefined) break;
            continue;
          }
          if (id !== undefined && queue.job(id)?.ended !== undefined) break;
          wake = Promise.withResolvers<void>();
          const timer = setTimeout(() => wake.resolve(), HEARTBEAT_MILLISECONDS);
          await wake.promise;
          clearTimeout(timer);
          if (pending.length === 0 && !stream.aborted) await stream.write(": \n\n");
        }
      } finally {
        watchers--;
      }
    });
  };
  const query = { previews: "0 for none" };

  routes.add({
    method: "get",
    path: "/api/events",
    tag,
    summary: "Watch all jobs: first `jobs`, then `job`, `preview` and `model` as they happen",
    query,
    answer: "text/event-stream",
  }, (context) => events(context, undefined));

  routes.add({
    method: "get",
    path: "/api/jobs/:id/events",
    tag,
    summary: "Watch one job until it is finished",
    query,
    answer: "text/event-stream",
  }, (context) => events(context, jobOf(context).id));
}

/** What is asked for, as JSON or as a form with files. */
async function askedOf(context: Context, { given }: ServerContext): Promise<unknown> {
  const form = await formOf(context);
  if (form === undefined) return await jsonOf(context, z.unknown());
  const { request } = form.texts;
  let asked: unknown;
  try {
    asked = JSON.parse(request ?? "");
  } catch (cause) {
    throw new RequestError({
      en: 'The form has no field "request" with JSON such as {"prompt": "1girl"}.',
      zh: '表单没有内容为 {"prompt": "1girl"} 这类 JSON 的 "request" 字段。',
    }, { cause });
  }
  const names: Record<string, string> = {};
  for (const { field, file } of form.files) {
    if (field !== "image" && field !== "mask") {
      throw new RequestError({
        en: `There is no file "${shown(field)}": expected image, or mask.`,
        zh: `没有名为“${shown(field)}”的文件：应为 image 或 mask。`,
      });
    }
    names[field] = (await given.keep(await file.bytes())).name;
  }
  return typeof asked === "object" && asked !== null ? { ...asked, ...names } : asked;
}

function addPictures(routes: Routes, server: ServerContext): void {
  const { given } = server;
  const tag = "pictures";
  routes.add({
    method: "post",
    path: "/api/pictures",
    tag,
    summary:
      "Give a picture to start from, or a mask: PNG, JPEG, WebP or AVIF. The same has one name",
    bodyType: "application/octet-stream",
    status: 201,
  }, async (context) => {
    const { format: _, ...picture } = await given.keep(await bytesOf(context));
    return context.json(picture, 201);
  });
  routes.add({
    method: "get",
    path: "/api/pictures/:name{.+}",
    tag,
    summary: "A picture that was given",
    answer: "image/*",
  }, async (context) => {
    const file = await given.read(context.req.param("name")!);
    if (file === undefined) throw notFound();
    context.header("Cache-Control", "private, max-age=31536000, immutable");
    return context.body(file.bytes, 200, { "Content-Type": TYPES[file.format] });
  });
  routes.add({
    method: "post",
    path: "/api/pictures/size",
    tag,
    summary: "In which size a request with a picture to start from will be drawn: the job's words",
    body: z.record(z.string(), z.unknown()),
  }, async (context, asked) => {
    const { request } = await wordedRequest({ prompt: "", ...asked });
    return context.json(await drawnSize(server, request));
  });
}

async function bytesOf(context: Context): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await context.req.arrayBuffer());
}

function addPresets(routes: Routes, { presets: folder }: ServerContext): void {
  const tag = "presets";
  const name = (context: Context) => context.req.param("name")!;
  routes.add(
    { method: "get", path: "/api/presets", tag, summary: "All presets" },
    async (context) => {
      const known = [...await presetsOf(folder)].sort(([a], [b]) => a < b ? -1 : 1);
      const presets = known.map(([name, { isAlone, read }]) => {
        try {
          const { description } = read();
          return {
            name,
            ...(description === undefined ? {} : { description }),
            isEditable: isAlone,
          };
        } catch (error) {
          return { name, isEditable: isAlone, problem: explainError(error, languageFor(context)) };
        }
      });
      return context.json({ presets });
    },
  );
  routes.add(
    { method: "get", path: "/api/presets/:name", tag, summary: "What a preset says" },
    async (context) => {
      const preset = (await presetsOf(folder)).get(name(context));
      if (preset === undefined) throw notFound();
      const { description, settings, before, after } = preset.read();
      return context.json({
        name: name(context),
        ...(description === undefined ? {} : { description }),
        settings: wordedSettings(settings),
        prefix: before,
        suffix: after,
        isEditable: preset.isAlone,
      });
    },
  );
  routes.add(
    {
      method: "put",
      path: "/api/presets/:name",
      tag,
      summary: "Write a preset: words of a request, and description, prefix, suffix",
      body: z.record(z.string(), z.unknown()),
    },
    async (context, preset) => {
      await savePreset(name(context), preset, folder);
      return context.json({ name: name(context) });
    },
  );
  routes.add(
    { method: "delete", path: "/api/presets/:name", tag, summary: "Remove a preset" },
    async (context) => {
      if (!await removePreset(name(context), folder)) throw notFound();
      return context.json({ deleted: true });
    },
  );
}

function addPrompts(routes: Routes, { desk, wildcards }: ServerContext): void {
  const tag = "prompts";
  routes.add(
    {
      method: "post",
      path: "/api/prompts/lint",
      tag,
      summary: "What is wrong with a prompt",
      body: prompt,
    },
    (context, { prompt, width, height }) => {
      const { diagnostics, tokens, canonical, beyondTraining, isTemplate, hasOwnPlaces, ...rest } =
        desk.lint(prompt, { language: languageFor(context), width, height });
      return context.json({
        kind: rest.prompt.kind,
        canonical: canonical ?? null,
        tokens,
        diagnostics,
        beyondTraining,
        isTemplate,
        hasOwnPlaces,
      });
    },
  );
  routes.add(
    {
      method: "post",
      path: "/api/prompts/parse",
      tag,
      summary: "What an XML prompt says, as an object",
      body: prompt.pick({ prompt: true }),
    },
    (context, { prompt }) => context.json(desk.parse(prompt)),
  );
  routes.add(
    {
      method: "post",
      path: "/api/prompts/complete",
      tag,
      summary: "How the word before a place may go on",
      body: place,
    },
    async (context, { prompt, offset }) =>
      context.json(await desk.complete(prompt, offset, { wildcards })),
  );
  routes.add(
    {
      method: "post",
      path: "/api/prompts/grid",
      tag,
      summary: "How many pictures a grid has, and which",
      body: z.object({ grid: z.string().max(1 << 16) }),
    },
    (context, { grid }) => {
      const { axes } = parseGrid(grid);
      return context.json({
        axes: axes.map(({ word, values }) => ({ word, values: values.map(({ text }) => text) })),
        count: cellCount({ axes }),
      });
    },
  );
}

const TYPES = { png: "image/png", jpeg: "image/jpeg", webp: "image/webp", avif: "image/avif" };

function addGallery(routes: Routes, server: ServerContext): void {
  const { gallery } = server;
  const tag = "gallery";
  const name = (context: Context) => context.req.param("name")!;

  routes.add({
    method: "get",
    path: "/api/gallery",
    tag,
    summary: "Pictures, the newest first",
    query: {
      search: "words that stand in the prompt, the name or the seed",
      favourites: "1 for those alone that somebody marked",
      skip: "how many to leave out",
      limit: "at most so many; 200 at the most",
    },
  }, async (context) => {
    const number = (name: string, usual: number, most: number) => {
      const value = Number(context.req.query(name) ?? usual);
      return Number.isSafeInteger(value) && value >= 0 ? Math.min(value, most) : usual;
    };
    return context.json(
      await gallery.list({
        search: (context.req.query("search") ?? "").slice(0, 1000),
        isFavourite: context.req.query("favourites") === "1",
        skip: number("skip", 0, Number.MAX_SAFE_INTEGER),
        limit: number("limit", 60, 200),
      }),
    );
  });

  const isCurrent = (context: Context, tag: string) => {
    context.header("ETag", tag);
    context.header("Cache-Control", "private, no-cache");
    return context.req.header("If-None-Match") === tag;
  };
  const tagOf = async (context: Context) => {
    const picture = await gallery.find(name(context));
    if (picture === undefined) throw notFound();
    return `"${picture.time}-${picture.bytes}"`;
  };

  routes.add({
    method: "get",
    path: "/api/gallery/file/:name{.+}",
    tag,
    summary: "A picture's file",
    query: { download: "1 to save it under its name" },
    answer: "image/*",
  }, async (context) => {
    if (isCurrent(context, await tagOf(context))) return context.body(null, 304);
    const file = await gallery.read(name(context));
    if (file === undefined) throw notFound();
    if (context.req.query("download") === "1") {
      const own = encodeURIComponent(name(context).split("/").at(-1)!);
      context.header("Content-Disposition", `attachment; filename*=UTF-8''${own}`);
    }
    return context.body(file.bytes, 200, { "Content-Type": TYPES[file.format] });
  });

  routes.add({
    method: "get",
    path: "/api/gallery/thumbnail/:name{.+}",
    tag,
    summary: "A picture made small",
    answer: "image/webp",
  }, async (context) => {
    if (isCurrent(context, await tagOf(context))) return context.body(null, 304);
    const small = await gallery.thumbnail(name(context));
    if (small === undefined) throw notFound();
    return context.body(small, 200, { "Content-Type": TYPES.webp });
  });

  routes.add({
    method: "get",
    path: "/api/gallery/recipe/:name{.+}",
    tag,
    summary: "What a picture says of how it was made",
  }, async (context) => {
    const file = await gallery.read(name(context));
    if (file === undefined) throw notFound();
    return await settingsJson(context, file.bytes, server);
  });

  routes.add({
    method: "delete",
    path: "/api/gallery/file/:name{.+}",
    tag,
    summary: "Throw a picture into the bin, outputs/.bin",
  }, async (context) => {
    const binned = await gallery.remove(name(context));
    if (binned === undefined) throw notFound();
    return context.json({ binned });
  });

  routes.add(
    {
      method: "post",
      path: "/api/gallery/favourites",
      tag,
      summary: "Mark pictures, or take the marks off",
      body: z.object({ names: z.array(z.string().max(1000)).max(1000), isFavourite: z.boolean() }),
    },
    async (context, { names, isFavourite }) =>
      context.json({ changed: await gallery.mark(names, isFavourite) }),
  );

  routes.add(
    { method: "get", path: "/api/gallery/bin", tag, summary: "What lies in the bin" },
    async (context) => context.json({ pictures: await gallery.bin() }),
  );

  routes.add({
    method: "get",
    path: "/api/gallery/bin/:binned",
    tag,
    summary: "A picture in the bin",
    answer: "image/*",
  }, async (context) => {
    const file = await gallery.readBinned(context.req.param("binned")!);
    if (file === undefined) throw notFound();
    context.header("Cache-Control", "private, max-age=31536000, immutable");
    return context.body(file.bytes, 200, { "Content-Type": TYPES[file.format] });
  });

  routes.add(
    { method: "delete", path: "/api/gallery/bin", tag, summary: "Empty the bin for good" },
    async (context) => context.json({ deleted: await gallery.emptyBin() }),
  );

  routes.add({
    method: "post",
    path: "/api/gallery/restore",
    tag,
    summary: "Take a picture out of the bin",
    body: z.object({ binned: z.string().max(1000) }),
  }, async (context, { binned }) => {
    const restored = await gallery.restore(binned);
    if (restored === undefined) throw notFound();
    return context.json({ name: restored });
  });

  routes.add(
    {
      method: "post",
      path: "/api/recipe",
      tag,
      summary: "What the picture in the body says of how it was made",
      bodyType: "application/octet-stream",
    },
    async (context) => await settingsJson(context, await bytesOf(context), server),
  );
}

async function settingsJson(
  context: Context,
  bytes: Uint8Array,
  server: ServerContext,
): Promise<Response> {
  const read = pictureSettings(bytes, server.queue.facts?.sizeMultiple ?? 16);
  if (!("problem" in read)) {
    const { hashes = {}, settings: { image, mask, ...settings }, ...rest } = read;
    const found: Record<string, string> = {};
    const missing: string[] = [];
    for (const [word, path] of Object.entries({ image, mask })) {
      if (typeof path !== "string") continue;
      const name = await drawnFrom(server, path, hashes[word as keyof typeof hashes]);
      if (name === undefined) missing.push(word);
      else found[word] = name;
    }
    // Another program's picture does not say what it was drawn from.
    const { strength, hires } = settings;
    if (image === undefined && strength !== undefined && hires === undefined) missing.push("image");
    return context.json({ ...rest, hashes, settings: { ...settings, ...found }, missing });
  }
  const message = read.problem[languageFor(context)];
  return context.json({ error: { name: "RecipeError", message, kind: read.kind } }, 422);
}

/**
 * The name of a picture that another one was drawn from, where it is here still: under the name that the
 * recipe has, or given anew under any other.
 */
async function drawnFrom(
  { gallery, given }: ServerContext,
  path: string,
  hash: string | undefined,
): Promise<string | undefined> {
  const name = gallery.nameOf(path);
  const again = hash === undefined ? undefined : await given.find(hash);
  if (again !== undefined) return again;
  if (await given.pathOf(name) !== undefined) return name;
  const file = await gallery.read(name);
  if (file === undefined) return undefined;
  const own = createHash("sha256").update(file.bytes).digest("hex");
  return hash === undefined || own === hash ? name : undefined;
}

function addMachine(routes: Routes, server: ServerContext): void {
  const { queue, log, diagnose } = server;
  const tag = "machine";
  routes.add({
    method: "get",
    path: "/api/settings",
    tag,
    summary: "All settings of a picture, for a form",
  }, async (context) => {
    const upscalers = await upscalerNames();
    return context.json({
      settings: describedSettings(queue.facts?.isDemo ?? false, upscalers),
      upscalers,
      adapters: await server.desk.adapterNames(),
      presets: await presetNames(server.presets),
      model: queue.facts ?? null,
      limits: server.limits,
    });
  });
  routes.add({
    method: "get",
    path: "/api/machine",
    tag,
    summary: "The model, where it computes and why, memory, what doctor says",
  }, async (context) => {
    const report = await diagnose(languageFor(context));
    const { rss } = Deno.memoryUsage();
    return context.json({ model: queue.model, facts: queue.facts ?? null, log, rss, ...report });
  });
  routes.add(
    { method: "post", path: "/api/model/load", tag, summary: "Load the model now" },
    async (context) => context.json(await queue.load()),
  );
  routes.add(
    { method: "post", path: "/api/model/unload", tag, summary: "Give the model's memory back" },
    async (context) => context.json({ unloaded: await queue.unload() }),
  );
}

function idOf(event: QueueEvent): string {
  return event.kind === "job" ? event.job.id : event.kind === "preview" ? event.id : "";
}

function messageOf(event: Exclude<QueueEvent, { kind: "closed" }>, server: ServerContext) {
  const [name, data] = event.kind === "job"
    ? ["job", jobJson(event.job, server)]
    : event.kind === "model"
    ? ["model", server.queue.model]
    : ["preview", { ...event, image: `data:image/jpeg;base64,${event.image.toBase64()}` }];
  return { event: name as string, data: JSON.stringify(data) };
}

/**
 * A job as JSON: its request in the words of the settings, which can be asked for again; files by the
 * gallery's names for them.
 */
function jobJson({ request, pictures, sheet, grid, ...job }: Job, { gallery }: ServerContext) {
  const { image, mask, ...settings } = wordedSettings(request);
  const { loras = [] } = request;
  return {
    ...job,
    request: {
      ...settings,
      ...(image === undefined ? {} : { image: gallery.nameOf(String(image)) }),
      ...(mask === undefined ? {} : { mask: gallery.nameOf(String(mask)) }),
      ...(loras.length === 0 ? {} : { lora: loras.map(loraText) }),
      ...(grid === undefined ? {} : { grid }),
    },
    pictures: pictures.map(({ path: _, ...picture }) => picture),
    ...(sheet === undefined
      ? {}
      : { sheet: { name: sheet.name, width: sheet.width, height: sheet.height } }),
  };
}
