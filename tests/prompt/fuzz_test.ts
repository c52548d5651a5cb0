/** The judgement is in tasks/checkout/fuzz/prompts.ts, which knows what the prompts say that it builds. */
import assert from "node:assert/strict";
import { fuzzPrompts, HOSTILE_PROMPTS } from "../../tasks/checkout/fuzz/prompts.ts";
import { checkPrompt, renderDiagnostics } from "../../src/prompt/mod.ts";

Deno.test("built, damaged and random prompts are read or refused, and no word is lost", () => {
  const { violations, outcomes } = fuzzPrompts(5000, 7);
  assert.deepEqual(violations, []);
  for (const [outcome, count] of Object.entries(outcomes)) assert(count > 500, outcome);
});

Deno.test("hostile prompts of the greatest length are read to their end", () => {
  for (const [piece, make] of Object.entries(HOSTILE_PROMPTS)) {
    const text = make(65_536);
    assert(text.length > 65_500 && text.length <= 65_536, piece);
    const { canonical, diagnostics } = checkPrompt(text);
    const isWrong = diagnostics.some(({ severity }) => severity === "error");
    assert.equal(canonical === undefined, isWrong, piece);
    assert(
      diagnostics.length <= 100 && renderDiagnostics(text, diagnostics).length < 50_000,
      piece,
    );
  }
});

Deno.test("what is longer than the bound is refused, however long", () => {
  for (const text of ["<!--".repeat(100_000), "<a>".repeat(1_000_000), "&".repeat(5_000_000)]) {
    assert.deepEqual(checkPrompt(text).diagnostics.map(({ code }) => code), ["too-long"]);
  }
});
