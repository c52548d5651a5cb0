import { Hono } from "hono";
import { a1111Api } from "./_a1111.ts";
import { ownApi } from "./_api.ts";
import { pageAssets } from "./_assets.ts";
import { bounded, guard } from "./_guard.ts";
import { openAiApi } from "./_openai.ts";
import { languageFor, notFound, problemBody, statusOf } from "./_problem.ts";
import type { ServerContext } from "./types.ts";

/** The whole server as one function from requests to answers: the page, and three protocols. */
export function createApp(server: ServerContext): Hono {
  const app = new Hono();
  app.use(guard(server.access), bounded(server.limits));
  app.route("/", pageAssets());
  app.route("/", ownApi(server));
  app.route("/v1", openAiApi(server));
  app.route("/sdapi/v1", a1111Api(server));
  app.notFound((context) => context.json(problemBody(notFound(), languageFor(context)), 404));
  app.onError((error, context) =>
    context.json(problemBody(error, languageFor(context)), statusOf(error))
  );
  return app;
}
