import assert from "node:assert/strict";
import { Groups } from "../../src/studio/_groups.ts";

Deno.test("work of one kind goes on together; another kind waits for its end, in turn", async () => {
  const groups = new Groups();
  const begun: string[] = [];
  const enter = async (kind: string, name: string) => {
    const member = await groups.enter(kind);
    begun.push(name);
    return member;
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  const [first, second] = await Promise.all([enter("a", "a1"), enter("a", "a2")]);
  const others = [enter("b", "b1"), enter("b", "b2")];
  // It came after those that wait, and so it waits, too.
  const late = enter("a", "a3");
  await turn();
  assert.deepEqual(begun, ["a1", "a2"]);
  first[Symbol.dispose]();
  await turn();
  assert.deepEqual(begun, ["a1", "a2"]);
  second[Symbol.dispose]();
  const [third, fourth] = await Promise.all(others) as [Disposable, Disposable];
  assert.deepEqual(begun, ["a1", "a2", "b1", "b2"]);
  third[Symbol.dispose]();
  fourth[Symbol.dispose]();
  (await late)[Symbol.dispose]();
  assert.deepEqual(begun.at(-1), "a3");
  (await groups.enter("c"))[Symbol.dispose]();
});
