// What the format allows and forbids is stated in the README of huggingface/safetensors; each case
// here is written by hand, so that the expected outcome follows from that text and not from code.
import assert from "node:assert/strict";
import { readSafetensorsHeader } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { fileBytes, names } from "./_writer.ts";

const FOUR = new Uint8Array(4);
const DEEP = 100_000;

interface Case {
  readonly title: string;
  readonly bytes: Uint8Array;
  readonly message: RegExp;
  readonly tensor?: string;
}

/** A header with one F32 scalar in which one field is replaced, before four bytes of data. */
function withField(field: Partial<Record<"dtype" | "shape" | "data_offsets", string>>): Uint8Array {
  const { dtype = '"F32"', shape = "[1]", data_offsets = "[0,4]" } = field;
  return fileBytes(
    `{"a":{"dtype":${dtype},"shape":${shape},"data_offsets":${data_offsets}}}`,
    FOUR,
  );
}

const f32 = (begin: number, end: number, shape = `[${(end - begin) / 4}]`) =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

const refused: readonly Case[] = [
  { title: "an empty file", bytes: new Uint8Array(), message: /0 bytes, too few/ },
  { title: "seven bytes", bytes: new Uint8Array(7), message: /7 bytes, too few/ },
  { title: "a header of length 0", bytes: new Uint8Array(8), message: /length is 0/ },
  { title: "a length beyond the file", bytes: fileBytes("{}", FOUR, 7n), message: /only 6 follow/ },
  {
    title: "the largest length",
    bytes: fileBytes("{}", FOUR, 2n ** 64n - 1n),
    message: /18446744073709551615 bytes, but only 6 follow/,
  },
  {
    title: "a Git LFS pointer",
    bytes: new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"),
    message: /git lfs pull/,
  },
  { title: "a list", bytes: fileBytes("[]"), message: /does not begin with `{`/ },
  { title: "space before the object", bytes: fileBytes(" {}"), message: /does not begin with/ },
  { title: "a byte order mark", bytes: fileBytes("\ufeff{}"), message: /does not begin with/ },
  { title: "an object that is not closed", bytes: fileBytes("{"), message: /found the end/ },
  { title: "two objects", bytes: fileBytes("{}{}"), message: /byte 10 .* found `{`/ },
  { title: "a zero byte as padding", bytes: fileBytes("{}\0"), message: /zero byte/ },
  {
    title: "a comma too many",
    bytes: fileBytes(`{"a":${f32(0, 4)},}`, FOUR),
    message: /found `}`/,
  },
  { title: "a name without quotes", bytes: fileBytes("{a:1}"), message: /byte 9 .*found `a`/ },
  { title: "a name that is not closed", bytes: fileBytes('{"a'), message: /not closed/ },
  { title: "a name that ends in a backslash", bytes: fileBytes('{"a\\'), message: /not closed/ },
  { title: "a raw line break in a name", bytes: fileBytes('{"a\n":1}'), message: /control/ },
  { title: "an unknown escape", bytes: fileBytes('{"\\x41":1}'), message: /escape/ },
  { title: "half a surrogate pair", bytes: fileBytes('{"\\ud800":1}'), message: /surrogate/ },
  { title: "a byte that is not UTF-8", bytes: fileBytes(latin1('{"\xff":1}')), message: /UTF-8/ },
  { title: "an overlong slash", bytes: fileBytes(latin1('{"\xc0\xaf":1}')), message: /UTF-8/ },
  {
    title: "a surrogate in UTF-8",
    bytes: fileBytes(latin1('{"\xed\xa0\x80":1}')),
    message: /UTF-8/,
  },
  { title: "a tensor that is null", bytes: fileBytes('{"a":null}'), message: /tensor "a".*`n`/ },
  {
    title: "a tensor without fields",
    bytes: fileBytes('{"a":{}}'),
    message: /dtype and shape and data_offsets missing/,
    tensor: "a",
  },
  {
    title: "an unknown field",
    bytes: fileBytes('{"a":{"offsets":[0,4]}}', FOUR),
    message: /field "offsets"/,
    tensor: "a",
  },
  {
    title: "a field given twice",
    bytes: fileBytes('{"a":{"dtype":"F32","dtype":"F32"}}', FOUR),
    message: /dtype is given twice/,
    tensor: "a",
  },
  {
    title: "an unknown dtype",
    bytes: withField({ dtype: '"F33"' }),
    message: /unknown dtype "F33"/,
    tensor: "a",
  },
  {
    title: "a dtype in small letters",
    bytes: withField({ dtype: '"f32"' }),
    message: /unknown dtype "f32"/,
    tensor: "a",
  },
  {
    title: "a dtype that is an object's own word",
    bytes: withField({ dtype: '"constructor"' }),
    message: /unknown dtype "constructor"/,
    tensor: "a",
  },
  { title: "a dtype that is a number", bytes: withField({ dtype: "32" }), message: /found `3`/ },
  { title: "a negative extent", bytes: withField({ shape: "[-1]" }), message: /negative/ },
  { title: "a fraction", bytes: withField({ shape: "[1.0]" }), message: /not written as an int/ },
  { title: "an exponent", bytes: withField({ shape: "[1e0]" }), message: /not written as an int/ },
  { title: "a leading zero", bytes: withField({ shape: "[01]" }), message: /begins with a zero/ },
  { title: "a plus sign", bytes: withField({ shape: "[+1]" }), message: /found `\+`/ },
  { title: "an extent in quotes", bytes: withField({ shape: '["1"]' }), message: /found `"`/ },
  { title: "a shape that is a number", bytes: withField({ shape: "1" }), message: /found `1`/ },
  {
    title: "an extent beyond 2^53 − 1",
    bytes: withField({ shape: "[9007199254740992]" }),
    message: /exceeds 2\^53/,
  },
  {
    title: "an extent of 400 digits",
    bytes: withField({ shape: `[${"9".repeat(400)}]` }),
    message: /exceeds 2\^53/,
  },
  {
    title: "extents whose product wraps to the right size in 64 bits",
    bytes: withField({ shape: "[4294967296,4294967296,1]" }),
    message: /more than 2\^53 bits/,
    tensor: "a",
  },
  {
    title: "three offsets",
    bytes: withField({ data_offsets: "[0,4,4]" }),
    message: /3 numbers instead of 2/,
    tensor: "a",
  },
  {
    title: "offsets in the wrong order",
    bytes: withField({ data_offsets: "[4,0]" }),
    message: /end before they begin/,
    tensor: "a",
  },
  {
    title: "offsets that disagree with the shape",
    bytes: withField({ shape: "[2]" }),
    message: /ask for 8 bytes, but data_offsets \[0, 4\] hold 4/,
    tensor: "a",
  },
  {
    title: "half a byte",
    bytes: withField({ dtype: '"F4"', shape: "[7]" }),
    message: /ask for 3\.5 bytes/,
    tensor: "a",
  },
  {
    title: "a tensor that exceeds the file",
    bytes: fileBytes(`{"a":${f32(0, 8)}}`, FOUR),
    message: /exceeds the file/,
    tensor: "a",
  },
  {
    title: "two tensors in the same bytes",
    bytes: fileBytes(`{"a":${f32(0, 4)},"b":${f32(0, 4)}}`, FOUR),
    message: /overlaps tensor "a"/,
    tensor: "b",
  },
  {
    title: "an empty tensor inside another",
    bytes: fileBytes(`{"a":${f32(0, 4)},"b":${f32(2, 2)}}`, FOUR),
    message: /overlaps tensor "a"/,
    tensor: "b",
  },
  {
    title: "a gap before the first tensor",
    bytes: fileBytes(`{"a":${f32(4, 8)}}`, new Uint8Array(8)),
    message: /leaves a gap after the header/,
    tensor: "a",
  },
  {
    title: "a gap between tensors",
    bytes: fileBytes(`{"b":${f32(8, 12)},"a":${f32(0, 4)}}`, new Uint8Array(12)),
    message: /leaves a gap after tensor "a"/,
    tensor: "b",
  },
  {
    title: "bytes after the last tensor",
    bytes: fileBytes(`{"a":${f32(0, 4)}}`, new Uint8Array(5)),
    message: /nothing says what the other 1 are/,
  },
  { title: "data without tensors", bytes: fileBytes("{}", FOUR), message: /other 4 are/ },
  {
    title: "equal names",
    bytes: fileBytes(`{"a":${f32(0, 4)},"a":${f32(0, 4)}}`, FOUR),
    message: /names "a" twice/,
    tensor: "a",
  },
  {
    title: "names that are equal once escapes are resolved",
    bytes: fileBytes(`{"a":${f32(0, 4)},"\\u0061":${f32(0, 4)}}`, FOUR),
    message: /names "a" twice/,
    tensor: "a",
  },
  {
    title: "two tensors called __proto__",
    bytes: fileBytes(`{"__proto__":${f32(0, 4)},"__proto__":${f32(0, 4)}}`, FOUR),
    message: /names "__proto__" twice/,
    tensor: "__proto__",
  },
  {
    title: "metadata given twice",
    bytes: fileBytes('{"__metadata__":{},"__metadata\\u005f_":{}}'),
    message: /names "__metadata__" twice/,
  },
  {
    title: "equal keys in the metadata",
    bytes: fileBytes('{"__metadata__":{"k":"1","\\u006b":"2"}}'),
    message: /holds "k" twice/,
  },
  {
    title: "deeply nested arrays",
    bytes: withField({ shape: "[".repeat(DEEP) + "]".repeat(DEEP) }),
    message: /found `\[`/,
  },
  {
    title: "deeply nested objects",
    bytes: fileBytes('{"a":'.repeat(DEEP) + "1" + "}".repeat(DEEP)),
    message: /field "a"/,
  },
];

