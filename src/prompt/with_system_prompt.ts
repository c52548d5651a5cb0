/**
 * The text for Gemma 3: the system prompt directly followed by the prompt. A prompt that is empty or
 * white space alone stays as it is, without a system prompt.
 */
export function withSystemPrompt(text: string, systemPrompt: string): string {
  return text.trim() === "" ? text : systemPrompt + text;
}
