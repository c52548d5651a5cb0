/** Expected texts: finetune.py of NewBieAI-Lab/NewBie-image-Exp0.1. */
import assert from "node:assert/strict";
import { NEWBIE } from "../../src/families/mod.ts";

Deno.test("each kind of prompt has the system prompt of its training", () => {
  assert.equal(
    NEWBIE.systemPrompts.xml,
    "You are an assistant designed to generate high-quality anime images based on xml format prompts. <Prompt Start> ",
  );
  assert.equal(
    NEWBIE.systemPrompts.text,
    "You are an assistant designed to generate high-quality anime images with the highest degree of image-text alignment based on textual prompts. <Prompt Start> ",
  );
});
