import { ConfigError } from "../../errors.ts";
import { readJson } from "../../files.ts";
import { kindOf } from "./_part_files.ts";
import { CheckpointNotFoundError } from "./checkpoint_not_found_error.ts";

/** Many times what a configuration needs. */
const MOST_BYTES = 16_000_000;

/**
 * Reads a file of JSON, such as a config.json.
 *
 * @throws {CheckpointNotFoundError} When it is missing.
 * @throws {ConfigError} When it cannot be read, is no file, is far too large or is no JSON.
 */
export async function readConfig(file: string): Promise<unknown> {
  // Of a pipe one could read for ever.
  if (await kindOf(file) === "other") {
    throw new ConfigError(file, [{ en: "is not a file", zh: "不是文件" }]);
  }
  const size = await Deno.stat(file).then(({ size }) => size, () => 0);
  if (size > MOST_BYTES) {
    throw new ConfigError(file, [{
      en: `has ${size} bytes; a configuration may have ${MOST_BYTES}`,
      zh: `有 ${size} 字节；配置文件最多 ${MOST_BYTES} 字节`,
    }]);
  }
  const read = await readJson(file);
  if (read.problem === undefined) return read.value;
  const { problem, isMissing, cause } = read;
  if (!isMissing) throw new ConfigError(file, [problem], { cause });
  throw new CheckpointNotFoundError({
    en: `${file} is missing. It must lie beside the weights.`,
    zh: `缺少 ${file}。它应与权重放在一起。`,
  }, { cause });
}
