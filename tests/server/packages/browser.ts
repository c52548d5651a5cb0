/** A browser that does what a person does, for tests of the page. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import puppeteer, { type ElementHandle } from "puppeteer-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PATIENCE = 20_000;

/**
 * Opens a page in a browser of its own.
 *
 * @param folder Where pictures of the page go; absent for none.
 */
export async function openBrowser(executablePath: string, folder?: string) {
  const axe = await readFile(AXE, "utf8");
  const browser = await puppeteer.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--lang=en"],
  });
  const page = await browser.newPage();
  /** What the page threw, or complained of. */
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // An address of the browser's own, and refusals that are tried on purpose.
    const isFault = message.type() === "error" && !/favicon|status of 4\d\d/.test(message.text());
    if (isFault) faults.push(message.text());
  });

  function step(name: string): void {
    console.error(name);
  }

  async function waitFor(selector: string, timeout = PATIENCE): Promise<ElementHandle> {
    return (await page.waitForSelector(selector, { visible: true, timeout }))!;
  }

  async function waitGone(selector: string): Promise<void> {
    await page.waitForSelector(selector, { hidden: true, timeout: PATIENCE });
  }

  async function click(selector: string): Promise<void> {
    await (await waitFor(selector)).evaluate((element) => (element as HTMLElement).click());
  }

  /** Clicks what says exactly this, as soon as it is there. */
  async function clickText(selector: string, text: string): Promise<void> {
    const find = (selector: string, text: string) =>
      [...document.querySelectorAll<HTMLElement>(selector)].find((element) =>
        element.textContent!.trim() === text
      );
    const found = await page.waitForFunction(find, { timeout: PATIENCE }, selector, text).catch(
      (cause) => {
        throw new Error(`${selector}: ${text}`, { cause });
      },
    );
    await (found as unknown as ElementHandle<HTMLElement>).evaluate((element) => element.click());
  }

  async function fill(selector: string, text: string): Promise<void> {
    const field = await waitFor(selector);
    // What is always in sight may lie over it.
    await field.evaluate((field) => field.scrollIntoView({ block: "center" }));
    await field.click({ count: 3 });
    await page.keyboard.type(text);
    await page.keyboard.press("Tab");
  }

  async function textOf(selector: string): Promise<string> {
    return await page.$eval(selector, (element) => element.textContent!);
  }

  async function valueOf(selector: string): Promise<string> {
    return await page.$eval(selector, (element) => (element as HTMLInputElement).value);
  }

  /** Something in the editor, which has a tree of its own. */
  async function inEditor(selector: string): Promise<ElementHandle> {
    await waitFor(".editor");
    const found = await page.waitForFunction(
      (selector) => document.querySelector(".editor")?.shadowRoot?.querySelector(selector),
      {},
      selector,
    );
    return found as unknown as ElementHandle;
  }

  async function promptOf(): Promise<string> {
    const content = await inEditor(".cm-content");
    return await content.evaluate((element) =>
      [...element.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n")
    );
  }

  /** axe finds nothing. */
  async function beAccessible(what: string): Promise<void> {
    // The page's policy forbids scripts of others; a test may do what a page may not.
    await page.evaluate(axe);
    const found = await page.evaluate(async () => {
      const axe = (globalThis as unknown as {
        axe: {
          run(): Promise<
            { violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }
          >;
        };
      }).axe;
      const { violations } = await axe.run();
      return violations.map(({ id, nodes }) =>
        `${id}: ${
          nodes.slice(0, 3).map(({ html, failureSummary }) =>
            `${html.slice(0, 160)} ${failureSummary.slice(0, 300)}`
          ).join(" | ")
        }`
      );
    });
    assert.deepEqual(found, [], what);
  }

  /** Nothing is wider than the window. */
  async function fitWidth(what: string): Promise<void> {
    const whole = await page.evaluate(() => document.documentElement.scrollWidth);
    const { width } = page.viewport()!;
    assert(whole <= width, `${what} is ${whole} wide in ${width}`);
  }

  async function shot(name: string): Promise<void> {
    if (folder === undefined) return;
    await page.screenshot({ path: `${folder}/${name}.png` as `${string}.png` });
  }

  return {
    browser,
    page,
    faults,
    step,
    waitFor,
    waitGone,
    click,
    clickText,
    fill,
    textOf,
    valueOf,
    inEditor,
    promptOf,
    beAccessible,
    fitWidth,
    shot,
  };
}
