/**
 * Keeps a page open while its server is killed and comes back: the page says so, keeps what is being
 * written, and shows the picture that was being drawn.
 *
 * Arguments: the server's address, the browser, and a folder: the script puts `drawing` there when a picture is
 * being drawn, and `noticed` when the page has said that the server is gone.
 */
import assert from "node:assert/strict";
import { openBrowser } from "./browser.ts";

const [url, executablePath, folder] = Deno.args as [string, string, string];
const { browser, page, step, waitFor, fill, inEditor, promptOf } = await openBrowser(
  executablePath,
);
try {
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await waitFor("#setting-steps");
  await fill("#setting-steps", "40");
  await fill("#setting-seed", "12");
  await (await inEditor(".cm-content")).click();
  await page.keyboard.type("1girl, blue_hair");
  await page.keyboard.down("Control");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Control");
  await waitFor(".canvas .live", 60_000);
  await Deno.writeTextFile(`${folder}/drawing`, "");

  step("the server is gone: the page says so, and goes on being written in");
  await waitFor(".banner", 60_000);
  await (await inEditor(".cm-content")).click();
  await page.keyboard.press("End");
  await page.keyboard.type(", smile");
  await Deno.writeTextFile(`${folder}/noticed`, "");

  step("it is back: the picture is drawn to its end");
  await page.waitForFunction(() => document.querySelector(".banner") === null, {
    timeout: 120_000,
  });
  await waitFor(".picture-button img", 120_000);
  assert.equal(await promptOf(), "1girl, blue_hair, smile");
  const { pictures } = await (await fetch(`${url}api/gallery`)).json();
  assert.equal(pictures.length, 1);
  const recipe = await (await fetch(`${url}api/gallery/recipe/${pictures[0].name}`)).json();
  assert.equal(recipe.settings.prompt, "1girl, blue_hair");
  assert.equal(String(recipe.settings.seed), "12");
} finally {
  await browser.close();
}
