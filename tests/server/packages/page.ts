/**
 * Drives the page in a browser, as a person would: writes a prompt, has it mended, draws with previews,
 * cancels, draws again, finds the picture in the gallery and uses its settings.
 *
 * Arguments: the server's address, the browser, and perhaps a folder for pictures of the page.
 */
import assert from "node:assert/strict";
import { openBrowser } from "./browser.ts";

const [url, executablePath, folder] = Deno.args as [string, string, string?];
const opened = await openBrowser(executablePath, folder);
const { browser, page, faults, step, waitFor, click, clickText, fill, textOf, valueOf } = opened;
const { inEditor, promptOf, beAccessible, fitWidth, shot } = opened;

try {
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await page.evaluate(() => localStorage.clear());
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor(".run .primary");
  await beAccessible("an empty page");

  step("a prompt is typed and linted");
  const editor = await inEditor(".cm-content");
  await editor.click();
  await page.keyboard.type("<character_1><apearance>blue_hair, twintails", { delay: 2 });
  await page.keyboard.type("</apearance></character_1>", { delay: 2 });
  await waitFor(".problems .warning");
  assert.match(await textOf(".problems"), /<apearance>.*<appearance>/s);

  step("the fix is clicked");
  await click(".problems .button");
  await page.waitForFunction(() => document.querySelector(".problems .warning") === null);
  const prompt = await promptOf();
  assert.equal(
    prompt,
    "<character_1><appearance>blue_hair, twintails</appearance></character_1>",
  );

  step("it is drawn, with previews");
  await fill("#setting-steps", "20");
  await click(".size-fields .icon-button");
  await page.keyboard.down("Control");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Control");
  await waitFor(".canvas .live", 60_000);
  await page.waitForFunction(() => /Step \d+ of 20/.test(document.body.textContent!));
  await shot("drawing");

  step("a reload loses neither the prompt nor the picture");
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor(".canvas .live", 60_000);
  assert.equal(await promptOf(), prompt);

  step("it is cancelled");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector(".progress") === null, {
    timeout: 60_000,
  });
  assert.equal(await page.$(".picture-button"), null);

  step("what is said of a picture to start from says nothing without one");
  await page.evaluate(() => {
    const kept = JSON.parse(sessionStorage.getItem("newbie.studio")!);
    kept.draft.values.strength = 0.5;
    sessionStorage.setItem("newbie.studio", JSON.stringify(kept));
  });
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor("#setting-steps");
  assert.equal(await page.$("#setting-strength"), null);

  step("it is drawn to its end");
  await fill("#setting-steps", "3");
  await fill("#setting-seed", "7");
  await fill("#setting-seed", "-1");
  assert.equal(await valueOf("#setting-seed"), "");
  await fill("#setting-seed", "7");
  await click(".run .primary");
  await waitFor(".picture-button img", 120_000);
  await shot("drawn");
  await beAccessible("a picture");

  step("it is found in the gallery");
  await click("nav button:nth-child(2)");
  await waitFor(".thumbnails img");
  await fill(".search input", "twintails");
  await page.waitForFunction(() =>
    document.querySelector(".gallery-bar .hint")!.textContent === "1 picture"
  );
  await page.waitForFunction(() =>
    document.querySelector<HTMLImageElement>(".thumbnails img")?.naturalWidth
  );
  await beAccessible("the gallery");
  await shot("gallery");
  await click(".thumbnails button");
  await waitFor(".recipe dl");
  assert.match(await textOf(".recipe"), /seed\s*7/i);
  await beAccessible("a recipe");
  await shot("recipe");

  step("its settings are used again");
  await page.keyboard.press("Escape");
  await page.evaluate(() => localStorage.clear());
  await click(".thumbnails button");
  await clickText(".viewer .button", "Use these settings");
  await waitFor(".run .primary");
  assert.equal(await valueOf("#setting-seed"), "7");
  assert.equal(await valueOf("#setting-steps"), "3");
  assert.equal(await promptOf(), prompt);

  step("cards are another view of the same prompt");
  await clickText(".switch button", "Cards");
  await waitFor(".card input");
  const inputs = await page.$$eval(
    ".card input",
    (all) => all.map((it) => (it as HTMLInputElement).value),
  );
  assert.deepEqual(inputs, ["blue_hair, twintails"]);
  await clickText(".cards .button", "Add a character");
  await page.waitForFunction(() => document.querySelectorAll(".card").length === 3);
  await beAccessible("cards");
  await shot("cards");
  await clickText(".switch button", "XML");
  assert.match(await promptOf(), /<character_2>/);

  step("the machine is told of");
  await click("nav button:nth-child(3)");
  await waitFor(".findings li");
  await beAccessible("the machine");

  for (const theme of ["dark", "light"]) {
    for (const language of ["en", "zh"]) {
      step(`nothing is too wide for a phone: ${language}, ${theme}`);
      await page.evaluate(
        (theme, language) => {
          const kept = JSON.parse(localStorage.getItem("newbie.studio")!);
          localStorage.setItem("newbie.studio", JSON.stringify({ ...kept, theme, language }));
        },
        theme,
        language,
      );
      await page.setViewport({ width: 390, height: 844 });
      for (const view of ["", "gallery", "machine"]) {
        await page.goto(`${url}?${theme}${language}#${view}`, { waitUntil: "domcontentloaded" });
        await waitFor("#main");
        await page.waitForFunction(() => document.querySelector(".model-chip.loaded") !== null);
        await new Promise((resolve) => setTimeout(resolve, 300));
        await fitWidth(view || "draw");
        await beAccessible(`${view || "draw"} in ${language}, ${theme}`);
        await shot(`${view || "draw"}_390_${language}_${theme}`);
        if (folder !== undefined) {
          await page.setViewport({ width: 1440, height: 900 });
          await new Promise((resolve) => setTimeout(resolve, 300));
          await shot(`${view || "draw"}_1440_${language}_${theme}`);
          await page.setViewport({ width: 390, height: 844 });
        }
      }
    }
  }
  assert.deepEqual(faults, []);
  console.log("done");
} catch (error) {
  await shot("fault");
  throw error;
} finally {
  await browser.close();
}
