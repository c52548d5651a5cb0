import assert from "node:assert/strict";
import { add, float, Graph, INTERFACE_TYPE, OWN_DOMAIN } from "../../src/onnx/mod.ts";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import { type CApi, memoryAt, openCApi } from "../../src/runtime/native/c_api.ts";
import { operatorSessions } from "../../src/runtime/native/custom_session.ts";
import type { Operator } from "../../src/runtime/native/custom_operators.ts";
import { type Feed, OutOfMemoryError, SessionError } from "../../src/runtime/session.ts";
import { elementCount, tensor } from "../../src/tensor.ts";
import { fakeDriver } from "../kernels/_fake_driver.ts";

const LIBRARIES = bindingFolder(Deno.build);

/** x · factor; or what every run of it fails with. */
function scaling(problem?: string) {
  const operator: Operator = {
    name: "Scale",
    inputs: ["float32"],
    outputs: ["float32"],
    kernel: (attributes) => {
      const factor = attributes.float("factor");
      return (context) => {
        if (problem !== undefined) throw new Error(problem);
        const { address, dims } = context.input(0);
        const bytes = elementCount(dims) * Float32Array.BYTES_PER_ELEMENT;
        const x = new Float32Array(memoryAt(address, bytes));
        new Float32Array(memoryAt(context.output(0, dims), bytes)).set(x.map((v) => v * factor));
      };
    },
  };
  return operatorSessions(LIBRARIES, { domain: OWN_DOMAIN, operators: [operator] });
}

/** 3 · x + shift. */
function graph() {
  const graph = new Graph("scaled", { ownOperators: true });
  const x = graph.input("x", INTERFACE_TYPE, ["rows", 2]);
  const shift = graph.input("shift", INTERFACE_TYPE, [2]);
  const scaled = graph.node("Scale", [x], INTERFACE_TYPE, {
    domain: OWN_DOMAIN,
    attributes: { factor: float(3) },
  });
  graph.output("y", add(scaled, shift), ["rows", 2]);
  return graph.compile();
}

const row = (...values: number[]) => tensor(Float32Array.from(values), [1, 2]);
const vector = (...values: number[]) => tensor(Float32Array.from(values), [values.length]);
const constant = (...values: number[]): Feed => ({ ...vector(...values), constant: true });
const numbers = (results: { y?: { data: ArrayLike<number> } }[]) =>
  results.map(({ y }) => Array.from(y!.data));

Deno.test("an operator of our own runs among ONNX Runtime's, on rows of any number", async () => {
  await using session = await scaling().create(graph(), { device: "cpu" });
  const { y } = await session.run({ x: row(1, 2), shift: vector(10, 20) });
  assert.deepEqual(y, tensor(Float32Array.of(13, 26), [1, 2]));
  const two = tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
  const { y: rows } = await session.run({ x: two, shift: vector(0, 0) });
  assert.deepEqual(rows, tensor(Float32Array.of(3, 6, 9, 12), [2, 2]));
});

Deno.test("runs with different constants keep theirs, more of them than are remembered", async () => {
  await using session = await scaling().create(graph(), { device: "cpu" });
  const shifts = Array.from({ length: 7 }, (_, index) => constant(index, 10 * index));
  const expected = shifts.map((_, index) => [3 + index, 6 + 10 * index]);
  const inputs = shifts.map((shift) => ({ x: row(1, 2), shift }));
  assert.deepEqual(numbers(await session.runAll!(inputs)), expected);
  assert.deepEqual(numbers(await session.runAll!(inputs.toReversed())), expected.toReversed());
  for (const [index, shift] of shifts.entries()) {
    const { y } = await session.run({ x: row(0, 0), shift });
    assert.deepEqual([...y!.data], [index, 10 * index]);
  }
  // The same constants twice in one call.
  const twice = [row(1, 2), row(5, 6)].map((x) => ({ x, shift: shifts[1]! }));
  assert.deepEqual(numbers(await session.runAll!(twice)), [[4, 16], [16, 28]]);
});

Deno.test("calls at the same time do not disturb each other, and dispose waits for them", async () => {
  const session = await scaling().create(graph(), { device: "cpu" });
  const shift = constant(0, 0);
  const calls = [1, 2, 3].map((value) => session.run({ x: row(value, value), shift }));
  const disposed = session[Symbol.asyncDispose]();
  assert.deepEqual(numbers(await Promise.all(calls)), [[3, 3], [6, 6], [9, 9]]);
  await disposed;
  await session[Symbol.asyncDispose]();
  const late = session.run({ x: row(1, 2), shift });
  await assert.rejects(late, /could not run the graph scaled: the session was disposed/);
});

Deno.test("other events get their turn while the device is busy, and now and then else", async () => {
  await using session = await scaling().create(graph(), { device: "cpu" });
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const run = { x: row(1, 2), shift: constant(0, 0) };
  for (let call = 0; call < 5; call++) {
    const before = turns;
    await session.runAll!([run, run]);
    assert(turns > before);
  }
  const before = turns;
  const start = performance.now();
  while (turns === before && performance.now() - start < 10_000) await session.run(run);
  assert(turns > before);
  clearInterval(timer);
});

