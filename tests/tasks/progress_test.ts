import assert from "node:assert/strict";
import { duration, millisecondsLeft, ProgressLine } from "../../tasks/cli/progress.ts";

Deno.test("the time left is what the rest takes at the speed so far", () => {
  // Four of twenty in ten seconds are 2.5 s each, and sixteen are left.
  assert.equal(millisecondsLeft(10_000, 4, 16), 40_000);
  // All but one of thirty in 58 s: 2 s.
  assert.equal(millisecondsLeft(58_000, 29, 1), 2_000);
  assert.equal(millisecondsLeft(3_000, 7, 0), 0);
});

Deno.test("what was done before the line began says nothing about the speed", () => {
  let now = 5000;
  const line = new ProgressLine(900, () => now);
  now += 300;
  // 900 of 1000 were there already; since then 50 were done, and 50 are left: as long again.
  assert.equal(line.progress(950, 1000).left, "300 ms");
});

Deno.test("the time left is a dash before anything is done", () => {
  assert.equal(new ProgressLine().progress(0, 10).left, "–");
});

Deno.test("the bar is filled as far as the work is done", () => {
  const { bar } = new ProgressLine().progress(1, 4);
  assert.equal(bar, `${"█".repeat(6)}${"░".repeat(18)}`);
});

Deno.test("a duration is read off in the unit that fits", () => {
  assert.equal(duration(950), "950 ms");
  assert.equal(duration(61_500), "61.5 s");
  assert.equal(duration(125_000), "02:05 min");
  assert.equal(duration(2 * 3600_000 + 3 * 60_000 + 4_000), "2:03:04 h");
});
