import assert from "node:assert/strict";
import { withSystemPrompt } from "../../src/prompt/mod.ts";

Deno.test("the system prompt stands directly before the prompt, but not before an empty one", () => {
  assert.equal(withSystemPrompt("1girl", "Draw. "), "Draw. 1girl");
  assert.equal(withSystemPrompt("", "Draw. "), "");
  assert.equal(withSystemPrompt(" \n", "Draw. "), " \n");
  assert.equal(withSystemPrompt("1girl", "Draw. ", "Paint. "), "Paint. 1girl");
  assert.equal(withSystemPrompt("", "Draw. ", "Paint badly. "), "Paint badly.");
});