Deno.test("what goes wrong in an operator is what the run fails with; the next one works", async () => {
  {
    await using session = await scaling("the kernel is tired").create(graph(), { device: "cpu" });
    const run = session.run({ x: row(1, 2), shift: vector(0, 0) });
    await assert.rejects(run, (error: unknown) => {
      assert(error instanceof SessionError && !(error instanceof OutOfMemoryError));
      assert.match(error.message, /could not run the graph scaled: .*the kernel is tired/);
      return true;
    });
  }
  {
    await using session = await scaling("CUDA failure 2: out of memory")
      .create(graph(), { device: "cpu" });
    const run = session.run({ x: row(1, 2), shift: vector(0, 0) });
    await assert.rejects(run, OutOfMemoryError);
  }
  await using session = await scaling().create(graph(), { device: "cpu" });
  await assert.rejects(
    session.run({ x: row(1, 2) }),
    /could not run the graph scaled: no shift given/,
  );
  await assert.rejects(
    session.run({ x: row(1, 2), shift: vector(1, 2, 3) }),
    /could not run the graph scaled: .*shift/,
  );
  const { y } = await session.run({ x: row(1, 2), shift: vector(1, 1) });
  assert.deepEqual([...y!.data], [4, 7]);
});

Deno.test("an operator that the session was not given is named when the graph is loaded", async () => {
  const host = operatorSessions(LIBRARIES, { domain: OWN_DOMAIN, operators: [] });
  await assert.rejects(
    host.create(graph(), { device: "cpu" }),
    /could not load the graph scaled: .*Scale/,
  );
});

/** Sessions on a GPU, played on the CPU: what its provider is told, and with which option each run. */
function playedGpu() {
  const c = openCApi(LIBRARIES);
  const settings: Readonly<Record<string, string>>[] = [];
  const runs: string[] = [];
  const text = (bytes: unknown) => new TextDecoder().decode((bytes as Uint8Array).subarray(0, -1));
  const entries = new Map<bigint, string>();
  const api: CApi["api"] = {
    ...c.api,
    AddRunConfigEntry: (options, key, value) => {
      entries.set(options, `${text(key)}=${text(value)}`);
      // The CPU has no arena of that name.
      return text(value).startsWith("gpu") ? 0n : c.api.AddRunConfigEntry(options, key, value);
    },
    RunWithBinding: (session, options, binding) => {
      runs.push(entries.get(options) ?? "");
      return c.api.RunWithBinding(session, options, binding);
    },
  };
  const played: CApi = {
    ...c,
    api,
    cudaMemory: () => c.cpuMemory,
    appendCuda: (_, given) => void settings.push(given),
  };
  const { driver } = fakeDriver();
  const host = operatorSessions(LIBRARIES, { domain: OWN_DOMAIN, operators: [] }, {
    openCApi: () => played,
    openCudaDriver: () => driver,
  });
  return { host, settings, runs };
}

Deno.test("each session on a GPU has one stream, and its arena grows by what is asked for", async () => {
  const { host, settings } = playedGpu();
  const graph = new Graph("sum");
  const x = graph.input("x", INTERFACE_TYPE, [1, 2]);
  graph.output("y", add(x, x), [1, 2]);
  const options = { device: "cuda", deviceId: 2, mayUseCpu: true } as const;
  await using session = await host.create(graph.compile(), options);
  assert.deepEqual(numbers([await session.run({ x: row(1, 2) })]), [[2, 4]]);
  assert.deepEqual(settings, [{
    arena_extend_strategy: "kSameAsRequested",
    cudnn_conv_algo_search: "HEURISTIC",
    use_ep_level_unified_stream: "1",
    device_id: "2",
  }]);
});

Deno.test("on a GPU the last run of a call waits for all, and gives memory back where it is asked to", async () => {
  const EARLY = "disable_synchronize_execution_providers=1";
  const GIVING = "memory.enable_memory_arena_shrinkage=gpu:1";
  const graph = new Graph("sum");
  const x = graph.input("x", INTERFACE_TYPE, [1, 2]);
  graph.output("y", add(x, x), [1, 2]);
  const loaded = async (givesBack: boolean) => {
    const { host, runs } = playedGpu();
    const options = { device: "cuda", deviceId: 1, mayUseCpu: true, givesBack } as const;
    return { session: await host.create(graph.compile(), options), runs };
  };
  const inputs = [{ x: row(1, 2) }, { x: row(3, 4) }, { x: row(5, 6) }];
  const expected = [[2, 4], [6, 8], [10, 12]];

  const kept = await loaded(false);
  await using session = kept.session;
  assert.deepEqual(numbers(await session.runAll!(inputs)), expected);
  assert.deepEqual(numbers(await session.runAll!(inputs, { givesBack: true })), expected);
  await session.run(inputs[0]!);
  await session.run(inputs[0]!, ["y"], { givesBack: true });
  assert.deepEqual(kept.runs, [EARLY, EARLY, "", EARLY, EARLY, GIVING, "", GIVING]);

  const given = await loaded(true);
  await using other = given.session;
  await other.runAll!(inputs.slice(1));
  await other.run(inputs[0]!);
  assert.deepEqual(given.runs, [EARLY, GIVING, GIVING]);
});
