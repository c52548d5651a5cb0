/**
 * Inputs of every kind that comes from elsewhere. What a reader may do with each is judged in
 * tasks/checkout/fuzz/, and `deno task fuzz` throws a hundred times as many.
 */
import assert from "node:assert/strict";
import { fuzzKind } from "../tasks/checkout/fuzz/fuzz_kind.ts";
import { FUZZ_KINDS, type FuzzKindName } from "../tasks/checkout/fuzz/kinds.ts";

for (const kind of Object.keys(FUZZ_KINDS) as FuzzKindName[]) {
  Deno.test(`a thousand hostile ${kind} are read or refused, in time and in words for people`, async () => {
    const { violations, refused } = await fuzzKind(kind, 1000, 3);
    assert.deepEqual(violations, []);
    // Neither does everything pass, nor nothing.
    assert(refused > 50 && refused < 1000, `${refused} of 1000 were refused`);
  });
}
