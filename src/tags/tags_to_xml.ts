import { CHARACTER_ELEMENTS, type ElementName, GENERAL_ELEMENTS } from "../prompt/mod.ts";
import { formOf, isOfCharacter, type TagForm } from "./_forms.ts";
import { plainItems } from "./_plain_items.ts";
import { TEXTS } from "./_texts.ts";
import type { TagList } from "./load_tag_list.ts";
import type { TagQuestion, TagsAsXml, UnsureTag } from "./types.ts";

/** How {@linkcode tagsToXml} may be helped. */
export interface TagsToXmlOptions {
  /**
   * Answers to questions: the character of a tag, counting from 1; 0 for the whole picture.
   *
   * @default {{}}
   */
  readonly characterOf?: Readonly<Record<string, number>>;
  /** A person's tags: an alias becomes its name, and names of characters, series and artists are known. */
  readonly list?: TagList;
}

/** A tag of the list. */
interface Item {
  readonly tag: string;
  readonly form: TagForm | undefined;
  /** A name with its series in brackets, as in `saber (fate)`, or one of the person's list. */
  readonly isName: boolean;
}

/** Where tags belong of which a list says what they are: an artist, a series, something of the file. */
const BY_CATEGORY: Readonly<Record<number, ElementName>> = { 1: "artist", 3: "other", 5: "other" };
const CHARACTER_CATEGORY = 4;

/**
 * Sorts a flat list of tags into the elements of an XML prompt, by the usual forms of Danbooru's
 * tags. With several characters, tags are given to whom the list itself gives them: after `1girl`
 * and `1boy`, after a position such as `left`, or between separators (`BREAK`, `|`, an empty line).
 * Where it does not say, that is a question, and the XML follows the order of the list. Weights and
 * brackets of other programs, which this model was not trained with, are left out.
 *
 * @param text Tags with commas, with underscores or spaces, or as Danbooru writes them, with underscores
 *   and spaces between them; no XML.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { xml, questions } = tagsToXml("1girl, blue_hair, left, 1boy, black_hair, right, beach");
 * assert.match(xml, /<appearance>blue_hair<\/appearance>[^]*<appearance>black_hair<\/appearance>/);
 * assert.match(xml, /<background>beach<\/background>/);
 * assert.deepEqual(questions, []);
 * ```
 */
export function tagsToXml(text: string, options: TagsToXmlOptions = {}): TagsAsXml {
  const { characterOf = {}, list } = options;
  const parts = withChoicesWhole(text).split(/\bBREAK\b|\||\n\s*\n/)
    .map((part) => itemsOf(part, list)).filter((items) => items.length > 0);
  const items = parts.flat();
  const characters = countCharacters(items);
  const unsure: UnsureTag[] = [];
  const questions: TagQuestion[] = [];
  const owners = ownersOf(parts, characters, questions);
  const answered = (tag: string) => {
    const owner = Object.hasOwn(characterOf, tag) ? characterOf[tag]! : undefined;
    return owner !== undefined && owner <= characters ? owner : undefined;
  };
  const open = questions.map((question) => ({
    ...question,
    tags: question.tags.filter((tag) => answered(tag) === undefined),
  })).filter(({ tags }) => tags.length > 0);

  const elements = Array.from({ length: characters + 1 }, () => new Map<string, string[]>());
  for (const [index, { tag, form, isName }] of items.entries()) {
    const isOwned = isName || form === undefined || isOfCharacter(form.element);
    const owner = characters === 0 ? 0 : answered(tag) ?? (isOwned ? owners[index]! : 0);
    const element = isName ? "n" : elementIn(form?.element, owner);
    const list = elements[owner] ?? elements[0]!;
    const tags = list.get(element) ?? [];
    if (!tags.includes(tag)) list.set(element, [...tags, tag]);
    if (form === undefined && !isName) {
      const place = owner === 0 ? `general_tags/${element}` : `character_${owner}/${element}`;
      unsure.push({ tag, place, reason: TEXTS.unknownForm });
    }
  }
  const gender = genderOfAll(items);
  if (gender !== undefined) {
    for (const character of elements.slice(1)) character.set("gender", [gender]);
  }
  unsure.push(...secondNames(elements.slice(1)), ...assumePlaces(elements.slice(1)));
  const tags = new Set(items.map(({ tag }) => tag));
  const unusedAnswers = Object.keys(characterOf).filter((tag) =>
    !tags.has(tag) || answered(tag) === undefined
  );
  return { xml: xmlOf(elements, characters), unsure, questions: open, unusedAnswers, characters };
}

