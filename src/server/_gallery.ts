/** The pictures that were saved, and the bin. */
import type { Context } from "hono";
import * as z from "zod";
import { CONTENT_TYPES } from "./_content_types.ts";
import { lastingPicture } from "./_lasting_picture.ts";
import { notFound } from "./_problem.ts";
import { recipeAnswer } from "./_recipes.ts";
import type { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

const TAG = "gallery";

/** Adds the routes of what lies in the gallery. */
export function addGallery(routes: Routes, server: ServerContext): void {
  const { gallery } = server;
  const name = (context: Context) => context.req.param("name")!;

  routes.add({
    method: "get",
    path: "/api/gallery",
    tag: TAG,
    summary: "Pictures, the newest first",
    query: {
      search: "words that stand in the prompt, the name or the seed",
      favourites: "1 for those alone that somebody marked",
      skip: "how many to leave out",
      limit: "at most so many; 200 at the most",
    },
  }, async (context) => {
    const number = (name: string, usual: number, most: number) => {
      const value = Number(context.req.query(name) ?? usual);
      return Number.isSafeInteger(value) && value >= 0 ? Math.min(value, most) : usual;
    };
    return context.json(
      await gallery.list({
        search: (context.req.query("search") ?? "").slice(0, 1000),
        isFavourite: context.req.query("favourites") === "1",
        skip: number("skip", 0, Number.MAX_SAFE_INTEGER),
        limit: number("limit", 60, 200),
      }),
    );
  });

  const isCurrent = (context: Context, tag: string) => {
    context.header("ETag", tag);
    context.header("Cache-Control", "private, no-cache");
    return context.req.header("If-None-Match") === tag;
  };
  const tagOf = async (context: Context) => {
    const picture = await gallery.find(name(context));
    if (picture === undefined) throw notFound();
    return `"${picture.time}-${picture.bytes}"`;
  };

  routes.add({
    method: "get",
    path: "/api/gallery/file/:name{.+}",
    tag: TAG,
    summary: "A picture's file",
    query: { download: "1 to save it under its name" },
    answer: "image/*",
  }, async (context) => {
    if (isCurrent(context, await tagOf(context))) return context.body(null, 304);
    const file = await gallery.read(name(context));
    if (file === undefined) throw notFound();
    if (context.req.query("download") === "1") {
      const own = encodeURIComponent(name(context).split("/").at(-1)!);
      context.header("Content-Disposition", `attachment; filename*=UTF-8''${own}`);
    }
    return context.body(file.bytes, 200, { "Content-Type": CONTENT_TYPES[file.format] });
  });

  routes.add({
    method: "get",
    path: "/api/gallery/thumbnail/:name{.+}",
    tag: TAG,
    summary: "A picture made small",
    answer: "image/webp",
  }, async (context) => {
    if (isCurrent(context, await tagOf(context))) return context.body(null, 304);
    const small = await gallery.thumbnail(name(context));
    if (small === undefined) throw notFound();
    return context.body(small, 200, { "Content-Type": CONTENT_TYPES.webp });
  });

  routes.add({
    method: "get",
    path: "/api/gallery/recipe/:name{.+}",
    tag: TAG,
    summary: "What a picture says of how it was made",
  }, async (context) => {
    const file = await gallery.read(name(context));
    if (file === undefined) throw notFound();
    return await recipeAnswer(context, file.bytes, server);
  });

  routes.add({
    method: "delete",
    path: "/api/gallery/file/:name{.+}",
    tag: TAG,
    summary: "Throw a picture into the bin, outputs/.bin",
  }, async (context) => {
    const binned = await gallery.remove(name(context));
    if (binned === undefined) throw notFound();
    return context.json({ binned });
  });

  routes.add(
    {
      method: "post",
      path: "/api/gallery/favourites",
      tag: TAG,
      summary: "Mark pictures, or take the marks off",
      body: z.object({ names: z.array(z.string().max(1000)).max(1000), isFavourite: z.boolean() }),
    },
    async (context, { names, isFavourite }) =>
      context.json({ changed: await gallery.mark(names, isFavourite) }),
  );
}

/** Adds the routes of what was thrown away. */
export function addBin(routes: Routes, { gallery }: ServerContext): void {
  routes.add(
    { method: "get", path: "/api/gallery/bin", tag: TAG, summary: "What lies in the bin" },
    async (context) => context.json({ pictures: await gallery.bin() }),
  );

  routes.add(
    {
      method: "get",
      path: "/api/gallery/bin/:binned",
      tag: TAG,
      summary: "A picture in the bin",
      answer: "image/*",
    },
    async (context) =>
      lastingPicture(context, await gallery.readBinned(context.req.param("binned")!)),
  );

  routes.add(
    { method: "delete", path: "/api/gallery/bin", tag: TAG, summary: "Empty the bin for good" },
    async (context) => context.json({ deleted: await gallery.emptyBin() }),
  );

  routes.add({
    method: "post",
    path: "/api/gallery/restore",
    tag: TAG,
    summary: "Take a picture out of the bin",
    body: z.object({ binned: z.string().max(1000) }),
  }, async (context, { binned }) => {
    const restored = await gallery.restore(binned);
    if (restored === undefined) throw notFound();
    return context.json({ name: restored });
  });
}
