// Random sets of tensors, written by the small writer beside this file, read back; and each kind of
// damage to such a file, refused for its own reason.
import fc from "fast-check";
import assert from "node:assert/strict";
import { openWeights, readSafetensorsHeader } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { type Description, fileBytes, headerText, names, spellEscaped } from "./_writer.ts";

const BYTES = { F32: 4, F16: 2, BF16: 2 } as const;

interface Tensor {
  readonly name: string;
  readonly dtype: keyof typeof BYTES;
  readonly shape: readonly number[];
}
interface Model {
  readonly tensors: readonly Tensor[];
  /** The order of the tensors in the header, where they need not be in the data's order. */
  readonly order: readonly number[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly padding: number;
}

const size = ({ dtype, shape }: Tensor) =>
  BYTES[dtype] * shape.reduce((product, extent) => product * extent, 1);

const dtype = fc.constantFrom("F32", "F16", "BF16");
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("", "__proto__", "constructor", "toString", "\ufeff", '"\\\n'),
);
const tensor: fc.Arbitrary<Tensor> = fc.record({
  name: text.filter((name) => name !== "__metadata__"),
  dtype,
  shape: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
});
/** One that takes bytes, so that damage can be done to it. */
const solid: fc.Arbitrary<Tensor> = fc.record({
  name: fc.constant("solid"),
  dtype,
  shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
});
const model: fc.Arbitrary<Model> = fc
  .tuple(
    solid,
    fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 8 }),
    fc.array(fc.tuple(text, text), { maxLength: 4 }),
    fc.nat({ max: 9 }),
  )
  .chain(([first, others, pairs, padding]) => {
    const tensors = [first, ...others.filter(({ name }) => name !== first.name)];
    return fc.record({
      tensors: fc.shuffledSubarray(tensors, { minLength: tensors.length }),
      order: fc.shuffledSubarray([...tensors.keys()], { minLength: tensors.length }),
      metadata: fc.constant(Object.fromEntries(pairs)),
      padding: fc.constant(padding),
    });
  });

/** The members of the header, the data, and where in it each tensor begins. */
function layOut({ tensors, order, metadata }: Model) {
  let end = 0;
  const descriptions = tensors.map((tensor): [string, Description] => {
    const begin = end;
    end += size(tensor);
    const { name, dtype, shape } = tensor;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const data = Uint8Array.from({ length: end }, (_, i) => (i * 37 + 11) % 256);
  return {
    members: [
      ["__metadata__", metadata],
      ...order.map((i) => descriptions[i]!),
    ] as [string, unknown][],
    solid: descriptions.find(([name]) => name === "solid")![1] as {
      dtype: unknown;
      shape: number[];
      data_offsets: [number, number];
    },
    descriptions,
    data,
  };
}

Deno.test("what was written is read back, whatever the names, order and spelling", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await fc.assert(fc.asyncProperty(model, fc.boolean(), async (model, escaped) => {
      const { members, descriptions, data } = layOut(model);
      const header = headerText(members, escaped ? spellEscaped : undefined);
      const file = fileBytes(header + " ".repeat(model.padding), data);
      await Deno.writeFile(path, file);

      const weights = await openWeights(path);
      assert.equal(weights.source, path);
      assert.deepEqual(weights.files, [await Deno.realPath(path)]);
      assert.deepEqual(Object.entries(weights.metadata), Object.entries(model.metadata));
      assert.deepEqual(
        [...weights.tensors.keys()],
        model.order.map((i) => model.tensors[i]!.name),
      );
      for (const [i, [name, { data_offsets }]] of descriptions.entries()) {
        const entry = weights.tensors.get(name)!;
        const [begin, end] = data_offsets as [number, number];
        assert.equal(entry.name, name);
        assert.equal(entry.dtype, model.tensors[i]!.dtype);
        assert.deepEqual(entry.shape, model.tensors[i]!.shape);
        assert.equal(entry.file, weights.files[0]);
        assert.deepEqual(
          file.slice(entry.offset, entry.offset + entry.byteLength),
          data.slice(begin, end),
        );
      }
    }));
  }));

type Layout = ReturnType<typeof layOut>;

/** Damages a layout and returns the file. */
type Damage = (layout: Layout) => Uint8Array;

const rewrite = (layout: Layout) => fileBytes(headerText(layout.members), layout.data);

