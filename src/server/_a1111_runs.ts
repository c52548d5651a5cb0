/** Of AUTOMATIC1111's API: pictures that are asked for, how far they are, and how they are stopped. */
import type { Hono } from "hono";
import type { JobRequest } from "../studio/picture_queue.ts";
import { FASTAPI_REFUSALS, type Img2Img, img2img, type Txt2Img, txt2img } from "./_a1111_bodies.ts";
import { img2imgRequest, txt2imgRequest } from "./_a1111_request.ts";
import { resultOf, timestampOf } from "./_a1111_result.ts";
import { ask } from "./_ask.ts";
import { jsonOf } from "./_body.ts";
import type { ServerContext } from "./types.ts";

/** How far A1111's own words for a run go. */
interface Run {
  readonly job: string;
  isInterrupted: boolean;
  isSkipped: boolean;
}

/** How long previews are made for a client that asks for progress no more. */
const PREVIEWS_MILLISECONDS = 10_000;

/** Adds the routes. */
export function addRuns(app: Hono, server: ServerContext): void {
  const { queue } = server;
  let run: Run | undefined;
  let lastPreview: { readonly id: string; readonly image: Uint8Array } | undefined;
  // A client that asks for progress again and again wants previews; it says so only by asking.
  let previews: Disposable | undefined;
  let forgetting: ReturnType<typeof setTimeout> | undefined;

  const wantPreviews = () => {
    previews ??= queue.watch((event) => {
      if (event.kind === "preview") lastPreview = event;
    }, { previews: true });
    clearTimeout(forgetting);
    forgetting = setTimeout(() => {
      previews?.[Symbol.dispose]();
      previews = undefined;
      lastPreview = undefined;
    }, PREVIEWS_MILLISECONDS);
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
}