for (const { title, bytes, message, tensor } of refused) {
  Deno.test(`a header is refused for ${title}`, () =>
    inTempFolder(async (folder) => {
      const path = `${folder}/model.safetensors`;
      await Deno.writeFile(path, bytes);
      await assert.rejects(readSafetensorsHeader(path), (error: Error & { tensor?: string }) => {
        assert(names(error, path), error.stack);
        assert.match(error.message, message);
        if (tensor !== undefined) assert.equal(error.tensor, tensor);
        return true;
      });
    }));
}

Deno.test("a header over the format's 100 MB is refused before it is read", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeFile(path, fileBytes("{}", FOUR, 100_000_001n));
    await Deno.truncate(path, 200_000_000); // a hole: takes no disk
    await assert.rejects(readSafetensorsHeader(path), /exceeds the format's limit of 100000000/);
  }));

Deno.test("a header that is mostly a hole in the file is refused at its first piece", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeFile(path, fileBytes('{"', new Uint8Array(), 99_999_999n));
    await Deno.truncate(path, 200_000_000);
    await assert.rejects(readSafetensorsHeader(path), /zero byte.* 2 bytes after its beginning/);
  }));

Deno.test("more tensors and more notes than any model has are refused", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    const named = (value: string) =>
      Array.from({ length: 100_001 }, (_, index) => `"${index}":${value}`).join();
    const empty = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
    for (
      const [header, message] of [
        [`{${named(empty)}}`, /it describes more than 100000 tensors/],
        [`{"__metadata__":{${named('""')}}}`, /__metadata__ has more than 100000 entries/],
      ] as const
    ) {
      await Deno.writeFile(path, fileBytes(header, new Uint8Array()));
      await assert.rejects(readSafetensorsHeader(path), message);
    }
  }));

