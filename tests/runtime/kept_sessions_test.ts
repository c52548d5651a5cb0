/** Sessions that stay from one use to the next, over a host that notes what is asked of it. */
import assert from "node:assert/strict";
import type { CompiledGraph } from "../../src/onnx/mod.ts";
import { KeptSessions } from "../../src/runtime/kept_sessions.ts";
import type { SessionHost } from "../../src/runtime/session.ts";
import { tensor } from "../../src/tensor.ts";

const OPTIONS = { device: "cpu" } as const;

function graph(name: string): CompiledGraph {
  return { name, model: new Uint8Array(), inputs: [], outputs: [] };
}

/** @param loads For each graph what its first loading waits for, and how it ends. */
function noting(loads: Readonly<Record<string, Promise<void>>> = {}) {
  const noted: string[] = [];
  const tried = new Set<string>();
  const host: SessionHost = {
    create: async ({ name }) => {
      noted.push(`load ${name}`);
      if (!tried.has(name)) {
        tried.add(name);
        await loads[name];
      }
      return {
        run: () => Promise.resolve({ y: tensor(Float32Array.of(name.length), [1]) }),
        [Symbol.asyncDispose]: () => Promise.resolve(void noted.push(`free ${name}`)),
      };
    },
  };
  return { host, noted };
}

Deno.test("a graph is loaded once for all its uses, and freed with the others in the end", async () => {
  const { host, noted } = noting();
  const kept = new KeptSessions(host);
  const [one, three] = [graph("a"), graph("abc")];
  for (let use = 0; use < 2; use++) {
    for (const each of [one, three]) {
      await using session = await kept.create(each, OPTIONS);
      assert.deepEqual([...(await session.run({})).y!.data], [each.name.length]);
    }
  }
  assert.deepEqual(noted, ["load a", "load abc"]);
  await kept[Symbol.asyncDispose]();
  assert.deepEqual(noted.slice(2), ["free a", "free abc"]);
  await (await kept.create(one, OPTIONS))[Symbol.asyncDispose]();
  assert.deepEqual(noted.slice(4), ["load a"]);
  await kept[Symbol.asyncDispose]();
});

Deno.test("a graph that could not be loaded is loaded again by its next use", async () => {
  const { host, noted } = noting({ a: Promise.reject(new Error("no memory")) });
  await using kept = new KeptSessions(host);
  const one = graph("a");
  await assert.rejects(kept.create(one, OPTIONS), /no memory/);
  await kept.create(one, OPTIONS);
  assert.deepEqual(noted, ["load a", "load a"]);
});

Deno.test("one that fails while all are freed keeps none of the others", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const { host, noted } = noting({ a: promise });
  const kept = new KeptSessions(host);
  const failing = kept.create(graph("a"), OPTIONS);
  await kept.create(graph("b"), OPTIONS);
  const freed = kept[Symbol.asyncDispose]();
  reject(new Error("no memory"));
  await assert.rejects(failing, /no memory/);
  await freed;
  assert.deepEqual(noted, ["load a", "load b", "free b"]);
});
