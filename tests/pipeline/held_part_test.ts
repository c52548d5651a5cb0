import assert from "node:assert/strict";
import { explainError } from "../../src/errors.ts";
import { HeldPart } from "../../src/pipeline/parts/held_part.ts";

/** A part that remembers how often it was loaded and freed. */
class Part implements AsyncDisposable {
  static loaded = 0;
  static freed = 0;

  static load(): Promise<Part> {
    Part.loaded++;
    return Promise.resolve(new Part());
  }

  [Symbol.asyncDispose](): Promise<void> {
    Part.freed++;
    return Promise.resolve();
  }
}

const unchanged = () => Promise.resolve();
const counts = () => [Part.loaded, Part.freed];

function heldPart(keep: boolean, check = unchanged): HeldPart<Part> {
  Part.loaded = Part.freed = 0;
  return new HeldPart(Part.load, check, keep);
}

Deno.test("a kept part is loaded once, and freed with what holds it", async () => {
  const kept = heldPart(true);
  assert.deepEqual(counts(), [0, 0]);
  await kept.load();
  await kept.use(() => Promise.resolve());
  assert.deepEqual(counts(), [1, 0]);
  await kept[Symbol.asyncDispose]();
  await kept[Symbol.asyncDispose]();
  assert.deepEqual(counts(), [1, 1]);
});

Deno.test("a part that is not kept is freed after each use, but not while another use runs", async () => {
  const passing = heldPart(false);
  await passing.use(() => Promise.resolve());
  assert.deepEqual(counts(), [1, 1]);
  const { promise, resolve } = Promise.withResolvers<void>();
  const long = passing.use(() => promise);
  await passing.use(() => Promise.resolve());
  assert.deepEqual(counts(), [2, 1]);
  resolve();
  await long;
  assert.deepEqual(counts(), [2, 2]);
});

Deno.test("a part is freed when the work with it fails, and when loading failed it can be tried again", async () => {
  const passing = heldPart(false);
  await assert.rejects(passing.use(() => Promise.reject(new Error("no"))), /no/);
  assert.deepEqual(counts(), [1, 1]);
  let attempts = 0;
  const flaky = new HeldPart(
    () => attempts++ === 0 ? Promise.reject(new Error("not yet")) : Part.load(),
    unchanged,
    true,
  );
  await assert.rejects(flaky.load(), /not yet/);
  await flaky.load();
  assert.equal(attempts, 2);
});

Deno.test("disposing waits for the work under way, and refuses more", async () => {
  const kept = heldPart(true);
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = kept.use(() => promise);
  await kept[Symbol.asyncDispose]();
  assert.equal(Part.freed, 0);
  resolve();
  await work;
  assert.deepEqual(counts(), [1, 1]);
  await assert.rejects(kept.use(() => Promise.resolve()), (error) => {
    assert.match(explainError(error, "en"), /^The model was given back: .* disposed/);
    assert.match(explainError(error, "zh"), /^模型已释放：/);
    return true;
  });
});

Deno.test("a part whose files changed is not used", async () => {
  let changed = false;
  const kept = heldPart(
    true,
    () => changed ? Promise.reject(new Error("changed")) : Promise.resolve(),
  );
  await kept.load();
  changed = true;
  let used = false;
  await assert.rejects(kept.use(() => Promise.resolve(used = true)), /changed/);
  assert.equal(used, false);
});
