/** Presets: read, written, removed. */
import type { Context } from "hono";
import * as z from "zod";
import { explainError } from "../errors.ts";
import { presetsOf } from "../studio/preset.ts";
import { removePreset, savePreset } from "../studio/preset_files.ts";
import { wordedSettings } from "../studio/worded_settings.ts";
import { languageFor, notFound } from "./_problem.ts";
import type { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

/** Adds the routes. */
export function addPresets(routes: Routes, { presets: folder }: ServerContext): void {
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
