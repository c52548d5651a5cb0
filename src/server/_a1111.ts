/**
 * The API of AUTOMATIC1111's web UI, which most programs around it speak. Names, defaults and the
 * forms of answers and errors are those of its modules/api (version 1.10); what has no meaning here
 * is taken and passed over, as that program does with what it does not know.
 */
import { Hono } from "hono";
import { addExtras } from "./_a1111_extras.ts";
import { addLists, addOptions } from "./_a1111_lists.ts";
import { a1111Problem } from "./_a1111_problem.ts";
import { addRuns } from "./_a1111_runs.ts";
import type { ServerContext } from "./types.ts";

/** The app of `/sdapi/v1`. */
export function a1111Api(server: ServerContext): Hono {
  const app = new Hono();
  app.onError(a1111Problem);
  addRuns(app, server);
  addOptions(app);
  addLists(app, server);
  addModel(app, server);
  addExtras(app, server);
  app.all("*", (context) => context.json({ detail: "Not Found" }, 404));
  return app;
}

/** Adds the routes of the model, and of memory. */
function addModel(app: Hono, { queue }: ServerContext): void {
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
}
