/**
 * A small safetensors writer, made from the format's description alone: eight bytes of length, JSON,
 * data. It writes what it is told to, right or wrong.
 */
import { SafetensorsError } from "../../src/safetensors/mod.ts";
import { saysSameInChinese } from "../_languages.ts";

/** What the header says of one tensor; of any type, so that it can be wrong. */
export interface Description {
  dtype: unknown;
  shape: unknown;
  data_offsets: unknown;
}

/**
 * A header as text. Names are written one by one, so that they may repeat or be `__proto__`; `spell`
 * says how.
 */
export function headerText(
  members: readonly (readonly [name: string, value: unknown])[],
  spell: (name: string) => string = JSON.stringify,
): string {
  const parts = members.map(([name, value]) => `${spell(name)}:${JSON.stringify(value)}`);
  return `{${parts.join(",")}}`;
}

/** Spells a name with nothing but escapes. */
export function spellEscaped(name: string): string {
  const units = Array.from({ length: name.length }, (_, i) => name.charCodeAt(i));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
}

/** A whole file; `length` is what its first eight bytes say, the truth when left out. */
export function fileBytes(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(),
  length?: bigint,
): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** A well-formed file with one tensor more. */
export function appendTensor(
  original: Uint8Array,
  name: string,
  dtype: string,
  shape: readonly number[],
  data: Uint8Array,
): Uint8Array {
  const view = new DataView(original.buffer, original.byteOffset);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header: Record<string, unknown> = JSON.parse(
    new TextDecoder().decode(original.subarray(8, start)),
  );
  const body = original.subarray(start);
  const data_offsets = [body.length, body.length + data.length];
  const json = JSON.stringify({ ...header, [name]: { dtype, shape, data_offsets } });
  const joined = new Uint8Array(body.length + data.length);
  joined.set(body);
  joined.set(data, body.length);
  return fileBytes(json, joined);
}

/**
 * Whether an error is one that a person can act on: of the right class, naming the file, and saying
 * the same in Chinese.
 */
export function names(error: unknown, file: string): boolean {
  return error instanceof SafetensorsError && error.file === file &&
    error.message.startsWith(file) && error.explain("zh").startsWith(`${file}：`) &&
    saysSameInChinese(error);
}
