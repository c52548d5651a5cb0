/** Threads of parts, played by objects that only note that they were begun and ended. */
import assert from "node:assert/strict";
import { PartThreads } from "../../src/pipeline/_part_threads.ts";
import type { SessionRequest } from "../../src/runtime/session_thread.ts";

/** Puts workers that note what happens to them in the place of true ones, while the work is done. */
async function withNotedWorkers(work: (noted: { begun: number; ended: number }) => Promise<void>) {
  const noted = { begun: 0, ended: 0 };
  const { Worker } = globalThis;
  globalThis.Worker = class {
    constructor() {
      noted.begun++;
    }
    postMessage(_request: SessionRequest) {}
    terminate() {
      noted.ended++;
    }
  } as unknown as typeof Worker;
  try {
    await work(noted);
  } finally {
    globalThis.Worker = Worker;
  }
}

Deno.test("threads that were begun early are those of the parts, further ones begin when they are asked", async () => {
  await withNotedWorkers(async (noted) => {
    const threads = new PartThreads();
    await threads.begin();
    assert.equal(noted.begun, 3);
    const taken = [];
    for (let part = 0; part < 4; part++) taken.push(await threads.take(true));
    assert.equal(noted.begun, 3);
    assert.deepEqual(threads.taken, taken);
    taken[3]!.start();
    taken[3]!.start();
    assert.equal(noted.begun, 4);
    threads.handOver();
    threads[Symbol.dispose]();
    assert.equal(noted.ended, 0);
    taken.forEach((thread) => thread![Symbol.dispose]());
    assert.equal(noted.ended, 4);
    // One that has ended does not begin again.
    taken[0]!.start();
    assert.equal(noted.begun, 4);
  });
});

Deno.test("what nobody took is ended, and what was taken too when the model did not load", async () => {
  await withNotedWorkers(async (noted) => {
    const threads = new PartThreads();
    await threads.begin();
    await threads.take(true);
    threads.handOver();
    threads[Symbol.dispose]();
    assert.deepEqual(noted, { begun: 3, ended: 2 });
  });
  await withNotedWorkers(async (noted) => {
    const threads = new PartThreads();
    await threads.begin();
    await threads.take(true);
    threads[Symbol.dispose]();
    assert.deepEqual(noted, { begun: 3, ended: 3 });
    await threads.begin();
    assert.equal(noted.begun, 3);
  });
});

Deno.test("a program that may not call native code by itself has threads of the binding", async () => {
  await withNotedWorkers(async (noted) => {
    using threads = new PartThreads();
    await threads.begin();
    const thread = await threads.take(false);
    assert.equal(noted.begun, 3);
    thread!.start();
    assert.equal(noted.begun, 4);
  });
});
