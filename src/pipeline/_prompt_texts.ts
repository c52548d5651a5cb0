/** What the text encoders are to read of a call's prompts. */
import { RequestError } from "../errors.ts";
import type { ModelFamily } from "../families/mod.ts";
import {
  canonicalPrompt,
  parsePrompt,
  promptKind,
  splitSystemPrompt,
  unwrapPrompt,
  withSystemPrompt,
} from "../prompt/mod.ts";
import type { Tensor } from "../tensor.ts";
import type { PromptOptions } from "./types.ts";

/** What each encoder is to read of one prompt. */
export interface EncoderTexts {
  readonly gemma: string;
  readonly clip: string;
}

/** The texts of all prompts, and of their negative prompts. */
export function promptTexts(
  { prompt, negativePrompt = "", systemPrompt, raw = false }: PromptOptions,
  { systemPrompts: trained }: ModelFamily,
): { positive: EncoderTexts[]; negative: EncoderTexts[] } {
  const prompts = textsOf("prompt", prompt);
  const negatives = typeof negativePrompt === "string"
    ? prompts.map(() => negativePrompt)
    : textsOf("negativePrompt", negativePrompt);
  if (prompts.length === 0) {
    throw new RequestError("There is no prompt; give at least one.", {
      zh: "没有提示词；请至少给出一个。",
    });
  }
  if (negatives.length !== prompts.length) {
    throw new RequestError(
      `There are ${negatives.length} negative prompts for ${prompts.length} prompts; give one ` +
        "for all, or one for each.",
      {
        zh: `有 ${negatives.length} 个反向提示词，但有 ${prompts.length} 个提示词；` +
          "请只给一个，或每个提示词给一个。",
      },
    );
  }
  const systemPrompts = prompts.map((text) => {
    return systemPrompt ?? trained[raw ? promptKind(text) : parsePrompt(text).kind];
  });
  const texts = (text: string, index: number): EncoderTexts => {
    const split = raw ? splitSystemPrompt(text) : unwrapPrompt(text);
    // As typed, but for the system prompt, which only one of the encoders reads.
    const rawText = split.systemPrompt === undefined ? text : split.text.trimStart();
    const clip = raw ? rawText : canonicalPrompt(text);
    // One that was pasted in front takes the place of the usual one, and is never doubled.
    const isAlone = clip.trim() === "";
    const pasted = isAlone ? split.systemPrompt : systemPrompt ?? split.systemPrompt;
    return { clip, gemma: withSystemPrompt(clip, systemPrompts[index]!, pasted) };
  };
  return { positive: prompts.map(texts), negative: negatives.map(texts) };
}

function textsOf(name: string, value: string | readonly string[]): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (texts.every((text) => typeof text === "string")) return texts;
  throw new RequestError(`${name} must be a text or a list of texts.`, {
    zh: `${name} 应为一段文本，或文本的列表。`,
  });
}

/** Encodes each of the texts, and none of them twice. */
export async function encodeEach(
  texts: readonly string[],
  signal: AbortSignal | undefined,
  encode: (text: string) => Promise<Tensor>,
): Promise<Tensor[]> {
  const encoded = new Map<string, Tensor>();
  for (const text of new Set(texts)) {
    signal?.throwIfAborted();
    encoded.set(text, await encode(text));
  }
  return texts.map((text) => encoded.get(text)!);
}
