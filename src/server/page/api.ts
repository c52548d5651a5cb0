/** Questions to the server. */
import { getState } from "./store.ts";
import type {
  DrawnSize,
  GalleryPage,
  Given,
  Job,
  Lint,
  Machine,
  Recipe,
  SettingsAnswer,
  Words,
} from "./types.ts";

/** The server refused, in words for people. */
export class ServerError extends Error {}

export async function ask<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(path, {
    ...init,
    headers: { ...init.headers, "Accept-Language": getState().language },
  });
  const body = await response.json();
  if (!response.ok) throw new ServerError(body.error?.message ?? response.statusText);
  return body;
}

export function send<Answer>(path: string, body: unknown, init: RequestInit = {}): Promise<Answer> {
  return ask<Answer>(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
    ...init,
  });
}

/** A name of the gallery in an address. */
export function inAddress(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

export const api = {
  settings: () => ask<SettingsAnswer>("/api/settings"),
  machine: () => ask<Machine>("/api/machine"),
  draw: (words: Words) => send<Job>("/api/jobs", words),
  cancel: (id: string) => send<unknown>(`/api/jobs/${id}/cancel`, {}),
  lint: (prompt: string, size: { width?: number; height?: number }, signal: AbortSignal) =>
    send<Lint>("/api/prompts/lint", { prompt, ...size }, { signal }),
  complete: (prompt: string, offset: number) =>
    send<{ from: number; options: { text: string; kind: string }[] }>("/api/prompts/complete", {
      prompt,
      offset,
    }),
  gallery: (search: string, skip: number, limit: number, isFavourite = false) =>
    ask<GalleryPage>(
      `/api/gallery?search=${encodeURIComponent(search)}&skip=${skip}&limit=${limit}${
        isFavourite ? "&favourites=1" : ""
      }`,
    ),
  give: (file: Blob) => ask<Given>("/api/pictures", { method: "POST", body: file }),
  drawnSize: (words: Words, signal: AbortSignal) =>
    send<DrawnSize>("/api/pictures/size", words, { signal }),
  recipe: (name: string) => ask<Recipe>(`/api/gallery/recipe/${inAddress(name)}`),
  readRecipe: (file: Blob) => ask<Recipe>("/api/recipe", { method: "POST", body: file }),
  remove: (name: string) =>
    ask<{ binned: string }>(`/api/gallery/file/${inAddress(name)}`, { method: "DELETE" }),
  restore: (binned: string) => send<{ name: string }>("/api/gallery/restore", { binned }),
  load: () => send<unknown>("/api/model/load", {}),
  unload: () => send<unknown>("/api/model/unload", {}),
};

export const addressOf = {
  file: (name: string): string => `/api/gallery/file/${inAddress(name)}`,
  download: (name: string) => `/api/gallery/file/${inAddress(name)}?download=1`,
  /** A picture to start from: one that was given, or one of the gallery. */
  picture: (name: string) =>
    name.startsWith(".given/") ? `/api/pictures/${name}` : addressOf.file(name),
  thumbnail: (name: string) => `/api/gallery/thumbnail/${inAddress(name)}`,
};
