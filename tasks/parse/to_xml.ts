/** `deno task parse --to-xml`: a flat list of tags as an XML prompt, and what is not sure of it. */
import { RequestError } from "../../src/errors.ts";
import { canonicalPrompt, listItems, promptKind } from "../../src/prompt/mod.ts";
import {
  loadTagList,
  tagHints,
  type TagList,
  type TagsAsXml,
  tagsToXml,
} from "../../src/tags/mod.ts";
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
 * Sorts tags into XML and prints it; what is unsure goes to the standard error.
 *
 * @param assigned `blue_hair=1,black_hair=2`: whose a tag is; 0 is the whole picture's.
 * @throws {RequestError} When the prompt is XML already, or `assigned` cannot be read.
 */
export async function toXml(
  text: string,
  { assigned, json }: { readonly assigned?: string | undefined; readonly json: boolean },
): Promise<ToXmlResult> {
  if (promptKind(text) === "xml") throw new RequestError(both((text) => text.alreadyXml));
  const list = await loadTagList();
  const { tags, aliases, misspelt } = withoutAliases(text, list);
  const { xml, unsure, questions } = tagsToXml(tags, { characterOf: readAssigned(assigned) });
  const result = {
    xml,
    questions,
    unsure: unsure.map(({ tag, place, reason }) => ({ tag, place, reason: reason[language] })),
    aliases,
    misspelt,
  };
  if (json) return result;
  print(canonicalPrompt(xml).split("\n"));
  for (const [alias, name] of Object.entries(aliases)) tell(texts.alias(alias, name));
  for (const [tag, names] of Object.entries(misspelt)) tell(texts.misspelt(tag, names));
  for (const { tag, place, reason } of result.unsure) tell(texts.unsure(tag, place, reason));
  for (const { tags, question } of questions) tell(texts.whose(question[language], tags));
  return result;
}

/** Aliases become the names that the model was trained on; a list that is not there changes nothing. */
function withoutAliases(text: string, list: TagList) {
  const aliases: Record<string, string> = {};
  const misspelt: Record<string, readonly string[]> = {};
  let tags = text;
  for (const { tag, name, near } of tagHints(text, list)) {
    if (name === undefined) misspelt[tag] = near;
    else {
      aliases[tag] = name;
      tags = tags.replace(tag, name);
    }
  }
  return { tags, aliases, misspelt };
}

function readAssigned(assigned: string | undefined): Readonly<Record<string, number>> {
  const owners = listItems(assigned ?? "").map((pair) => {
    const [, tag, owner] = /^(.+)=(\d)$/.exec(pair) ?? [];
    if (tag === undefined) throw new RequestError(both((text) => text.wrongAssigned(pair)));
    return [tag, Number(owner)] as const;
  });
  return Object.fromEntries(owners);
}
