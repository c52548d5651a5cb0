/** What happens in the queue, as server-sent events. */
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { QueueEvent } from "../studio/job.ts";
import { jobJson } from "./_job_json.ts";
import { HttpProblem } from "./_problem.ts";
import type { ServerContext } from "./types.ts";

/** A silence of so many milliseconds is broken, so that nobody takes the connection for a dead one. */
const HEARTBEAT_MILLISECONDS = 15_000;

/**
 * Streams of events: of all jobs, or of one until it is finished.
 *
 * @returns What answers a request with one; it throws {@linkcode HttpProblem} when too many watch.
 */
export function eventStreams(
  server: ServerContext,
): (context: Context, id: string | undefined) => Response {
  const { queue, limits } = server;
  let watchers = 0;
  return (context: Context, id: string | undefined) => {
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
