/**
 * What a configuration may ask for, by what is in the file: a graph is built for a width or for so
 * many layers only where there are tensors for it.
 *
 * @module
 */
import { ConfigError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { Weights } from "../safetensors/mod.ts";

/** Widths a little beyond the widest tensor are told tensor by tensor, with both shapes. */
const SLACK = 8;

/** Numbers of a configuration, by key. */
type Numbers = Readonly<Record<string, number>>;

/**
 * Refuses counts that do not agree with the tensors, before anything of that size is made.
 *
 * @param widths Extents of tensors.
 * @param counts How many layers, blocks or the like there are; each has a tensor or more.
 * @throws {ConfigError} Naming each key, its value and the limit.
 */
export function expectWithinWeights(
  file: string,
  weights: Weights,
  { widths = {}, counts = {} }: { readonly widths?: Numbers; readonly counts?: Numbers },
): void {
  const { size } = weights.tensors;
  // A graph is also compiled without any weights, to learn which ones it needs.
  if (size === 0) return;
  let widest = 1;
  for (const { shape } of weights.tensors.values()) widest = Math.max(widest, ...shape);
  const problems: Texts<string>[] = [];
  for (const [key, value] of Object.entries(widths)) {
    if (value <= SLACK * widest) continue;
    problems.push({
      en: `${key} is ${value}, but no tensor of ${weights.source} is wider than ${widest}`,
      zh: `${key} 是 ${value}，但 ${weights.source} 里最宽的张量只有 ${widest}`,
    });
  }
  for (const [key, value] of Object.entries(counts)) {
    if (value <= size) continue;
    problems.push({
      en: `${key} is ${value}, but ${weights.source} has ${size} tensors in all`,
      zh: `${key} 是 ${value}，但 ${weights.source} 总共只有 ${size} 个张量`,
    });
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
}
