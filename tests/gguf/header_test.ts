import assert from "node:assert/strict";
import { GgufError, readGgufHeader } from "../../src/gguf/mod.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { bytesOf, fileOf, text } from "./_writer.ts";

async function written(bytes: Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  await inTempFolder(async (folder) => {
    const path = `${folder}/model.gguf`;
    await Deno.writeFile(path, bytes);
    await use(path);
  });
}

Deno.test("a file of gguf-py's is read: its metadata, and where its tensors lie", async () => {
  const { version, metadata, tensors } = await readGgufHeader(fixture("gguf/types.gguf"));
  assert.equal(version, 3);
  assert.equal(metadata.get("general.architecture"), "lumina2");
  assert.deepEqual(metadata.get("numbers"), [1, 2, 3]);
  // Vocabularies are not held.
  assert.deepEqual(metadata.get("words"), { count: 300 });
  const kinds = tensors.map(({ name, type, shape, byteLength }) => ({
    name,
    type,
    shape,
    byteLength,
  }));
  assert.deepEqual(kinds.find(({ name }) => name === "Q6_K"), {
    name: "Q6_K",
    type: "Q6_K",
    shape: [12, 256],
    byteLength: 12 * 210,
  });
});

Deno.test("a type that cannot be read does no harm until it is asked for, and is named", async () => {
  const { tensors, unusable } = await openWeights(fixture("gguf/types.gguf"));
  assert(!tensors.has("IQ2_XXS"));
  assert.match(
    unusable.get("IQ2_XXS")!.message,
    /"IQ2_XXS" is IQ2_XXS; of GGUF.*Q2_K to Q6_K, IQ4_NL and IQ4_XS can be read/,
  );
});

Deno.test("files of all three versions are read, the first with lengths of 32 bits", async () => {
  const short = bytesOf(
    new TextEncoder().encode("GGUF"),
    [32, 1],
    [32, 1],
    [32, 1],
    ...[[32, 1] as const, new TextEncoder().encode("a"), [32, 8] as const, [32, 2] as const],
    new TextEncoder().encode("hi"),
    ...[[32, 1] as const, new TextEncoder().encode("w"), [32, 1] as const, [32, 4] as const],
    [32, 0],
    [64, 0],
  );
  const padded = new Uint8Array(Math.ceil(short.length / 32) * 32 + 16);
  padded.set(short);
  await written(padded, async (path) => {
    const { metadata, tensors } = await readGgufHeader(path);
    assert.equal(metadata.get("a"), "hi");
    assert.deepEqual(tensors[0]!.shape, [4]);
    assert.equal(tensors[0]!.offset, padded.length - 16);
  });
  for (const version of [2, 3]) {
    await written(fileOf({ version }), async (path) => {
      assert.equal((await readGgufHeader(path)).version, version);
    });
  }
});

Deno.test("extents come outermost first, and tensors begin where the alignment says", async () => {
  const alignment = ["general.alignment", 4, bytesOf([32, 64])] as const;
  const tensors = [
    { name: "a", extents: [32, 3], type: 8, offset: 0 },
    { name: "b", extents: [5], type: 30, offset: 128 },
  ];
  await written(fileOf({ metadata: [alignment], tensors, data: 400 }), async (path) => {
    const [a, b] = (await readGgufHeader(path)).tensors;
    assert.deepEqual(a!.shape, [3, 32]);
    assert.equal(a!.byteLength, 3 * 34);
    assert.equal(a!.offset % 64, 0);
    assert.equal(b!.offset, a!.offset + 128);
  });
});

