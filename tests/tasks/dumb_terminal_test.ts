import assert from "node:assert/strict";
import { Terminal } from "./_terminal.ts";

Deno.test("a dumb terminal gets no escape sequences, pictures and progress included", async () => {
  await using terminal = new Terminal(
    // deno-fmt-ignore
    ["--quiet", "create", "--prompt", "1girl, (blue_hair:1.2)", "--steps", "2", "--width", "64",
      "--height", "48", "--show", "--show-steps"],
    { TERM: "dumb" },
  );
  await terminal.until(/Done!/);
  // deno-lint-ignore no-control-regex
  assert(!/\x1b/.test(terminal.raw), JSON.stringify(terminal.raw));
  assert.match(terminal.raw, /warning: .*blue_hair/);
});

Deno.test("parse shows errors on a dumb terminal without colours", async () => {
  await using terminal = new Terminal(
    ["--quiet", "parse", "<character_1><n>a</character_1>"],
    { TERM: "dumb" },
  );
  await terminal.until(/error: /);
  // deno-lint-ignore no-control-regex
  assert(!/\x1b/.test(terminal.raw), JSON.stringify(terminal.raw));
});
