/**
 * What `parse --to-xml` makes of the flat prompts of the evaluation: whose each attribute becomes, in the
 * text and in pictures.
 *
 * @module
 */
import { listItems, parsePrompt, type PromptNode } from "../../src/prompt/mod.ts";
import { tagsToXml } from "../../src/tags/mod.ts";
import { ATTRIBUTES, POSITIONS } from "./attributes.ts";
import { measureCharacters } from "./checker.ts";
import type { EvalScene } from "./eval_set.ts";
import type { Progress } from "./evaluate.ts";
import { type Sample, type Score, score } from "./metrics.ts";
import type { PictureSource } from "./pictures.ts";

/** How the tags become XML: not at all, as they stand, or with the person's answers. */
export const SORTINGS = ["tags", "sorted", "answered"] as const;
export type Sorting = typeof SORTINGS[number];

/** Of the text alone. Only attributes count that stand in the list and are one character's. */
export interface TextScore {
  readonly scenes: number;
  readonly attributes: number;
  /** How many of them went to the character whose they are. */
  readonly right: number;
  /** In how many scenes all of them did. */
  readonly wholeScenes: number;
  /** In how many scenes the converter asked. */
  readonly asked: number;
}

/** Of the text, and of the pictures of some scenes. */
export interface ToXmlScores {
  readonly text: { readonly [Name in "sorted" | "answered"]: ByOrder<TextScore> };
  /** Whichever of the two stands left: the lists do not say it. */
  readonly drawn: { readonly [Name in Sorting]: ByOrder<Score> };
  readonly drawnScenes: number;
}

/** Lists that go through the characters one after the other, and those in no order. */
export interface ByOrder<T> {
  readonly ordered: T;
  readonly unordered: T;
}

/** Elements of what a character looks like and does. */
const OWN: ReadonlySet<string> = new Set(["appearance", "clothing", "expression", "action"]);

/** Measures the text of all scenes, and draws the first `drawn` of them in each way. */
export async function measureToXml(
  scenes: readonly EvalScene[],
  drawn: number,
  source: PictureSource,
  onProgress: (progress: Progress) => void = () => {},
): Promise<ToXmlScores> {
  const samples: Record<Sorting, Sample[]> = { tags: [], sorted: [], answered: [] };
  const chosen = scenes.slice(0, drawn);
  for (const [index, scene] of chosen.entries()) {
    for (const sorting of SORTINGS) {
      const prompts = { ...scene.prompts, tags: promptOf(scene, sorting).xml };
      const own = { ...scene, id: `${scene.id}-${sorting}`, prompts };
      const measured = measureCharacters(await source.picture(own, "tags"));
      samples[sorting].push(onTheRightSides({ truth: scene.truth, measured }));
    }
    onProgress({ done: index + 1, total: chosen.length });
  }
  const byOrder = <T>(of: (ordered: boolean) => T): ByOrder<T> => ({
    ordered: of(true),
    unordered: of(false),
  });
  const text = (sorting: Sorting) =>
    byOrder((ordered) => textScore(scenes.filter((scene) => scene.ordered === ordered), sorting));
  const pictures = (sorting: Sorting) =>
    byOrder((ordered) =>
      score(samples[sorting].filter((_, index) => chosen[index]!.ordered === ordered))
    );
  return {
    text: { sorted: text("sorted"), answered: text("answered") },
    drawn: {
      tags: pictures("tags"),
      sorted: pictures("sorted"),
      answered: pictures("answered"),
    },
    drawnScenes: chosen.length,
  };
}

function promptOf(scene: EvalScene, sorting: Sorting): { xml: string; isAsked: boolean } {
  const { tags } = scene.prompts;
  if (sorting === "tags") return { xml: tags, isAsked: false };
  const characterOf = sorting === "answered" ? answers(scene) : {};
  const { xml, questions } = tagsToXml(tags, { characterOf });
  return { xml, isAsked: questions.length > 0 };
}

/** What a person would answer: whose each attribute is that only one of the two has. */
function answers(scene: EvalScene): Readonly<Record<string, number>> {
  return Object.fromEntries(
    ownAttributes(scene).flatMap((tags, index) => tags.map((tag) => [tag, index + 1])),
  );
}

/** The attributes of each character that stand in the list and that the other does not have. */
function ownAttributes({ prompts }: EvalScene): readonly (readonly string[])[] {
  const listed = new Set(listItems(prompts.tags));
  const characters = attributesIn(prompts.xml);
  return characters.map((tags, index) =>
    [...tags].filter((tag) => listed.has(tag) && !characters[1 - index]!.has(tag))
  );
}

function attributesIn(xml: string): readonly ReadonlySet<string>[] {
  const parsed = parsePrompt(xml);
  const roots: readonly PromptNode[] = parsed.kind === "xml" ? parsed.roots : [];
  return roots.filter(({ name }) => name.startsWith("character_")).map(({ children }) =>
    new Set(
      children.filter(({ name }) => OWN.has(name)).flatMap(({ text }) => listItems(text)),
    )
  );
}

function textScore(scenes: readonly EvalScene[], sorting: Sorting): TextScore {
  const each = scenes.map((scene) => {
    const own = ownAttributes(scene);
    const { xml, isAsked } = promptOf(scene, sorting);
    const made = attributesIn(xml);
    const right = (first: number) =>
      own.flatMap((tags, index) =>
        tags.filter((tag) => made[index === 0 ? first : 1 - first]?.has(tag))
      ).length;
    return { attributes: own.flat().length, right: Math.max(right(0), right(1)), isAsked };
  });
  const sum = (of: (one: typeof each[number]) => number) =>
    each.reduce((total, one) => total + of(one), 0);
  return {
    scenes: each.length,
    attributes: sum(({ attributes }) => attributes),
    right: sum(({ right }) => right),
    wholeScenes: each.filter(({ attributes, right }) => attributes === right).length,
    asked: each.filter(({ isAsked }) => isAsked).length,
  };
}

/** Lets left and right change places where that fits better. */
function onTheRightSides({ truth, measured: { left, right } }: Sample): Sample {
  const fit = (measured: Sample["measured"]) =>
    POSITIONS.reduce(
      (sum, place) =>
        sum + ATTRIBUTES.filter((name) => measured[place][name] === truth[place][name]).length,
      0,
    );
  const [asMeasured, swapped] = [{ left, right }, { left: right, right: left }];
  return { truth, measured: fit(swapped) > fit(asMeasured) ? swapped : asMeasured };
}