Deno.test("a header longer than what is read at once says the same wherever it is cut", async () => {
  // A vocabulary, as every language model has, between numbers of every width.
  const numbers = (suffix: string) =>
    [
      [`u8${suffix}`, 0, bytesOf([8, 200]), 200],
      [`i8${suffix}`, 1, bytesOf([8, -3]), -3],
      [`u16${suffix}`, 2, bytesOf([16, 65_000]), 65_000],
      [`i16${suffix}`, 3, bytesOf([16, -300]), -300],
      [`u32${suffix}`, 4, bytesOf([32, 4_000_000_000]), 4_000_000_000],
      [`i32${suffix}`, 5, bytesOf([32, -70_000]), -70_000],
      [`f32${suffix}`, 6, new Uint8Array(Float32Array.of(0.5).buffer), 0.5],
      [`u64${suffix}`, 10, bytesOf([64, 1n << 63n]), 1n << 63n],
      [`i64${suffix}`, 11, bytesOf([64, -5]), -5n],
      [`f64${suffix}`, 12, new Uint8Array(Float64Array.of(-2.25).buffer), -2.25],
    ] as const;
  // Each shift puts the end of what is read at once elsewhere in what follows.
  for (let shift = 0; shift < 320; shift++) {
    const words = list(8, 8110, ...Array(8110).fill(text("")));
    const stated = [...numbers(" before"), ...numbers("")];
    const metadata = [
      ["shift", 8, text("x".repeat(shift))] as const,
      ["words", 9, words] as const,
      ...stated.map(([key, type, bytes]) => [key, type, bytes] as const),
    ];
    const tensors = [{ name: "first" }, { name: "second", extents: [2, 3], offset: 32 }];
    await written(fileOf({ metadata, tensors, data: 64 }), async (path) => {
      const header = await readGgufHeader(path);
      for (const [key, , , value] of stated) assert.equal(header.metadata.get(key), value, key);
      assert.deepEqual(header.metadata.get("words"), { count: 8110 });
      assert.deepEqual(header.tensors.map(({ name, shape }) => [name, shape]), [
        ["first", [4]],
        ["second", [3, 2]],
      ]);
    });
  }
});

Deno.test("of a text of megabytes its length is kept", async () => {
  const metadata = [["template", 8, text("x".repeat(2 << 20))] as const];
  await written(fileOf({ metadata }), async (path) => {
    const header = await readGgufHeader(path);
    assert.deepEqual(header.metadata.get("template"), { count: 2 << 20 });
    assert.deepEqual(header.tensors.map(({ name }) => name), ["w"]);
  });
});

const LONG = 2n ** 62n;
const list = (type: number, count: number | bigint, ...members: Uint8Array[]) =>
  bytesOf([32, type], [64, count], ...members);
const nested = (depth: number): Uint8Array =>
  depth === 0 ? list(0, 0) : list(9, 1, nested(depth - 1));

const HOSTILE: readonly [what: string, bytes: Uint8Array, problem: RegExp][] = [
  ["another beginning", fileOf({ magic: "GGML" }), /does not begin with the letters GGUF/],
  ["nothing", new Uint8Array(), /does not begin with the letters GGUF/],
  ["a pointer of Git LFS", fileOf({ magic: "vers" }), /Git LFS/],
  ["the bytes turned round", fileOf({ version: 0x03000000 }), /big-endian/],
  ["an unknown version", fileOf({ version: 4 }), /version is 4/],
  ["tensors without end", fileOf({ counts: [LONG, 0] }), /4611686018427387904 tensors; 100000 are/],
  [
    "entries without end",
    fileOf({ counts: [1, LONG] }),
    /4611686018427387904 entries.*; 200000 are/,
  ],
  ["more tensors than fit", fileOf({ counts: [9999, 0] }), /9999 tensors.*are too few/],
  ["more entries than fit", fileOf({ counts: [1, 9999] }), /9999 entries.*are too few/],
  ["an end within its counts", fileOf().slice(0, 20), /ends at byte 20/],
  ["an end within a tensor", fileOf({ data: 0 }).slice(0, 50), /ends at byte 50|are too few/],
  ["an empty name", fileOf({ tensors: [{ name: "" }] }), /a name is empty/],
  [
    "a name without end",
    fileOf({ metadata: [["k".repeat(65_536), 0, Uint8Array.of(1)]] }),
    /a name of 65536 bytes/,
  ],
  [
    "a tensor's name without end",
    fileOf({ tensors: [{ name: "k".repeat(1025) }] }),
    /a name of 1025 bytes/,
  ],
  [
    "a key twice",
    fileOf({ metadata: [["a", 0, Uint8Array.of(1)], ["a", 0, Uint8Array.of(1)]] }),
    /metadata "a": it is there twice/,
  ],
  ["a tensor twice", fileOf({ tensors: [{}, {}] }), /tensor "w": the file names it twice/],
  [
    "a value of an unknown type",
    fileOf({ metadata: [["a", 13, Uint8Array.of(1)]] }),
    /its type is 13/,
  ],
  [
    "a truth value that is none",
    fileOf({ metadata: [["a", 7, Uint8Array.of(2)]] }),
    /a truth value is 2/,
  ],
  [
    "a text without end",
    fileOf({ metadata: [["a", 8, bytesOf([64, LONG])]] }),
    /a text of 4611686018427387904 bytes/,
  ],
  [
    "a list without end",
    fileOf({ metadata: [["a", 9, list(4, LONG)]] }),
    /a list of 4611686018427387904 members/,
  ],
  [
    "a list of texts without end",
    fileOf({ metadata: [["a", 9, list(8, 1n << 40n)]] }),
    /a list of/,
  ],
  ["a list of an unknown type", fileOf({ metadata: [["a", 9, list(99, 1)]] }), /its type is 99/],
  [
    "lists in lists in lists",
    fileOf({ metadata: [["a", 9, nested(6)]] }),
    /nested more than 4 deep/,
  ],
  [
    "an alignment of no power of two",
    fileOf({ metadata: [["general.alignment", 4, bytesOf([32, 48])]] }),
    /expected a power of two.*48/,
  ],
  [
    "an alignment of 0",
    fileOf({ metadata: [["general.alignment", 4, bytesOf([32, 0])]] }),
    /expected a power of two/,
  ],
  [
    "an alignment that is a text",
    fileOf({ metadata: [["general.alignment", 8, text("32")]] }),
    /expected a power of two/,
  ],
  [
    "a part of a file",
    fileOf({ metadata: [["split.count", 2, bytesOf([16, 3])]] }),
    /one of 3 parts.*gguf-split --merge/,
  ],
  [
    "a part of a file, counted in 64 bits",
    fileOf({ metadata: [["split.count", 10, bytesOf([64, 2])]] }),
    /one of 2 parts/,
  ],
  ["too many axes", fileOf({ tensors: [{ extents: new Array(9).fill(1) }] }), /it has 9 axes/],
  [
    "more values than there can be",
    fileOf({ tensors: [{ extents: [LONG, 4] }] }),
    /more than 2\^53 values/,
  ],
  [
    "more values in the product alone",
    fileOf({ tensors: [{ extents: [2 ** 40, 2 ** 40] }] }),
    /more than 2\^53 values/,
  ],
  ["values of an unknown type", fileOf({ tensors: [{ type: 99 }] }), /of the type 99/],
  [
    "a row that is no whole block",
    fileOf({ tensors: [{ extents: [33], type: 2 }] }),
    /rows of 33 values are no whole blocks of Q4_0/,
  ],
  [
    "a place beside the alignment",
    fileOf({ tensors: [{ offset: 8 }], data: 64 }),
    /no multiple of 32/,
  ],
  ["a tensor past the end", fileOf({ tensors: [{ extents: [5] }] }), /the file has/],
  ["a place past the end", fileOf({ tensors: [{ offset: 2n ** 63n }] }), /the file has/],
  [
    "tensors in each other",
    fileOf({ tensors: [{}, { name: "v" }] }),
    /tensor "v": it overlaps tensor "w"/,
  ],
];

