import { isBlank } from "./_invisible.ts";
import { isKnown, isMainElement, suggestionFor } from "./_known_elements.ts";
import { type Markup, markupOf } from "./_markup.ts";

/** A line, or what is left of one beside tags, that fences code in Markdown. */
const FENCE =
  /^[ \t]*(?:`{3,}|~{3,})[ \t]*(?:xml|html|json|prompt|text|txt|plaintext|markdown|md)?[ \t]*\r?$/gim;

/** Text from between elements at the top without Markdown's fences, offsets kept. */
export function withoutFences(text: string): string {
  return text.replace(FENCE, (fence) => " ".repeat(fence.length));
}

/**
 * Whether a prompt is meant as XML: behind white space, comments, an XML declaration and Markdown's
 * fence it begins with a tag, or it has a `<character_1>` or `<general_tags>` further in. A tag is one
 * of the model's elements, a misspelt one, or any where something is closed.
 *
 * So `>_<, 1girl`, `<3`, `<|>_<|>`, `<girl with a hat>, smile` and `<lora:style:0.8>, 1girl` are plain
 * text, and so is a sentence with other tags further in.
 */
export function isXml(text: string): boolean {
  const markups = [...markupOf(text)];
  const opened = namesOf(markups, "open");
  const closed = namesOf(markups, "close");
  let isStart = true;
  let end = 0;
  for (const markup of markups) {
    const { kind, name, isLoose } = markup;
    isStart &&= isBlank(withoutFences(text.slice(end, markup.start)));
    end = markup.end;
    if (kind === "open" || kind === "close") {
      // `<count>, <general tags>` is how people write what goes where.
      if (isMainElement(name) && (!isLoose || opened.has(name) && closed.has(name))) return true;
      if (isStart && (closed.size > 0 || isMeantAsElement(text, markup))) return true;
      isStart = false;
    } else if (kind === "cdata") isStart = false;
  }
  return false;
}

function namesOf(markups: readonly Markup[], kind: Markup["kind"]): ReadonlySet<string> {
  return new Set(markups.filter((markup) => markup.kind === kind).map(({ name }) => name));
}

/** Whether a tag is one though nothing is closed. */
function isMeantAsElement(text: string, { name, start, end }: Markup): boolean {
  return isKnown(name) || suggestionFor(name) !== undefined ||
    /\/\s*>$/.test(text.slice(start, end));
}
