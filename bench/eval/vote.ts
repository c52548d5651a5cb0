/**
 * Pixels vote for the named tone that they are nearest to.
 *
 * @module
 */
import { distance, type Lab, labOf } from "./oklab.ts";
import { mix, PAPER, type Rgb, type Tones } from "./palette.ts";

/** A colour that votes can go to. */
export interface Candidate {
  readonly name: string;
  readonly lab: Lab;
}

/** The name of colours that are known to be in a region and are not what is measured there. */
const ASIDE = "aside";

/** Each tone at each paleness (the share of paper in it), and what lies halfway between tones. */
export function candidates(tones: Tones, paleness: readonly number[]): Candidate[] {
  return Object.entries(tones).flatMap(([name, colors]) => {
    const between = colors.slice(1).map((color, index) => mix(colors[index]!, color, 0.5));
    return paleness.flatMap((share) =>
      [...colors, ...between].map((color) => ({ name, lab: labOf(mix(color, PAPER, share)) }))
    );
  });
}

/** Candidates whose votes are not counted. */
export function aside(colors: readonly Lab[]): Candidate[] {
  return colors.map((lab) => ({ name: ASIDE, lab }));
}

/** The same, of tones. */
export function asideTones(colors: readonly Rgb[], paleness: readonly number[]): Candidate[] {
  return candidates({ [ASIDE]: colors }, paleness);
}

/** A pixel farther than this from every candidate has no vote. In OKLab, black to white is 1. */
const FAR = 0.12;

/** The outcome of a vote. */
export class Votes {
  readonly #shares = new Map<string, number>();

  /** Lets pixels vote, each with its weight. */
  constructor(
    pixels: readonly Lab[],
    among: readonly Candidate[],
    weight: (pixel: Lab) => number = () => 1,
  ) {
    for (const pixel of pixels) {
      let nearest = FAR;
      let name: string | undefined;
      for (const candidate of among) {
        const found = distance(pixel, candidate.lab);
        if (found < nearest) {
          nearest = found;
          name = candidate.name;
        }
      }
      if (name !== undefined) {
        this.#shares.set(name, this.shareOf(name) + weight(pixel) / pixels.length);
      }
    }
  }

  /** What that name got, of what there would be if all pixels had the weight 1. */
  shareOf(name: string): number {
    return this.#shares.get(name) ?? 0;
  }

  /** All that was not put aside. */
  get counted(): number {
    let sum = 0;
    for (const [name, share] of this.#shares) if (name !== ASIDE) sum += share;
    return sum;
  }

  /** The name with most votes, or undefined where it has too few. */
  winner(bar: Bar): string | undefined {
    let best: string | undefined;
    for (const name of this.#shares.keys()) {
      if (name !== ASIDE && (best === undefined || this.shareOf(name) > this.shareOf(best))) {
        best = name;
      }
    }
    const share = best === undefined ? 0 : this.shareOf(best);
    return share >= bar.share && share >= bar.majority * this.counted ? best : undefined;
  }
}

/** What it takes to believe in a winner. */
export interface Bar {
  /** The least share of all pixels. */
  readonly share: number;
  /** The least share of the votes that are counted. */
  readonly majority: number;
}
