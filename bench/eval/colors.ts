/**
 * Which colours a character has: hair, eyes, clothes, skin.
 *
 * @module
 */
import { EYE, type Face } from "./face.ts";
import { type Figure, type Side, SIDES } from "./figure.ts";
import { chroma, distance, type Lab } from "./oklab.ts";
import { CLOTH, EYES, HAIR, mix, SHOES, SKIN, TROUSERS } from "./palette.ts";
import { aside, asideTones, type Bar, candidates, Votes } from "./vote.ts";

/** How much paper may be mixed into colours: as drawn and in watercolour, and in pastel colours. */
export const FULL_COLORS = [0, 0.08, 0.16];
const PASTEL_COLORS = [0.3];

/**
 * How pale a picture's colours are. Shoes tell: they are leather or black, and would be lighter than
 * anything else worn were they pale.
 */
export function palenessOf(bodies: readonly Figure[]): readonly number[] {
  const shoes = bodies.flatMap((body) => body.colors({ x: [6, 15], y: [-8, -3] }));
  const votes = new Votes(shoes, [
    ...candidates({ full: SHOES }, FULL_COLORS),
    ...candidates({ pastel: SHOES }, PASTEL_COLORS),
  ]);
  return votes.shareOf("pastel") > votes.shareOf("full") ? PASTEL_COLORS : FULL_COLORS;
}

/** Where there is hair whatever its style and under any hat: bangs and side locks. */
const HAIR_AREAS = [{ x: [0, 30], y: [-19, -10] }, { x: [40, 46], y: [-12, 12] }] as const;
const HAIR_BAR: Bar = { share: 0.35, majority: 0.45 };

/** The colour of the hair, on both sides or on one. */
export function hairColor(
  face: Face,
  paleness: readonly number[],
  sides = SIDES,
): string | undefined {
  const pixels = HAIR_AREAS.flatMap((area) => face.head.colors(area, sides));
  return new Votes(pixels, [...candidates(HAIR, paleness), ...skinOf(face)]).winner(HAIR_BAR);
}

/** Skin that is farther than this from every tone is none. */
const STRANGE_SKIN = 0.1;

/** The tone of the skin. */
export function skinTone(face: Face, paleness: readonly number[]): string | undefined {
  const lit = Object.fromEntries(Object.entries(SKIN).map(([name, [color]]) => [name, [color]]));
  let nearest = STRANGE_SKIN;
  let tone: string | undefined;
  for (const { name, lab } of candidates(lit, paleness)) {
    const found = distance(lab, face.skin);
    if (found < nearest) {
      nearest = found;
      tone = name;
    }
  }
  return tone;
}

/** From the middle of the upper half, which is dark in any colour, to the lower rim. */
const IRISES = Object.fromEntries(
  Object.entries(EYES).map((
    [name, [top, middle, rim]],
  ) => [name, [mix(top, middle, 0.5), middle, rim]]),
);
/** Highlights, pupils and lashes. */
const NOT_IRIS: readonly Lab[] = [[1, 0, 0], [0.3, 0.02, 0], [0.2, 0.01, 0], [0.1, 0, 0]];
/** Pixels weigh as much as they are colourful, so shares are small. */
const EYE_BAR: Bar = { share: 0.012, majority: 0.4 };
/** The white of the eye: lighter and less colourful than skin. */
const WHITE_LIGHTNESS = 0.85, WHITE_CHROMA = 0.025;
/** Counts as so much white in an eye without any. */
const NO_WHITE = 0.02;

/**
 * The colour of the eyes, from the lower half of the one that is more clearly open: the other may
 * wink. The paler styles leave eyes as they are.
 */
export function eyeColor(face: Face, sides = SIDES): string | undefined {
  const among = [...candidates(IRISES, FULL_COLORS), ...skinOf(face), ...aside(NOT_IRIS)];
  const [best] = sides.map((side) => {
    const { whole, lowerHalf } = eyePixels(face.head, side);
    const white = whole.filter(isWhite);
    const votes = new Votes(lowerHalf, among, chroma);
    return { votes, openness: votes.counted * (white.length / whole.length + NO_WHITE) };
  }).toSorted((p, q) => q.openness - p.openness);
  return best!.votes.winner(EYE_BAR);
}

/** An open eye has at least that share of white. */
const OPEN = 0.04;

/** Whether an eye is open: a closed one has no white. */
export function isOpen(face: Face, side: Side): boolean {
  const { whole } = eyePixels(face.head, side);
  return whole.filter(isWhite).length / whole.length >= OPEN;
}

function isWhite(pixel: Lab): boolean {
  return pixel[0] > WHITE_LIGHTNESS && chroma(pixel) < WHITE_CHROMA;
}

function eyePixels(head: Figure, side: Side): { whole: Lab[]; lowerHalf: Lab[] } {
  const whole: Lab[] = [];
  const lowerHalf: Lab[] = [];
  for (let y = -6; y <= 12; y++) {
    for (let x = -9; x <= 9; x++) {
      const pixel = head.color(side * EYE.x + x, EYE.y + y);
      if ((x / 9.5) ** 2 + (y / 13) ** 2 <= 1) whole.push(pixel);
      if (y >= 1 && (x / 7) ** 2 + (y / 12) ** 2 <= 1) lowerHalf.push(pixel);
    }
  }
  return { whole, lowerHalf };
}

/** Shoulders, and the hem of a shirt: what a book in the hands leaves free. */
const TOP_AREAS = [{ x: [9, 18], y: [-83, -76] }, { x: [1, 13], y: [-49, -46] }] as const;
const TOP_BAR: Bar = { share: 0.3, majority: 0.4 };
/** A skirt, a coat or a kimono; with a shirt or a jacket, trousers. */
const HIPS = { x: [3, 14], y: [-46, -37] } as const;
/** What it takes to be sure of either without the other. */
const SURE: Bar = { share: 0.5, majority: 0.6 };
/** Collars and shadows have these too. */
const DOUBTFUL = new Set<string | undefined>([undefined, "white", "black"]);

/**
 * The colour of what is worn: of the top, or where that is white, black or of several colours, of
 * what is below. Black below a coloured top is trousers in shadow.
 */
export function clothingColor(
  body: Figure,
  face: Face,
  paleness: readonly number[],
  sides = SIDES,
): string | undefined {
  const cloth = candidates(CLOTH, paleness);
  const among = [...cloth, ...asideTones(TROUSERS, paleness), ...skinOf(face)];
  const top = new Votes(TOP_AREAS.flatMap((area) => body.colors(area, sides)), among);
  const above = top.winner(TOP_BAR);
  if (!DOUBTFUL.has(top.winner(SURE))) return above;
  const below = new Votes(body.colors(HIPS, sides), among).winner(SURE);
  if (below === undefined) return above;
  return below === "black" && above !== "white" ? above ?? below : below;
}

/** How shadow changes skin. */
const SHADE = [-0.1, 0.015, 0.01] as const;

function skinOf({ skin, blushes }: Face) {
  return aside([skin, ...blushes, [skin[0] + SHADE[0], skin[1] + SHADE[1], skin[2] + SHADE[2]]]);
}
