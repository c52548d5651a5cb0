/** Graphs that are loaded several times, on hosts that are played. */
import assert from "node:assert/strict";
import { KERNEL_THREAD } from "../../src/kernels/thread_module.ts";
import { Graph, INTERFACE_TYPE, matmul } from "../../src/onnx/mod.ts";
import {
  type Feeds,
  OutOfMemoryError,
  type RunningGraph,
  Session,
  sessionError,
  type SessionHost,
} from "../../src/runtime/session.ts";
import { SessionThread } from "../../src/runtime/session_thread.ts";
import { spreadSessions } from "../../src/runtime/spread_sessions.ts";
import { withOptions } from "../../src/runtime/with_options.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";

const GRAPH = new Graph("nothing").compile();
const OPTIONS = { device: "cuda" } as const;

/** A host that says what it is asked, and answers when it is told to. */
function playedHost(name: string, said: string[]) {
  const waiting: (() => void)[] = [];
  const host: SessionHost = {
    create: (_, { deviceId }) => {
      said.push(`${name} loads on ${deviceId}`);
      const graph: Pick<RunningGraph, "run"> & AsyncDisposable = {
        run: async (feeds: Feeds): Promise<Record<string, Tensor>> => {
          said.push(`${name} runs ${feeds.x!.data[0]}`);
          await new Promise<void>((resolve) => waiting.push(resolve));
          return { y: tensor(Float32Array.of(Number(feeds.x!.data[0]) * 10), [1]) };
        },
        [Symbol.asyncDispose]: () => Promise.resolve(void said.push(`${name} frees`)),
      };
      return Promise.resolve(graph);
    },
  };
  return { host, waiting };
}

const fed = (value: number) => ({ x: tensor(Float32Array.of(value), [1]) });
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("runs go to the GPU that has least to do, and none waits for another's", async () => {
  const said: string[] = [];
  const [a, b] = [playedHost("a", said), playedHost("b", said)];
  const host = spreadSessions([
    withOptions({ deviceId: 0 }, a.host),
    withOptions({ deviceId: 3 }, b.host),
  ]);
  const graph = await host.create(GRAPH, OPTIONS);
  assert.deepEqual(said.splice(0).sort(), ["a loads on 0", "b loads on 3"]);

  const pair = graph.runAll!([fed(1), fed(2)]);
  assert.deepEqual(said.splice(0), ["a runs 1", "b runs 2"]);
  // While both are busy, the next goes to the first; when that is done, so does the one after.
  const third = graph.run(fed(3));
  b.waiting.shift()!();
  await turn();
  const fourth = graph.run(fed(4));
  assert.deepEqual(said.splice(0), ["a runs 3", "b runs 4"]);
  for (const { waiting } of [a, b]) waiting.forEach((resolve) => resolve());
  assert.deepEqual((await pair).map(({ y }) => y!.data[0]), [10, 20]);
  assert.deepEqual([(await third).y!.data[0], (await fourth).y!.data[0]], [30, 40]);

  await graph[Symbol.asyncDispose]();
  assert.deepEqual(said.sort(), ["a frees", "b frees"]);
});

Deno.test("a GPU on which a graph cannot be loaded is told of, and what was loaded is freed", async () => {
  const said: string[] = [];
  const full: SessionHost = {
    create: () => Promise.reject(sessionError("nothing", "load", "CUDA failure 2: out of memory")),
  };
  const host = spreadSessions([playedHost("a", said).host, full]);
  await assert.rejects(host.create(GRAPH, OPTIONS), OutOfMemoryError);
  assert.deepEqual(said, ["a loads on undefined", "a frees"]);
});

Deno.test("a run that fails is told of when the others are done, and the GPU takes the next", async () => {
  let isFull = true;
  const said: string[] = [];
  const other = playedHost("b", said);
  const failing: SessionHost = {
    create: () =>
      Promise.resolve({
        run: (): Promise<Record<string, Tensor>> =>
          isFull
            ? Promise.reject(sessionError("nothing", "run", "out of memory"))
            : Promise.resolve({ y: tensor(Float32Array.of(7), [1]) }),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  };
  await using graph = await spreadSessions([failing, other.host]).create(GRAPH, OPTIONS);
  let hasEnded = false;
  const pair = graph.runAll!([fed(1), fed(2)]).finally(() => hasEnded = true);
  pair.catch(() => {});
  await turn();
  assert.equal(hasEnded, false);
  other.waiting.shift()!();
  await assert.rejects(pair, OutOfMemoryError);
  isFull = false;
  assert.equal((await graph.run(fed(3))).y!.data[0], 7);
});

Deno.test("this thread and another compute the same, bit for bit, at the same time", async () => {
  const size = 96;
  const graph = new Graph("square");
  const x = graph.input("x", INTERFACE_TYPE, [size, size]);
  const w = graph.input("w", INTERFACE_TYPE, [size, size]);
  graph.output("y", matmul(x, w), [size, size]);
  const values = (seed: number) =>
    tensor(
      Float32Array.from({ length: size ** 2 }, (_, at) => Math.sin(at * seed)),
      [size, size],
    );
  const feeds = [1, 2].map((seed) => ({
    x: values(seed),
    w: { ...values(3), constant: true as const },
  }));
  using thread = (await SessionThread.open(KERNEL_THREAD))!;
  const host = spreadSessions([Session, thread]);
  await using spread = await host.create(graph.compile(), { device: "cpu", threads: 1 });
  await using alone = await Session.create(graph.compile(), { device: "cpu", threads: 1 });
  for (let run = 0; run < 2; run++) {
    const results = await spread.runAll!(feeds);
    for (const [index, { y }] of results.entries()) {
      assert.deepEqual(y, (await alone.run(feeds[index]!)).y);
    }
  }
});
