/** Expected values: counted by hand. */
import assert from "node:assert/strict";
import type { Looks, MeasuredLooks } from "../../bench/eval/attributes.ts";
import { type Sample, score } from "../../bench/eval/metrics.ts";

const RED: Looks = {
  hair: "red",
  eyes: "blue",
  clothing: "white",
  skin: "fair",
  cat_ears: true,
  glasses: false,
  hat: false,
};
const GREEN: Looks = {
  hair: "green",
  eyes: "brown",
  clothing: "black",
  skin: "fair",
  cat_ears: false,
  glasses: true,
  hat: false,
};
const UNKNOWN = Object.fromEntries(
  Object.keys(RED).map((name) => [name, undefined]),
) as unknown as MeasuredLooks;

/** RED on the left and GREEN on the right, measured as something else. */
function sample(left: Partial<MeasuredLooks> = {}, right: Partial<MeasuredLooks> = {}): Sample {
  return {
    truth: { left: RED, right: GREEN },
    measured: { left: { ...RED, ...left }, right: { ...GREEN, ...right } },
  };
}

Deno.test("pictures that are right have no misbinding", () => {
  const result = score([sample(), sample()]);
  assert.equal(result.misbinding, 0);
  assert.equal(result.attributeAccuracy, 1);
  assert.equal(result.attributeMisbinding, 0);
  assert.equal(result.characters, 4);
});

Deno.test("an attribute that is wrong and not the other's is no misbinding", () => {
  const { misbinding, attributeAccuracy, perAttribute } = score([sample({ hair: "blue" })]);
  assert.equal(misbinding, 0);
  assert.equal(attributeAccuracy, 13 / 14);
  assert.equal(perAttribute.hair.accuracy, 1 / 2);
  assert.equal(perAttribute.hair.misbinding, 0);
});

Deno.test("an attribute of the other character is misbinding, for the one who got it", () => {
  const result = score([sample({ hair: "green" }), sample()]);
  assert.equal(result.misbinding, 1 / 4);
  assert.equal(result.perAttribute.hair.misbinding, 1 / 4);
  assert.equal(result.perAttribute.eyes.misbinding, 0);
  // Of hair, eyes and clothes of four characters, ears of the right ones, glasses of the left ones.
  assert.equal(result.attributeMisbinding, 1 / 16);
});

Deno.test("a character with several of the other's attributes counts once", () => {
  const result = score([sample({ hair: "green", eyes: "brown", clothing: "black" })]);
  assert.equal(result.misbinding, 1 / 2);
  assert.equal(result.attributeAccuracy, 11 / 14);
});

Deno.test("characters with all of each other's attributes are all misbound", () => {
  const result = score([sample(GREEN, RED)]);
  assert.equal(result.misbinding, 1);
  assert.equal(result.attributeMisbinding, 1);
  // Skin and the lack of a hat are the same on both.
  assert.equal(result.attributeAccuracy, 2 / 7);
});

Deno.test("what both have cannot be bound to the wrong one", () => {
  const { perAttribute, misbinding } = score([sample({ skin: "dark", hat: true })]);
  assert.equal(misbinding, 0);
  assert.equal(perAttribute.skin.bindable, 0);
  assert(Number.isNaN(perAttribute.skin.misbinding));
  assert.equal(perAttribute.skin.accuracy, 1 / 2);
});

Deno.test("glasses that went to the other are misbinding, glasses that are missing are not", () => {
  const wandered = score([sample({ glasses: true }, { glasses: false })]);
  assert.equal(wandered.misbinding, 1 / 2);
  assert.deepEqual(wandered.perAttribute.glasses, {
    accuracy: 0,
    misbinding: 1,
    bindable: 1,
    unknown: 0,
  });
  assert.equal(score([sample({}, { glasses: false })]).misbinding, 0);
});

Deno.test("what could not be made out is wrong and unknown, and no misbinding", () => {
  const result = score([sample(UNKNOWN)]);
  assert.equal(result.misbinding, 0);
  assert.equal(result.attributeAccuracy, 1 / 2);
  assert.equal(result.perAttribute.hair.unknown, 1 / 2);
});
