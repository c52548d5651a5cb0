/**
 * Drives what stands around the prompt in a browser, and the gallery: presets, adapters, wildcards, what a
 * template would draw, grids with their sheet, favourites, the bin, keys.
 *
 * Arguments: the server's address, the browser, and perhaps a folder for pictures of the page. The server
 * works in a folder with `wildcards/hair.txt`, red_hair and blue_hair, and with the demo's adapters.
 */
import assert from "node:assert/strict";
import { openBrowser } from "./browser.ts";

const [url, executablePath, folder] = Deno.args as [string, string, string?];
const opened = await openBrowser(executablePath, folder);
const { browser, page, faults, step, waitFor, click, clickText, fill, textOf, valueOf } = opened;
const { inEditor, promptOf, beAccessible, fitWidth, shot } = opened;

const drawn = async () => await (await fetch(`${url}api/gallery?limit=200`)).json();
const draft = async () =>
  await page.evaluate(() => JSON.parse(localStorage.getItem("newbie.studio")!).draft);

async function write(prompt: string): Promise<void> {
  const editor = await inEditor(".cm-content");
  await editor.click();
  await page.keyboard.down("Control");
  await page.keyboard.press("a");
  await page.keyboard.up("Control");
  await page.keyboard.press("Backspace");
  await page.keyboard.type(prompt, { delay: 1 });
}

