/**
 * Lanczos' filter of three lobes, with the arithmetic of Pillow.
 *
 * @module
 */

/** Lobes of the filter. */
const LOBES = 3;

/** Which values a new one is made of along one side, and how much of each. */
export interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/** The taps of each new value, when so many become so many; widened where they become fewer. */
export function tapsOf(from: number, to: number): readonly Taps[] {
  const step = from / to;
  const stretch = Math.max(1, step);
  const reach = LOBES * stretch;
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * step;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = Float64Array.from(
      { length: end - first },
      (_, tap) => lanczos((first + tap - centre + 0.5) / stretch),
    );
    const sum = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return LOBES * Math.sin(angle) * Math.sin(angle / LOBES) / angle ** 2;
}
