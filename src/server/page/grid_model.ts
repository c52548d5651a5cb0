/** Grids: which settings can be axes, and how axes are written for the server. */
import type { AxisDraft, Draft } from "./store.ts";
import type { Setting, Words } from "./types.ts";

/** Columns, rows, sheets. */
export const MOST_AXES = 3;
/** How the values of an axis are written by hand. */
export type AxisKind = "number" | "seed" | "text" | "size" | "adapter" | "choice";

/** Axes that are no settings of their own, and how their values are written. */
const OTHERS: Readonly<Record<string, AxisKind>> = {
  prompt: "text",
  negative_prompt: "text",
  lora: "adapter",
  size: "size",
};
/** Settings of which several values say nothing. */
const NO_AXES: ReadonlySet<string> = new Set([
  "raw",
  "system_prompt",
  "width",
  "height",
  "seed_resize_from",
  "generator",
  "multiprocessor_count",
  "max_threads_per_multiprocessor",
  "image",
  "mask",
  "expand",
]);

/** Whether a setting can be an axis. */
export function isAxis({ word, schema }: Setting): boolean {
  return !NO_AXES.has(word) && OTHERS[word] === undefined && schema.type !== "boolean";
}

/** How values of an axis are written. */
export function axisKind(word: string, settings: readonly Setting[]): AxisKind {
  const other = OTHERS[word];
  if (other !== undefined) return other;
  const schema = settings.find((setting) => setting.word === word)?.schema;
  if (schema?.enum !== undefined) return "choice";
  return word === "seed" || word === "variation_seed" ? "seed" : "number";
}

/** The words of an axis that are values, as somebody wrote them with commas or bars. */
export function valuesOf({ values }: AxisDraft): readonly string[] {
  return values.split(values.includes("|") ? "|" : /[,，、]/).map((value) => value.trim())
    .filter((value) => value !== "");
}

/** A draft's grid as the server reads it; undefined where there is none. */
export function gridText({ grid = [] }: Draft): string | undefined {
  const axes = grid.slice(0, MOST_AXES).filter((axis) =>
    axis.word !== "" && valuesOf(axis).length > 0
  );
  if (axes.length === 0) return undefined;
  return axes.map((axis) => {
    const joined = valuesOf(axis).join("|").replaceAll(/["\\]/g, "\\$&");
    // A single value has no bar that would say what separates values.
    return `${axis.word}="${joined}"`;
  }).join(" ");
}

/** What a request says of a draft's grid, or of how many pictures it wants. */
export function gridWords(draft: Draft): Words {
  const grid = gridText(draft);
  return grid === undefined ? { count: draft.count } : { grid };
}