/** The editor follows what changes the prompt elsewhere. */
async function bePrompt(expected: string): Promise<void> {
  for (let tries = 0; tries < 200 && await promptOf() !== expected; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(await promptOf(), expected);
}

/** So many pictures are in the gallery, and nothing is being drawn any more. */
async function beThere(total: number): Promise<void> {
  for (let tries = 0; tries < 400 && (await drawn()).total < total; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.equal((await drawn()).total, total);
  await page.waitForFunction(() => document.querySelector(".progress") === null);
}

async function drawIt(): Promise<void> {
  await page.keyboard.down("Control");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Control");
}

try {
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await waitFor("#setting-steps");
  await fill("#setting-steps", "2");

  step("a preset is saved from what is set, turned on, and draws");
  await write("1girl");
  await clickText(".panel-tabs button", "Presets");
  await clickText(".panel-body .chip", "Save as a preset");
  await fill("#preset-name", "soft");
  await fill("#preset-words", "watercolor");
  await beAccessible("the form of presets");
  await click(".save-preset .button");
  await page.waitForFunction(() =>
    document.querySelector(".chips .chip")?.textContent?.trim() === "soft"
  );
  await clickText(".panel-body .chip", "soft");
  await waitFor(".preset-on .hint");
  assert.match(await textOf(".preset-on .hint"), /watercolor.*steps 2/i);
  await beAccessible("a preset that is on");
  await drawIt();
  await waitFor(".picture-button img", 120_000);
  const [{ name }] = (await drawn()).pictures;
  const recipe = await (await fetch(`${url}api/gallery/recipe/${name}`)).json();
  assert.equal(recipe.settings.prompt, "1girl, watercolor");
  assert.equal(recipe.settings.steps, 2);

  step("it is deleted, and is off then");
  await click(".preset-on .icon-button");
  await page.waitForFunction(() => document.querySelector(".preset-on") === null);
  assert.equal((await draft()).values.preset, undefined);
  assert.deepEqual((await (await fetch(`${url}api/presets`)).json()).presets, []);

  step("an adapter's slider writes its weight into the prompt");
  await clickText(".panel-tabs button", "Adapters");
  await waitFor(".panel-body .chips .chip");
  await click('[aria-label="Add night_light"]');
  await page.waitForFunction(() => document.querySelector(".adapters") !== null);
  await bePrompt("1girl <lora:night_light:1>");
  await page.focus(".adapters input[type=range]");
  for (let count = 0; count < 4; count++) await page.keyboard.press("ArrowLeft");
  await bePrompt("1girl <lora:night_light:0.8>");
  await beAccessible("an adapter");

  step("one that is not there is told of, and a click takes one out");
  await write("<general_tags><count>1girl</count></general_tags> <lora:tsukimi:0.5> <lora:gone:1>");
  await page.waitForFunction(() => document.querySelector(".adapter-state.error") !== null);
  assert.match(await textOf(".adapter-state.error"), /models\/loras/);
  assert.equal(await page.$(".problems .warning, .problems .error"), null);
  await click('[aria-label="Take gone out"]');
  const text = "<general_tags><count>1girl</count></general_tags>";
  await bePrompt(`${text} <lora:tsukimi:0.5>`);

  step("the settings of a picture that was drawn with it have it again");
  const first = (await drawn()).total;
  await drawIt();
  await beThere(first + 1);
  await write("2girls");
  await clickText(".stage .button", "Use these settings");
  await bePrompt(`${text} <lora:tsukimi:0.5>`);

  step("cards keep adapters out of the tags");
  await clickText(".switch button", "Cards");
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor(".card input");
  await waitFor(".meter");
  assert.deepEqual(
    await page.$$eval(".card input", (all) => all.map((it) => (it as HTMLInputElement).value)),
    ["1girl"],
  );
  await page.focus(".card input");
  await page.keyboard.press("End");
  await page.keyboard.type(", solo");
  assert.match((await draft()).prompt, /<count>1girl, solo<\/count>[^]*<lora:tsukimi:0\.5>$/);

  step("a wildcard goes where the cursor was, in a card and in the editor");
  await clickText(".panel-tabs button", "Wildcards");
  await click('[aria-label="Put __hair__ into the prompt"]');
  assert.match((await draft()).prompt, /<count>1girl, solo, __hair__<\/count>/);
  await click('[aria-label="What __hair__ can be"], [aria-label="What hair can be"]');
  await waitFor(".wildcard-values");
  assert.match(await textOf(".wildcard-values"), /2 values:.*blue_hair.*red_hair/);
  await beAccessible("wildcards");
  await clickText(".switch button", "XML");
  await write("1girl, ");
  await click('[aria-label="Put __hair__ into the prompt"]');
  await bePrompt("1girl, __hair__");

  step("what a template would draw is what it then draws");
  await page.waitForFunction(() => document.querySelectorAll(".template li").length === 4);
  await beAccessible("a template");
  const foretold = await page.$$eval(".template li", (all) => all.map((it) => it.textContent));
  for (const prompt of foretold) assert.match(prompt!, /^1girl, (red|blue)_hair$/);
  const before = (await drawn()).total;
  await clickText(".template .button", "Draw these");
  await beThere(before + 4);
  const { pictures } = await drawn();
  assert.deepEqual(
    pictures.slice(0, 4).map(({ notes }: { notes: { prompt: string } }) => notes.prompt).reverse(),
    foretold,
  );

  step("elements, tags, adapters and wildcards are completed");
  for (
    const [typed, completed] of [
      ["<character_1><app", "<character_1><appearance>"],
      ["1girl, <lora:tsu", "1girl, <lora:tsukimi:1>"],
      ["1girl, __ha", "1girl, __hair__"],
    ] as const
  ) {
    await write(typed);
    await inEditor(".cm-tooltip-autocomplete li[aria-selected]");
    // The list takes no key in its first moments.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await page.keyboard.press("Enter");
    await bePrompt(completed);
  }

  step("a grid is counted before it is drawn, and ends with its sheet");
  await write("1girl, blue_hair");
  await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>(".more > summary")].find((it) =>
      it.textContent!.startsWith("Grid")
    )!.click()
  );
  await page.select("#axis-0", "seed");
  await fill('[aria-label="Columns: values"]', "1-2");
  await page.select("#axis-1", "scheduler");
  await clickText(".axis .chip", "euler");
  await clickText(".axis .chip", "midpoint");
  await page.waitForFunction(() =>
    document.querySelector(".run .primary")!.textContent!.trim() === "Draw 4"
  );
  assert.equal(await textOf(".grid-count p"), "4 pictures");
  await beAccessible("a grid");
  await shot("grid");
  await fill('[aria-label="Columns: values"]', "x");
  await waitFor(".grid-count .over");
  await fill('[aria-label="Columns: values"]', "1-2");
  await page.waitForFunction(() => document.querySelector(".grid-count .over") === null);
  const total = (await drawn()).total;
  await click(".run .primary");
  await page.waitForFunction(
    () => document.querySelector('.recent [aria-label="Contact sheet"][aria-pressed="true"]'),
    { timeout: 180_000 },
  );
  await beThere(total + 5);
  await shot("sheet");
  await clickText(".grid-count .button", "Without a grid");
  await page.waitForFunction(() =>
    document.querySelector(".run .primary")!.textContent!.trim() === "Draw"
  );

  step("a picture is marked by the keyboard, found among the favourites");
  await page.evaluate(() => location.hash = "gallery");
  await waitFor(".thumbnail img");
  await page.focus(".thumbnail");
  const beAt = (place: number) =>
    page.waitForFunction(
      (place) => (document.activeElement as HTMLElement).dataset["place"] === String(place),
      {},
      place,
    );
  await page.keyboard.press("End");
  await beAt((await drawn()).total - 1);
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await beAt(1);
  await page.keyboard.press("f");
  await waitFor(".on-thumbnail.marked");
  await clickText(".switch button", "Favourites");
  await page.waitForFunction(() =>
    document.querySelector(".gallery-bar .hint")!.textContent === "1 favourite"
  );
  await page.waitForFunction(() => document.querySelectorAll(".thumbnail").length === 1);
  await beAccessible("favourites");

  step("it goes into the bin, comes back with its mark, and the bin is emptied");
  await page.focus(".thumbnail");
  await page.keyboard.press("Delete");
  await page.waitForFunction(() =>
    document.querySelector(".gallery-bar .hint")!.textContent === "0 favourites"
  );
  await clickText(".switch button", "Bin");
  await waitFor(".binned img");
  await page.waitForFunction(() =>
    document.querySelector<HTMLImageElement>(".binned img")!.naturalWidth > 0
  );
  await beAccessible("the bin");
  await shot("bin");
  await click(".binned .button");
  await page.waitForFunction(() => document.querySelector(".binned") === null);
  await clickText(".switch button", "Favourites");
  await waitFor(".thumbnail");
  await page.focus(".thumbnail");
  await page.keyboard.press("Delete");
  await clickText(".switch button", "Bin");
  await waitFor(".binned img");
  await clickText(".bin-bar .button", "Empty the bin");
  await clickText(".bin-bar .button", "Delete 1 picture for good");
  await waitFor(".empty-gallery");
  await beThere(total + 4);

  step("the machine says whether the weights are verified, and which adapters there are");
  await page.evaluate(() => location.hash = "machine");
  await waitFor(".verified.yes");
  assert.match(
    await textOf(".machine"),
    /Verified\s*all weights are those that checksums\.txt lists/,
  );
  assert.match(await textOf(".machine"), /night_light/);
  await beAccessible("the machine");

  step("nothing is too wide, with all that was opened");
  await page.evaluate(() => location.hash = "");
  await waitFor(".panel-tabs");
  await write("1girl, __hair__ <lora:tsukimi:0.5>");
  for (const [index, tab] of ["Presets", "Adapters", "Wildcards"].entries()) {
    await click(`.panel-tabs button:nth-child(${index + 1})`);
    await waitFor(".panel-body");
    for (const width of [390, 900]) {
      await page.setViewport({ width, height: 844 });
      await new Promise((resolve) => setTimeout(resolve, 200));
      await fitWidth(`${tab} at ${width}`);
      await shot(`${tab.toLowerCase()}_${width}`);
    }
  }
  step("another page neither takes this one's prompt nor gives it its own");
  const other = await browser.newPage();
  await other.goto(url, { waitUntil: "domcontentloaded" });
  await other.waitForSelector(".panel-tabs");
  await other.evaluate(() => {
    const field = document.querySelector<HTMLTextAreaElement>("#negative")!;
    field.value = "lowres";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.bringToFront();
  await page.reload({ waitUntil: "domcontentloaded" });
  await bePrompt("1girl, __hair__ <lora:tsukimi:0.5>");
  assert.equal(await valueOf("#negative"), "");
  await other.close();

  step("in Chinese and in the dark it is as accessible");
  await page.evaluate(() => {
    const kept = JSON.parse(localStorage.getItem("newbie.studio")!);
    localStorage.setItem(
      "newbie.studio",
      JSON.stringify({ ...kept, theme: "dark", language: "zh" }),
    );
  });
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor(".template li");
  for (const index of [1, 2, 3]) {
    await click(`.panel-tabs button:nth-child(${index})`);
    await waitFor(".panel-body");
    await beAccessible(`panel ${index}`);
  }
  assert.deepEqual(faults, []);
  console.log("done");
} catch (error) {
  await shot("fault");
  throw error;
} finally {
  await browser.close();
}
