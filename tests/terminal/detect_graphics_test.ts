/** What terminals set is from their manuals and sources; see `detectGraphics`. */
import assert from "node:assert/strict";
import { detectColors, detectGraphics, type GraphicsProtocol } from "../../src/terminal/mod.ts";

type Variables = Readonly<Record<string, string>>;

const terminals: Readonly<Record<string, readonly [GraphicsProtocol, Variables]>> = {
  kitty: ["kitty", { TERM: "xterm-kitty", KITTY_WINDOW_ID: "1", COLORTERM: "truecolor" }],
  "kitty through ssh": ["kitty", { TERM: "xterm-kitty" }],
  "kitty with xterm's TERM": ["kitty", { TERM: "xterm-256color", KITTY_WINDOW_ID: "3" }],
  Ghostty: ["kitty", { TERM: "xterm-ghostty", TERM_PROGRAM: "ghostty" }],
  iTerm2: ["iterm2", { TERM: "xterm-256color", TERM_PROGRAM: "iTerm.app", LC_TERMINAL: "iTerm2" }],
  "iTerm2 through ssh": ["iterm2", { TERM: "xterm-256color", LC_TERMINAL: "iTerm2" }],
  WezTerm: ["iterm2", { TERM: "xterm-256color", TERM_PROGRAM: "WezTerm" }],
  mintty: ["iterm2", { TERM: "xterm-256color", TERM_PROGRAM: "mintty" }],
  foot: ["sixel", { TERM: "foot" }],
  mlterm: ["sixel", { TERM: "mlterm" }],
  "foot, started from kitty": ["sixel", { TERM: "foot", KITTY_WINDOW_ID: "1" }],
  xterm: ["blocks", { TERM: "xterm-256color" }],
  "Terminal of macOS": ["blocks", { TERM: "xterm-256color", TERM_PROGRAM: "Apple_Terminal" }],
  "Visual Studio Code, started from kitty": [
    "blocks",
    { TERM: "xterm-256color", TERM_PROGRAM: "vscode", KITTY_WINDOW_ID: "1" },
  ],
  "tmux in kitty": ["blocks", { TERM: "tmux-256color", KITTY_WINDOW_ID: "1" }],
  "tmux that calls itself xterm": [
    "blocks",
    { TERM: "xterm-256color", TMUX: "/tmp/tmux-0/default,1,0", LC_TERMINAL: "iTerm2" },
  ],
  "screen in iTerm2": ["blocks", { TERM: "screen", LC_TERMINAL: "iTerm2" }],
  "a console without an environment": ["blocks", {}],
  "a dumb terminal": ["none", { TERM: "dumb" }],
};

for (const [name, [protocol, variables]] of Object.entries(terminals)) {
  Deno.test(`${name}: ${protocol}`, () => {
    assert.equal(detectGraphics((variable) => variables[variable], true), protocol);
    assert.equal(detectGraphics((variable) => variables[variable], false), "none");
  });
}

Deno.test("colours are as many as are promised, and none where NO_COLOR is set", () => {
  const colors = (variables: Variables) => detectColors((variable) => variables[variable]);
  assert.equal(colors({ TERM: "xterm-256color", COLORTERM: "truecolor" }), "truecolor");
  assert.equal(colors({ TERM: "xterm-256color", COLORTERM: "24bit" }), "truecolor");
  assert.equal(colors({ TERM: "xterm-direct" }), "truecolor");
  assert.equal(colors({ TERM: "xterm-256color" }), "256");
  assert.equal(colors({ COLORTERM: "truecolor", NO_COLOR: "1" }), "none");
  // https://no-color.org: only when it is not empty.
  assert.equal(colors({ COLORTERM: "truecolor", NO_COLOR: "" }), "truecolor");
});
