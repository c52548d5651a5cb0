/**
 * Expected ids come from Python's `tokenizers` and, where truncated, `transformers`:
 * tests/reference/tokenizer_ids.py. Every kind of stage is compared in kinds_test.ts.
 */
import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { loadTokenizer, type Tokenizer, TokenizerError } from "../../src/tokenizer/mod.ts";
import { fixture, readJson } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { saysSameInChinese } from "../_languages.ts";
import { gemma3TokenizerFolder } from "./_gemma3.ts";

interface Expected {
  readonly vocabSize?: number;
  readonly ids: Readonly<Record<string, readonly number[]>>;
  readonly truncated: readonly {
    readonly side: "left" | "right";
    readonly text: string;
    readonly maxLength: number;
    readonly ids: readonly number[];
  }[];
}

interface Layout extends Expected {
  readonly stages: object;
  readonly knownDifference: { readonly text: string; readonly python: readonly number[] };
}

interface Reference {
  readonly texts: Readonly<Record<string, string>>;
  readonly gemma3: Expected;
  readonly bpe_gemma: Expected;
  readonly unigram_xlmr: {
    readonly vocabSize: number;
    readonly layouts: Readonly<Record<string, Layout>>;
  };
}

const reference = await readJson<Reference>(fixture("tokenizer/reference_ids.json"));

function assertSameIds(tokenizer: Tokenizer, expected: Expected): void {
  for (const [name, ids] of Object.entries(expected.ids)) {
    assert.deepEqual([...tokenizer.encode(reference.texts[name]!)], ids, name);
  }
}

function assertSameTruncation(
  tokenizer: Tokenizer,
  expected: Expected,
  side: "left" | "right",
): void {
  for (const { side: at, text, maxLength, ids } of expected.truncated) {
    if (at !== side) continue;
    const found = tokenizer.encode(reference.texts[text]!, { maxLength });
    assert.deepEqual([...found], ids, `${text} at ${maxLength}`);
  }
}

/** Puts files into a folder of their own for as long as `use` runs. */
async function withFiles(
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  await inTempFolder(async (folder) => {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await use(folder);
  });
}

Deno.test("Gemma 3's own tokenizer gives Python's ids", async () => {
  const tokenizer = await loadTokenizer(await gemma3TokenizerFolder());
  assertSameIds(tokenizer, reference.gemma3);
  assertSameTruncation(tokenizer, reference.gemma3, "right");
  assert.equal(tokenizer.vocabSize, reference.gemma3.vocabSize);
});

Deno.test("a BPE with byte fallback gives Python's ids", async () => {
  const tokenizer = await loadTokenizer(fixture("tokenizer/bpe_gemma.json"));
  assertSameIds(tokenizer, reference.bpe_gemma);
  assertSameTruncation(tokenizer, reference.bpe_gemma, "right");
  assert.equal(tokenizer.vocabSize, reference.bpe_gemma.vocabSize);
});

const charsmap = gunzipSync(await Deno.readFile(fixture("tokenizer/nmt_nfkc.charsmap.gz")));
const unigram = await readJson<object>(fixture("tokenizer/unigram_xlmr.json"));

for (const [layout, expected] of Object.entries(reference.unigram_xlmr.layouts)) {
  Deno.test(`XLM-RoBERTa's Unigram gives Python's ids (${layout})`, async () => {
    const definition = JSON.stringify({ ...unigram, ...expected.stages })
      .replace("nmt_nfkc.charsmap", charsmap.toString("base64"));
    await withFiles({ "tokenizer.json": definition }, async (folder) => {
      const tokenizer = await loadTokenizer(folder);
      assertSameIds(tokenizer, expected);
      assertSameTruncation(tokenizer, expected, "right");
      assert.equal(tokenizer.vocabSize, reference.unigram_xlmr.vocabSize);
      // Full-width "<s>" becomes a special token's letters when it is normalized, not the token.
      const { text, python } = expected.knownDifference;
      assert.deepEqual([...tokenizer.encode(text)], python);
    });
    const config = JSON.stringify({ truncation_side: "left", remove_space: true });
    const files = { "tokenizer.json": definition, "tokenizer_config.json": config };
    await withFiles(files, async (folder) => {
      const tokenizer = await loadTokenizer(`${folder}/tokenizer.json`);
      assertSameIds(tokenizer, expected);
      assertSameTruncation(tokenizer, expected, "left");
    });
  });
}

Deno.test("truncation and padding settings inside tokenizer.json are ignored", async () => {
  const definition = {
    ...await readJson<object>(fixture("tokenizer/bpe_gemma.json")),
    truncation: { direction: "Right", max_length: 3, strategy: "LongestFirst", stride: 0 },
    padding: {
      strategy: { Fixed: 64 },
      direction: "Right",
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: "<pad>",
    },
  };
  await withFiles({ "tokenizer.json": JSON.stringify(definition) }, async (folder) => {
    assertSameIds(await loadTokenizer(folder), reference.bpe_gemma);
  });
});

