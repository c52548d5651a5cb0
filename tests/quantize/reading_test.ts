/** Quantised files that are not as they should be, written by hand. */
import assert from "node:assert/strict";
import { CheckpointError, Graph, Parameters } from "../../src/onnx/mod.ts";
import {
  openWeights,
  readSafetensorsHeader,
  RowReader,
  SafetensorsError,
} from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { fileBytes, headerText, names } from "../safetensors/_writer.ts";

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
}

const WIDTHS: Readonly<Record<string, number>> = { U8: 1, BF16: 2, I8: 1 };

/** A file of zeros. */
function zeros(tensors: Readonly<Record<string, Stored>>, bits?: string): Uint8Array {
  let end = 0;
  const members = Object.entries(tensors).map(([name, { dtype, shape }]) => {
    const begin = end;
    end += shape.reduce((product, extent) => product * extent, WIDTHS[dtype]!);
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const metadata = bits === undefined ? [] : [["__metadata__", { quantized_bits: bits }] as const];
  return fileBytes(headerText([...metadata, ...members]), new Uint8Array(end));
}

const packed = { dtype: "U8", shape: [2, 3, 16] };
const scales = { dtype: "BF16", shape: [2, 3] };

Deno.test("a quantised matrix has its matrix's shape, and its scales beside it", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    for (const [bits, columns, blockSize] of [["4", 96, 32], ["8", 48, 16]] as const) {
      await Deno.writeFile(path, zeros({ w: packed, "w.scales": scales }, bits));
      const entry = (await openWeights(folder)).tensors.get("w")!;
      assert.deepEqual(entry.shape, [2, columns]);
      assert.equal(entry.quantization?.bits, Number(bits));
      assert.equal(entry.quantization?.blockSize, blockSize);
      assert.equal(entry.quantization?.scales.name, "w.scales");
    }
  });
});

const REFUSALS: readonly [string, Uint8Array, RegExp][] = [
  ["bytes in a file that is not quantised", zeros({ w: packed }), /"w" is U8/],
  ["no scales", zeros({ w: packed }, "4"), /"w".* needs "w\.scales"/],
  [
    "scales that are no numbers with a point",
    zeros({ w: packed, "w.scales": { dtype: "I8", shape: [2, 3] } }, "4"),
    /needs "w\.scales" in F32, F16 or BF16/,
  ],
  [
    "scales of another shape",
    zeros({ w: packed, "w.scales": { dtype: "BF16", shape: [3, 2] } }, "4"),
    /scales of the shape \[2, 3\], but "w\.scales" has \[3, 2\]/,
  ],
  [
    "a matrix without blocks",
    zeros({ w: { dtype: "U8", shape: [2, 48] }, "w.scales": scales }, "4"),
    /the shape \[2, 48\] instead of/,
  ],
  [
    "blocks that are too small",
    zeros({ w: { dtype: "U8", shape: [2, 3, 4] }, "w.scales": scales }, "4"),
    /blocks of 8 values/,
  ],
  [
    "blocks of no power of two",
    zeros({ w: { dtype: "U8", shape: [2, 3, 24] }, "w.scales": scales }, "8"),
    /blocks of 24 values/,
  ],
  [
    "blocks of nothing",
    zeros({ w: { dtype: "U8", shape: [2, 3, 0] }, "w.scales": scales }, "8"),
    /blocks of 0 values/,
  ],
];

for (const [what, bytes, message] of REFUSALS) {
  Deno.test(`a quantised matrix is refused, once it is asked for, for ${what}`, async () => {
    await inTempFolder(async (folder) => {
      const path = `${folder}/model.safetensors`;
      await Deno.writeFile(path, bytes);
      const { unusable, tensors } = await readSafetensorsHeader(path);
      const error = unusable.get("w");
      assert(!tensors.has("w") && names(error, path), String(error));
      assert.match(error!.message, message);
    });
  });
}

Deno.test("a file whose matrices have neither 4 nor 8 bits is refused", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeFile(path, zeros({ w: packed, "w.scales": scales }, "3"));
    await assert.rejects(readSafetensorsHeader(path), (error) => {
      assert(names(error, path), String(error));
      assert.match((error as Error).message, /quantized_bits "3"; 4 and 8/);
      return true;
    });
  });
});

Deno.test("a quantised tensor is refused where values are needed as they were", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeFile(path, zeros({ w: packed, "w.scales": scales }, "8"));
    const weights = await openWeights(folder);
    const parameters = new Parameters(new Graph("test"), weights);
    parameters.get("w", [2, 48], "float32");
    assert.throws(() => parameters.check(), (error) => {
      assert(error instanceof CheckpointError);
      assert.match(error.message, / w in .*: expected \[2, 48\], found \[2, 48\] quantised/);
      return true;
    });
    await assert.rejects(RowReader.open(weights.tensors.get("w")!), (error) => {
      assert(error instanceof SafetensorsError);
      assert.match(error.message, /"w" is quantised/);
      return true;
    });
  });
});
