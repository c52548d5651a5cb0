/**
 * The models, and the ids that transformers' converters and sentencepiece itself give with them, are
 * made by tests/reference/sentencepiece_models.py. The two part over text that spells a special
 * token, over what XLM-RoBERTa's character map does to some clusters, and over a lone U+0085 at the
 * end; there transformers' ids are wanted.
 */
import assert from "node:assert/strict";
import {
  loadSentencePieceTokenizer,
  type SentencePieceKind,
  type Tokenizer,
  TokenizerError,
} from "../../src/tokenizer/mod.ts";
import { fixture, readJson } from "../_fixtures.ts";
import { saysSameInChinese } from "../_languages.ts";
import { field, gemmaModel, xlmRobertaModel } from "./_sentencepiece_files.ts";

interface Expected {
  readonly vocabSize: number;
  readonly ids: Readonly<Record<string, readonly number[]>>;
  /** Where sentencepiece's ids are others. */
  readonly sentencepiece: Readonly<Record<string, readonly number[]>>;
}

const { texts } = await readJson<{ readonly texts: Readonly<Record<string, string>> }>(
  fixture("tokenizer/reference_ids.json"),
);
const reference = await readJson<Readonly<Record<"bpe_gemma" | "unigram_xlmr", Expected>>>(
  fixture("tokenizer/sentencepiece_ids.json"),
);

function assertSameIds(tokenizer: Tokenizer, { vocabSize, ids }: Expected): void {
  for (const [name, expected] of Object.entries(ids)) {
    assert.deepEqual([...tokenizer.encode(texts[name]!)], expected, name);
  }
  assert.equal(tokenizer.vocabSize, vocabSize);
}

Deno.test("a BPE model for Gemma 3 gives the ids of transformers' conversion", async () => {
  const tokenizer = loadSentencePieceTokenizer(await gemmaModel(), "gemma3", "gemma");
  assertSameIds(tokenizer, reference.bpe_gemma);
});

for (const ids of ["own", "reindexed"] as const) {
  Deno.test(`a Unigram model for XLM-RoBERTa gives the encoder's ids (${ids})`, async () => {
    const tokenizer = loadSentencePieceTokenizer(await xlmRobertaModel(ids), "xlm-roberta", "jina");
    assertSameIds(tokenizer, reference.unigram_xlmr);
  });
}

Deno.test("prompts get the ids that sentencepiece gives them", async () => {
  const prompts = [
    "xml prompt",
    "xml prompt with system prompt",
    "tags",
    "faces",
    "weights",
    "chinese",
    "japanese",
    "emoji",
    "joined emoji",
    "runs of spaces",
    "tabs and newlines",
  ];
  const kinds = [
    [loadSentencePieceTokenizer(await gemmaModel(), "gemma3", "gemma"), reference.bpe_gemma],
    [
      loadSentencePieceTokenizer(await xlmRobertaModel("reindexed"), "xlm-roberta", "jina"),
      reference.unigram_xlmr,
    ],
  ] as const;
  for (const [tokenizer, { ids, sentencepiece }] of kinds) {
    for (const name of prompts) {
      assert.deepEqual([...tokenizer.encode(texts[name]!)], sentencepiece[name] ?? ids[name], name);
    }
  }
});

Deno.test("a maxLength keeps the special tokens and the beginning of the text", async () => {
  const tokenizer = loadSentencePieceTokenizer(await xlmRobertaModel("own"), "xlm-roberta", "jina");
  const whole = reference.unigram_xlmr.ids["tags"]!;
  const found = tokenizer.encode(texts["tags"]!, { maxLength: 8 });
  assert.deepEqual([...found], [...whole.slice(0, 7), whole.at(-1)]);
});

function assertRefused(bytes: Uint8Array, kind: SentencePieceKind, message: RegExp): void {
  assert.throws(() => loadSentencePieceTokenizer(bytes, kind, "some.safetensors"), (error) => {
    assert(error instanceof TokenizerError);
    assert.equal(error.path, "some.safetensors");
    assert.match(error.message, /some\.safetensors/);
    assert.match(error.message, message);
    assert(error.explain("zh").startsWith("some.safetensors 里的 SentencePiece 模型"));
    assert(saysSameInChinese(error), error.explain("zh"));
    return true;
  });
}

Deno.test("bytes that are no SentencePiece model are refused", async () => {
  const model = await gemmaModel();
  assertRefused(model.subarray(0, -1), "gemma3", /is damaged/);
  assertRefused(new TextEncoder().encode("version https://git-lfs"), "gemma3", /is damaged/);
  assertRefused(new Uint8Array(), "xlm-roberta", /has no pieces/);
});

Deno.test("a score that is no number is refused", async () => {
  const notANumber = [0x15, 0x00, 0x00, 0xc0, 0x7f];
  const piece = field(1, Uint8Array.of(...field(1, new TextEncoder().encode("x")), ...notANumber));
  assertRefused(
    Uint8Array.from([...await gemmaModel(), ...piece]),
    "gemma3",
    /score of piece 1000 is no number/,
  );
});

Deno.test("a model of another kind is refused, saying what was expected", async () => {
  assertRefused(await gemmaModel(), "xlm-roberta", /XLM-RoBERTa needs a Unigram model/);
  assertRefused(await xlmRobertaModel("own"), "gemma3", /Gemma 3 needs a BPE model/);
});

Deno.test("a Unigram model that begins with other pieces than XLM-RoBERTa's is refused", async () => {
  const model = await xlmRobertaModel("own");
  const firstPiece = 2 + model[1]!;
  assertRefused(
    model.subarray(firstPiece),
    "xlm-roberta",
    /begins with <unk>, <s>, <\/s>, or with/,
  );
});
