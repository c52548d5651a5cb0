/** `deno task create` at a terminal, as a person uses it. */
import assert from "node:assert/strict";
import { decodePng } from "../../src/mod.ts";
import { moveUp } from "../../src/terminal/mod.ts";
import { ROOT } from "./_task_command.ts";
import { CTRL_C, Terminal, UP } from "./_terminal.ts";

const PROMPT = /Enter your XML prompt \(or 'q' to quit\): /;
const OUTPUT = /Enter output filename \(default: output\.png\): /;
const GOES_ON = /\.\.\. (?:\(an empty line ends it\) )?/;
const SAVED = /Done! Saved to (outputs\/\d{8}\/\S+) \(seed (\d+)/;

/** Types a prompt of XML, each line when the one before was read, and ends it. */
async function typeXml(terminal: Terminal, ...lines: readonly string[]): Promise<void> {
  let question: RegExp = PROMPT;
  for (const line of [...lines, ""]) {
    await terminal.answer(question, line);
    question = GOES_ON;
  }
}

/** Answers with which a picture takes a second. */
async function answerQuickly(terminal: Terminal, name = ""): Promise<void> {
  await terminal.answer(OUTPUT, name);
  await terminal.answer(/Enter steps \(default \d+\): /, "2");
  await terminal.answer(/Enter guidance scale \(default [\d.]+\): /, "");
  await terminal.answer(/Enter seed \(default random\): /, "7");
  await terminal.answer(/Enter size, width x height \(default \d+x\d+\): /, "64x96");
  await terminal.answer(/Enter number of pictures \(default \d+\): /, "");
}

async function saved(terminal: Terminal, made: string[]): Promise<string> {
  const [, path] = await terminal.until(SAVED);
  made.push(path!);
  return path!;
}

async function withTerminal(
  work: (terminal: Terminal, made: string[]) => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  const made: string[] = [];
  try {
    await using terminal = new Terminal(["create"], env);
    await work(terminal, made);
  } finally {
    for (const path of made) await Deno.remove(new URL(path, ROOT)).catch(() => {});
  }
}

Deno.test("a person makes two pictures of one name, and leaves with q", () =>
  withTerminal(async (terminal, made) => {
    await typeXml(terminal, "<character_1><n>miku</n></character_1>");
    await answerQuickly(terminal, "same");
    const first = await saved(terminal, made);
    assert.match(first, /\/same\.png$/);
    const { image, text } = decodePng(await Deno.readFile(new URL(first, ROOT)));
    assert.deepEqual([image.width, image.height], [64, 96]);
    assert.match(text["parameters"]!, /Steps: 2,.*Seed: 7\b/);

    // What was answered before is the default now.
    await typeXml(terminal, "<character_1><n>rin</n></character_1>");
    await terminal.answer(OUTPUT, "same.png");
    await terminal.answer(/Enter steps \(default 2\): /, "");
    await terminal.answer(/Enter guidance scale/, "");
    await terminal.answer(/Enter seed \(default random\): /, "8");
    await terminal.answer(/\(default 64x96\): /, "");
    await terminal.answer(/Enter number of pictures/, "");
    assert.match(await saved(terminal, made), /\/same-2\.png$/);

    await terminal.answer(PROMPT, "q");
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("a broken prompt is shown with its place, and mended in place", () =>
  withTerminal(async (terminal, made) => {
    await typeXml(terminal, "<character_1><n>miku</m></character_1>");
    await terminal.until(/\^/);
    await terminal.until(/Mend line 1 \(empty to start over\): <character_1><n>miku<\/m>/);
    // Back over "m></character_1>", and the right letter instead.
    terminal.type("\x1b[D".repeat("></character_1>".length) + "\x7fn\r");
    await answerQuickly(terminal);
    const path = await saved(terminal, made);
    const { text } = decodePng(await Deno.readFile(new URL(path, ROOT)));
    assert(text["parameters"]!.startsWith("<character_1><n>miku</n></character_1>\n"));
    await terminal.until(PROMPT);
    terminal.type(CTRL_C);
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("a prompt of several lines is pasted, with blank lines in it, and comes back with the arrow key", () =>
  withTerminal(async (terminal, made) => {
    await terminal.until(PROMPT);
    terminal.type(
      "<character_1>\r  <n>miku</n>\r</character_1>\r\r<general_tags>\r  <count>1girl</count>\r" +
        "</general_tags>\r",
    );
    await terminal.answer(GOES_ON, "");
    await answerQuickly(terminal);
    const path = await saved(terminal, made);
    const { text } = decodePng(await Deno.readFile(new URL(path, ROOT)));
    assert.match(text["parameters"]!, /miku[^]*general_tags[^]*1girl/);
    await terminal.until(PROMPT);
    terminal.type(UP);
    await terminal.until(/<n>miku<\/n> <\/character_1> *<general_tags>/);
    terminal.type(CTRL_C);
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("a paste without a line end keeps its last line, once Enter ends it", () =>
  withTerminal(async (terminal, made) => {
    await terminal.until(PROMPT);
    terminal.type(
      "<character_1><n>miku</n></character_1>\r<general_tags><count>1girl</count></general_tags>",
    );
    await terminal.until(/<\/general_tags>/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert(!OUTPUT.test(terminal.shown), terminal.shown);
    terminal.type("\r");
    await terminal.answer(GOES_ON, "");
    await answerQuickly(terminal);
    const path = await saved(terminal, made);
    const { text } = decodePng(await Deno.readFile(new URL(path, ROOT)));
    assert.match(text["parameters"]!, /miku[^]*1girl/);
    await terminal.until(PROMPT);
    terminal.type(CTRL_C);
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("Ctrl-D leaves, at whichever question", async () => {
  for (const questions of [[], [/filename/], [/filename/, /steps/]]) {
    await withTerminal(async (terminal) => {
      await terminal.until(PROMPT);
      if (questions.length > 0) terminal.type("1girl\r");
      for (const question of questions.slice(0, -1)) await terminal.answer(question, "");
      if (questions.length > 0) await terminal.until(questions.at(-1)!);
      terminal.type("\x04");
      await terminal.until(/Goodbye/);
      assert.equal(await terminal.exit(), 0);
      assert(!/Saved/.test(terminal.shown));
    });
  }
});

Deno.test("two characters are typed line by line, and a tag is no file name", () =>
  withTerminal(async (terminal, made) => {
    await typeXml(
      terminal,
      "<character_1>",
      "<n>miku</n>",
      "</character_1>",
      "<character_2><n>rin</n></character_2>",
    );
    await terminal.answer(OUTPUT, "<character_3>");
    await terminal.until(/<character_3> is a line of a prompt/);
    await answerQuickly(terminal, "two");
    const path = await saved(terminal, made);
    assert.match(path, /\/two(-\d+)?\.png$/);
    const { text } = decodePng(await Deno.readFile(new URL(path, ROOT)));
    assert.match(text["parameters"]!, /miku[^]*character_1[^]*character_2[^]*rin/);
    await terminal.answer(PROMPT, "q");
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("a person goes back to earlier answers, which are kept, and to the prompt", () =>
  withTerminal(async (terminal, made) => {
    await terminal.answer(PROMPT, "1girl");
    await terminal.answer(OUTPUT, "first");
    await terminal.answer(/Enter steps \(default 30\)/, "900");
    await terminal.answer(/guidance/, "<");
    await terminal.answer(/Enter steps \(default 900\)/, "<");
    await terminal.answer(/filename \(default: first\.png\)/, "<");
    await terminal.until(/Enter your XML prompt .*: 1girl/);
    terminal.type(", solo\r");
    await answerQuickly(terminal, "back");
    const path = await saved(terminal, made);
    const { text } = decodePng(await Deno.readFile(new URL(path, ROOT)));
    assert(text["parameters"]!.startsWith("1girl, solo\nSteps: 2,"));
    await terminal.answer(PROMPT, "1boy");
    await terminal.answer(OUTPUT, "q");
    await terminal.until(/Goodbye/);
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("Ctrl-C at a later question keeps the prompt, and a second one leaves", () =>
  withTerminal(async (terminal) => {
    await terminal.answer(PROMPT, "1girl, mended with care");
    await terminal.answer(OUTPUT, "");
    await terminal.until(/Enter steps/);
    terminal.type(CTRL_C);
    await terminal.until(/The prompt is kept/);
    await terminal.until(/Enter your XML prompt .*: 1girl, mended with care/);
    terminal.type(CTRL_C);
    await terminal.until(/Goodbye/);
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("prompts of the last sitting come back with the arrow key", async () => {
  const prompt = `1girl, ${crypto.randomUUID()}`;
  await withTerminal(async (terminal) => {
    await terminal.answer(PROMPT, prompt);
    await terminal.answer(OUTPUT, "q");
    assert.equal(await terminal.exit(), 0);
  });
  await withTerminal(async (terminal) => {
    await terminal.until(PROMPT);
    terminal.type(UP);
    await terminal.until(new RegExp(prompt));
    terminal.type(CTRL_C);
    assert.equal(await terminal.exit(), 0);
  });
});

Deno.test("- takes lines as they are", () =>
  withTerminal(async (terminal, made) => {
    await terminal.answer(PROMPT, "-");
    await terminal.answer(GOES_ON, "1girl, solo");
    await terminal.answer(GOES_ON, "@_@, :q");
    await terminal.answer(GOES_ON, "");
    await answerQuickly(terminal);
    const path = await saved(terminal, made);
    const { text } = decodePng(await Deno.readFile(new URL(path, ROOT)));
    assert(text["parameters"]!.startsWith("1girl, solo\n@_@, :q\n"));
    await terminal.answer(PROMPT, "quit");
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("Ctrl-C cancels the picture within a few steps, and not the sitting", () =>
  withTerminal(async (terminal) => {
    await terminal.answer(PROMPT, "1girl, solo");
    await terminal.answer(OUTPUT, "never");
    await terminal.answer(/Enter steps/, "900");
    await terminal.answer(/guidance/, "");
    await terminal.answer(/seed/, "");
    await terminal.answer(/size/, "384x384");
    await terminal.answer(/number/, "");
    const [, before] = await terminal.until(/ ([2-9])\/900/);
    terminal.type(CTRL_C);
    await terminal.until(/Cancelled\./);
    const steps = [...terminal.shown.matchAll(/ (\d+)\/900/g)].map((match) => Number(match[1]));
    assert(Math.max(...steps) - Number(before) <= 3, `it went on to step ${Math.max(...steps)}`);
    await terminal.answer(PROMPT, "q");
    assert.equal(await terminal.exit(), 0);
    assert(!/Saved/.test(terminal.shown));
  }));

Deno.test("answers that make no sense are asked for again", () =>
  withTerminal(async (terminal, made) => {
    await terminal.answer(PROMPT, "@no/such/file.xml");
    await terminal.until(/no\/such\/file\.xml/);
    await terminal.answer(PROMPT, "1girl, solo");
    await terminal.answer(OUTPUT, "../../escape.png");
    await terminal.answer(OUTPUT, "kept");
    await terminal.answer(/Enter steps/, "many");
    await terminal.answer(/Enter steps/, "1001");
    await terminal.answer(/Enter steps/, "2");
    await terminal.answer(/guidance/, "-1");
    await terminal.answer(/guidance/, "3");
    await terminal.answer(/seed/, "minus one");
    await terminal.answer(/seed/, "1");
    await terminal.answer(/Enter size/, "65x64");
    await terminal.answer(/Enter size/, "64x64");
    await terminal.answer(/number/, "0");
    await terminal.answer(/number/, "2");
    assert.match(await saved(terminal, made), /kept\.png$/);
    assert.match(await saved(terminal, made), /kept-2\.png$/);
    await terminal.answer(PROMPT, "q");
    assert.equal(await terminal.exit(), 0);
  }));

Deno.test("the conversation is in Chinese where the locale is", () =>
  withTerminal(async (terminal) => {
    await terminal.answer(/请输入 XML 提示词/, "q");
    await terminal.until(/再见/);
    assert.equal(await terminal.exit(), 0);
  }, { LC_ALL: "zh_CN.UTF-8" }));

Deno.test("the picture and its steps are shown in the terminal, in colour", async () => {
  const args = ["create", "--prompt", "1girl", "--steps", "3", "--width", "64", "--height", "64"];
  await using terminal = new Terminal([...args, "--show-steps"], {
    COLORTERM: "truecolor",
    TERM: "xterm-256color",
    NO_COLOR: "",
  });
  const [, path] = await terminal.until(SAVED);
  assert.equal(await terminal.exit(), 0);
  await Deno.remove(new URL(path!, ROOT));
  // Three steps and the picture, each of 28 lines at most, and each drawn over the one before.
  const lines = terminal.shown.split("\n").filter((line) => line.includes("▀"));
  assert.equal(lines.length % 4, 0);
  assert(lines.length >= 4 * 10 && lines.length <= 4 * 28, String(lines.length));
  assert(terminal.raw.includes(moveUp(lines.length / 4)), "nothing was drawn over");
  assert(terminal.raw.includes("\x1b[38;2;"), "no colours");
});

for (
  const [kind, answer, drawn] of [["no sixel", "62;22", "▀"], [
    "sixel",
    "62;4;22",
    "\x1bP",
  ]] as const
) {
  Deno.test(`a terminal that answers that it has ${kind} is believed, whatever its TERM`, async () => {
    const args = ["create", "--prompt", "1girl", "--steps", "1", "--width", "64", "--height", "64"];
    await using terminal = new Terminal([...args, "--show"], {
      TERM: kind === "sixel" ? "xterm-256color" : "foot",
      NO_COLOR: "",
    });
    terminal.type(`\x1b[6;20;10t\x1b[?${answer}c`);
    const [, path] = await terminal.until(SAVED);
    assert.equal(await terminal.exit(), 0);
    await Deno.remove(new URL(path!, ROOT));
    assert(terminal.raw.includes(drawn), terminal.shown);
    assert.equal(terminal.raw.includes("\x1bP"), kind === "sixel");
  });
}

Deno.test("Tab completes elements and tags, near misses too, and a pasted tab is none", () =>
  withTerminal(async (terminal, made) => {
    await terminal.until(PROMPT);
    terminal.type("<character_1><appea\t");
    await terminal.until(/<appearance>/);
    terminal.type("twintai\t");
    await terminal.until(/twintails/);
    terminal.type("</\t");
    await terminal.until(/<\/appearance>/);
    terminal.type("</\t");
    await terminal.until(/<\/character_1>/);
    terminal.type("\r");
    await terminal.answer(GOES_ON, "<general_tags>\t<count>1girl</count></general_tags>");
    await terminal.answer(GOES_ON, "");
    await answerQuickly(terminal);
    const path = await saved(terminal, made);
    const { text } = decodePng(await Deno.readFile(new URL(path, ROOT)));
    assert(
      text["parameters"]!.startsWith(
        "<character_1><appearance>twintails</appearance></character_1>\n" +
          "<general_tags>\t<count>1girl</count></general_tags>\n",
      ),
      text["parameters"]!,
    );
  }));

Deno.test("a negative prompt is asked for when the person wants it, and stays for the next picture", () =>
  withTerminal(async (terminal, made) => {
    await terminal.answer(PROMPT, "/negative");
    await terminal.answer(/Enter negative prompt \(none so far\): /, "blurry, lowres");
    await terminal.until(/Negative prompt: blurry, lowres/);
    await terminal.answer(PROMPT, "/nonsense");
    await terminal.until(
      /There is no \/nonsense; there are \/negative, \/preset, \/image, \/mask\./,
    );
    await terminal.answer(PROMPT, "1girl, smile");
    await answerQuickly(terminal);
    const first = decodePng(await Deno.readFile(new URL(await saved(terminal, made), ROOT)));
    assert.match(first.text["parameters"]!, /\nNegative prompt: blurry, lowres\n/);

    await terminal.answer(PROMPT, "1girl, wink");
    await terminal.answer(OUTPUT, "/negative");
    const now = /Enter negative prompt \(now blurry, lowres; - for none\): /;
    for (const answer of ["", "<"]) {
      await terminal.answer(now, answer);
      await terminal.answer(OUTPUT, "/negative");
    }
    await terminal.answer(now, "");
    await terminal.answer(OUTPUT, "/negative -");
    await terminal.until(/No negative prompt\./);
    await terminal.answer(OUTPUT, "");
    await terminal.answer(/Enter steps/, "2");
    for (const question of [/guidance/, /seed/, /size/, /number/]) {
      await terminal.answer(new RegExp(`Enter [^:]*${question.source}[^:]*: `), "");
    }
    const second = decodePng(await Deno.readFile(new URL(await saved(terminal, made), ROOT)));
    assert.doesNotMatch(second.text["parameters"]!, /Negative prompt/);
    await terminal.answer(PROMPT, "/image");
    await terminal.answer(/Enter [^:]*picture[^:]*: /, "q");
    await terminal.until(/Goodbye\./);
  }));
