/** Pictures that are given to start from. */
import * as z from "zod";
import { wordedRequest } from "../studio/worded_settings.ts";
import { drawnSize } from "./_ask.ts";
import { bytesOf } from "./_body.ts";
import { lastingPicture } from "./_lasting_picture.ts";
import type { Routes } from "./_routes.ts";
import type { ServerContext } from "./types.ts";

/** Adds the routes. */
export function addPictures(routes: Routes, server: ServerContext): void {
  const { given } = server;
  const tag = "pictures";
  routes.add({
    method: "post",
    path: "/api/pictures",
    tag,
    summary:
      "Give a picture to start from, or a mask: PNG, JPEG, WebP or AVIF. The same has one name",
    bodyType: "application/octet-stream",
    status: 201,
  }, async (context) => {
    const { format: _, ...picture } = await given.keep(await bytesOf(context));
    return context.json(picture, 201);
  });
  routes.add({
    method: "get",
    path: "/api/pictures/:name{.+}",
    tag,
    summary: "A picture that was given",
    answer: "image/*",
  }, async (context) => lastingPicture(context, await given.read(context.req.param("name")!)));
  routes.add({
    method: "post",
    path: "/api/pictures/size",
    tag,
    summary: "In which size a request with a picture to start from will be drawn: the job's words",
    body: z.record(z.string(), z.unknown()),
  }, async (context, asked) => {
    const { request } = await wordedRequest({ prompt: "", ...asked });
    return context.json(await drawnSize(server, request));
  });
}
