/**
 * From the object that a tokenizer.json holds to a tokenizer that runs, wherever the object is from.
 *
 * @module
 */
import { AddedTokens } from "./_added_tokens.ts";
import { createFrame, type Frame } from "./_frame.ts";
import { type Model, MODELS, typeOf } from "./_models.ts";
import { createNormalizer } from "./_normalizers.ts";
import { createPreTokenizer, type PreTokenizer } from "./_pre_tokenizers.ts";
import { Refusal } from "./_refusal.ts";
import { type EncodeOptions, type Tokenizer, TokenizerError } from "./types.ts";

export const TOKENIZER_FILE = "tokenizer.json";
const KNOWN_MODELS: readonly string[] = Object.keys(MODELS);

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
  return new PipelineTokenizer(buildPipeline(source, definition), {
    source,
    truncateLeft: config["truncation_side"] === "left",
  });
}

/** Published files have no more than ten stages; each costs time for every text. */
const MOST_STAGES = 100;

/** Stages of a definition, those inside of others too. */
function countStages(config: unknown): number {
  if (!isObject(config)) return 0;
  const inner = ["normalizers", "pretokenizers", "processors"]
    .flatMap((name) => Array.isArray(config[name]) ? config[name] as unknown[] : []);
  return inner.reduce((count: number, stage) => count + countStages(stage), 1);
}

function cannotRun(file: string, error: unknown): TokenizerError {
  const { en, zh } = error instanceof Refusal
    ? error.texts
    : { en: reason(error), zh: reason(error) };
  return new TokenizerError(
    file,
    `${file} describes a tokenizer that cannot be run: ${en}. Use the ` +
      `${TOKENIZER_FILE} that was published with the model.`,
    {
      cause: error,
      zh: `${file} 描述的分词器无法运行：${zh}。请使用随模型发布的 ${TOKENIZER_FILE}。`,
    },
  );
}

/** All that turns a text into ids. */
interface Pipeline {
  readonly addedTokens: AddedTokens;
  readonly preTokenizer: PreTokenizer;
  readonly model: Model;
  readonly frame: Frame;
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
  const type = typeOf(model);
  if (type === undefined || !Object.hasOwn(MODELS, type)) {
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
    // Files may leave out stages that they do not use.
    const stage = <T>(name: string, create: (config: unknown) => T, absent: T): T => {
      const config = definition[name];
      const stages = countStages(config);
      if (stages > MOST_STAGES) {
        throw new Refusal(
          `its ${name} has ${stages} stages, and at most ${MOST_STAGES} can be run`,
          `它的 ${name} 有 ${stages} 个阶段，最多只能有 ${MOST_STAGES} 个`,
        );
      }
      return config === undefined || config === null ? absent : create(config);
    };
    const runs = MODELS[type]!(model);
    const normalizer = stage("normalizer", createNormalizer, (text: string) => text);
    const list = definition["added_tokens"] ?? [];
    const addedTokens = new AddedTokens(list, runs.vocabulary, normalizer);
    const idOf = (token: string) => addedTokens.ids.get(token) ?? runs.vocabulary.get(token);
    return {
      addedTokens,
      preTokenizer: stage("pre_tokenizer", createPreTokenizer, (piece) => [piece]),
      model: runs,
      frame: stage("post_processor", (config) => createFrame(config, idOf), {
        prefix: [],
        suffix: [],
      }),
    };
  } catch (error) {
    throw cannotRun(file, error);
  }
}

class PipelineTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly #pipeline: Pipeline;
  readonly #source: string;
  readonly #truncateLeft: boolean;

  constructor(
    pipeline: Pipeline,
    options: { readonly source: string; readonly truncateLeft: boolean },
  ) {
    const { model, addedTokens } = pipeline;
    let highest = -1;
    for (const ids of [model.vocabulary, addedTokens.ids]) {
      for (const id of ids.values()) highest = Math.max(highest, id);
    }
    this.#pipeline = pipeline;
    this.#source = options.source;
    this.#truncateLeft = options.truncateLeft;
    this.vocabSize = highest + 1;
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const { prefix, suffix } = this.#pipeline.frame;
    return Int32Array.from([
      ...prefix,
      ...this.#truncate(this.#body(text), options.maxLength),
      ...suffix,
    ]);
  }

  /** The ids without what frames them. */
  #body(text: string): number[] {
    try {
      return this.#ids(text.toWellFormed());
    } catch (error) {
      throw error instanceof Refusal ? cannotRun(this.#source, error) : error;
    }
  }

  #ids(text: string): number[] {
    const { addedTokens, preTokenizer, model } = this.#pipeline;
    const ids: number[] = [];
    for (const section of addedTokens.sections(text)) {
      if ("id" in section) {
        ids.push(section.id);
        continue;
      }
      for (const piece of preTokenizer(section)) {
        for (const id of model.encode(piece.text)) ids.push(id);
      }
    }
    return ids;
  }

  #truncate(body: number[], maxLength = Infinity): number[] {
    const { prefix, suffix } = this.#pipeline.frame;
    const specialTokens = prefix.length + suffix.length;
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
