/** Answers as terminals give them: xterm, foot, Windows Terminal, VTE, and those of a VT340. */
import assert from "node:assert/strict";
import { detectGraphics, terminalAnswers } from "../../src/terminal/mod.ts";

Deno.test("sixel is attribute 4 of the answer, and no other number with a 4 in it", () => {
  const answers: readonly (readonly [text: string, sixel: boolean])[] = [
    ["\x1b[?62;4;22c", true],
    ["\x1b[?61;4;6;7;14;21;22;23;24;28;32;42c", true],
    ["\x1b[?64;1;2;4;6;9;15;18;21;22c", true],
    ["\x1b[?1;2c", false],
    ["\x1b[?65;1;9c", false],
    ["\x1b[?62;22;14;24c", false],
    // The first number is the terminal's kind.
    ["\x1b[?4c", false],
  ];
  for (const [text, sixel] of answers) assert.equal(terminalAnswers(text)?.sixel, sixel, text);
});

Deno.test("the size of a cell is taken where it is one", () => {
  const cell = (text: string) => terminalAnswers(`${text}\x1b[?62;4c`)?.cell;
  assert.deepEqual(cell("\x1b[6;20;10t"), { width: 10, height: 20 });
  assert.deepEqual(cell("q\x1b[6;34;17tw"), { width: 17, height: 34 });
  for (const text of ["", "\x1b[6;0;0t", "\x1b[6;9999;9999t", "\x1b[4;20;10t", "6;20;10t"]) {
    assert.equal(cell(text), undefined, text);
  }
});

Deno.test("before the last answer has come there is none, and hostile input takes no time", () => {
  for (const text of ["", "\x1b[6;20;10t", "\x1b[?62;4", "\x1b[?;c", "c"]) {
    assert.equal(terminalAnswers(text), undefined, text);
  }
  assert.equal(terminalAnswers("\x1b[?1".repeat(100_000)), undefined);
  assert.equal(terminalAnswers(`\x1b[?1${";1".repeat(100_000)}`), undefined);
});

Deno.test("what the terminal says counts for more than its TERM, but not within a multiplexer", () => {
  const detect = (variables: Readonly<Record<string, string>>, sixel: boolean) =>
    detectGraphics((name) => variables[name], true, { sixel });
  assert.equal(detect({ TERM: "foot" }, false), "blocks");
  assert.equal(detect({ TERM: "foot" }, true), "sixel");
  assert.equal(detect({ TERM: "xterm-256color" }, true), "sixel");
  assert.equal(detect({ TERM: "xterm-256color", TERM_PROGRAM: "vscode" }, true), "sixel");
  assert.equal(detect({ TERM: "xterm-kitty" }, false), "kitty");
  assert.equal(detect({ TERM: "xterm-256color", TERM_PROGRAM: "WezTerm" }, true), "iterm2");
  assert.equal(detect({ TERM: "tmux-256color" }, true), "blocks");
  assert.equal(detect({ TERM: "xterm", TMUX: "/tmp/tmux-0/default,1,0" }, true), "blocks");
  assert.equal(detect({ TERM: "dumb" }, true), "none");
});
