/** The measure of one choice against pictures drawn by training/renderer.py, whole and put together. */
import assert from "node:assert/strict";
import { measureConsistency, scoreConsistency } from "../../bench/eval/consistency.ts";
import { readEvalSet, readGroundTruth } from "../../bench/eval/eval_set.ts";
import type { RgbImage } from "../../src/image/mod.ts";

const scenes = (await readEvalSet()).slice(0, 48);
const pictures = await readGroundTruth();
/** Where the middle of either character is, in pixels. */
const MIDDLES = [66, 190];

Deno.test("drawn characters have one colour on both sides", () => {
  const { hair, eyes, clothing } = scoreConsistency(pictures.flatMap(measureConsistency));
  for (const { consistent } of [hair, eyes, clothing]) assert(consistent >= 0.98);
  assert(hair.unknown <= 0.02 && clothing.unknown <= 0.02);
  // One expression in seven is a wink.
  assert(eyes.unknown < 0.3, `${eyes.unknown}`);
});

Deno.test("characters whose right half is another's have two colours", () => {
  let hair = 0, clothing = 0, different = 0, differentCloth = 0;
  pictures.forEach((picture, index) => {
    const other = (index + 1) % pictures.length;
    const found = measureConsistency(halves(picture, pictures[other]!));
    (["left", "right"] as const).forEach((place, at) => {
      const [own, their] = [scenes[index]!.truth[place], scenes[other]!.truth[place]];
      if (own.hair !== their.hair) {
        different++;
        if (found[at]!.hair !== true) hair++;
      }
      if (own.clothing !== their.clothing) {
        differentCloth++;
        if (found[at]!.clothing !== true) clothing++;
      }
    });
  });
  assert(different > 60 && differentCloth > 60);
  assert(hair / different >= 0.95, `${hair} of ${different}`);
  assert(clothing / differentCloth >= 0.9, `${clothing} of ${differentCloth}`);
});

/** The first picture, with the right half of each character from the second. */
function halves(first: RgbImage, second: RgbImage): RgbImage {
  const data = first.data.slice();
  for (let pixel = 0; pixel < first.width * first.height; pixel++) {
    const x = pixel % first.width;
    const middle = x < first.width / 2 ? MIDDLES[0]! : MIDDLES[1]!;
    if (x >= middle) data.set(second.data.subarray(3 * pixel, 3 * pixel + 3), 3 * pixel);
  }
  return { ...first, data };
}
