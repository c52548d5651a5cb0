/** Our own API: jobs, prompts, gallery, machine. */
import { Hono } from "hono";
import { addBin, addGallery } from "./_gallery.ts";
import { addJobs } from "./_jobs.ts";
import { addMachine } from "./_machine.ts";
import { addPictures } from "./_pictures.ts";
import { addPlanning } from "./_planning.ts";
import { addPresets } from "./_presets.ts";
import { addPrompts } from "./_prompts.ts";
import { addRecipes } from "./_recipes.ts";
import { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

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
  addBin(routes, server);
  addRecipes(routes, server);
  addMachine(routes, server);
  app.get("/openapi.json", (context) => context.json(routes.document()));
  return app;
}
