/**
 * Draws README's picture of the studio anew, as a person would come to it: four prompts of
 * docs/pictures, the last one on the stage. Run it after the page or the demo model has changed, with a
 * server in an empty folder, and look at what comes out:
 *
 *     cd tests/server/packages && deno install --frozen
 *     deno run --allow-all studio_picture.ts http://127.0.0.1:7860/ /usr/bin/chromium
 */
import { openBrowser } from "./browser.ts";

const [url, executablePath] = Deno.args as [string, string];
const FOLDER = new URL("../../../docs/pictures/", import.meta.url);
const NAMES = ["kimono", "witch", "beach", "snow"];
const SEEDS = { kimono: "5", witch: "2", beach: "11", snow: "3" } as const;

const prompts = await Promise.all(
  NAMES.map((name) => Deno.readTextFile(new URL(`${name}.xml`, FOLDER))),
);
const { browser, page, waitFor, click } = await openBrowser(executablePath);
try {
  await page.setViewport({ width: 1280, height: 800 });
  await page.evaluateOnNewDocument(
    (kept) => localStorage.setItem("newbie.studio", kept),
    JSON.stringify({
      language: "en",
      theme: "dark",
      draft: { prompt: prompts.at(-1)!.trim(), negative: "", values: {}, count: 1 },
    }),
  );
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await waitFor("#setting-steps");
  const seeds: Readonly<Record<string, string>> = SEEDS;
  for (const [index, prompt] of prompts.entries()) {
    await fetch(`${url}api/jobs`, {
      method: "POST",
      body: JSON.stringify({ prompt, seed: seeds[NAMES[index]!] }),
    });
  }
  await page.waitForFunction(
    (count) =>
      document.querySelectorAll(".recent img").length === count &&
      document.querySelector(".progress") === null,
    { timeout: 600_000 },
    NAMES.length,
  );
  await click(".actions .star");
  await page.waitForNetworkIdle({ idleTime: 500, concurrency: 1 });
  await page.screenshot({
    path: new URL("studio.jpg", FOLDER).pathname as `${string}.jpg`,
    type: "jpeg",
    quality: 84,
  });
} finally {
  await browser.close();
}
