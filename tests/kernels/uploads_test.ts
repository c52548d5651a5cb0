import assert from "node:assert/strict";
import { NO_WEIGHTS, weightsWithoutFile } from "../../bench/shapes.ts";
import { compileNextDiT, parseNextDiTConfig } from "../../src/models/mod.ts";
import {
  type AdaptedMatrix,
  add,
  addScalar,
  affine,
  dtypePolicy,
  Graph,
  INTERFACE_TYPE,
  linear,
  linearOfEach,
  mul,
  OWN_DOMAIN,
  Parameters,
  type Value,
} from "../../src/onnx/mod.ts";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import {
  addressOf,
  type CApi,
  cString,
  memoryAt,
  openCApi,
} from "../../src/runtime/native/c_api.ts";
import { giveStoredWeights } from "../../src/runtime/native/stored_weights.ts";
import { MOST_PIECE_BYTES, type Piece, Uploads } from "../../src/runtime/native/uploads.ts";
import { operatorSessions } from "../../src/runtime/native/custom_session.ts";
import { Session } from "../../src/runtime/session.ts";
import {
  openWeights,
  RowReader,
  SafetensorsError,
  type TensorEntry,
  type Weights,
  writeSafetensors,
} from "../../src/safetensors/mod.ts";
import { elementCount } from "../../src/tensor.ts";
import { fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { fakeDriver } from "./_fake_driver.ts";

Deno.test("pieces come to where they belong, eight on their way at a time", async () => {
  const { driver, rooms, host, streams } = fakeDriver();
  const target = new Uint8Array(40 * 4);
  let [onTheirWay, most] = [0, 0];
  const seen: number[] = [];
  const piece = (index: number): Piece => ({
    bytes: 4,
    read: async (into) => {
      most = Math.max(most, ++onTheirWay);
      await new Promise((resolve) => setTimeout(resolve, 1));
      into.fill(index);
      onTheirWay--;
    },
    // Every third one stays where it is read by what it started.
    ...(index % 3 === 0 ? {} : { to: addressOf(target) + BigInt(4 * index) }),
    then: (place) => seen.push(new Uint8Array(memoryAt(place, 4))[3]!),
  });
  const all = Array.from({ length: 40 }, (_, index) => piece(index));
  const uploads = Uploads.of(driver);
  assert.equal(Uploads.of(driver), uploads);
  await Promise.all([uploads.copy(all.slice(0, 25)), uploads.copy(all.slice(25))]);
  assert.equal(most, 8);
  assert.deepEqual(seen.toSorted((a, b) => a - b), all.map((_, index) => index));
  target.forEach((value, at) => {
    const index = Math.floor(at / 4);
    assert.equal(value, index % 3 === 0 ? 0 : index);
  });
  assert.deepEqual([rooms.size, host.size, streams.size], [0, 0, 0]);
});

Deno.test("what cannot be read is what copying fails with, when all else is there", async () => {
  const { driver, rooms, host, streams } = fakeDriver();
  const target = new Uint8Array(20);
  const pieces = Array.from({ length: 20 }, (_, index): Piece => ({
    bytes: 1,
    read: (into) => {
      if (index === 3) return Promise.reject(new Error("the disk is gone"));
      into.fill(1);
      return Promise.resolve();
    },
    to: addressOf(target) + BigInt(index),
  }));
  const uploads = Uploads.of(driver);
  await assert.rejects(uploads.copy(pieces), /the disk is gone/);
  assert.equal(target.reduce((sum, value) => sum + value, 0), 19);
  assert.deepEqual([rooms.size, host.size, streams.size], [0, 0, 0]);
  await uploads.copy(pieces.slice(4));
  assert.deepEqual([rooms.size, host.size, streams.size], [0, 0, 0]);
});

/** What opening a file gives while the work is done, and how many of those are still open. */
async function withCountedFiles(work: () => Promise<void>) {
  const { open } = Deno;
  const files: Deno.FsFile[] = [];
  let left = 0;
  Deno.open = async (path, options) => {
    const file = await open(path, options);
    const close = file.close.bind(file);
    file.close = () => {
      left--;
      close();
    };
    file[Symbol.dispose] = file.close;
    left++;
    files.push(file);
    return file;
  };
  try {
    await work();
  } finally {
    Deno.open = open;
  }
  return { opened: files.length, left };
}

Deno.test("pieces of one file share what is open of it, and nothing stays open", async () => {
  await inTempFolder(async (folder) => {
    const { driver, host } = fakeDriver();
    const [count, byteLength] = [40, 4];
    const file = `${folder}/weights`;
    const stored = Uint8Array.from({ length: 3 + count * byteLength }, (_, index) => index);
    await Deno.writeFile(file, stored);
    const target = new Uint8Array(count * byteLength);
    const pieceOf = (path: string, index: number): Piece => ({
      bytes: byteLength,
      read: (into, files) => {
        const entry = { name: `w${index}`, file: path, shape: [count], offset: 3, byteLength };
        return files.read(entry, index * byteLength, into);
      },
      to: addressOf(target) + BigInt(index * byteLength),
    });
    const pieces = Array.from({ length: count }, (_, index) => pieceOf(file, index));
    const uploads = Uploads.of(driver);
    const whole = await withCountedFiles(() => uploads.copy(pieces));
    assert.deepEqual(target, stored.subarray(3));
    assert.deepEqual(whole, { opened: 8, left: 0 });

    // One is not there, and one ends too early: all others are still copied.
    target.fill(0);
    const failing = pieces.with(9, pieceOf(`${folder}/missing`, 9)).with(20, pieceOf(file, 40));
    const failed = await withCountedFiles(() =>
      assert.rejects(
        uploads.copy(failing),
        (error) =>
          error instanceof SafetensorsError && error.file === `${folder}/missing` &&
          error.message.endsWith("missing: cannot be read: there is no such file or folder."),
      )
    );
    assert.deepEqual([failed.left, host.size], [0, 0]);
    assert.ok(failed.opened <= 8);
    const others = stored.slice(3).fill(0, 36, 40).fill(0, 80, 84);
    assert.deepEqual(target, others);
    const shortened = uploads.copy(pieces.with(20, pieceOf(file, 40)));
    await assert.rejects(shortened, /weights became shorter while it was read\. Fetch it again\./);
  });
});

Deno.test("no room to copy through is said, and no piece is read", async () => {
  const memory = { free: 1000, total: 2000, blocks: new Map<bigint, Uint8Array>() };
  const { driver, host } = fakeDriver({ memory });
  let reads = 0;
  const read = () => Promise.resolve(void reads++);
  const copied = Uploads.of(driver).copy([{ bytes: 1, read, to: 0n }]);
  await assert.rejects(copied, /CUDA could not make room to copy weights through: out of memory/);
  assert.deepEqual([reads, host.size], [0, 0]);
});

/** What a session gives for x in ordinary memory, by the C interface alone. */
function runOnce(c: CApi, session: bigint, x: Float32Array<ArrayBuffer>, count: number) {
  const { api, check, made } = c;
  const dims = BigInt64Array.of(1n, BigInt(x.length));
  const value = made((out) =>
    api.CreateTensorAt(c.cpuMemory, addressOf(x), BigInt(x.byteLength), dims, 2n, 1, out)
  );
  const binding = made((out) => api.CreateIoBinding(session, out));
  check(api.BindInput(binding, cString("x"), value));
  check(api.BindOutputToDevice(binding, cString("y"), c.cpuMemory));
  check(api.RunWithBinding(session, 0n, binding));
  const [list, number] = [new BigUint64Array(1), new BigUint64Array(1)];
  check(api.GetBoundOutputValues(binding, c.allocator, list, number));
  const output = new BigUint64Array(memoryAt(list[0]!, 8))[0]!;
  const address = made((out) => api.GetTensorMutableData(output, out));
  const result = new Float32Array(memoryAt(address, 4 * count)).slice();
  check(api.AllocatorFree(c.allocator, list[0]!));
  for (const one of [output, value]) api.ReleaseValue(one);
  api.ReleaseIoBinding(binding);
  return result;
}

Deno.test("weights that a run reads as they are stored go to the GPU in one piece, others with the graph", async () => {
  await inTempFolder(async (folder) => {
    const [width, out] = [4, 3];
    const numbers = (count: number, from: number) =>
      Float32Array.from({ length: count }, (_, index) => from + index);
    const tensors = {
      matrix: { shape: [out, width], values: numbers(out * width, 1) },
      shift: { shape: [out], values: numbers(out, 100) },
      // Is added to another one when the graph is loaded.
      folded: { shape: [out], values: numbers(out, 1000) },
      // Is to stay what it is, so that it is no constant.
      kept: { shape: [out], values: numbers(out, 0) },
    };
    const file = `${folder}/model.safetensors`;
    await writeSafetensors(
      file,
      Object.entries(tensors).map(([name, { shape, values }]) => ({
        name,
        dtype: "F32",
        shape,
        bytes: () => [new Uint8Array(values.buffer)],
      })),
    );
    const weights = (await openWeights(file)).tensors;
    const graph = new Graph("stored");
    const x = graph.input("x", INTERFACE_TYPE, [1, width]);
    const [matrix, shift, folded, kept] = Object.entries(tensors).map(([name, { shape }]) =>
      graph.weight(weights.get(name)!, shape, name === "kept")
    );
    const product = add(add(linear(x, matrix!), shift!), kept!);
    const y = add(product, add(folded!, graph.vector([0, 0, 0], INTERFACE_TYPE)));
    graph.output("y", y, [1, out]);
    const compiled = graph.compile();
    assert.deepEqual(compiled.storedWeights!.map(({ name }) => name), ["matrix", "shift"]);

    const c = openCApi(bindingFolder(Deno.build));
    const { driver, rooms } = fakeDriver();
    using stack = new DisposableStack();
    const options = c.made((place) => c.api.CreateSessionOptions(place));
    stack.defer(() => c.api.ReleaseSessionOptions(options));
    const key = cString("session.model_external_initializers_file_folder_path");
    c.check(c.api.AddSessionConfigEntry(options, key, cString(folder)));
    const place = { driver, memory: c.cpuMemory };
    const pieces = giveStoredWeights(c, options, compiled, place, stack);
    assert.equal(rooms.size, 1);
    assert.deepEqual(pieces.map(({ bytes }) => bytes), [out * width * 4, out * 4]);
    const places = pieces.map(({ to }) => to as bigint);
    assert.deepEqual(places.map((place) => place % 256n - places[0]! % 256n), [0n, 0n]);
    const model = compiled.model as Uint8Array<ArrayBuffer>;
    const session = await c.madeAside((place) =>
      c.api.CreateSessionFromArray(c.env, model, BigInt(model.length), options, place)
    );
    stack.defer(() => c.api.ReleaseSession(session));
    // The session is there, and the weights are not yet.
    const before = runOnce(c, session, numbers(width, 1), out);
    assert.deepEqual([...before], [1000, 1002, 1004]);
    await Uploads.of(driver).copy(pieces);
    const after = runOnce(c, session, numbers(width, 1), out);
    assert.deepEqual([...after], [30 + 1100, 70 + 1103, 110 + 1106]);

    await Deno.truncate(file, (await Deno.stat(file)).size - 40);
    const shortened = Uploads.of(driver).copy(pieces);
    await assert.rejects(shortened, SafetensorsError);
  });
});

Deno.test("a large weight comes in pieces of equal size and what is left", () => {
  const { driver } = fakeDriver();
  const c = openCApi(bindingFolder(Deno.build));
  using stack = new DisposableStack();
  const options = c.made((place) => c.api.CreateSessionOptions(place));
  stack.defer(() => c.api.ReleaseSessionOptions(options));
  const rows = 3 * MOST_PIECE_BYTES / 2 / 4 + 1;
  const graph = new Graph("large");
  const byteLength = rows * 4;
  const entry = {
    name: "w",
    dtype: "F32",
    shape: [rows],
    file: "/f",
    offset: 8,
    byteLength,
  } as const;
  const x = graph.input("x", INTERFACE_TYPE, [rows]);
  graph.output("y", add(x, graph.weight(entry)), [rows]);
  const place = { driver, memory: c.cpuMemory };
  const pieces = giveStoredWeights(c, options, graph.compile(), place, stack);
  const [first, second] = pieces;
  assert.deepEqual([first!.bytes, second!.bytes], [
    MOST_PIECE_BYTES,
    byteLength - MOST_PIECE_BYTES,
  ]);
  assert.equal(second!.to as bigint - (first!.to as bigint), BigInt(MOST_PIECE_BYTES));
});

/** A session for CUDA on a CPU, and what fills its weights. */
async function sessionFor(graph: Graph, stack: DisposableStack) {
  const compiled = graph.compile();
  const c = openCApi(bindingFolder(Deno.build));
  const { driver, rooms } = fakeDriver();
  const options = c.made((place) => c.api.CreateSessionOptions(place));
  stack.defer(() => c.api.ReleaseSessionOptions(options));
  const key = cString("session.model_external_initializers_file_folder_path");
  c.check(c.api.AddSessionConfigEntry(options, key, cString(compiled.weightFolder!)));
  const place = { driver, memory: c.cpuMemory };
  const pieces = giveStoredWeights(c, options, compiled, place, stack);
  const model = compiled.model as Uint8Array<ArrayBuffer>;
  const session = await c.madeAside((place) =>
    c.api.CreateSessionFromArray(c.env, model, BigInt(model.length), options, place)
  );
  stack.defer(() => c.api.ReleaseSession(session));
  return { c, compiled, driver, rooms, pieces, session };
}

for (const type of ["Q4_0", "Q4_K", "Q8_0", "Q3_K"]) {
  Deno.test(`a matrix of ${type} is unpacked into the room that a GPU has for it`, async () => {
    const weights = await openWeights(`${fixture("gguf")}/types.gguf`);
    const entry = weights.tensors.get(type)!;
    const [rows, columns] = entry.shape as [number, number];
    const [from, to] = [2, 9];
    const graph = new Graph("unpacked", { device: "cuda", ownOperators: true });
    const x = graph.input("x", INTERFACE_TYPE, [1, columns]);
    const matrix = new Parameters(graph, weights).matrix(type, [rows, columns], "float32", [
      from,
      to,
    ]);
    graph.output("y", linear(x, matrix), [1, to - from]);
    using stack = new DisposableStack();
    const { c, compiled, driver, rooms, pieces, session } = await sessionFor(graph, stack);
    assert.equal(compiled.memory, undefined);
    assert.equal(rooms.size, 1);
    await Uploads.of(driver).copy(pieces);
    const input = Float32Array.from({ length: columns }, (_, index) => index % 7 - 3);
    await assertProducts(runOnce(c, session, input, to - from), input, entry, [from, to]);
  });
}

const NO_OPERATORS = { domain: OWN_DOMAIN, operators: [] };

const OTHER_PRODUCTS = {
  "with a bias": (
    x: Value,
    matrix: Value | AdaptedMatrix<Value>,
    [rows, width]: readonly number[],
  ) =>
    affine(x, matrix, x.graph.vector(new Array<number>(rows!).fill(0), "float32"), {
      width: width!,
      shape: [1, rows!],
    }),
  "of several": (x: Value, matrix: Value | AdaptedMatrix<Value>) => linearOfEach(x, [matrix]),
};

for (const [name, product] of Object.entries(OTHER_PRODUCTS)) {
  Deno.test(`so is one that is there as its values, for a product ${name}`, async () => {
    const weights = await openWeights(`${fixture("gguf")}/types.gguf`);
    const entry = weights.tensors.get("Q4_K")!;
    const [rows, columns] = entry.shape as [number, number];
    const graph = new Graph("values", { device: "cuda", ownOperators: true });
    const x = graph.input("x", INTERFACE_TYPE, [1, columns]);
    const shape = [rows, columns] as const;
    const matrix = new Parameters(graph, weights).plainMatrix("Q4_K", shape, "float32");
    graph.output("y", product(x, matrix, shape), [1, rows]);
    using stack = new DisposableStack();
    const { c, compiled, driver, rooms, pieces, session } = await sessionFor(graph, stack);
    const plain = [Session, operatorSessions(bindingFolder(Deno.build), NO_OPERATORS)];
    for (const host of plain) {
      await assert.rejects(host.create(compiled, { device: "cpu" }), TypeError);
    }
    assert.deepEqual(compiled.unpackedWeights!.map(({ initializers }) => initializers[0]!.form), [
      "values",
    ]);
    assert.equal(rooms.size, 1);
    await Uploads.of(driver).copy(pieces);
    const input = Float32Array.from({ length: columns }, (_, index) => index % 7 - 3);
    await assertProducts(runOnce(c, session, input, rows), input, entry, [0, rows]);
  });
}

/** That these are the products of a row and some rows of a matrix in blocks. */
async function assertProducts(
  found: Float32Array,
  input: Float32Array,
  entry: TensorEntry,
  [from, to]: readonly [number, number],
): Promise<void> {
  await using reader = await RowReader.open(entry);
  const values = await reader.read(Array.from({ length: to - from }, (_, row) => from + row));
  assert.equal(found.length, to - from);
  for (const [row, value] of found.entries()) {
    const terms = input.map((factor, index) => factor * values[row * input.length + index]!);
    const expected = terms.reduce((sum, term) => sum + term, 0);
    const size = terms.reduce((sum, term) => sum + Math.abs(term), 0);
    assert(Math.abs(value - expected) <= 1e-6 * size, `${row}: ${value} for ${expected}`);
  }
}

Deno.test("what ONNX Runtime could make something of before a run is unpacked in memory", async () => {
  const weights = await openWeights(`${fixture("gguf")}/types.gguf`);
  const [rows, columns] = weights.tensors.get("Q8_0")!.shape as [number, number];
  const ways: Readonly<Record<string, (x: Value, matrix: Value) => Value>> = {
    "a sum of weights alone": (x, matrix) => linearOfEach(x, [addScalar(matrix, 1)]),
    "another operator of a run": (x, matrix) => mul(x, matrix),
    "both a product and another": (x, matrix) => mul(linearOfEach(x, [matrix]), matrix),
    "a row of less than a block": (x, matrix) => linearOfEach(x, [matrix]),
  };
  for (const [name, way] of Object.entries(ways)) {
    const shape = name.startsWith("a row") ? [2 * rows * columns / 32, 16] : [rows, columns];
    const entry = { ...weights.tensors.get("Q8_0")!, name: "w", shape };
    const graph = new Graph("small", { device: "cuda", ownOperators: true });
    const x = graph.input("x", INTERFACE_TYPE, [1, shape[1]!]);
    const parameters = new Parameters(graph, { ...weights, tensors: new Map([["w", entry]]) });
    graph.output("y", way(x, parameters.get("w", shape, "float32")), ["rows", "columns"]);
    const { memory, unpackedWeights } = graph.compile();
    assert.deepEqual([memory?.length, unpackedWeights], [1, undefined], name);
  }
});

for (const dtype of ["auto", "int8"] as const) {
  Deno.test(`a transformer in blocks has none of them in memory, ${dtype}`, () => {
    const config = parseNextDiTConfig({ in_channels: 16, n_layers: 2 }, "config.json", NO_WEIGHTS);
    const compile = (weights: Weights) => {
      return compileNextDiT(config, weights, dtypePolicy("cuda", dtype)!);
    };
    const plain = weightsWithoutFile(compile);
    const tensors = new Map([...plain.tensors].map(([name, entry]) => {
      const isMatrix = entry.shape.length === 2 && entry.shape[1]! % 256 === 0;
      const byteLength = elementCount(entry.shape) / 256 * 144;
      return [name, isMatrix ? { ...entry, dtype: "Q4_K" as const, byteLength } : entry] as const;
    }));
    const { text, steps } = compile({ ...plain, tensors });
    for (const { name, memory, unpackedWeights = [] } of [text, ...steps]) {
      assert.equal(memory, undefined, name);
      assert(unpackedWeights.some(({ initializers }) => initializers[0]!.form === "values"), name);
    }
  });
}

Deno.test("a matrix in blocks of more than a piece comes in several, each with its scales", async () => {
  const [rows, columns] = [4099, 4096];
  const blocks = rows * columns / 32;
  await inTempFolder(async (folder) => {
    const file = `${folder}/blocks`;
    // Q8_0: the scale 2 ** -7 in float16, then points that change from row to row.
    const stored = new Uint8Array(blocks * 34);
    for (let block = 0; block < blocks; block++) {
      stored.fill(Math.floor(block * 32 / columns) % 128, block * 34 + 2, block * 34 + 34);
      stored[block * 34 + 1] = 0x20;
    }
    await Deno.writeFile(file, stored);
    const byteLength = stored.length;
    const entry = { name: "w", dtype: "Q8_0", shape: [rows, columns], file, offset: 0, byteLength };
    const weights = { tensors: new Map([["w", entry]]), unusable: new Map() } as unknown as Weights;
    const graph = new Graph("large", { device: "cuda", ownOperators: true });
    const x = graph.input("x", INTERFACE_TYPE, [1, columns]);
    const matrix = new Parameters(graph, weights).matrix("w", [rows, columns], "float32");
    graph.output("y", linear(x, matrix), [1, rows]);
    using stack = new DisposableStack();
    const { c, driver, pieces, session } = await sessionFor(graph, stack);
    assert(pieces.length > 2 && pieces.every(({ bytes }) => bytes <= MOST_PIECE_BYTES));
    await Uploads.of(driver).copy(pieces);
    const found = runOnce(c, session, new Float32Array(columns).fill(1), rows);
    found.forEach((value, row) => assert.equal(value, row % 128 * columns / 128, `${row}`));
    await Deno.truncate(file, stored.length - 1);
    await assert.rejects(Uploads.of(driver).copy(pieces), SafetensorsError);
  });
});

Deno.test("a matrix whose file could not stand for what it becomes is unpacked in memory", async () => {
  const weights = await openWeights(`${fixture("gguf")}/types.gguf`);
  const entry = weights.tensors.get("Q2_K")!;
  const { shape } = entry;
  // As if nothing else were in the file: 2 bits become 4.
  const alone = { ...weights, tensors: new Map([["w", { ...entry, name: "w", offset: 0 }]]) };
  const graph = new Graph("small", { device: "cuda", ownOperators: true });
  const x = graph.input("x", INTERFACE_TYPE, [1, shape[1]!]);
  const matrix = new Parameters(graph, alone).matrix("w", shape as [number, number], "float32");
  graph.output("y", linear(x, matrix), [1, shape[0]!]);
  const { memory, unpackedWeights } = graph.compile();
  assert.equal(memory?.length, 1);
  assert.equal(unpackedWeights, undefined);
});
