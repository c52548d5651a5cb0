import { MAX_PROMPT_LENGTH, withoutBraces } from "../prompt/mod.ts";
import { Dice } from "./_dice.ts";
import { Expansion } from "./_expansion.ts";
import { parseTemplate } from "./parse_template.ts";
import { TEXTS } from "./_texts.ts";
import { TemplateError } from "./template_error.ts";
import type { Wildcards } from "./types.ts";

/** The most combinations that {@linkcode expandCombinations} makes when it is not told how many. */
export const MOST_COMBINATIONS = 10_000;

/** How one prompt is drawn. */
export interface ExpandOptions {
  /** Decides every choice: the same seed, template and wildcards make the same prompt. */
  readonly seed: number | bigint;
  /**
   * How many prompts came before in this run; cyclical choices (`{@a|b}`) go on with it.
   *
   * @default {0}
   */
  readonly index?: number;
  /** What `__name__` stands for; without them every wildcard is an error. */
  readonly wildcards?: Wildcards;
}

/**
 * Draws one prompt from a template: each choice by its weights. The syntax is
 * {@linkcode parseTemplate}'s; the result may have 65,536 UTF-16 units.
 *
 * @throws {TemplateError} When the template is wrong, a wildcard or variable is unknown, or there is
 *   no end to it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const prompt = expandTemplate("{red|blue}_hair, {2$$, $$hat|scarf}", { seed: 7 });
 * assert.match(prompt, /^(red|blue)_hair, (hat, scarf|scarf, hat)$/);
 * assert.equal(prompt, expandTemplate("{red|blue}_hair, {2$$, $$hat|scarf}", { seed: 7 }));
 * ```
 */
export function expandTemplate(template: string, options: ExpandOptions): string {
  const { seed, index = 0, wildcards } = options;
  const expansion = new Expansion(new Dice(seed), index, wildcards);
  return checked(expansion.draw(parseTemplate(withoutBraces(template))));
}

/**
 * All prompts that a template can make, in the order of the Python package dynamicprompts: the last
 * choice changes fastest. Choices marked `~` are drawn by chance, those marked `@` in turn.
 *
 * @param options `limit`: the first so many, instead of an error beyond {@linkcode MOST_COMBINATIONS}.
 * @throws {TemplateError} As {@linkcode expandTemplate}, and when there are no or too many.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(expandCombinations("{a|b} {c|d}", { seed: 0 }), ["a c", "a d", "b c", "b d"]);
 * ```
 */
export function expandCombinations(
  template: string,
  options: Omit<ExpandOptions, "index"> & { readonly limit?: number },
): string[] {
  const { seed, wildcards, limit } = options;
  const expansion = new Expansion(new Dice(seed), 0, wildcards);
  const prompts: string[] = [];
  for (const prompt of expansion.all(parseTemplate(withoutBraces(template)))) {
    if (prompts.length === (limit ?? MOST_COMBINATIONS)) {
      if (limit !== undefined) break;
      throw new TemplateError({ line: 1, column: 1 }, TEXTS.tooMany(MOST_COMBINATIONS));
    }
    prompts.push(checked(prompt));
    expansion.restart();
  }
  if (prompts.length === 0) throw new TemplateError({ line: 1, column: 1 }, TEXTS.nothing);
  return prompts;
}

function checked(prompt: string): string {
  if (prompt.length <= MAX_PROMPT_LENGTH) return prompt;
  throw new TemplateError({ line: 1, column: 1 }, TEXTS.resultTooLong(MAX_PROMPT_LENGTH));
}
