import assert from "node:assert/strict";
import { compileVae, parseVaeConfig } from "../../src/models/autoencoder.ts";
import { KERNEL_THREAD } from "../../src/kernels/thread_module.ts";
import { DTYPE_POLICIES, Graph, INTERFACE_TYPE, matmul } from "../../src/onnx/mod.ts";
import { Vae } from "../../src/pipeline/parts/vae.ts";
import { createGenerator } from "../../src/random/mod.ts";
import { aloneOnGpu } from "../../src/runtime/gpu_turns.ts";
import {
  OutOfMemoryError,
  type RunningGraph,
  type RunOptions,
  SessionError,
  sessionError,
} from "../../src/runtime/session.ts";
import {
  type SessionAnswer,
  type SessionRequest,
  SessionThread,
} from "../../src/runtime/session_thread.ts";
import { spreadSessions } from "../../src/runtime/spread_sessions.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { type Tensor, tensor } from "../../src/tensor.ts";
import { fixture, readJson } from "../_fixtures.ts";

/** x · x · … of a square matrix, so many times. */
function powerGraph(products: number) {
  const graph = new Graph("power");
  const x = graph.input("x", INTERFACE_TYPE, ["n", "n"]);
  let power = x;
  for (let product = 0; product < products; product++) power = matmul(power, x);
  graph.output("power", power, ["n", "n"]);
  return graph.compile();
}

/** A matrix that turns by a quarter: its fourth power is one, its third its transpose. */
const QUARTER_TURN = tensor(Float32Array.of(0, -1, 1, 0), [2, 2]);

async function openThread(): Promise<SessionThread> {
  const thread = await SessionThread.open();
  assert.ok(thread !== undefined);
  return thread;
}

/** A run that takes a while. */
function large(): Tensor {
  return tensor(new Float32Array(1200 ** 2).fill(1 / 1200), [1200, 1200]);
}

Deno.test("a graph on a thread computes, again and again, and leaves its inputs alone", async () => {
  using thread = await openThread();
  await using third = await thread.create(powerGraph(2), { device: "cpu" });
  await using fourth = await thread.create(powerGraph(3), { device: "cpu" });
  for (let run = 0; run < 2; run++) {
    const transpose = await third.run({ x: QUARTER_TURN });
    assert.deepEqual([...transpose.power!.data], [0, 1, -1, 0]);
    const one = await fourth.run({ x: QUARTER_TURN });
    assert.deepEqual([...one.power!.data], [1, 0, 0, 1]);
    assert.deepEqual(one.power!.dims, [2, 2]);
  }
  assert.deepEqual([...QUARTER_TURN.data], [0, -1, 1, 0]);
});

Deno.test("the calling thread is free while another runs a graph", async () => {
  using thread = await openThread();
  await using session = await thread.create(powerGraph(8), { device: "cpu" });
  const order: string[] = [];
  const run = session.run({ x: large() }).then(() => order.push("run"));
  await new Promise((resolve) => setTimeout(resolve, 0)).then(() => order.push("timer"));
  await run;
  assert.deepEqual(order, ["timer", "run"]);
});

Deno.test("what goes wrong on a thread is the error that it would be here", async () => {
  using thread = await openThread();
  const graph = powerGraph(2);
  await assert.rejects(
    thread.create({ ...graph, model: new Uint8Array(3) }, { device: "cpu" }),
    (error) => error instanceof SessionError && /load the graph power: .*proto/.test(error.message),
  );
  const session = await thread.create(graph, { device: "cpu" });
  await assert.rejects(session.run({}), /run the graph power: no x given$/);
  await session[Symbol.asyncDispose]();
  await session[Symbol.asyncDispose]();
  await assert.rejects(session.run({ x: QUARTER_TURN }), /power: the session was disposed$/);
});

Deno.test("a thread that ends answers everybody who waits", async () => {
  const thread = await openThread();
  const session = await thread.create(powerGraph(8), { device: "cpu" });
  const run = session.run({ x: large() });
  thread[Symbol.dispose]();
  await assert.rejects(run, /run the graph power: the thread was ended$/);
  await assert.rejects(session.run({ x: large() }), /the thread was ended$/);
});

/** A thread that ends when it is given `ends`, played: its graphs say how many were loaded there. */
async function endingThread(): Promise<SessionThread> {
  return (await SessionThread.open(new URL("./_ending_worker.ts", import.meta.url)))!;
}

const ENDS = { ends: tensor(Float32Array.of(1), [1]) };
/** What a thread keeps. */
const GIVEN = { given: { ...tensor(Float32Array.of(7), [1]), constant: true } } as const;

Deno.test("when a thread ends by itself, its run fails and later ones load their graphs on a new one", async () => {
  using thread = await endingThread();
  await using session = await thread.create(powerGraph(0), { device: "cpu" });
  await using other = await thread.create(powerGraph(0), { device: "cpu" });
  const asked = async (graph: RunningGraph) => {
    const { loads, given } = await graph.run(GIVEN);
    return [loads!.data[0], given!.data[0]];
  };
  assert.deepEqual(await asked(session), [2, 7]);
  await assert.rejects(session.run(ENDS), (error) => {
    assert.ok(error instanceof SessionError);
    assert.match(error.message, /run the graph power: its thread has ended: .*struck/);
    return true;
  });
  // The new thread has loaded the graph once for both, and was given the constant anew.
  assert.deepEqual(await Promise.all([asked(session), asked(session)]), [[1, 7], [1, 7]]);
  assert.deepEqual(await asked(other), [2, 7]);
});

