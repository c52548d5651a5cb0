/**
 * Inputs of every kind that comes from elsewhere. What a reader may do with each is judged in
 * tasks/checkout/fuzz/, and `deno task fuzz` throws a hundred times as many.
 */
import assert from "node:assert/strict";
import { fuzzKind } from "../tasks/checkout/fuzz/fuzz_kind.ts";
import { FUZZ_KINDS, type FuzzKindName } from "../tasks/checkout/fuzz/kinds.ts";

/** Other tests may run beside these, so that a case may take longer than when it is alone. */
const MOST_MS = 10_000;

for (const kind of Object.keys(FUZZ_KINDS) as FuzzKindName[]) {
  // Foreign expressions are not bounded in time yet.
  Deno.test(`a thousand hostile ${kind} are read or refused, in time and in words for people`, async () => {
    const { violations, refused } = await fuzzKind(kind, 1000, 3, MOST_MS);
    assert.deepEqual(violations, []);
    // Neither does everything pass, nor nothing.
    assert(refused > 50 && refused < 1000, `${refused} of 1000 were refused`);
  });
}
