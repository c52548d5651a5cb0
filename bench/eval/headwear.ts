/**
 * What a character has on its head: a hat, a cat's ears, glasses.
 *
 * @module
 */
import { EYE, type Face } from "./face.ts";
import { type Area, type Figure, type Side, SIDES } from "./figure.ts";
import { distance, type Lab, labOf, medianColor } from "./oklab.ts";
import { CLOTH, EAR_INSIDE, EAR_SHADOW, HAIR, mix, PAPER, STRAW } from "./palette.ts";
import { FULL_COLORS } from "./colors.ts";
import { asideTones, candidates, Votes } from "./vote.ts";

/** Of a bare head hair, and under a hat the hat and its band. */
const CROWN: Area = { x: [0, 12], y: [-56, -46] };
const BAND: Area = { x: [0, 12], y: [-42, -37] };
/** Less hair than this is a covered head. */
const BARE = 0.5;
/** Inside a hat, and above a bare head; and below the edge of either. */
const ABOVE_HEAD: Area = { x: [0, 9], y: [-73, -67] };
const UPPER_HEAD: Area = { x: [0, 9], y: [-55, -47] };
/** A hat seldom differs more than that between these places, one of the hair's colour less. */
const ONE_THING = 0.5, ONE_COLOR = 0.03;
/** The outline of a bare head: where to look for it, how wide, and how much darker it is. */
const OUTLINE_Y = [-67, -54] as const;
const OUTLINE_X = [0, 7] as const;
const OUTLINE_NEIGHBOR = 4;
const OUTLINE_CONTRAST = 0.03;
/** Cloth nearer than this to the hair's colour cannot be told from it. */
const LIKE_HAIR = 0.07;

/**
 * Whether there is a hat: on both sides, for a bow sits on one. It is not of the hair's colour, or it
 * goes on above the head without an outline between.
 */
export function hasHat(head: Figure, hair: string, paleness: readonly number[]): boolean {
  const hairTones = tonesOfHair(hair);
  const shining = [...hairTones, mix(hairTones[0]!, 0xffffff, 0.5)];
  const hairs = candidates({ [hair]: shining }, paleness);
  const cloth = candidates(CLOTH, paleness).filter(({ lab }) =>
    candidates({ [hair]: hairTones }, paleness).every((tone) =>
      distance(tone.lab, lab) >= LIKE_HAIR
    )
  ).map(({ lab }) => ({ name: "cloth", lab }));
  const among = [...hairs, ...cloth, ...asideTones(STRAW, paleness)];
  return SIDES.every((side) => {
    const bare = Math.min(
      ...[CROWN, BAND].map((area) => new Votes(head.colors(area, [side]), among).shareOf(hair)),
    );
    const [above, below] = [ABOVE_HEAD, UPPER_HEAD].map((area) =>
      medianColor(head.colors(area, [side]))
    );
    const difference = distance(above!, below!);
    return bare < BARE
      ? difference < ONE_THING
      : difference < ONE_COLOR && outline(head, side) < OUTLINE_CONTRAST;
  });
}

/** How much darker the darkest row is than the rows above and below it. */
function outline(head: Figure, side: Side): number {
  const lightness = (y: number) => {
    const row = head.colors({ x: OUTLINE_X, y: [y, y] }, [side]);
    return row.reduce((sum, pixel) => sum + pixel[0], 0) / row.length;
  };
  let contrast = 0;
  for (let y = OUTLINE_Y[0]; y <= OUTLINE_Y[1]; y++) {
    const around = Math.min(lightness(y - OUTLINE_NEIGHBOR), lightness(y + OUTLINE_NEIGHBOR));
    contrast = Math.max(contrast, around - lightness(y));
  }
  return contrast;
}

