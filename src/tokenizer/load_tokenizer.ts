import { dirname, join } from "node:path";
import { isFolder, readJson } from "../files.ts";
import { createTokenizer, isObject, type JsonObject, TOKENIZER_FILE } from "./_create_tokenizer.ts";
import { type Tokenizer, TokenizerError } from "./types.ts";

const CONFIG_FILE = "tokenizer_config.json";

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
 * const tokenizer = await loadTokenizer("models/demo/transformer");
 * tokenizer.encode("1girl, blue_hair"); // Int32Array [2, …], starting with <bos>
 * ```
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const file = await isFolder(path) ? join(path, TOKENIZER_FILE) : path;
  const definition = await readObject(file);
  if (definition === undefined) {
    throw new TokenizerError(
      file,
      `There is no tokenizer at ${file}. Expected the model's ${TOKENIZER_FILE}, or the folder ` +
        `that holds it: copy it from where the model's weights came from.`,
      {
        zh: `${file} 处没有分词器。应为模型的 ${TOKENIZER_FILE}，或存放它的文件夹：` +
          "请从模型权重的来源处复制。",
      },
    );
  }
  const config = await readObject(join(dirname(file), CONFIG_FILE)) ?? {};
  return createTokenizer(definition, config, file);
}

/** The object in a JSON file, or undefined when there is no such file. */
async function readObject(file: string): Promise<JsonObject | undefined> {
  const read = await readJson(file);
  if (read.problem !== undefined) {
    const { problem: { en, zh }, cause } = read;
    if (read.isMissing) return undefined;
    throw new TokenizerError(
      file,
      `${file}: ${en}. It may have been cut short or be a placeholder for a large file: copy it ` +
        "again.",
      { cause, zh: `${file}：${zh}。它可能不完整，或只是大文件的占位符：请重新复制。` },
    );
  }
  const { value } = read;
  if (isObject(value)) return value;
  throw new TokenizerError(file, `${file} must hold a JSON object. Copy it again.`, {
    zh: `${file} 的内容应为 JSON 对象。请重新复制。`,
  });
}
