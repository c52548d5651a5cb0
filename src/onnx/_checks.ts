import type { Value } from "./graph.ts";
import type { FloatType } from "./types.ts";

/** Refuses values of different types: a mistake in a model. */
export function same(operator: string, a: Value, b: Value): void {
  if (a.type !== b.type) {
    throw new TypeError(`${operator}: ${a.name} is ${a.type}, but ${b.name} is ${b.type}.`);
  }
}

/** The type of a value that must be a floating-point one. */
export function floatType(x: Value): FloatType {
  const { type } = x;
  if (type === "float32" || type === "float16" || type === "bfloat16") return type;
  throw new TypeError(`${x.name} is ${type}, where a floating-point value is needed.`);
}
