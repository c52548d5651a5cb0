import { NewBieError } from "../errors.ts";
import type { PromptEncoder } from "../prompt/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";

/**
 * The ids of a text for an encoder, as many as it reads.
 *
 * @param onCut Is told how many there would be where that is more.
 * @throws {NewBieError} When the tokenizer is another model's.
 */
export function tokenize(
  tokenizer: Tokenizer,
  text: string,
  { name, maxTokens }: PromptEncoder,
  onCut: (tokens: number) => void,
): Int32Array {
  const ids = tokenizer.encode(text);
  if (ids.length === 0) {
    throw new NewBieError(
      `The tokenizer of ${name} makes no token of ${JSON.stringify(text)}, not even the one ` +
        "that begins every text. It is not the tokenizer that belongs to the model.",
      {
        zh: `${name} 的分词器没有为 ${JSON.stringify(text)} 给出任何 token，` +
          "连每段文本开头的那个也没有。它不是这个模型的分词器。",
      },
    );
  }
  if (ids.length <= maxTokens) return ids;
  onCut(ids.length);
  return tokenizer.encode(text, { maxLength: maxTokens });
}
