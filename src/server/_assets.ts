/** The page's files, from the toolkit alone. */
import { Hono } from "hono";

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
  "/manifest.json": ["manifest.json", "application/manifest+json"],
};
const FOLDER = new URL("./page/built/", import.meta.url);

/** The app of the page. */
export function pageAssets(): Hono {
  const app = new Hono();
  for (const [path, [file, type]] of Object.entries(FILES)) {
    app.get(path, async (context) => {
      const bytes = await Deno.readFile(new URL(file, FOLDER));
      // A newer toolkit has a newer page.
      context.header("Cache-Control", "no-cache");
      return context.body(bytes, 200, { "Content-Type": type });
    });
  }
  return app;
}
