/**
 * Finds a face: two eyes, dark in the middle, brighter at the lower rim and unlike skin, on either
 * side of a bridge of skin.
 *
 * @module
 */
import type { Figure, Point } from "./figure.ts";
import { blend, distance, type Lab, labOf, medianColor } from "./oklab.ts";
import { BLUSH } from "./palette.ts";

/** A face in a picture. */
export interface Face {
  /** Seen from the middle of the head. */
  readonly head: Figure;
  /** Its bare skin. */
  readonly skin: Lab;
  /** The same blushing, a little and much. */
  readonly blushes: readonly Lab[];
  /** How much it looks like a face; drawn ones have 0.5 to 2. */
  readonly score: number;
  /** The share of the lower face that is of one tone, blushing or not; with drawn ones most is. */
  readonly evenness: number;
}

/** From the middle of the head to the middle of the right eye. */
export const EYE: Point = { x: 19.5, y: 14 };

/** How far a face may be from where it is expected, in either direction. */
const REACH = 7;
/** How far a head may be turned, in radians. */
const TURNS = [-5, -2.5, 0, 2.5, 5].map((degrees) => degrees * Math.PI / 180);
/** What it costs to be a unit away (squared), and a radian turned. */
const DISTANCE_COST = 0.005, TURN_COST = 0.3;

/** The parts of an eye, from its middle, and how their marks count. Bangs often hide the upper half. */
const PUPIL = points((x, y) => Math.abs(x) <= 2 && y >= -3 && y <= 4);
const LOWER_RIM = points((x, y) => Math.abs(x) <= 4 && y >= 7 && y <= 11);
const LOWER_HALF = points((x, y) => y >= 0 && (x / 8.5) ** 2 + (y / 12) ** 2 <= 1);
const UNDER_EYE = points((x, y) => Math.abs(x) <= 7 && y >= 15 && y <= 17);
const BRIDGE = points((x, y) => Math.abs(x) <= 4 && y >= 14 && y <= 26);
const DARK_PUPIL = 0.7, STRANGE_EYE = 0.5, STRANGE_UNDER_EYE = 0.3, STRANGE_BRIDGE = 0.5;

/** Lightness from which a pixel is not dark at all, and how much less makes it wholly dark. */
const BRIGHT = 0.75, DARKER = 0.35;
/** The difference from skin that makes a pixel wholly strange. */
const STRANGE = 0.12;

/** Skin that glasses leave free: below the nose, and beside the mouth. */
const BARE_SKIN = [{ x: [0, 5], y: [23, 31] }, { x: [9, 16], y: [34, 38] }] as const;
/** Of its pixels by lightness. What is darker is in shadow, blushes or belongs to the mouth. */
const LIT_SKIN = [0.5, 0.9] as const;
/** Shares of red in skin that blushes a little and much. */
const BLUSHES = [0.3, 0.6];

/** Which place and turn near the expected ones looks most like a face. */
export function findFace(expected: Figure): Face {
  const expectedSkin = skinTone(expected);
  const tones = [expectedSkin, ...blushing(expectedSkin)];
  const darkness = chart(expected, ([lightness]) => clamp((BRIGHT - lightness) / DARKER));
  const strangeness = chart(expected, (color) => strange(color, tones));

  const eyeScore = (x: number, y: number) =>
    DARK_PUPIL * (mean(darkness, x, y, PUPIL) - mean(darkness, x, y, LOWER_RIM)) +
    STRANGE_EYE * mean(strangeness, x, y, LOWER_HALF) -
    STRANGE_UNDER_EYE * mean(strangeness, x, y, UNDER_EYE);

  let best = { score: -Infinity, x: 0, y: 0, turn: 0 };
  for (const turn of TURNS) {
    const cos = Math.cos(turn);
    const sin = Math.sin(turn);
    const [left, right] = [-EYE.x, EYE.x].map((x) => ({
      x: Math.round(x * cos - EYE.y * sin),
      y: Math.round(x * sin + EYE.y * cos),
    })) as [Point, Point];
    for (let y = -REACH; y <= REACH; y++) {
      for (let x = -REACH; x <= REACH; x++) {
        const score = eyeScore(x + left.x, y + left.y) + eyeScore(x + right.x, y + right.y) -
          STRANGE_BRIDGE * mean(strangeness, x, y, BRIDGE) -
          DISTANCE_COST * (x * x + y * y) - TURN_COST * Math.abs(turn);
        if (score > best.score) best = { score, x, y, turn };
      }
    }
  }
  const head = expected.part(best, best.turn);
  const skin = skinTone(head);
  const blushes = blushing(skin);
  const lower = BARE_SKIN.flatMap((area) => head.colors(area));
  const like = lower.filter((color) => strange(color, [skin, ...blushes]) < 1);
  return { head, skin, blushes, score: best.score, evenness: like.length / lower.length };
}

function skinTone(head: Figure): Lab {
  const colors = BARE_SKIN.flatMap((area) => head.colors(area)).sort((p, q) => p[0] - q[0]);
  const [from, to] = LIT_SKIN.map((share) => Math.round(share * colors.length));
  return medianColor(colors.slice(from, to));
}

function blushing(skin: Lab): Lab[] {
  return BLUSHES.map((share) => blend(skin, labOf(BLUSH), share));
}

/** How different a colour is from each of the tones, 0…1. */
function strange(color: Lab, tones: readonly Lab[]): number {
  return clamp(Math.min(...tones.map((tone) => distance(tone, color))) / STRANGE);
}

/** The whole points for which that is true. */
function points(inside: (x: number, y: number) => boolean): Point[] {
  const reach = 30;
  const found: Point[] = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) if (inside(x, y)) found.push({ x, y });
  }
  return found;
}

/** A value for every whole point around the middle of a head, row by row. */
type Chart = Float32Array;
const CHART_HALF = 60;
const CHART_SIDE = 2 * CHART_HALF;

function chart(head: Figure, value: (color: Lab) => number): Chart {
  return Float32Array.from({ length: CHART_SIDE ** 2 }, (_, index) => {
    const x = index % CHART_SIDE - CHART_HALF;
    const y = Math.floor(index / CHART_SIDE) - CHART_HALF;
    return value(head.color(x, y));
  });
}

function mean(values: Chart, x: number, y: number, where: readonly Point[]): number {
  const start = (y + CHART_HALF) * CHART_SIDE + x + CHART_HALF;
  let sum = 0;
  for (const point of where) sum += values[start + point.y * CHART_SIDE + point.x]!;
  return sum / where.length;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
