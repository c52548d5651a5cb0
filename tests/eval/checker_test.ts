/**
 * The checker against bench/eval/ground_truth.png: pictures drawn by training/renderer.py, together
 * with the attributes that they were drawn from. Neither has seen the checker.
 */
import assert from "node:assert/strict";
import { ATTRIBUTES, COLOR_ATTRIBUTES } from "../../bench/eval/attributes.ts";
import { measureCharacters, PICTURE_SIZE } from "../../bench/eval/checker.ts";
import {
  type CheckerErrors,
  checkerErrors,
  readCheckerValidation,
} from "../../bench/eval/checker_validation.ts";
import { degrade } from "../../bench/eval/degrade.ts";
import { readEvalSet, readGroundTruth } from "../../bench/eval/eval_set.ts";
import { score } from "../../bench/eval/metrics.ts";
import { RequestError } from "../../src/errors.ts";
import type { RgbImage } from "../../src/image/mod.ts";
import { createGenerator } from "../../src/random/mod.ts";

const scenes = await readEvalSet();
const pictures = await readGroundTruth();

/** What the checker may get wrong of the 96 characters of the sheet. */
const ERROR_BOUND = 0.02;

function shareWrong(errors: CheckerErrors, name: typeof ATTRIBUTES[number]): number {
  const { wrong, unknown } = errors.perAttribute[name];
  return (wrong + unknown) / errors.characters;
}

Deno.test("the checker is right about drawn pictures", () => {
  const errors = checkerErrors(scenes, pictures);
  assert.equal(errors.characters, 96);
  assert(errors.error <= ERROR_BOUND, `error ${errors.error}`);
  assert(errors.misbinding <= ERROR_BOUND, `misbinding ${errors.misbinding}`);
  for (const name of COLOR_ATTRIBUTES) assert(shareWrong(errors, name) <= ERROR_BOUND, name);
});

Deno.test("the checker bears blur, noise, and shifted brightness and colours", () => {
  const errors = checkerErrors(scenes, pictures.map(degrade));
  assert(errors.error <= ERROR_BOUND, `error ${errors.error}`);
  for (const name of COLOR_ATTRIBUTES) assert(shareWrong(errors, name) <= ERROR_BOUND, name);
});

Deno.test("the checker's recorded errors on all scenes are below the bound, for each attribute", async () => {
  const { clean, degraded } = await readCheckerValidation();
  for (const errors of [clean, degraded]) {
    assert.equal(errors.characters, 2 * scenes.length);
    for (const name of ATTRIBUTES) {
      assert(shareWrong(errors, name) <= ERROR_BOUND, `${name} ${shareWrong(errors, name)}`);
    }
  }
});

Deno.test("characters who changed places have each other's attributes, all of them", () => {
  const result = score(pictures.map((picture, index) => ({
    truth: scenes[index]!.truth,
    measured: measureCharacters(halvesSwapped(picture)),
  })));
  assert.equal(result.misbinding, 1);
  assert(result.attributeMisbinding >= 1 - ERROR_BOUND, `${result.attributeMisbinding}`);
  // The colours of hair, eyes and clothes differ in every scene.
  for (const name of ["hair", "eyes", "clothing"] as const) {
    const { accuracy, misbinding, bindable } = result.perAttribute[name];
    assert.equal(bindable, result.characters);
    assert(misbinding >= 1 - ERROR_BOUND, `${name} ${misbinding}`);
    assert(accuracy <= ERROR_BOUND, `${name} ${accuracy}`);
  }
});

Deno.test("in noise and in plain colours the checker finds no characters", () => {
  const noises = [0, 1, 2, 3, 4, 5].flatMap((seed) => [1, 2, 4].map((grain) => noise(seed, grain)));
  const plain = [[255, 255, 255], [0, 0, 0], [255, 230, 216], [72, 129, 220]].map(plainColor);
  for (const picture of [...noises, ...plain]) {
    const { left, right } = measureCharacters(picture);
    for (const name of ATTRIBUTES) {
      assert.equal(left[name], undefined, name);
      assert.equal(right[name], undefined, name);
    }
  }
});

Deno.test("what cannot be made out is wrong, but not the other character's", () => {
  const result = score([{ truth: scenes[0]!.truth, measured: measureCharacters(noise(0, 1)) }]);
  assert.equal(result.attributeAccuracy, 0);
  assert.equal(result.misbinding, 0);
  assert.equal(result.perAttribute.hair.unknown, 1);
});

Deno.test("one character beside nothing is measured, and nothing is made of the other side", () => {
  const [picture] = pictures as [RgbImage];
  const data = picture.data.slice();
  for (let pixel = 0; pixel < PICTURE_SIZE ** 2; pixel++) {
    if (pixel % PICTURE_SIZE >= PICTURE_SIZE / 2) data.fill(255, 3 * pixel, 3 * pixel + 3);
  }
  const { left, right } = measureCharacters({ ...picture, data });
  assert.equal(left.hair, scenes[0]!.truth.left.hair);
  assert.equal(right.hair, undefined);
});

Deno.test("the checker refuses pictures of another size", () => {
  const small = { data: new Uint8ClampedArray(3 * 64 * 64), width: 64, height: 64 };
  assert.throws(() => measureCharacters(small), (error) => {
    assert(error instanceof RequestError);
    assert.match(error.message, /256×256.*64×64/);
    return true;
  });
});

function halvesSwapped({ data, width, height }: RgbImage): RgbImage {
  const swapped = new Uint8ClampedArray(data.length);
  const half = 3 * width / 2;
  for (let y = 0; y < height; y++) {
    const row = 2 * half * y;
    swapped.set(data.subarray(row + half, row + 2 * half), row);
    swapped.set(data.subarray(row, row + half), row + half);
  }
  return { data: swapped, width, height };
}

/** Squares of `grain` pixels in random colours. */
function noise(seed: number, grain: number): RgbImage {
  const side = PICTURE_SIZE / grain;
  const values = createGenerator({ seed }).randn(3 * side * side);
  const data = Uint8ClampedArray.from({ length: 3 * PICTURE_SIZE ** 2 }, (_, index) => {
    const x = Math.floor(index / 3 % PICTURE_SIZE / grain);
    const y = Math.floor(index / 3 / PICTURE_SIZE / grain);
    return 127.5 + 64 * values[3 * (y * side + x) + index % 3]!;
  });
  return { data, width: PICTURE_SIZE, height: PICTURE_SIZE };
}

function plainColor(color: readonly number[]): RgbImage {
  const data = Uint8ClampedArray.from(
    { length: 3 * PICTURE_SIZE ** 2 },
    (_, index) => color[index % 3]!,
  );
  return { data, width: PICTURE_SIZE, height: PICTURE_SIZE };
}
