/** Expected pictures are drawn by hand; a monospaced terminal shows the carets under the place. */
import assert from "node:assert/strict";
import { checkPrompt, renderDiagnostics } from "../../src/prompt/mod.ts";

function rendered(text: string, options: Parameters<typeof renderDiagnostics>[2] = {}): string[] {
  const { diagnostics } = checkPrompt(text, options);
  return renderDiagnostics(text, diagnostics, options).split("\n");
}

Deno.test("the caret stands under the place, with what to do below", () => {
  assert.deepEqual(rendered("<a>\n  <b>x</c>\n</a>"), [
    "prompt:2:7: error: </c> closes nothing here: expected </b> for <b>, opened at line 2, column 3.",
    "2 |   <b>x</c>",
    "  |       ^^^^",
    "  = Write </b>, or add the missing tag.",
  ]);
});

Deno.test("wide characters take two columns, and tabs stay tabs", () => {
  assert.deepEqual(rendered("<a>\t初音ミク😀é</b></a>").slice(1, 3), [
    "1 | <a>\t初音ミク😀é</b></a>",
    "  |    \t           ^^^^",
  ]);
  // Four wide characters are marked by eight carets; "e" and its accent take one column.
  assert.deepEqual(rendered("e\u0301蓝, （蓝发：1.2）").slice(1, 3), [
    "1 | e\u0301蓝, （蓝发：1.2）",
    "  |      ^^^^^^^^^^^^^",
  ]);
});

Deno.test("of a long line only the surroundings are shown", () => {
  const [, shown, marks] = rendered(`<a>${"x".repeat(300)}</b>${"y".repeat(300)}</a>`);
  assert(shown!.length < 140 && shown!.includes("…xxx") && shown!.endsWith("yyy…"));
  assert.equal(shown!.slice(marks!.indexOf("^"), marks!.lastIndexOf("^") + 1), "</b>");
});

Deno.test("line ends of every kind part lines, and large line numbers keep the gutter straight", () => {
  const lines = rendered(`<a>x${"\r\n".repeat(5)}${"\r".repeat(4)}\n</b></a>`);
  assert.equal(lines[1], "10 | </b></a>");
  assert.equal(lines[2], "   | ^^^^");
});

Deno.test("what could steer the terminal is shown as its escape, with the carets in place", () => {
  const lines = rendered("<a>\x1b[2J\u202e</b></a>", { source: "a\x1b]0;\x07\n.xml" });
  const place = "a\\u001b]0;\\u0007\\n.xml:1:9: ";
  const closing = lines.indexOf("1 | <a>\\u001b[2J\\u202e</b></a>");
  assert(lines.some((line) => line.startsWith(`${place}error: `)));
  assert(closing > 0);
  const marks = lines.filter((line) => line.startsWith("  | ")).map((line) => line.slice(4));
  assert(marks.includes(`${" ".repeat("<a>\\u001b[2J\\u202e".length)}^^^^`));
  assert.doesNotMatch(lines.join(""), /[\p{Cc}\u202e]/u);
});

Deno.test("Chinese words and a file's name are used when asked for", () => {
  const lines = rendered("<n>x", { language: "zh", source: "miku.xml" });
  assert.equal(lines[0], "miku.xml:1:1: 错误：<n> 没有闭合。");
});

Deno.test("colours are used only when asked for, and change nothing else", () => {
  const plain = rendered("<n>x");
  const colored = rendered("<n>x", { color: true });
  assert.equal(colored[0], "prompt:1:1: \x1b[1;31merror: \x1b[0m<n> is never closed.");
  // deno-lint-ignore no-control-regex
  assert.deepEqual(colored.map((line) => line.replace(/\x1b\[[\d;]*m/g, "")), plain);
  assert(plain.length >= 3 && !plain.join("").includes("\x1b"));
});

Deno.test("the count of faults that are not listed is told", () => {
  assert.equal(rendered("</a>".repeat(30)).at(-1), "  = and 10 more of this kind");
});