Deno.test("a session that ended with its thread is freed without beginning another", async () => {
  const { Worker } = globalThis;
  let begun = 0;
  globalThis.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      begun++;
    }
  };
  try {
    using thread = await endingThread();
    const session = await thread.create(powerGraph(0), { device: "cpu" });
    await assert.rejects(session.run(ENDS), /struck/);
    await session[Symbol.asyncDispose]();
    assert.equal(begun, 1);
    await assert.rejects(session.run({}), /the session was disposed$/);
    await using _next = await thread.create(powerGraph(0), { device: "cpu" });
    assert.equal(begun, 2);
  } finally {
    globalThis.Worker = Worker;
  }
});

Deno.test("a run that waits for its turn when the thread ends fails, and keeps nothing there", async () => {
  using thread = await endingThread();
  await using session = await thread.create(powerGraph(0), { device: "cuda" });
  const ends = assert.rejects(session.run(ENDS), /struck/);
  const between = aloneOnGpu("cuda", () => Promise.resolve());
  const waits = assert.rejects(session.run(GIVEN), /run the graph power: its thread has ended$/);
  await Promise.all([ends, between, waits]);
  const { given } = await session.run(GIVEN);
  assert.equal(given!.data[0], 7);
});

Deno.test({
  name: "where its program may not be read, there is no thread",
  permissions: { read: false },
  fn: async () => assert.equal(await SessionThread.open(), undefined),
});

Deno.test("whether memory was short is seen from the words alone", () => {
  const said = "CUDA failure 2: out of memory ; GPU=0";
  assert.ok(sessionError("power", "run", said) instanceof OutOfMemoryError);
  assert.ok(sessionError("power", "run", new Error(said)) instanceof OutOfMemoryError);
  assert.ok(!(sessionError("power", "run", "no such node") instanceof OutOfMemoryError));
});

for (const module of [undefined, KERNEL_THREAD]) {
  const over = module === undefined ? "the binding" : "the C interface";
  Deno.test(`a decoder draws the same on a thread of its own, over ${over}, warmed up or not, tiled or not`, async () => {
    using thread = (await SessionThread.open(module))!;
    const folder = fixture("autoencoder_tiny/taef1_like");
    const weights = await openWeights(folder);
    const config = parseVaeConfig(await readJson(`${folder}/config.json`), folder, weights);
    const graphs = compileVae(config, weights, DTYPE_POLICIES.cpu);
    await using here = await Vae.create(config, graphs, "cpu");
    await using there = await Vae.create(config, graphs, "cpu", { host: thread });
    await there.warmUp(3);
    const dims = [2, config.latent_channels, 5, 4];
    const values = createGenerator({ seed: 1 }).randn(dims.reduce((a, b) => a * b));
    for (const tiling of [false, true]) {
      const options = { tiling, tileSize: 16 };
      const expected = await here.decode(tensor(values, dims), options);
      const found = await there.decode(tensor(values, dims), options);
      assert.deepEqual(found, expected);
    }
    // As bytes.
    const pictures = await Promise.all(
      [here, there].map((vae) => vae.decodeImages(tensor(values, dims))),
    );
    assert.deepEqual(pictures[1], pictures[0]);
  });
}

Deno.test("a constant goes to a thread once, and more of them than it keeps are right again and again", async () => {
  using thread = await openThread();
  await using session = await thread.create(powerGraph(0), { device: "cpu" });
  const values = Array.from({ length: 40 }, (_, index) => Float32Array.of(index));
  const run = async (data: Float32Array) => {
    const { power } = await session.run({ x: { ...tensor(data, [1, 1]), constant: true } });
    return power!.data[0];
  };
  for (let round = 0; round < 2; round++) {
    for (const [index, data] of values.entries()) assert.equal(await run(data), index);
  }
  // What is kept is not copied again: a change here, which the word forbids, is not seen there.
  values[39]![0] = -1;
  assert.equal(await run(values[39]!), 39);
  values[0]![0] = -1;
  assert.equal(await run(values[0]!), -1);
});

Deno.test("how a run differs from others is told on the thread, and on each of several", async () => {
  const played = async () =>
    (await SessionThread.open(new URL("./_played_worker.ts", import.meta.url)))!;
  using a = await played();
  using b = await played();
  const graph = await spreadSessions([a, b]).create(powerGraph(0), { device: "cpu" });
  const asked = async (options?: RunOptions) =>
    (await graph.runAll!([{}, {}], options)).map(({ asked }) => asked!.data[0]);
  assert.deepEqual(await asked(), [0, 0]);
  assert.deepEqual(await asked({ givesBack: true }), [1, 1]);
  const { asked: alone } = await graph.run({}, ["asked"], { givesBack: true });
  assert.equal(alone!.data[0], 1);
});

/** How many runs at once there were of a graph with convolutions on a GPU, played by a thread of timers. */
async function runsAtOnce(module?: URL): Promise<number> {
  let running = 0;
  let most = 0;
  const { Worker } = globalThis;
  globalThis.Worker = class {
    onmessage: (event: { data: SessionAnswer }) => void = () => {};
    postMessage(request: SessionRequest) {
      const isRun = "run" in request;
      if (isRun) most = Math.max(most, ++running);
      setTimeout(() => {
        if (isRun) running--;
        this.onmessage({ data: { id: request.id, outputs: {} } });
      }, 1);
    }
    terminate() {}
  } as unknown as typeof Worker;
  try {
    using thread = (await SessionThread.open(module))!;
    const graph = powerGraph(1);
    await using session = await thread.create(graph, { device: "cuda", convolves: true });
    await Promise.all([session.run({}), session.run({})]);
    return most;
  } finally {
    globalThis.Worker = Worker;
  }
}

Deno.test("graphs with convolutions run alone over the binding, where cuDNN tries kernels", async () => {
  assert.equal(await runsAtOnce(), 1);
  assert.equal(await runsAtOnce(KERNEL_THREAD), 2);
});
