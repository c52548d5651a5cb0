/**
 * How often attributes are right, and how often they went to the other character.
 *
 * @module
 */
import {
  type Attribute,
  ATTRIBUTES,
  type Looks,
  type MeasuredLooks,
  type Position,
  POSITIONS,
} from "./attributes.ts";

/** A picture: what is right, and what was measured. */
export interface Sample {
  readonly truth: { readonly [Place in Position]: Looks };
  readonly measured: { readonly [Place in Position]: MeasuredLooks };
}

/** One attribute over all characters. */
export interface AttributeScore {
  /** Share of characters on which it is right; what could not be made out is wrong. */
  readonly accuracy: number;
  /** Share of characters that got the other character's instead of their own, of those that could. */
  readonly misbinding: number;
  /**
   * How many characters could: their own is another than that of the character beside them, and the
   * other has something to give. A missing hat is wrong, but no hat is nothing that one gets.
   */
  readonly bindable: number;
  /** Share of characters on which it could not be made out. */
  readonly unknown: number;
}

/** All attributes. */
export interface Score {
  /** Share of characters that got at least one attribute of the other character. */
  readonly misbinding: number;
  /** Share of attributes of all characters that are right. */
  readonly attributeAccuracy: number;
  /** Share of attributes that are the other character's, of those that could be. */
  readonly attributeMisbinding: number;
  readonly perAttribute: { readonly [Name in Attribute]: AttributeScore };
  /** How many characters there are. */
  readonly characters: number;
}

/** One character of a picture. */
interface Subject {
  readonly own: Looks;
  readonly other: Looks;
  readonly found: MeasuredLooks;
}

/** Scores pictures. A share of nothing is NaN. */
export function score(samples: readonly Sample[]): Score {
  const subjects = samples.flatMap(({ truth, measured }): Subject[] => {
    const [left, right] = POSITIONS;
    return [
      { own: truth[left], other: truth[right], found: measured[left] },
      { own: truth[right], other: truth[left], found: measured[right] },
    ];
  });
  const scores = ATTRIBUTES.map((name): [Attribute, AttributeScore] => {
    const bindable = subjects.filter((subject) => isBindable(name, subject));
    return [name, {
      accuracy: share(subjects, ({ own, found }) => found[name] === own[name]),
      misbinding: share(bindable, (subject) => isMisbound(name, subject)),
      bindable: bindable.length,
      unknown: share(subjects, ({ found }) => found[name] === undefined),
    }];
  });
  const pairs = subjects.flatMap((subject) =>
    ATTRIBUTES.map((name) => ({ name, subject })).filter(({ name }) => isBindable(name, subject))
  );
  return {
    misbinding: share(
      subjects,
      (subject) => ATTRIBUTES.some((name) => isMisbound(name, subject)),
    ),
    attributeAccuracy: scores.reduce((sum, [, { accuracy }]) => sum + accuracy, 0) / scores.length,
    attributeMisbinding: share(pairs, ({ name, subject }) => isMisbound(name, subject)),
    perAttribute: Object.fromEntries(scores) as Record<Attribute, AttributeScore>,
    characters: subjects.length,
  };
}

function isBindable(name: Attribute, { own, other }: Subject): boolean {
  return own[name] !== other[name] && other[name] !== false;
}

function isMisbound(name: Attribute, subject: Subject): boolean {
  return isBindable(name, subject) && subject.found[name] === subject.other[name];
}

/** How many of them it is true of, as a share. */
function share<Item>(items: readonly Item[], is: (item: Item) => boolean): number {
  return items.filter(is).length / items.length;
}
