/** Expected texts: finetune.py of NewBieAI-Lab/NewBie-image-Exp0.1. */
import assert from "node:assert/strict";
import { systemPromptFor, withSystemPrompt } from "../../src/prompt/mod.ts";

Deno.test("each kind of prompt has the system prompt of its training", () => {
  assert.equal(
    systemPromptFor("xml"),
    "You are an assistant designed to generate high-quality anime images based on xml format prompts. <Prompt Start> ",
  );
  assert.equal(
    systemPromptFor("text"),
    "You are an assistant designed to generate high-quality anime images with the highest degree of image-text alignment based on textual prompts. <Prompt Start> ",
  );
});

Deno.test("the system prompt stands directly before the prompt, but not before an empty one", () => {
  assert.equal(withSystemPrompt("1girl", "Draw. "), "Draw. 1girl");
  assert.equal(withSystemPrompt("", "Draw. "), "");
  assert.equal(withSystemPrompt(" \n", "Draw. "), " \n");
});
