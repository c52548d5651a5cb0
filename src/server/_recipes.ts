/** How pictures were made, as they say themselves. */
import { createHash } from "node:crypto";
import type { Context } from "hono";
import { pictureSettings } from "../studio/picture_settings.ts";
import { bytesOf } from "./_body.ts";
import { languageFor } from "./_problem.ts";
import type { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

/** Adds the route. */
export function addRecipes(routes: Routes, server: ServerContext): void {
  routes.add(
    {
      method: "post",
      path: "/api/recipe",
      tag: "gallery",
      summary: "What the picture in the body says of how it was made",
      bodyType: "application/octet-stream",
    },
    async (context) => await recipeAnswer(context, await bytesOf(context), server),
  );
}

/** What a picture says of how it was made, with the names that what it was drawn from has here. */
export async function recipeAnswer(
  context: Context,
  bytes: Uint8Array,
  server: ServerContext,
): Promise<Response> {
  const read = pictureSettings(bytes, server.queue.facts?.sizeMultiple ?? 16);
  if (!("problem" in read)) {
    const { hashes = {}, settings: { image, mask, ...settings }, ...rest } = read;
    const found: Record<string, string> = {};
    const missing: string[] = [];
    for (const [word, path] of Object.entries({ image, mask })) {
      if (typeof path !== "string") continue;
      const name = await drawnFrom(server, path, hashes[word as keyof typeof hashes]);
      if (name === undefined) missing.push(word);
      else found[word] = name;
    }
    // Another program's picture does not say what it was drawn from.
    const { strength, hires } = settings;
    if (image === undefined && strength !== undefined && hires === undefined) missing.push("image");
    return context.json({ ...rest, hashes, settings: { ...settings, ...found }, missing });
  }
  const message = read.problem[languageFor(context)];
  return context.json({ error: { name: "RecipeError", message, kind: read.kind } }, 422);
}

/**
 * The name of a picture that another one was drawn from, where it is here still: under the name that the
 * recipe has, or given anew under any other.
 */
async function drawnFrom(
  { gallery, given }: ServerContext,
  path: string,
  hash: string | undefined,
): Promise<string | undefined> {
  const name = gallery.nameOf(path);
  const again = hash === undefined ? undefined : await given.find(hash);
  if (again !== undefined) return again;
  if (await given.pathOf(name) !== undefined) return name;
  const file = await gallery.read(name);
  if (file === undefined) return undefined;
  const own = createHash("sha256").update(file.bytes).digest("hex");
  return hash === undefined || own === hash ? name : undefined;
}
