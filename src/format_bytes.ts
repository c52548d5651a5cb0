const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const UNIT = 1024;
/** From here on the next unit reads better: 1000 MiB are 1.0 GiB. */
const MOST_OF_A_UNIT = 1000;

/**
 * Bytes as people read them, in binary units.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatBytes(512), "512 B");
 * assert.equal(formatBytes(450 * 2 ** 20), "450 MiB");
 * assert.equal(formatBytes(7.25 * 2 ** 30), "7.3 GiB");
 * ```
 */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let power = 0;
  while (value >= MOST_OF_A_UNIT && power < UNITS.length - 1) {
    value /= UNIT;
    power++;
  }
  // A tenth of a gibibyte counts, of 450 MiB it does not.
  const digits = power >= 3 || power > 0 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[power]}`;
}
