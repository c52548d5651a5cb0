/**
 * Draws from pictures on the page, as a person would: gives one by dropping, pasting, choosing, and
 * back from the stage; paints a mask with mouse, finger and keys; grows the picture; compares; and gives
 * again what is gone.
 *
 * Arguments: the server's address, the browser, the server's folder with `given.png`, `a1111.png`,
 * `comfyui.png` and `novelai.png` in it, and perhaps a folder for pictures of the page.
 */
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { openBrowser } from "./browser.ts";

const [url, executablePath, files, folder] = Deno.args as [string, string, string, string?];
const opened = await openBrowser(executablePath, folder);
const { browser, page, faults, step, waitFor, waitGone, click, clickText, fill, textOf, valueOf } =
  opened;
const { inEditor, beAccessible, fitWidth, shot } = opened;

/** A picture's colours: red, green, blue, opacity of each pixel. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: readonly number[];
}

interface Job {
  readonly state: string;
  readonly error?: unknown;
  readonly request: Readonly<Record<string, unknown>>;
  readonly pictures: readonly { readonly name: string; readonly seed: string }[];
}

try {
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await waitFor("#setting-steps");
  assert.equal(await page.$("#setting-strength"), null);
  await (await inEditor(".cm-content")).click();
  await page.keyboard.type("1girl, blue_hair, twintails, school_uniform, simple_background ");
  await fill("#setting-steps", "4");
  await fill("#setting-seed", "7");

  step("a picture is dropped on its place");
  await drop(".source-empty", "given.png");
  await waitFor(".source-preview img");
  assert.match(await textOf(".source header"), /given\.png.*256 × 192/);
  assert.equal(await valueOf(".size-fields input:first-child"), "256");
  await beAccessible("a picture to start from");
  await fill("#setting-strength", "0.5");
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor(".source-preview img");
  assert.match(await textOf(".source header"), /given\.png.*256 × 192/);
  assert.equal(await valueOf("#setting-strength"), "0.5");

  step("it is removed, and pasted again");
  await click('.source [aria-label="Remove the picture"]');
  await waitFor(".source-empty");
  await page.evaluate(transfer, "paste", "body", "given.png", await base64Of("given.png"));
  await waitFor(".source-preview img");

  step("it is removed, and chosen");
  await click('.source [aria-label="Remove the picture"]');
  await waitFor(".source-empty");
  const [chooser] = await Promise.all([page.waitForFileChooser(), click(".source-empty .button")]);
  await chooser.accept([`${files}/given.png`]);
  await waitFor(".source-preview img");

  step("what is no picture is refused by its name");
  await page.evaluate(transfer, "drop", ".source", "notes.txt", btoa("nothing"));
  await page.waitForFunction(() => /notes\.txt is no picture/.test(document.body.textContent!));

  step("a mask is painted with the mouse");
  await click('.source [aria-label="Remove the picture"]');
  const first = await drawn(() => click(".run .primary"));
  await waitFor(`.stage .picture-button`);
  await clickText(".stage .button", "Start from it");
  await waitFor(".source-preview img");
  const source = first.pictures[0]!.name;
  await openMask();
  await beAccessible("the mask");
  await shot("mask_1440");
  await setBrush(48);
  await stroke([[0.3, 0.3], [0.5, 0.25], [0.7, 0.3]]);
  assert.deepEqual(await marks([[0.3, 0.3], [0.5, 0.26], [0.5, 0.6]]), [true, true, false]);

  step("a part is erased, and comes back by undo");
  await page.keyboard.press("e");
  await stroke([[0.7, 0.3]]);
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3]]), [true, false]);
  await key("Control", "z");
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3]]), [true, true]);
  await key("Control", "y");
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3]]), [true, false]);

  step("it is inverted, and cleared");
  await clickText(".mask-editor .button", "Invert");
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3], [0.5, 0.9]]), [false, true, true]);
  await clickText(".mask-editor .button", "Clear");
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3], [0.5, 0.9]]), [false, false, false]);
  for (let undo = 0; undo < 3; undo++) await click('[aria-label="Undo"]');
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3], [0.5, 0.9]]), [true, true, false]);

  step("it is painted where the picture is, however large that is seen");
  await page.keyboard.press("b");
  for (let zoom = 0; zoom < 3; zoom++) await click('[aria-label="Zoom in"]');
  await stroke([[0.5, 0.5]]);
  await click('[aria-label="Show all"]');
  assert.deepEqual(await marks([[0.5, 0.5], [0.5, 0.6], [0.6, 0.5]]), [true, false, false]);
  await click('[aria-label="Undo"]');

  step("keys paint, too");
  await page.focus(".mask-board");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.down("Space");
  for (let press = 0; press < 6; press++) await page.keyboard.press("ArrowDown");
  await page.keyboard.up("Space");
  assert.deepEqual(await marks([[0.5, 0.55], [0.5, 0.65], [0.8, 0.65]]), [true, true, false]);
  await click('[aria-label="Undo"]');
  assert.deepEqual(await marks([[0.3, 0.3], [0.5, 0.6]]), [true, false]);

  step("a reload loses no stroke");
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor(".source-preview canvas");
  await openMask();
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3], [0.5, 0.6]]), [true, true, false]);

  step("fingers paint on a phone, and two of them move the picture");
  const phone = { width: 390, height: 844, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
  await page.setViewport(phone);
  await page.reload({ waitUntil: "domcontentloaded" });
  await openMask();
  await fitWidth("the mask");
  await beAccessible("the mask on a phone");
  const box = await sheet();
  await page.touchscreen.tap(...box.at(0.5, 0.85));
  assert.deepEqual(await marks([[0.5, 0.85], [0.2, 0.85]]), [true, false]);
  const [left, right] = [box.at(0.4, 0.5), box.at(0.6, 0.5)];
  const one = await page.touchscreen.touchStart(...left);
  const other = await page.touchscreen.touchStart(...right);
  for (let move = 1; move <= 6; move++) {
    await one.move(left[0] - 12 * move, left[1]);
    await other.move(right[0] + 12 * move, right[1]);
  }
  await one.end();
  await other.end();
  const larger = await sheet();
  assert(larger.width > 1.5 * box.width, `${box.width} became ${larger.width}`);
  assert.deepEqual(await marks([[0.5, 0.85], [0.4, 0.5], [0.6, 0.5]]), [true, false, false]);
  await shot("mask_390");
  await clickText(".mask-editor .button", "Done");
  await waitFor(".source-preview canvas");
  await fitWidth("a mask");
  await shot("source_390");
  await page.setViewport({ width: 1440, height: 900 });
  await page.reload({ waitUntil: "domcontentloaded" });
  await openMask();
  await click('[aria-label="Undo"]');

  step("only what is masked is drawn anew");
  await setSoftness(0);
  const job = await drawn(() => key("Control", "Enter"));
  await waitGone(".mask-board");
  assert.deepEqual([job.request["image"], job.request["mask_blur"]], [source, 0]);
  const before = await pixelsOf(`api/gallery/file/${source}`);
  const after = await pixelsOf(`api/gallery/file/${job.pictures[0]!.name}`);
  const mask = await pixelsOf(`api/pictures/${job.request["mask"]}`);
  assert.deepEqual([mask.width, mask.height], [before.width, before.height]);
  assert.deepEqual([after.width, after.height], [before.width, before.height]);
  const counts = { white: 0, black: 0, changedIn: 0, changedOut: 0 };
  for (let at = 0; at < mask.data.length; at += 4) {
    assert(mask.data[at] === mask.data[at + 1] && mask.data[at + 3] === 255);
    const isIn = mask.data[at]! >= 128;
    const isChanged = [0, 1, 2].some((part) => before.data[at + part] !== after.data[at + part]);
    counts[isIn ? "white" : "black"]++;
    if (isChanged) counts[isIn ? "changedIn" : "changedOut"]++;
  }
  assert.equal(counts.changedOut, 0);
  assert(counts.changedIn > counts.white / 2, JSON.stringify(counts));
  assert(counts.white > 1000 && counts.black > 10 * 1000, JSON.stringify(counts));

  step("both are compared, with the keyboard");
  await clickText(".stage .button", "Compare");
  await waitFor(".compare-pictures input");
  await page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLImageElement>(".compare-pictures img")]
      .every(({ naturalWidth }) => naturalWidth > 0)
  );
  await page.focus(".compare-pictures input");
  const clip = () => page.$eval(".compare-left", (left) => getComputedStyle(left).clipPath);
  const middle = await clip();
  for (let press = 0; press < 20; press++) await page.keyboard.press("ArrowRight");
  assert.equal(await valueOf(".compare-pictures input"), "60");
  assert.notEqual(await clip(), middle);
  const shown = await page.$$eval(
    ".compare-pictures img",
    (all) => all.map((image) => decodeURIComponent((image as HTMLImageElement).src)),
  );
  assert.deepEqual(shown.map((src) => src.split("/file/")[1]), [job.pictures[0]!.name, source]);
  await beAccessible("two pictures");
  await shot("compare_1440");
  await page.keyboard.press("Escape");
  await waitGone(".compare-pictures");

  step("its settings bring picture and mask back");
  await click('.source [aria-label="Remove the picture"]');
  await clickText(".stage .button", "Use these settings");
  await waitFor(".source-preview canvas");
  await openMask();
  assert.deepEqual(await marks([[0.3, 0.3], [0.7, 0.3], [0.5, 0.6]]), [true, true, false]);
  await clickText(".mask-editor .button", "Done");

  step("where the mask is gone, the page says so, and takes it again");
  const given = String(job.request["mask"]);
  const kept = await readFile(`${files}/outputs/${given}`);
  await Deno.writeFile(`${files}/mask.png`, kept);
  await rm(`${files}/outputs/${given}`);
  await clickText(".stage .button", "Again with this seed");
  await waitFor(".gone");
  assert.match(await textOf(".gone"), /The mask of this is not here/);
  await beAccessible("a mask that is gone");
  await shot("gone_1440");
  await click(".run .primary");
  await page.waitForFunction(() =>
    /Go on without/.test(document.querySelector(".notice")!.textContent!)
  );
  await waitFor('.notice [aria-label="Close"]');
  const [masks] = await Promise.all([
    page.waitForFileChooser(),
    clickText(".gone .button", "Give the mask"),
  ]);
  await masks.accept([`${files}/mask.png`]);
  await waitGone(".gone");
  await page.waitForFunction(() => /the very picture/.test(document.body.textContent!));
  const again = await drawn(() => click(".run .primary"));
  await beSame(again.pictures[0]!.name, job.pictures[0]!.name);

  step("so it does where the draft's own picture went meanwhile");
  await click('.source [aria-label="Remove the picture"]');
  await drop(".source-empty", "given.png");
  await waitFor(".source-preview img");
  const image: string = await page.evaluate(() =>
    JSON.parse(localStorage.getItem("newbie.studio")!).draft.values.image
  );
  await rm(`${files}/outputs/${image}`);
  // Its address says that it never changes, so it is shown as long as the browser remembers it.
  await page.setCacheEnabled(false);
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitFor(".gone");
  await page.setCacheEnabled(true);
  assert.match(await textOf(".gone"), /The picture that this was drawn from is not here/);
  const [images] = await Promise.all([
    page.waitForFileChooser(),
    clickText(".gone .button", "Give the picture"),
  ]);
  await images.accept([`${files}/given.png`]);
  await waitFor(".source-preview img");
  await page.waitForFunction(() => /the very picture/.test(document.body.textContent!));
  await waitFor(".picture-button img");
  await clickText(".stage .button", "Use these settings");
  await waitFor(".source-preview canvas");

  step("it is varied: with its seed, and a little of another one");
  await click(".stage .vary summary");
  await beAccessible("varying");
  const varied = await drawn(() => clickText(".vary-menu .button", "Draw"));
  assert.equal(varied.request["variation_strength"], 0.15);
  assert.deepEqual([varied.request["seed"], varied.request["mask"]], ["7", given]);

  step("it grows at its edges, and its settings make it again");
  await clickText(".source .button", "Remove the mask");
  await fill("#edge-left", "30");
  await fill("#edge-bottom", "64");
  assert.equal(await valueOf("#edge-left"), "32");
  await page.waitForFunction(() => /drawn in 288 × 320/.test(document.body.textContent!));
  const place = await page.$eval(".source-place", (place) => {
    const { left, top, width, height } = (place as HTMLElement).style;
    return [left, top, width, height].map((part) => Math.round(parseFloat(part)));
  });
  assert.deepEqual(place, [11, 0, 89, 80]);
  await beAccessible("growing");
  await shot("expand_1440");
  const grown = await drawn(() => click(".run .primary"));
  const large = await pixelsOf(`api/gallery/file/${grown.pictures[0]!.name}`);
  assert.deepEqual([large.width, large.height], [288, 320]);
  await click('.source [aria-label="Remove the picture"]');
  await clickText(".stage .button", "Use these settings");
  await waitFor(".source-preview.grown");
  const regrown = await drawn(() => click(".run .primary"));
  await beSame(regrown.pictures[0]!.name, grown.pictures[0]!.name);

  step("a picture that is dropped elsewhere shows its recipe, of whichever program");
  for (
    const [name, program] of [["a1111", /AUTOMATIC1111/], ["comfyui", /ComfyUI/], [
      "novelai",
      /NovelAI/,
    ]] as const
  ) {
    await drop(".stage", `${name}.png`);
    await waitFor(".viewer .recipe");
    assert.match(await textOf(".viewer .recipe"), program);
    assert.match(await textOf(".viewer .recipe-prompt"), /1girl/);
    await beAccessible(`a recipe of ${name}`);
    await page.keyboard.press("Escape");
    await waitGone(".viewer-body");
  }
  await drop(".stage", "a1111.png");
  await clickText(".viewer .button", "Use these settings");
  await waitFor("#setting-seed");
  assert.equal(await valueOf("#setting-seed"), "123");
  assert.equal(await page.$(".source-preview"), null);
  await drop(".stage", "a1111.png");
  await clickText(".viewer .button", "Start from it");
  await waitFor(".source-preview img");
  assert.match(await textOf(".source header"), /a1111\.png/);

  assert.deepEqual(faults, []);
  console.log("done");
} catch (error) {
  await shot("fault");
  throw error;
} finally {
  await browser.close();
}

/** Waits for the job that something asks for. */
async function drawn(ask: () => Promise<unknown>): Promise<Job> {
  const jobs = async () =>
    await page.evaluate(async () => (await (await fetch("/api/jobs")).json()).jobs) as Job[];
  const { length } = await jobs();
  await ask();
  for (let wait = 0; wait < 600; wait++) {
    const job = (await jobs())[length];
    if (job !== undefined && !["queued", "drawing"].includes(job.state)) {
      assert.equal(job.state, "done", JSON.stringify(job));
      await page.waitForFunction(
        (name) => {
          const image = document.querySelector<HTMLImageElement>(".picture-button img");
          return decodeURIComponent(image?.src ?? "").endsWith(name);
        },
        {},
        job.pictures.at(-1)!.name,
      );
      return job;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`No job was done: ${await textOf("body")}`);
}

async function base64Of(name: string): Promise<string> {
  return (await readFile(`${files}/${name}`)).toString("base64");
}

async function drop(selector: string, name: string): Promise<void> {
  await waitFor(selector);
  await page.evaluate(transfer, "drop", selector, name, await base64Of(name));
}

/** In the page: a file comes by dropping or pasting. */
function transfer(kind: string, selector: string, name: string, base64: string): void {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  const type = name.endsWith(".png") ? "image/png" : "text/plain";
  data.items.add(new File([bytes], name, { type }));
  const init = { bubbles: true, cancelable: true };
  const event = kind === "drop"
    ? new DragEvent("drop", { ...init, dataTransfer: data })
    : new ClipboardEvent("paste", { ...init, clipboardData: data });
  document.querySelector(selector)!.dispatchEvent(event);
}

async function openMask(): Promise<void> {
  await waitFor(".source-side .button");
  await click(".source-side .button");
  await waitFor(".mask-sheet");
  await page.waitForFunction(() =>
    (document.querySelector(".mask-sheet img") as HTMLImageElement).naturalWidth > 0
  );
}

/** Where the picture is on the board. */
async function sheet() {
  const { x, y, width, height } = (await (await waitFor(".mask-sheet")).boundingBox())!;
  const at = (across: number, down: number): [number, number] => [
    x + across * width,
    y + down * height,
  ];
  return { width, height, at };
}

/** Paints with the mouse through places of the picture, in shares of its sides. */
async function stroke(places: readonly (readonly [number, number])[]): Promise<void> {
  const { at } = await sheet();
  await page.mouse.move(...at(...places[0]!));
  await page.mouse.down();
  for (const [x, y] of places.slice(1)) await page.mouse.move(...at(x, y), { steps: 8 });
  await page.mouse.up();
}

/** Whether places of the picture are marked. */
async function marks(places: readonly (readonly [number, number])[]): Promise<boolean[]> {
  // A base is loaded first.
  await new Promise((resolve) => setTimeout(resolve, 300));
  return await page.$eval(".mask-sheet canvas", (canvas, places) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const context = (canvas as HTMLCanvasElement).getContext("2d")!;
    return places.map(([x, y]) =>
      context.getImageData(Math.floor(x! * width), Math.floor(y! * height), 1, 1).data[3]! > 127
    );
  }, places as [number, number][]);
}

