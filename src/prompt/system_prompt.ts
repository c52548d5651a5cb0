import type { PromptKind } from "./types.ts";

/** What the model was trained to read before each kind of prompt. */
const SYSTEM_PROMPTS: Readonly<Record<PromptKind, string>> = {
  xml: "You are an assistant designed to generate high-quality anime images based on xml format " +
    "prompts. <Prompt Start> ",
  text:
    "You are an assistant designed to generate high-quality anime images with the highest degree " +
    "of image-text alignment based on textual prompts. <Prompt Start> ",
};

/** The system prompt of the model's training for a kind of prompt. It ends with a space. */
export function systemPromptFor(kind: PromptKind): string {
  return SYSTEM_PROMPTS[kind];
}

/**
 * The text for Gemma 3: the system prompt directly followed by the prompt. A prompt that is empty or
 * white space alone stays as it is, without a system prompt.
 */
export function withSystemPrompt(text: string, systemPrompt: string): string {
  return text.trim() === "" ? text : systemPrompt + text;
}
