/** Expected texts are written by hand; a prompt of the community keeps the system prompt it came with. */
import assert from "node:assert/strict";
import { NEWBIE } from "../../src/families/mod.ts";
import { promptTexts } from "../../src/pipeline/_prompt_texts.ts";

const PASTED = "You are an assistant of another kind. <Prompt Start>";

Deno.test("a pasted system prompt is read instead of the usual one, by Gemma alone", () => {
  const { positive: [text], negative: [unwanted] } = promptTexts({
    prompt: `${PASTED}\n1girl, smile`,
    negativePrompt: `${PASTED} blurry`,
  }, NEWBIE);
  assert.deepEqual(text, { gemma: `${PASTED} 1girl, smile`, clip: "1girl, smile" });
  assert.deepEqual(unwanted, { gemma: `${PASTED} blurry`, clip: "blurry" });
});

Deno.test("a system prompt that is asked for counts for more than a pasted one", () => {
  const options = { prompt: `${PASTED} 1girl`, systemPrompt: "Draw: " };
  assert.deepEqual(promptTexts(options, NEWBIE).positive, [{
    gemma: "Draw: 1girl",
    clip: "1girl",
  }]);
});

Deno.test("raw text keeps its own spelling, and its system prompt is not doubled", () => {
  const { positive: [text] } = promptTexts({ prompt: `${PASTED} <n>a,b</n>`, raw: true }, NEWBIE);
  assert.deepEqual(text, { gemma: `${PASTED} <n>a,b</n>`, clip: "<n>a,b</n>" });
  const { positive: [plain] } = promptTexts({ prompt: " 1girl,  x", raw: true }, NEWBIE);
  assert.deepEqual(plain, { gemma: `${NEWBIE.systemPrompts.text} 1girl,  x`, clip: " 1girl,  x" });
});
Deno.test("a negative prompt that is a system prompt alone is read by Gemma", () => {
  for (const raw of [false, true]) {
    const options = { prompt: "1girl", negativePrompt: `${PASTED}\n`, raw, systemPrompt: "Draw: " };
    assert.deepEqual(promptTexts(options, NEWBIE).negative, [{ gemma: PASTED, clip: "" }]);
  }
});

Deno.test("raw JSON behind a system prompt stays JSON", () => {
  const json = '{"image": {"tags": "1girl"}}';
  const { positive: [text] } = promptTexts({ prompt: `${PASTED} ${json}`, raw: true }, NEWBIE);
  assert.deepEqual(text, { gemma: `${PASTED} ${json}`, clip: json });
});
