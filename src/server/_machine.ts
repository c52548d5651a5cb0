/** Settings for a form, the model, the machine. */
import { upscalerNames } from "../pipeline/find_upscaler.ts";
import { presetNames } from "../studio/preset.ts";
import { describedSettings } from "../studio/worded_settings.ts";
import { languageFor } from "./_problem.ts";
import type { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

/** Adds the routes. */
export function addMachine(routes: Routes, server: ServerContext): void {
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
