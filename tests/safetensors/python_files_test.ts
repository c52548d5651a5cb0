// Files written by Python's safetensors 0.8.0 and by huggingface_hub, with what torch says they
// hold: tests/reference/safetensors_files.py made both.
import assert from "node:assert/strict";
import {
  openWeights,
  readSafetensorsHeader,
  RowReader,
  type Weights,
} from "../../src/safetensors/mod.ts";

const fixtures = new URL("../fixtures/safetensors/", import.meta.url).pathname;

interface ExpectedWeight {
  readonly dtype: "F32" | "F16" | "BF16";
  readonly shape: readonly number[];
  readonly float32Bits: readonly number[];
}
interface ExpectedOpaque {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: readonly number[];
}

async function expected<T>(file: string): Promise<Map<string, T>> {
  const text = await Deno.readTextFile(`${fixtures}${file}`);
  return new Map(JSON.parse(text) as [string, T][]);
}

function fromBits(bits: readonly number[]): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

async function assertHolds(weights: Weights, wanted: ReadonlyMap<string, ExpectedWeight>) {
  assert.deepEqual([...weights.tensors.keys()].sort(), [...wanted.keys()].sort());
  for (const [name, { dtype, shape, float32Bits }] of wanted) {
    const entry = weights.tensors.get(name);
    assert(entry !== undefined);
    assert.equal(entry.name, name);
    assert.equal(entry.dtype, dtype);
    assert.deepEqual(entry.shape, shape);
    if (shape.length === 0) continue;
    await using reader = await RowReader.open(entry);
    const rows = await reader.read([...Array(reader.rowCount).keys()]);
    // deepEqual tells -0 from 0 and takes NaN for equal to NaN: its payload is nobody's business.
    assert.deepEqual(rows, fromBits(float32Bits), name);
  }
}

Deno.test("a file from Python holds the tensors that torch wrote, to the bit", async () => {
  const weights = await readSafetensorsHeader(`${fixtures}weights.safetensors`);
  assert.deepEqual({ ...weights.metadata }, { format: "pt", "名": "値 🍀" });
  await assertHolds(weights, await expected("weights.json"));
});

Deno.test("a scalar's four bytes lie where its entry says", async () => {
  const { tensors } = await readSafetensorsHeader(`${fixtures}weights.safetensors`);
  const { file, offset, byteLength } = tensors.get("scalar")!;
  const bytes = (await Deno.readFile(file)).subarray(offset, offset + byteLength);
  assert.deepEqual([...bytes], [0x00, 0x00, 0x20, 0x40]); // 2.5 in IEEE 754
});

Deno.test("shards from huggingface_hub hold together what the single file holds", async () => {
  for (const path of ["sharded", "sharded/model.safetensors.index.json"]) {
    const weights = await openWeights(`${fixtures}${path}`);
    assert.equal(weights.source, `${fixtures}sharded/model.safetensors.index.json`);
    assert.equal(weights.files.length, 3);
    await assertHolds(weights, await expected("weights.json"));
  }
});

Deno.test("rows come in the order asked for, repeated ones too", async () => {
  const { tensors } = await readSafetensorsHeader(`${fixtures}weights.safetensors`);
  const wanted = await expected<ExpectedWeight>("weights.json");
  for (const name of ["table.f32", "table.f16", "table.bf16", "cube"]) {
    await using reader = await RowReader.open(tensors.get(name)!);
    const { shape, float32Bits } = wanted.get(name)!;
    const last = shape[0]! - 1;
    const rows = [last, 0, 1, 0, last, last];
    const width = float32Bits.length / shape[0]!;
    assert.equal(reader.rowCount, shape[0]);
    assert.equal(reader.rowLength, width);
    assert.deepEqual(
      await reader.read(Int32Array.from(rows)),
      fromBits(rows.flatMap((row) => float32Bits.slice(row * width, (row + 1) * width))),
    );
  }
});

Deno.test("tensors in dtypes of no weight do no harm, and it is known what they are", async () => {
  const path = `${fixtures}opaque.safetensors`;
  const others = await expected<ExpectedOpaque>("opaque.json");
  const { tensors, opaque, unusable } = await readSafetensorsHeader(path);
  // Numbers of 8 bits with a point are weights.
  const weights = ["opaque.F8_E4M3", "opaque.F8_E5M2"];
  assert.deepEqual([...tensors.keys()].sort(), [...weights, "weight"]);
  weights.forEach((name) => others.delete(name));
  assert.deepEqual([...opaque.keys()].sort(), [...others.keys()].sort());
  for (const [name, { dtype }] of others) {
    const error = unusable.get(name);
    assert.equal(error?.tensor, name);
    assert(error?.message.includes(`"${name}" is ${dtype}`), error?.message);
  }
});

Deno.test("named opaque tensors stand apart from the weights, whatever their dtype", async () => {
  const path = `${fixtures}opaque.safetensors`;
  const others = await expected<ExpectedOpaque>("opaque.json");
  const weights = await readSafetensorsHeader(path, { opaque: [...others.keys(), "absent"] });
  assert.deepEqual([...weights.tensors.keys()], ["weight"]);
  assert.deepEqual([...weights.opaque.keys()].sort(), [...others.keys()].sort());
  const file = await Deno.readFile(path);
  for (const [name, { dtype, shape, bytes }] of others) {
    const entry = weights.opaque.get(name)!;
    assert.equal(entry.dtype, dtype);
    assert.deepEqual(entry.shape, shape);
    assert.equal(entry.file, await Deno.realPath(path));
    assert.deepEqual([...file.subarray(entry.offset, entry.offset + entry.byteLength)], bytes);
  }
});

Deno.test("a weight named opaque is no longer a weight", async () => {
  const { tensors, opaque } = await readSafetensorsHeader(`${fixtures}weights.safetensors`, {
    opaque: ["scalar"],
  });
  assert(!tensors.has("scalar"));
  assert.equal(opaque.get("scalar")?.dtype, "F32");
});
