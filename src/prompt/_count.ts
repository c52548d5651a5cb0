/**
 * Whether `<count>` fits the characters that are described.
 *
 * @module
 */
import { listItems } from "./_list.ts";
import type { PromptNode } from "./types.ts";

type Kind = "girl" | "boy" | "other";

const NUMBERED = /^(\d{1,4})(\+?)_?(girl|boy|other)s?$/;
const MULTIPLE = /^multiple_(girl|boy|other)s$/;

/** How many of a kind a count allows. */
interface Range {
  readonly least: number;
  readonly most: number;
}

/** A tag that contradicts the characters. */
export interface Contradiction {
  readonly tag: string;
  readonly described: number;
  /** The right count, where each character's gender is known. */
  readonly right: string | undefined;
}

/** The first tag of a count that contradicts the characters, or nothing. */
export function contradiction(
  counts: readonly PromptNode[],
  characters: readonly PromptNode[],
): Contradiction | undefined {
  if (characters.length === 0) return undefined;
  const kinds = characters.map(kindOf);
  const known = (kind: Kind) => kinds.filter((found) => found === kind).length;
  const unknown = kinds.filter((found) => found === undefined).length;
  const ranges = new Map<Kind, Range>();
  const at = { described: characters.length, right: unknown > 0 ? undefined : tagsOf(known) };
  const tags = counts.flatMap(({ text }) => listItems(text));
  for (const tag of tags) {
    const plain = tag.toLowerCase().replaceAll(/\s/g, "_");
    if (plain === "solo" && characters.length !== 1) return { tag, ...at };
    const numbered = NUMBERED.exec(plain);
    const kind = (numbered?.[3] ?? MULTIPLE.exec(plain)?.[1]) as Kind | undefined;
    if (kind === undefined) continue;
    const number = Number(numbered?.[1] ?? 2);
    // Nobody describes each of `6+girls`.
    const isOpen = numbered === null || numbered[2] === "+";
    const least = numbered?.[2] === "+" ? 0 : number;
    const range = { least, most: isOpen ? Infinity : number };
    if (known(kind) > range.most || known(kind) + unknown < range.least) return { tag, ...at };
    // `2girls, multiple_girls`: the narrower one counts.
    if (!isOpen || !ranges.has(kind)) ranges.set(kind, range);
  }
  if (ranges.size === 0) return undefined;
  const [least, most] = [...ranges.values()].reduce(
    ([least, most], range) => [least + range.least, most + range.most],
    [0, 0],
  );
  const isRight = characters.length >= least && characters.length <= most;
  return isRight ? undefined : { tag: tags.join(", "), ...at };
}

/** The gender that a character states. */
function kindOf({ children }: PromptNode): Kind | undefined {
  const gender = children.find(({ name }) => name === "gender")?.text.toLowerCase() ?? "";
  if (/girl|female|woman/.test(gender)) return "girl";
  if (/boy|male|\bman\b/.test(gender)) return "boy";
  return /other/.test(gender) ? "other" : undefined;
}

function tagsOf(known: (kind: Kind) => number): string {
  return (["girl", "boy", "other"] as const).flatMap((kind) => {
    const number = known(kind);
    return number === 0 ? [] : [`${number}${kind}${number === 1 ? "" : "s"}`];
  }).join(", ");
}
