/** What can go into a prompt, and what becomes of it: wildcards, adapters, the pictures of a request. */
import * as z from "zod";
import { isFolder } from "../files.ts";
import { planPictures } from "../studio/plan.ts";
import { wordedRequest } from "../studio/worded_settings.ts";
import { languageFor, notFound } from "./_problem.ts";
import type { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

/** How many pictures of a plan are told. */
const MOST_TOLD = 100;

/** Adds the routes. */
export function addPlanning(routes: Routes, server: ServerContext): void {
  const { desk, wildcards, presets } = server;
  const tag = "prompts";

  routes.add(
    { method: "get", path: "/api/wildcards", tag, summary: "The names of all wildcards" },
    async (context) => context.json({ wildcards: await desk.wildcardNames(wildcards) }),
  );

  routes.add(
    {
      method: "get",
      path: "/api/wildcards/:name{.+}",
      tag,
      summary: "What a wildcard can stand for: how many values, and the first 200",
    },
    async (context) => {
      const found = await desk.wildcard(context.req.param("name")!, wildcards);
      if (found === undefined) throw notFound();
      return context.json(found);
    },
  );

  routes.add(
    { method: "get", path: "/api/adapters", tag, summary: "All adapters, and whether they fit" },
    async (context) => {
      const [names, { adapters: examined }] = await Promise.all([
        desk.adapterNames(),
        server.diagnose(languageFor(context)),
      ]);
      // One that has just come was not looked at yet.
      const adapters = names.map((name) =>
        examined.find((adapter) => adapter.name === name) ?? { name }
      );
      return context.json({ adapters });
    },
  );

  routes.add({
    method: "post",
    path: "/api/prompts/plan",
    tag,
    summary: "Which pictures a job of these words would have: seeds and prompts, the first 100",
    body: z.record(z.string(), z.unknown()),
  }, async (context, asked) => {
    const { request, count = 1, grid } = await wordedRequest(asked, { presets });
    // A folder that is named has to be there.
    const own = await isFolder(wildcards) ? { wildcards } : {};
    const plan = await planPictures(request, { count, grid, ...own });
    return context.json({
      count: plan.pictures.length,
      pictures: plan.pictures.slice(0, MOST_TOLD).map(({ request, template }) => ({
        seed: String(request.generator.seed),
        prompt: request.prompt,
        ...(template === undefined ? {} : { template }),
      })),
    });
  });
}
