/**
 * From the object that a tokenizer.json holds to a tokenizer that runs, wherever the object is from.
 *
 * @module
 */
import { Tokenizer as Pipeline } from "@huggingface/tokenizers";
import { makeExact } from "./_exact_pipeline.ts";
import { type EncodeOptions, type Tokenizer, TokenizerError } from "./types.ts";

export const TOKENIZER_FILE = "tokenizer.json";
const KNOWN_MODELS: readonly string[] = ["BPE", "Unigram", "WordPiece"];

/** A stand-in for the text, to find out what the post-processor puts around it. */
const PROBE = "\0text\0";

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const reason = (error: unknown) => error instanceof Error ? error.message : String(error);

/**
 * @param definition What a tokenizer.json holds.
 * @param config What the tokenizer_config.json beside it holds; of it, `truncation_side` counts.
 * @param source What messages call the tokenizer: the file that it is from.
 * @throws {TokenizerError} When the definition has a model or a stage that cannot be run.
 */
export function createTokenizer(
  definition: JsonObject,
  config: JsonObject,
  source: string,
): Tokenizer {
  return new PipelineTokenizer(source, buildPipeline(source, definition), {
    truncateLeft: config["truncation_side"] === "left",
  });
}

function buildPipeline(file: string, definition: JsonObject): Pipeline {
  const model = definition["model"];
  if (!isObject(model)) {
    throw new TokenizerError(
      file,
      `${file} has no "model": it is no ${TOKENIZER_FILE} of the tokenizers library. If the model ` +
        `comes with a SentencePiece file only, convert it with transformers' save_pretrained.`,
      {
        zh: `${file} 里没有 "model"：它不是 tokenizers 库的 ${TOKENIZER_FILE}。如果模型只附带 ` +
          "SentencePiece 文件，请用 transformers 的 save_pretrained 转换。",
      },
    );
  }
  const type = model["type"];
  if (type !== undefined && !(typeof type === "string" && KNOWN_MODELS.includes(type))) {
    throw new TokenizerError(
      file,
      `${file} holds a tokenizer of type ${JSON.stringify(type)}. Expected one of ` +
        `${KNOWN_MODELS.join(", ")}: use the ${TOKENIZER_FILE} that was published with the model.`,
      {
        zh: `${file} 里的分词器类型是 ${JSON.stringify(type)}。应为 ${KNOWN_MODELS.join("、")} ` +
          `之一：请使用随模型发布的 ${TOKENIZER_FILE}。`,
      },
    );
  }
  try {
    // Files may leave out stages that they do not use; the library needs them to be null.
    const complete = {
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      added_tokens: [],
      ...definition,
    };
    // No tokenizer_config.json for the library: from keys such as remove_space it would clean text
    // that Rust's tokenizers leave alone.
    const pipeline = new Pipeline(complete, {});
    makeExact(pipeline, complete.pre_tokenizer);
    return pipeline;
  } catch (error) {
    throw new TokenizerError(
      file,
      `${file} describes a tokenizer that cannot be run: ${reason(error)}. Use the ` +
        `${TOKENIZER_FILE} that was published with the model.`,
      {
        cause: error,
        zh: `${file} 描述的分词器无法运行：${
          reason(error)
        }。请使用随模型发布的 ${TOKENIZER_FILE}。`,
      },
    );
  }
}

class PipelineTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly #pipeline: Pipeline;
  readonly #prefix: readonly number[];
  readonly #suffix: readonly number[];
  readonly #truncateLeft: boolean;

  constructor(file: string, pipeline: Pipeline, options: { readonly truncateLeft: boolean }) {
    const frame = pipeline.post_processor?.post_process([PROBE], null, true).tokens ?? [PROBE];
    const at = frame.indexOf(PROBE);
    const toIds = (tokens: readonly string[]) =>
      tokens.map((token) => {
        const id = pipeline.token_to_id(token);
        if (id !== undefined) return id;
        throw new TokenizerError(
          file,
          `${file} frames every text with ${JSON.stringify(token)}, which its vocabulary lacks.`,
          { zh: `${file} 给每段文本加上 ${JSON.stringify(token)}，但它的词表里没有这个词。` },
        );
      });
    this.#pipeline = pipeline;
    this.#prefix = toIds(frame.slice(0, at));
    this.#suffix = toIds(frame.slice(at + 1));
    this.#truncateLeft = options.truncateLeft;
    this.vocabSize = pipeline.model?.vocab.length ?? 0;
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const { ids } = this.#pipeline.encode(text.toWellFormed(), { add_special_tokens: false });
    return Int32Array.from([
      ...this.#prefix,
      ...this.#truncate(ids, options.maxLength),
      ...this.#suffix,
    ]);
  }

  #truncate(body: number[], maxLength = Infinity): number[] {
    const specialTokens = this.#prefix.length + this.#suffix.length;
    const room = maxLength - specialTokens;
    if (!(room >= 0) || (maxLength !== Infinity && !Number.isInteger(maxLength))) {
      throw new RangeError(
        `maxLength is ${maxLength}, but must be a whole number of at least ${specialTokens}, the ` +
          `special tokens that every text gets.`,
      );
    }
    if (body.length <= room) return body;
    return this.#truncateLeft ? body.slice(body.length - room) : body.slice(0, room);
  }
}
