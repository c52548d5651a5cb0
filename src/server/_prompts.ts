/** Prompts and grids, looked at while they are written. */
import * as z from "zod";
import { cellCount, parseGrid } from "../studio/grid.ts";
import { languageFor } from "./_problem.ts";
import type { Routes } from "./_routes.ts";
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

/** Adds the routes. */
export function addPrompts(routes: Routes, { desk, wildcards }: ServerContext): void {
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