Deno.test("half of a surrogate pair counts as U+FFFD", async () => {
  const tokenizer = await loadTokenizer(fixture("tokenizer/bpe_gemma.json"));
  assert.deepEqual(tokenizer.encode("a\ud83cb"), tokenizer.encode("a\ufffdb"));
});

Deno.test("a maxLength without room for the special tokens is refused", async () => {
  const tokenizer = await loadTokenizer(fixture("tokenizer/bpe_gemma.json"));
  assert.deepEqual([...tokenizer.encode("1girl", { maxLength: 1 })], [2]);
  for (const maxLength of [0, -1, 2.5, NaN]) {
    assert.throws(() => tokenizer.encode("1girl", { maxLength }), RangeError);
  }
});

async function assertRefused(definition: string, message: RegExp): Promise<void> {
  await withFiles({ "tokenizer.json": definition }, async (folder) => {
    await assert.rejects(loadTokenizer(folder), (error) => {
      assert(error instanceof TokenizerError);
      assert.equal(error.path, `${folder}/tokenizer.json`);
      assert.match(error.message, message);
      assert(saysSameInChinese(error), error.explain("zh"));
      return true;
    });
  });
}

Deno.test("a missing tokenizer is named with the place where it was expected", async () => {
  await withFiles({}, async (folder) => {
    const expected = { name: "TokenizerError", path: `${folder}/tokenizer.json` };
    await assert.rejects(loadTokenizer(folder), expected);
    await assert.rejects(loadTokenizer(folder), (error) => {
      assert(error instanceof TokenizerError);
      assert(error.explain("zh").startsWith(`${folder}/tokenizer.json 处没有分词器。`));
      return true;
    });
    await assert.rejects(loadTokenizer(`${folder}/tokenizer.json`), expected);
  });
});

Deno.test("damaged JSON is refused", () => assertRefused('{"model": {', /not valid JSON/));

Deno.test("JSON that is no tokenizer is refused", async () => {
  await assertRefused("[]", /must hold a JSON object/);
  await assertRefused('{"architectures": []}', /has no "model"/);
});

Deno.test("a model type that cannot be run is refused by name", () =>
  assertRefused(
    '{"model": {"type": "CharBPE", "vocab": {"a": 0}}}',
    /"CharBPE".*BPE, Unigram/,
  ));

Deno.test("a stage that cannot be run is refused by name", () =>
  assertRefused(
    '{"model": {"type": "BPE", "vocab": {}, "merges": []}, "normalizer": {"type": "Nmtx"}}',
    /cannot be run.*Nmtx/,
  ));

Deno.test("a character map that was cut short is refused", () => {
  const normalizer = { type: "Precompiled", precompiled_charsmap: btoa("\x10\0\0\0abcd") };
  const model = { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0]] };
  return assertRefused(JSON.stringify({ model, normalizer }), /8 bytes states a trie of 16/);
});

Deno.test("ids that no vocabulary reaches, and marks and words without bound, are refused", async () => {
  const bpe = { type: "BPE", vocab: { a: 0 }, merges: [] };
  const unigram = { type: "Unigram", vocab: [["<unk>", 0]] };
  const wordPiece = { type: "WordPiece", vocab: { "[UNK]": 0 } };
  const frame = (ids: unknown) => ({
    model: bpe,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "a" } }, { Sequence: { id: "A" } }],
      special_tokens: { a: { ids } },
    },
  });
  const stages = Array.from({ length: 101 }, () => ({ type: "NFC" }));
  for (
    const [definition, pattern] of [
      [{ model: { ...bpe, vocab: { a: 2 ** 31 } } }, /no table of ids/],
      [{ model: { ...unigram, unk_id: -3 } }, /unk_id -3/],
      [{ model: { ...unigram, unk_id: 0.5 } }, /unk_id 0.5/],
      [{ model: { ...bpe, continuing_subword_prefix: "#".repeat(17) } }, /17 characters/],
      [{ model: { ...wordPiece, max_input_chars_per_word: 1e6 } }, /1000000/],
      [frame([-1]), /"a"/],
      [frame(["a"]), /"a"/],
      [{ model: bpe, normalizer: { type: "Sequence", normalizers: stages } }, /102 stages/],
    ] as const
  ) {
    await assertRefused(JSON.stringify(definition), pattern);
  }
});

Deno.test("a text that cannot be turned into ids names the tokenizer's file", async () => {
  const doubling = { type: "Replace", pattern: { String: "a" }, content: "aa" };
  const definitions = [
    { model: { type: "Unigram", vocab: [["a", 0]] } },
    {
      model: { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0]] },
      normalizer: { type: "Sequence", normalizers: Array.from({ length: 40 }, () => doubling) },
    },
  ];
  for (const definition of definitions) {
    await withFiles({ "tokenizer.json": JSON.stringify(definition) }, async (folder) => {
      const path = `${folder}/tokenizer.json`;
      const tokenizer = await loadTokenizer(path);
      assert.throws(() => tokenizer.encode("a b a"), { name: "TokenizerError", path });
    });
  }
});