/** What parts tags and characters, and brackets of weights: inside of a template's choice none does. */
const INSIDE_CHOICES = "{},，、|";
/** Stand for these meanwhile; no text has these characters. */
const HIDDEN = [..."\u{f0000}\u{f0001}\u{f0002}\u{f0003}\u{f0004}\u{f0005}"];
/** How deep choices may stand in each other. */
const MOST_NESTED = 16;

/** A text whose choices, such as `{red|blue}`, are each one piece. */
function withChoicesWhole(text: string): string {
  let hidden = text;
  for (let depth = 0; depth < MOST_NESTED; depth++) {
    const before = hidden;
    hidden = hidden.replace(
      /\{([^{}\r\n]*)\}/g,
      (written, inner: string) =>
        inner.includes("|") || inner.includes(HIDDEN[0]!)
          ? [...written].map((one) => HIDDEN[INSIDE_CHOICES.indexOf(one)] ?? one).join("")
          : written,
    );
    if (hidden === before) break;
  }
  return hidden;
}

function withChoicesShown(text: string): string {
  return text.replace(/[\u{f0000}-\u{f0005}]/gu, (one) => INSIDE_CHOICES[HIDDEN.indexOf(one)]!);
}

/** Where so many characters stand, in the order in which they are described. */
const PLACES: Readonly<Record<number, readonly string[]>> = {
  2: ["left", "right"],
  3: ["left", "center", "right"],
};

/**
 * Gives characters their places from left to right where the list says nothing of places: models tell
 * characters apart by them.
 */
function assumePlaces(characters: readonly Map<string, string[]>[]): readonly UnsureTag[] {
  const places = PLACES[characters.length];
  if (places === undefined || characters.some((tags) => tags.has("position"))) return [];
  return characters.map((tags, index) => {
    const place = places[index]!;
    tags.set("position", [place]);
    return { tag: place, place: `character_${index + 1}/position`, reason: TEXTS.assumedPlace };
  });
}

/** In a character what has no form is part of the appearance; in the picture it is `other`. */
function elementIn(element: ElementName | undefined, owner: number): string {
  if (owner > 0) {
    return element !== undefined && isOfCharacter(element) ? element : "appearance";
  }
  if (element === undefined) return "other";
  if (element === "gender") return "count";
  return isOfCharacter(element) ? "other" : element;
}

/** The list counts one character and names two: they may be names of one, or of a thing. */
function secondNames(characters: readonly Map<string, string[]>[]): readonly UnsureTag[] {
  return characters.flatMap((tags, index) =>
    (tags.get("n") ?? []).slice(1).map((tag) => ({
      tag,
      place: `character_${index + 1}/n`,
      reason: TEXTS.secondName,
    }))
  );
}

function itemsOf(text: string, list: TagList | undefined): Item[] {
  return plainItems(text).map(withChoicesShown).map((written) => {
    const tag = list?.get(written) === undefined ? list?.nameOf(written) ?? written : written;
    const category = list?.get(tag)?.category;
    const isCharacter = category === CHARACTER_CATEGORY;
    const plain = tag.toLowerCase().replaceAll("_", " ").replaceAll("\\", "");
    const form = isCharacter ? undefined : formOf(plain) ?? formOfCategory(category);
    const isName = isCharacter ||
      form === undefined && /^[^()]+ \([^()]+\)(?: \([^()]+\))?$/.test(plain);
    return { tag, form, isName };
  });
}

function formOfCategory(category: number | undefined): TagForm | undefined {
  const element = category === undefined ? undefined : BY_CATEGORY[category];
  return element === undefined ? undefined : { element };
}

/**
 * How many characters the counts promise: `2girls, 1boy` are three. Where there is no count, as many as are
 * named; a tag of a body is somebody's.
 */
