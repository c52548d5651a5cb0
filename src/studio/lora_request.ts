/** Adapters as people ask for them: `style:0.8`, in an option, a batch's line or a prompt. */
import { RequestError } from "../errors.ts";
import { readWeightedName } from "../prompt/mod.ts";
import { shown } from "../shown.ts";

/** An adapter that is asked for. */
export interface LoraRequest {
  /** A name in the folders of adapters. */
  readonly name: string;
  /** Whether it may be a path, too: the person at this machine typed it. */
  readonly mayBePath?: boolean;
  readonly weight: number;
  /** The weight in the text encoders, where it differs. */
  readonly textWeight?: number;
  /** Its file's SHA-256, where that is known. */
  readonly sha256?: string;
}

/** In characters; no system has longer ones. */
const LONGEST_PATH = 4096;

/** What stands for no adapter at all. */
export const NO_LORA = "none";

/**
 * Reads `FILE`, `FILE:weight` or `FILE:textWeight:weight`. A colon that no number follows is part of
 * the name, as in `C:\loras\style.safetensors`.
 *
 * @throws {RequestError} When there is no name.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseLora("style:0.8"), { name: "style", weight: 0.8 });
 * assert.deepEqual(parseLora("C:\\style.safetensors"), {
 *   name: "C:\\style.safetensors",
 *   weight: 1,
 * });
 * ```
 */
export function parseLora(text: string): LoraRequest {
  const body = text.trim().replace(/^[<＜](?:lora|lyco)[:：](.*)[>＞]$/iu, "$1");
  const lora = readWeightedName(body);
  if (lora.name === "" || lora.name.length > LONGEST_PATH) throw wrong(text);
  return lora;
}

/**
 * Reads what a batch's line says of adapters: one, or a list; each a text as {@linkcode parseLora}
 * reads it, or an object with `name` and `weight`.
 *
 * @throws {RequestError} When it is none of that.
 */
export function loraRequests(json: unknown): readonly LoraRequest[] {
  const list: readonly unknown[] = Array.isArray(json) ? json : [json];
  return withoutNone(list.map((one) => {
    if (typeof one === "string") return parseLora(one);
    if (typeof one !== "object" || one === null) throw wrong(JSON.stringify(one) ?? "");
    const { name, weight = 1, textWeight, ...others } = one as Readonly<Record<string, unknown>>;
    const isWeight = (value: unknown) => typeof value === "number" && Number.isFinite(value);
    if (
      typeof name !== "string" || name.trim() === "" || !isWeight(weight) ||
      textWeight !== undefined && !isWeight(textWeight) || Object.keys(others).length > 0
    ) {
      throw wrong(JSON.stringify(one));
    }
    return {
      name,
      weight: weight as number,
      ...(textWeight === undefined ? {} : { textWeight: textWeight as number }),
    };
  }));
}

/** `none` takes away what was asked for elsewhere. */
export function withoutNone(loras: readonly LoraRequest[]): readonly LoraRequest[] {
  return loras.filter(({ name }) => name !== NO_LORA);
}

/** A request as {@linkcode parseLora} reads it. */
export function loraText({ name, weight, textWeight }: LoraRequest): string {
  return [name, ...(textWeight === undefined ? [] : [textWeight]), weight].join(":");
}

/** Several requests for one adapter as one with the sum of their weights. */
export function summed(loras: readonly LoraRequest[]): readonly LoraRequest[] {
  const sums = new Map<string, LoraRequest>();
  for (const lora of loras) {
    const before = sums.get(lora.name);
    if (before === undefined) {
      sums.set(lora.name, lora);
      continue;
    }
    const weight = before.weight + lora.weight;
    const textWeight = (before.textWeight ?? before.weight) + (lora.textWeight ?? lora.weight);
    const { textWeight: _, ...rest } = before;
    sums.set(lora.name, { ...rest, weight, ...(textWeight === weight ? {} : { textWeight }) });
  }
  return [...sums.values()];
}

function wrong(text: string): RequestError {
  return new RequestError({
    en:
      `"${
        shown(text)
      }" names no adapter: expected a file or a name and perhaps a weight, such as ` +
      "style:0.8.",
    zh: `“${shown(text)}” 不是适配器：应为文件或名称，可带权重，例如 style:0.8。`,
  });
}