for (const [what, bytes, problem] of HOSTILE) {
  Deno.test(`a file with ${what} is refused, in both languages`, async () => {
    await written(bytes, async (path) => {
      await assert.rejects(() => openWeights(path), (error: unknown) => {
        assert(error instanceof GgufError, String(error));
        assert.match(error.message, problem);
        assert(error.message.startsWith(path));
        assert.match(error.explain("zh"), /[\u4e00-\u9fff]/);
        return true;
      });
    });
  });
}

Deno.test("a folder of a file in parts is refused as that, whichever part is named", async () => {
  await inTempFolder(async (folder) => {
    const parts = [1, 2, 3].map((part) => `${folder}/gemma-Q8_0-0000${part}-of-00003.gguf`);
    for (const [index, path] of parts.entries()) {
      const metadata = [
        ["split.no", 2, bytesOf([16, index])] as const,
        ["split.count", 2, bytesOf([16, 3])] as const,
      ];
      await Deno.writeFile(path, fileOf({ metadata }));
    }
    for (const place of [folder, ...parts]) {
      await assert.rejects(openWeights(place), /it is one of 3 parts. Join them first.*gguf-split/);
    }
    // Two models in parts are two models.
    await Deno.copyFile(parts[0]!, `${folder}/gemma-Q4_0-00001-of-00002.gguf`);
    await assert.rejects(openWeights(folder), /It does hold .*name the one that is meant/);
  });
});

Deno.test("a folder is no GGUF file, and neither is what is not there", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/model.gguf`);
    await assert.rejects(() => readGgufHeader(`${folder}/model.gguf`), /is not a file/);
    await assert.rejects(() => readGgufHeader(`${folder}/absent.gguf`), GgufError);
  });
});

Deno.test("pickles are refused with the reason, by name and in a folder", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeFile(`${folder}/pytorch_model.bin`, Uint8Array.of(1, 2, 3));
    for (const place of [folder, `${folder}/pytorch_model.bin`]) {
      await assert.rejects(() => openWeights(place), /pickle.*can run programs/s);
    }
  });
});