function countCharacters(items: readonly Item[]): number {
  let promised = 0;
  for (const { tag } of items) {
    const [, count] = /^(\d)\+?(?:girl|boy|other)s?$/.exec(tag.toLowerCase()) ?? [];
    promised += Number(count ?? 0);
  }
  const names = items.filter(({ isName }) => isName).length;
  const hasBody = items.some(({ form }) => form !== undefined && isOfCharacter(form.element));
  const isEmptyPlace = items.some(({ tag }) => /^no[ _]humans$/i.test(tag));
  if (isEmptyPlace) return 0;
  return promised > 0 ? promised : Math.max(names, hasBody ? 1 : 0);
}

/** The character of each tag, counting from 1. Pushes a question where the list does not say. */
function ownersOf(
  parts: readonly (readonly Item[])[],
  characters: number,
  questions: TagQuestion[],
): readonly number[] {
  const items = parts.flat();
  if (characters <= 1) return items.map(() => 1);
  const blocks = blocksBySeparator(parts, characters) ?? blocksByOpening(items, characters) ??
    blocksByPosition(items, characters);
  if (blocks !== undefined) return blocks;
  const owned = items.filter(({ form, isName }) =>
    isName || form !== undefined && isOfCharacter(form.element)
  );
  questions.push({
    tags: owned.map(({ tag }) => tag),
    question: TEXTS.whose(characters),
  });
  return byOrder(items, characters);
}

/** As many parts as characters, or one more that is of the picture: one part each. */
function blocksBySeparator(
  parts: readonly (readonly Item[])[],
  characters: number,
): readonly number[] | undefined {
  const described = parts.filter((part) =>
    part.some(({ form, isName }) =>
      isName || ["appearance", "clothing"].includes(form?.element ?? "")
    )
  );
  if (described.length !== characters) return undefined;
  return parts.flatMap((part) => part.map(() => Math.max(1, described.indexOf(part) + 1)));
}

/** `1girl, …, 1boy, …`: each opens a character, if something is said after every one of them. */
function blocksByOpening(
  items: readonly Item[],
  characters: number,
): readonly number[] | undefined {
  const openings = items.flatMap(({ form, isName }, index) =>
    form?.element === "gender" || isName && items[index - 1]?.form?.element !== "gender"
      ? [index]
      : []
  );
  const genders = openings.filter((index) => items[index]!.form?.element === "gender");
  const starts = genders.length === characters ? genders : openings;
  return starts.length === characters ? blocks(items, starts) : undefined;
}

/** `left, …, right, …` or `…, left, …, right`: one position each, all at the beginning or the end. */
function blocksByPosition(
  items: readonly Item[],
  characters: number,
): readonly number[] | undefined {
  const positions = items.flatMap(({ form }, index) => form?.element === "position" ? [index] : []);
  if (positions.length !== characters) return undefined;
  const isDescribed = ({ form }: Item) =>
    ["appearance", "clothing", "expression", "action"].includes(form?.element ?? "");
  if (!items.slice(0, positions[0]).some(isDescribed)) return blocks(items, positions);
  if (items.slice(positions.at(-1)! + 1).some(isDescribed)) return undefined;
  return blocks(items, [0, ...positions.slice(0, -1).map((index) => index + 1)]);
}

/** Undefined where a block says nothing of a character's looks. */
function blocks(items: readonly Item[], starts: readonly number[]): readonly number[] | undefined {
  const owners = items.map((_, index) =>
    Math.max(1, starts.findLastIndex((start) => start <= index) + 1)
  );
  const isSaid = starts.every((_, block) =>
    items.some(({ form, isName }, index) =>
      owners[index] === block + 1 &&
      (isName || ["appearance", "clothing"].includes(form?.element ?? ""))
    )
  );
  return isSaid ? owners : undefined;
}

/**
 * The guess where nothing is said: people mostly describe one character after the other, and of both
 * the same kinds of things (hair, eyes, clothes, a pose). So of two characters the border stands
 * where each kind is shared out most evenly; among several such, in the middle.
 */