async function setBrush(width: number): Promise<void> {
  await fill("#mask-brush", String(width));
}

async function setSoftness(pixels: number): Promise<void> {
  await fill("#mask-softness", String(pixels));
}

async function key(modifier: "Control", name: "z" | "y" | "Enter"): Promise<void> {
  await page.keyboard.down(modifier);
  await page.keyboard.press(name);
  await page.keyboard.up(modifier);
}

/**
 * No pixel differs. That is asked of the files themselves: a browser's canvas, which may draw by
 * other means under load than before it, does not promise every last bit.
 */
async function beSame(name: string, other: string): Promise<void> {
  const [lines, others] = await Promise.all([name, other].map(linesOf));
  const different = lines!.flatMap((value, at) => value === others![at] ? [] : [at]);
  // A list of all of them would take minutes to be shown.
  const shown = different.slice(0, 5).map((at) => `${at}: ${lines![at]}, not ${others![at]}`);
  assert.equal(lines!.length, others!.length);
  assert.equal(different.length, 0, `${different.length} bytes of ${name} differ: ${shown}`);
}

/** What the lines of a PNG of the server say: each with its filter, the same for the same pixels. */
async function linesOf(name: string): Promise<number[]> {
  const file = await (await fetch(new URL(`api/gallery/file/${name}`, url))).bytes();
  const view = new DataView(file.buffer);
  const packed: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 8; at < file.length; at += 12 + view.getUint32(at)) {
    const kind = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (kind === "IDAT") packed.push(file.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  const unpacked = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  return [...await new Response(unpacked).bytes()];
}

/** A picture of the server, decoded. */
async function pixelsOf(path: string): Promise<Pixels> {
  return await page.evaluate(async (path) => {
    const bitmap = await createImageBitmap(await (await fetch(path)).blob(), {
      colorSpaceConversion: "none",
    });
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d")!;
    context.drawImage(bitmap, 0, 0);
    return { width, height, data: [...context.getImageData(0, 0, width, height).data] };
  }, path);
}
