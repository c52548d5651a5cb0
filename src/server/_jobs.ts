/** What is asked for, and how it goes on. */
import type { Context } from "hono";
import * as z from "zod";
import { RequestError } from "../errors.ts";
import { shown } from "../shown.ts";
import type { Job } from "../studio/job.ts";
import { wordedRequest, wordedSchema } from "../studio/worded_settings.ts";
import { ask } from "./_ask.ts";
import { jsonOf } from "./_body.ts";
import { eventStreams } from "./_events.ts";
import { formOf } from "./_form.ts";
import { jobJson } from "./_job_json.ts";
import { notFound } from "./_problem.ts";
import type { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

/** Adds the routes. */
export function addJobs(routes: Routes, server: ServerContext): void {
  const { queue } = server;
  const tag = "jobs";
  const events = eventStreams(server);

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
  const other = Object.keys(form.texts).find((field) => field !== "request");
  if (other !== undefined) {
    throw new RequestError({
      en: `The form has the text "${shown(other)}": expected request alone, which has all ` +
        "settings, and image and mask as files.",
      zh: `表单中有文本字段“${shown(other)}”：文本只应有包含全部设置的 request，` +
        "image 和 mask 应为文件。",
    });
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
