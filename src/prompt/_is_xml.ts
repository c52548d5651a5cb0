import { isBlank } from "./_invisible.ts";
import { isMainElement } from "./_known_elements.ts";
import { markupOf } from "./_markup.ts";

/** A line, or what is left of one beside tags, that fences code in Markdown. */
const FENCE =
  /^[ \t]*(?:`{3,}|~{3,})[ \t]*(?:xml|html|prompt|text|txt|plaintext|markdown|md)?[ \t]*\r?$/gim;

/** Text from between elements at the top without Markdown's fences, offsets kept. */
export function withoutFences(text: string): string {
  return text.replace(FENCE, (fence) => " ".repeat(fence.length));
}

/**
 * Whether a prompt is meant as XML: behind white space, comments, an XML declaration and Markdown's
 * fence it begins with a tag, or it has a `<character_1>` or `<general_tags>` further in.
 *
 * So `>_<, 1girl`, `<3`, `<|>_<|>` and `<lora:style:0.8>, 1girl` are plain text, and so is a sentence
 * with other tags further in.
 */
export function isXml(text: string): boolean {
  let isStart = true;
  let end = 0;
  for (const { kind, name, start, end: next } of markupOf(text)) {
    isStart &&= isBlank(withoutFences(text.slice(end, start)));
    end = next;
    if (kind === "open" || kind === "close") {
      if (isStart || isMainElement(name)) return true;
    } else if (kind === "cdata") isStart = false;
  }
  return false;
}