function byOrder(items: readonly Item[], characters: number): readonly number[] {
  const owned = items.flatMap(({ form }, index) =>
    form !== undefined && isOfCharacter(form.element) && form.element !== "gender" ? [index] : []
  );
  const starts = Array.from(
    { length: characters },
    (_, block) => owned[Math.ceil(block * owned.length / characters)] ?? items.length,
  );
  if (characters === 2) {
    starts[1] = owned[borderOf(owned.map((index) => items[index]!))] ?? items.length;
  }
  // Of `1girl, 1boy` each is another character's.
  let genders = 0;
  return items.map(({ form }, index) => {
    const block = Math.max(1, starts.findLastIndex((start) => start <= index) + 1);
    return form?.element === "gender" ? Math.min(++genders, characters) : block;
  });
}

/** How many of the items are the first character's. */
function borderOf(items: readonly Item[]): number {
  const kinds = items.map(({ form }) => form!.slot ?? form!.element);
  const names = [...new Set(kinds)];
  const unevenness = Array.from({ length: items.length + 1 }, (_, border) => {
    const excess = names.map((name) => {
      const [before, after] = [kinds.slice(0, border), kinds.slice(border)].map((side) =>
        side.filter((kind) => kind === name).length
      ) as [number, number];
      // A tag more on one side is no wonder where there is an odd number of them.
      return Math.max(0, Math.abs(before - after) - (before + after) % 2);
    });
    return excess.reduce((sum, one) => sum + one, 0);
  });
  const least = Math.min(...unevenness);
  const best = unevenness.flatMap((value, border) => value === least ? [border] : []);
  return best[Math.floor(best.length / 2)]!;
}

/** `2girls`: both are girls, if the list says nothing else of genders. */
function genderOfAll(items: readonly Item[]): string | undefined {
  const counts = items.flatMap(({ tag }) => {
    const [, count, kind] = /^(\d)\+?(girl|boy|other)s?$/i.exec(tag) ?? [];
    return count === undefined ? [] : [{ count: Number(count), kind: kind!.toLowerCase() }];
  });
  const [only, ...others] = counts;
  return only === undefined || others.length > 0 || only.count < 2 ? undefined : `1${only.kind}`;
}

function xmlOf(
  elements: readonly ReadonlyMap<string, readonly string[]>[],
  characters: number,
): string {
  const [general, ...each] = elements;
  const lines = (tags: ReadonlyMap<string, readonly string[]>, order: readonly string[]) =>
    order.flatMap((name) => {
      const list = tags.get(name);
      return list === undefined ? [] : [`<${name}>${list.map(escaped).join(", ")}</${name}>`];
    });
  const blocks = each.slice(0, characters).map((tags, index) => {
    const inner = lines(tags, CHARACTER_ELEMENTS);
    return [`<character_${index + 1}>`, ...inner, `</character_${index + 1}>`].join("\n");
  });
  const inner = lines(withCount(general!, each), GENERAL_ELEMENTS);
  if (inner.length > 0) blocks.push(["<general_tags>", ...inner, "</general_tags>"].join("\n"));
  return blocks.join("\n\n") + "\n";
}

/** `1girl` is said of the character; the picture is told how many there are. */
function withCount(
  general: ReadonlyMap<string, readonly string[]>,
  each: readonly ReadonlyMap<string, readonly string[]>[],
): ReadonlyMap<string, readonly string[]> {
  const genders = each.flatMap((tags) => tags.get("gender") ?? []);
  const said = general.get("count") ?? [];
  const isCounted = said.some((tag) => /^[2-9]/.test(tag));
  const counts = [...new Set([...isCounted ? [] : genders.map(countOf), ...said])];
  return counts.length === 0 ? general : new Map([...general, ["count", counts]]);
}

/** `1girl` once, and `2girls` where two characters are one. */
function countOf(gender: string, _index: number, genders: readonly string[]): string {
  const count = genders.filter((other) => other === gender).length;
  const [, kind] = /^1(girl|boy|other)$/i.exec(gender) ?? [];
  if (kind === undefined || count === 1) return gender;
  return `${count > MOST_COUNTED ? `${MOST_COUNTED + 1}+` : count}${kind}s`;
}

/** Danbooru counts up to so many. */
const MOST_COUNTED = 5;

function escaped(tag: string): string {
  return tag.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