const damages: readonly [title: string, damage: Damage, reason: RegExp][] = [
  ["cut inside the length", (l) => rewrite(l).slice(0, 5), /5 bytes, too few/],
  ["cut inside the header", (l) => rewrite(l).slice(0, 20), /only 12 follow/],
  ["cut inside the data", (l) => rewrite(l).slice(0, -1), /exceeds the file/],
  [
    "a length of 0",
    (l) => fileBytes(headerText(l.members), l.data, 0n),
    /length is 0/,
  ],
  [
    "a length of 2^63",
    (l) => fileBytes(headerText(l.members), l.data, 2n ** 63n),
    /announce a header of 9223372036854775808 bytes/,
  ],
  [
    "a byte that is not UTF-8",
    (l) => {
      const file = rewrite(l);
      file[8 + 2] = 0xff; // inside the first name, "__metadata__"
      return file;
    },
    /not valid UTF-8/,
  ],
  ["a header in a list", (l) => fileBytes(`[${headerText(l.members)}]`, l.data), /begin with `{`/],
  ["a missing brace", (l) => fileBytes(headerText(l.members).slice(0, -1), l.data), /the end/],
  ["text after the header", (l) => fileBytes(headerText(l.members) + "x", l.data), /found `x`/],
  ["a byte too many", (l) => fileBytes(headerText(l.members), appended(l.data)), /other 1 are/],
  ["an unknown dtype", (l) => (l.solid.dtype = "F24", rewrite(l)), /unknown dtype "F24"/],
  [
    "a dtype of another size",
    (l) => (l.solid.dtype = l.solid.dtype === "F32" ? "F16" : "F32", rewrite(l)),
    /but data_offsets .* hold/,
  ],
  ["a negative extent", (l) => (l.solid.shape[0]! *= -1, rewrite(l)), /is negative/],
  ["a fractional extent", (l) => (l.solid.shape[0]! += 0.5, rewrite(l)), /not written as an int/],
  ["an unsafe extent", (l) => (l.solid.shape[0] = 2 ** 53, rewrite(l)), /exceeds 2\^53/],
  ["another extent", (l) => (l.solid.shape[0]! += 1, rewrite(l)), /but data_offsets .* hold/],
  ["a longer stretch", (l) => (l.solid.data_offsets[1]++, rewrite(l)), /but data_offsets .* hold/],
  [
    "a shifted stretch",
    (l) => (l.solid.data_offsets[0]++, l.solid.data_offsets[1]++, rewrite(l)),
    /exceeds the file|overlaps|leaves a gap/,
  ],
  [
    "a gap",
    (l) => {
      for (const [, description] of l.descriptions) {
        const [begin, end] = description.data_offsets as [number, number];
        description.data_offsets = [begin + 1, end + 1];
      }
      return fileBytes(headerText(l.members), appended(l.data));
    },
    /leaves a gap after the header/,
  ],
  [
    "an overlap",
    (l) => (l.members.push(["another", { ...l.solid }]), rewrite(l)),
    /overlaps/,
  ],
  ["a name twice", (l) => (l.members.push(["solid", { ...l.solid }]), rewrite(l)), /"solid" twice/],
  [
    "a name twice in two spellings",
    (l) => {
      l.members.push(["s0lid", { ...l.solid }]);
      return fileBytes(headerText(l.members).replace('"s0lid"', '"s\\u006flid"'), l.data);
    },
    /"solid" twice/,
  ],
  [
    "metadata twice",
    (l) => (l.members.push(["__metadata__", {}]), rewrite(l)),
    /"__metadata__" twice/,
  ],
  [
    "nesting",
    (l) => {
      const text = headerText(l.members);
      const deep = "[".repeat(5000) + "]".repeat(5000);
      return fileBytes(text.replace(/"shape":\[[^\]]*\]/, () => `"shape":${deep}`), l.data);
    },
    /found `\[`/,
  ],
];

function appended(data: Uint8Array): Uint8Array {
  return Uint8Array.from([...data, 0]);
}

for (const [title, damage, reason] of damages) {
  Deno.test(`a valid file is refused once it has ${title}`, () =>
    inTempFolder(async (folder) => {
      const path = `${folder}/model.safetensors`;
      await fc.assert(
        fc.asyncProperty(model, async (model) => {
          const layout = layOut(structuredClone(model));
          await Deno.writeFile(path, damage(layout));
          await assert.rejects(readSafetensorsHeader(path), (error: Error) => {
            assert(names(error, path), error.stack);
            assert.match(error.message, reason);
            return true;
          });
        }),
        { numRuns: 25 },
      );
    }));
}