/** The root of the right ear, from the middle of the head. */
const EAR_ROOT = { x: 31, y: -46 };
/** From the root: near its tip, above any bun; and below that, down to where every ear begins. */
const EAR_AREAS: readonly Area[] = [{ x: [6, 10], y: [-33, -28] }, { x: [5, 11], y: [-27, -12] }];
/** How an ear may be moved sideways (units) and turned (radians). */
const EAR_SHIFTS = [-6, -4, -2, 0, 2, 4, 6];
const EAR_TURNS = [-8, 0, 8].map((degrees) => degrees * Math.PI / 180);
/** From the middle of the head: what is seen beside ears, and between them above the head. */
const BESIDE_EARS: Area = { x: [56, 62], y: [-84, -66] };
const BETWEEN_EARS: Area = { x: [0, 10], y: [-80, -70] };
/** Pixels farther from an ear's colours are none of it. */
const FAR_FROM_EAR = 0.12;
/** Outlines. */
const INK = labOf(0x1c1420);
/** How much of a strip is an ear, and how much may be between ears: more is a hat. */
const EAR_SHARE = 0.5;

/** Whether there are cat's ears: of the hair's colour or pink, on both sides, and not between. */
export function hasCatEars(head: Figure, hair: string, paleness: readonly number[]): boolean {
  const furs = candidates({ fur: tonesOfHair(hair) }, paleness).map(({ lab }) => lab);
  const ears = [...furs, ...earInsides(hair, paleness), INK];
  const between = head.colors(BETWEEN_EARS);
  const seen = SIDES.map((side) => {
    const behind = [between, head.colors(BESIDE_EARS, [side])].map(medianColor);
    const isEar = (pixel: Lab) =>
      nearest(pixel, ears) < Math.min(FAR_FROM_EAR, nearest(pixel, behind));
    const shares = EAR_TURNS.flatMap((turn) =>
      EAR_SHIFTS.map((shift) => {
        const ear = head.part({ x: side * (EAR_ROOT.x + shift), y: EAR_ROOT.y }, turn);
        return Math.min(...EAR_AREAS.map((area) => shareOf(ear.colors(area, [side]), isEar)));
      })
    );
    return Math.max(...shares);
  });
  return Math.min(...seen) >= EAR_SHARE;
}

function shareOf(pixels: readonly Lab[], is: (pixel: Lab) => boolean): number {
  return pixels.filter(is).length / pixels.length;
}

function nearest(pixel: Lab, tones: readonly Lab[]): number {
  return Math.min(...tones.map((tone) => distance(pixel, tone)));
}

/** The pink of an ear, in the light and in shadow. A little of the fur shows through; pastel does not. */
function earInsides(hair: string, paleness: readonly number[]): Lab[] {
  const [fur] = tonesOfHair(hair);
  const [least] = paleness;
  const lit = mix(EAR_INSIDE, mix(fur!, PAPER, least!), 0.12);
  return FULL_COLORS.flatMap((share) =>
    [lit, mix(lit, EAR_SHADOW, 0.4)].map((color) => labOf(mix(color, PAPER, share)))
  );
}

/** Where the lower rim of a lens runs around an eye: degrees from the horizontal, radius in units. */
const RIM_DEGREES = { from: 15, to: 165, step: 5 };
const RIM_RADII = [15, 16, 17, 18, 19];
/** How much darker than skin it is, at most places. */
const RIM_CONTRAST = 0.15;

/** Whether there are glasses: a dark line on the cheeks, around the eyes. */
export function hasGlasses({ head, skin }: Face): boolean {
  const contrasts: number[] = [];
  for (const side of SIDES) {
    for (let degrees = RIM_DEGREES.from; degrees <= RIM_DEGREES.to; degrees += RIM_DEGREES.step) {
      const cos = Math.cos(degrees * Math.PI / 180);
      const sin = Math.sin(degrees * Math.PI / 180);
      const darkest = Math.min(
        ...RIM_RADII.map((radius) =>
          head.color(side * EYE.x + radius * cos, EYE.y + radius * sin)[0]
        ),
      );
      contrasts.push(skin[0] - darkest);
    }
  }
  return contrasts.sort((p, q) => p - q)[contrasts.length >> 1]! >= RIM_CONTRAST;
}

function tonesOfHair(name: string): readonly number[] {
  return HAIR[name as keyof typeof HAIR];
}