Deno.test("what is not a readable file is refused by name", () =>
  inTempFolder(async (folder) => {
    const absent = `${folder}/absent.safetensors`;
    await assert.rejects(readSafetensorsHeader(absent), (error: Error) => {
      assert(names(error, absent));
      assert.match(error.message, /no such file/);
      return true;
    });
    await assert.rejects(readSafetensorsHeader(folder), (error: Error) => names(error, folder));
  }));

Deno.test("a file of no tensors, padded with spaces, is well-formed", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeFile(path, fileBytes("{}      "));
    const { tensors, opaque, metadata } = await readSafetensorsHeader(path);
    assert.deepEqual([tensors.size, opaque.size, Object.keys(metadata).length], [0, 0, 0]);
  }));

Deno.test("empty tensors may share a place with the one that follows", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    const header = `{"full":${f32(0, 4)},"first":${f32(0, 0)},"last":${f32(4, 4, "[3,0]")}}`;
    await Deno.writeFile(path, fileBytes(header, FOUR));
    const { tensors } = await readSafetensorsHeader(path);
    assert.deepEqual(
      [...tensors.values()].map(({ name, shape, offset, byteLength }) => [
        name,
        shape,
        offset - 8 - header.length,
        byteLength,
      ]),
      [["full", [1], 0, 4], ["first", [0], 0, 0], ["last", [3, 0], 4, 0]],
    );
  }));

Deno.test("metadata that is no text concerns nobody, but must be JSON", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    for (
      const [json, texts] of [
        ["null", {}],
        ["[1, 2]", {}],
        ['"text"', {}],
        ['{"k":1,"l":"m","n":{"o":[null]}}', { l: "m" }],
      ] as const
    ) {
      await Deno.writeFile(path, fileBytes(`{"__metadata__":${json}}`));
      const { metadata } = await readSafetensorsHeader(path);
      assert.deepEqual({ ...metadata }, texts);
    }
    await Deno.writeFile(path, fileBytes('{"__metadata__":nil}'));
    await assert.rejects(readSafetensorsHeader(path), /expected a value, found `n`/);
  }));

Deno.test("metadata named like an object's own parts is text like any other", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeFile(path, fileBytes('{"__metadata__":{"__proto__":"a","toString":"b"}}'));
    const { metadata } = await readSafetensorsHeader(path);
    assert.deepEqual(Object.entries(metadata), [["__proto__", "a"], ["toString", "b"]]);
    assert.equal(metadata["constructor"], undefined);
  }));

Deno.test("messages stay short when names are long", () =>
  inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    const name = "n".repeat(1_000_000);
    await Deno.writeFile(path, fileBytes(`{"${name}":${f32(0, 8)}}`, FOUR));
    await assert.rejects(readSafetensorsHeader(path), (error: Error & { tensor?: string }) => {
      assert(error.message.length < 1000);
      assert.equal(error.tensor, name);
      return true;
    });
  }));
