/** `deno task parse --to-xml`: a flat list of tags as an XML prompt, and what is not sure of it. */
import { RequestError } from "../../src/errors.ts";
import {
  canonicalPrompt,
  listItems,
  promptKind,
  readLoraTags,
  unwrapPrompt,
} from "../../src/prompt/mod.ts";
import { readParameters } from "../../src/recipe/mod.ts";
import { loadTagList, tagHints, type TagsAsXml, tagsToXml } from "../../src/tags/mod.ts";
import { print, tell } from "../cli/print.ts";
import { language } from "../cli/task.ts";
import { both, texts } from "./texts.ts";

/** What `--to-xml` answers. */
export interface ToXmlResult extends Pick<TagsAsXml, "xml" | "questions"> {
  readonly unsure: readonly {
    readonly tag: string;
    readonly place: string;
    readonly reason: string;
  }[];
  /** Tags that were written as an alias, and the names that stand in their place. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Tags that no list has, and what they were probably meant to be. */
  readonly misspelt: Readonly<Record<string, readonly string[]>>;
}

/**
 * Sorts tags into XML and prints it; what is unsure goes to the standard error. A system prompt in front
 * was written for plain text and is left out; adapters that the prompt asks for stand behind the XML.
 *
 * @param assigned `blue_hair=1,black_hair=2`: whose a tag is; 0 is the whole picture's.
 * @throws {RequestError} When the prompt is empty or XML already, or `assigned` cannot be read.
 */
export async function toXml(
  text: string,
  { assigned, json }: { readonly assigned?: string | undefined; readonly json: boolean },
): Promise<ToXmlResult> {
  if (promptKind(text) === "xml") throw new RequestError(both((text) => text.alreadyXml));
  const { prompt, negativePrompt } = withoutParameters(text);
  const { text: typed } = unwrapPrompt(prompt);
  const tags = readLoraTags(typed).text;
  if (listItems(tags).length === 0) throw new RequestError(both((text) => text.noTags));
  const list = await loadTagList();
  const hints = tagHints(tags, list);
  const sorted = tagsToXml(tags, { characterOf: readAssigned(assigned), list });
  const { unsure, questions, characters, unusedAnswers: [unused] } = sorted;
  if (unused !== undefined) {
    throw new RequestError(both((text) => text.unusedAnswer(unused, characters)));
  }
  const xml = canonicalPrompt(sorted.xml) + "\n" + loraTags(typed);
  const aliases = Object.fromEntries(
    hints.flatMap(({ tag, name }) => name === undefined ? [] : [[tag, name]]),
  );
  const misspelt = Object.fromEntries(
    hints.flatMap(({ tag, name, near }) => name === undefined ? [[tag, near]] : []),
  );
  const result = {
    xml,
    questions,
    unsure: unsure.map(({ tag, place, reason }) => ({ tag, place, reason: reason[language] })),
    aliases,
    misspelt,
  };
  if (json) return result;
  print(xml.trimEnd().split("\n"));
  if (negativePrompt !== undefined) tell(texts.parametersLeft(negativePrompt));
  for (const [alias, name] of Object.entries(aliases)) tell(texts.alias(alias, name));
  for (const [tag, names] of Object.entries(misspelt)) tell(texts.misspelt(tag, names));
  for (const { tag, place, reason } of result.unsure) tell(texts.unsure(tag, place, reason));
  for (const { tags, question } of questions) tell(texts.whose(question[language], tags));
  return result;
}

/**
 * The prompt of a text that AUTOMATIC1111's web UI wrote into a picture, which people copy from galleries.
 *
 * @returns With the negative prompt, perhaps empty, where it is such a text.
 */
function withoutParameters(text: string): { prompt: string; negativePrompt?: string } {
  if (!/^[ \t]*(?:Negative prompt:|Steps: \d)/m.test(text)) return { prompt: text };
  const { prompt, negativePrompt } = readParameters(text);
  return { prompt, negativePrompt };
}

/** The adapters of a prompt, as A1111 writes them. */
function loraTags(prompt: string): string {
  return readLoraTags(prompt).loras.map(({ name, weight, textWeight }) => {
    const weights = textWeight === undefined ? [weight] : [textWeight, weight];
    return `<lora:${[name, ...weights].join(":")}>\n`;
  }).join("");
}

function readAssigned(assigned: string | undefined): Readonly<Record<string, number>> {
  const owners = listItems(assigned ?? "").map((pair) => {
    const [, tag, owner] = /^(.+)=(\d)$/.exec(pair) ?? [];
    if (tag === undefined) throw new RequestError(both((text) => text.wrongAssigned(pair)));
    return [tag, Number(owner)] as const;
  });
  return Object.fromEntries(owners);
}
