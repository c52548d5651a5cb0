/**
 * Every kind of stage of a tokenizer.json gives the ids of Python's `tokenizers`, which
 * tests/reference/tokenizer_kinds.py wrote down.
 */
import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { loadTokenizer, type Tokenizer, TokenizerError } from "../../src/tokenizer/mod.ts";
import { fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { assertQuick } from "../_processor_time.ts";

interface Kinds {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    readonly tokenizer: object;
    /** For each text, with spaces between. */
    readonly ids: readonly string[];
  }[];
}

const packed = await Deno.readFile(Deno.env.get("KINDS") ?? fixture("tokenizer/kinds.json.gz"));
const { texts, cases }: Kinds = JSON.parse(gunzipSync(packed).toString());

async function load(definition: object): Promise<Tokenizer> {
  let loaded: Tokenizer | undefined;
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(definition));
    loaded = await loadTokenizer(folder);
  });
  return loaded!;
}

for (
  const stage of ["normalizer", "pre_tokenizer", "model", "added", "post_processor"]
) {
  Deno.test(`every kind of ${stage} gives Python's ids`, async () => {
    const own = cases.filter(({ name }) => name.startsWith(`${stage}/`));
    assert(own.length > 4);
    const wrong: string[] = [];
    for (const { name, tokenizer, ids } of own) {
      const loaded = await load(tokenizer);
      for (const [index, text] of texts.entries()) {
        const found = loaded.encode(text).join(" ");
        if (found !== ids[index]) {
          wrong.push(`${name}, ${JSON.stringify(text)}: ${found} for ${ids[index]}`);
          break;
        }
      }
    }
    assert.deepEqual(wrong, []);
  });
}

const MODEL = { type: "BPE", vocab: { a: 0 }, merges: [] };

const REFUSED: Readonly<Record<string, readonly [RegExp, object]>> = {
  "a table of scripts that is older than the platform's": [
    /UnicodeScripts/,
    { pre_tokenizer: { type: "UnicodeScripts" } },
  ],
  "a stage that Python does not have": [/Magic/, { normalizer: { type: "Magic" } }],
  "a name that every object has": [/toString/, { normalizer: { type: "toString" } }],
  "dropout": [/dropout of 0\.1/, { model: { ...MODEL, dropout: 0.1 } }],
  "a merge that is not of the vocabulary": [/merge "a b"|合并 "a b"/, {
    model: { ...MODEL, merges: ["a b"] },
  }],
  "an unknown token that is not there": [/<unk>/, { model: { ...MODEL, unk_token: "<unk>" } }],
  "an unknown behavior": [/Sideways/, {
    pre_tokenizer: { type: "Punctuation", behavior: "Sideways" },
  }],
  "an unknown type of model": [/"Magic"/, { model: { type: "Magic", vocab: {} } }],
  "a post-processor without its token": [/<s>/, {
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }],
      special_tokens: {},
    },
  }],
};

for (const [what, [message, stages]] of Object.entries(REFUSED)) {
  Deno.test(`${what} is refused by name, in both languages`, async () => {
    await assert.rejects(() => load({ model: MODEL, ...stages }), (error) => {
      assert(error instanceof TokenizerError);
      assert.match(error.message, message);
      assert.match(
        error.explain("zh"),
        message.source === "dropout of 0\\.1" ? /dropout 为 0\.1/ : message,
      );
      return true;
    });
  });
}

Deno.test("an expression that may take very long is refused, whatever it would find", async () => {
  const expressions = [
    String.raw`(a+)+b`,
    String.raw`(a|a)*b`,
    String.raw`(\w+\s?)*$`,
    String.raw`a*a*a*b`,
    String.raw`\s*[\r\n]+x`,
    String.raw`(?:a?){50}a{50}`,
    String.raw`(x+x+)+y`,
    String.raw`(.*)\1`,
    String.raw`(?=(a+)+b)`,
    String.raw`(`,
    String.raw`(?i:\p{L}x)`,
    String.raw`(?i:ss)`,
  ];
  for (const Regex of expressions) {
    for (
      const stages of [
        { pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated" } },
        { normalizer: { type: "Replace", pattern: { Regex }, content: "" } },
      ]
    ) {
      await assert.rejects(() => load({ model: MODEL, ...stages }), (error) => {
        assert(error instanceof TokenizerError, Regex);
        assert.match(error.message, /expression/);
        return true;
      });
    }
  }
});

Deno.test("the expressions of published tokenizers are run, in bounded time on any text", async () => {
  // GPT-2, GPT-4, GPT-4o, Llama 3, DeepSeek and BLOOM, as their tokenizer.json files have them.
  const expressions = [
    String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
    String
      .raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    String
      .raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    String.raw`[一-龥぀-ゟ゠-ヿ]+`,
    String.raw` ?[^(\s|[.,!?…。，、।۔،])]+`,
    String.raw`\d{1,3}(?=(?:\d{3})*\b)`,
  ];
  const units = [" ", "\n", "a", "A", "1", "'", "\u0301", " \n", "a1", "初", "'s"];
  for (const Regex of expressions) {
    const pre_tokenizer = { type: "Split", pattern: { Regex }, behavior: "Isolated" };
    const tokenizer = await load({ model: MODEL, pre_tokenizer });
    for (const unit of units) {
      // What takes exponential time would never end; this takes milliseconds.
      assertQuick(`${Regex} on ${JSON.stringify(unit)}`, () => {
        tokenizer.encode(unit.repeat(65_536 / unit.length));
      });
    }
  }
});
