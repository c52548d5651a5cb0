/**
 * Products of rows in 8 bits with matrices in 8 bits, by the project's own operators.
 *
 * A row is rotated in groups of 64 values by Hadamard's matrix, which spreads a value that is far from
 * the rest over its group (QuaRot, Ashkboos et al. 2024), then multiplied by what makes its largest
 * value 127, and rounded. Both factors of a product are rotated alike, so the rotation cancels out;
 * the scales, one for each token and one for each row of a matrix, are multiplied into the sums, which
 * are exact.
 *
 * @module
 */
import { floatType, same } from "./_checks.ts";
import { type Graph, type MatrixRows, OWN_DOMAIN, type Value } from "./graph.ts";
import { LONGEST_INT8_ROW, LONGEST_ROW, ROTATED_VALUES, VECTOR_VALUES } from "./kernel_limits.ts";
import { float, type FloatType, int } from "./types.ts";

/** Rows [1, S, width] in 8 bits, in the order of tensor cores, with their scales [1, S]. */
export interface Int8Rows {
  readonly graph: Graph;
  readonly int8: Value;
  readonly scales: Value;
  /** The type that products with them have. */
  readonly type: FloatType;
}

/** A matrix [out, in] that its operators round to 8 bits when the graph is loaded. */
export interface Int8Matrix {
  readonly rows: MatrixRows;
}

/** Whether rows of so many values can be used in 8 bits. */
export function fitsInt8(width: number): boolean {
  return width % ROTATED_VALUES === 0 && width <= LONGEST_INT8_ROW;
}

/** The same for a matrix [out, in], whose products are written in whole vectors. */
export function isInt8Matrix([rows, columns]: readonly [number, number]): boolean {
  return rows % VECTOR_VALUES === 0 && fitsInt8(columns);
}

/** Rounds rows to 8 bits, once for all products of them. */
export function int8Rows(x: Value | Int8Rows): Int8Rows {
  if ("int8" in x) return x;
  const { graph } = x;
  const type = floatType(x);
  const scalesOf = `scales of ${x.name}`;
  const int8 = graph.once(`int8 ${x.name}`, () => {
    const [values, scales] = graph.nodes("QuantizeRows", [x], ["int8", "float32"], {
      domain: OWN_DOMAIN,
    });
    graph.once(scalesOf, () => scales!);
    return values!;
  });
  const scales = graph.once(scalesOf, () => {
    throw new TypeError(`${x.name} has no scales.`);
  });
  return { graph, int8, scales, type };
}

/** x · matrixᵀ: [1, S, out]. */
export function int8Product(x: Int8Rows, { rows }: Int8Matrix): Value {
  const { graph, int8, scales, type } = x;
  return graph.node("Int8Product", [int8, scales], type, {
    domain: OWN_DOMAIN,
    attributes: { matrix: int(graph.ownMatrix({ parts: [rows] })) },
  });
}

/** x · matrixᵀ of rows in 16 bits: the matrix is there in 16 bits for as long as the product takes. */
export function int8MatrixProduct(x: Value, { rows }: Int8Matrix): Value {
  const { graph, type } = x;
  return graph.node("Int8MatrixProduct", [x], type, {
    domain: OWN_DOMAIN,
    attributes: { matrix: int(graph.ownMatrix({ parts: [rows] })) },
  });
}

/** silu(gate · x) · (value · x), in one pass: a tile of the product has both. */
export function int8GatedProduct(x: Int8Rows, gate: Int8Matrix, value: Int8Matrix): Value {
  const { graph, int8, scales, type } = x;
  return graph.node("Int8GatedProduct", [int8, scales], type, {
    domain: OWN_DOMAIN,
    attributes: { matrix: int(graph.ownMatrix({ parts: [gate.rows, value.rows] })) },
  });
}

/** `normAddNorm` (norms.ts) whose normalised rows come in 8 bits. */
export function normAddNormInt8(
  a: Value,
  x: Value,
  { inner, outer }: { readonly inner: Value; readonly outer: Value },
  { epsilon, width }: { readonly epsilon: number; readonly width: number },
): { readonly sum: Value; readonly normalised: Int8Rows } {
  for (const other of [x, inner, outer]) same("normAddNormInt8", a, other);
  if (!fitsInt8(width) || width > LONGEST_ROW) {
    throw new RangeError(`One block of a kernel cannot normalise and round ${width} values.`);
  }
  const { graph } = a;
  const type = floatType(a);
  const [sum, int8, scales] = graph.nodes(
    "NormAddNormInt8",
    [a, x, inner, outer],
    [type, "int8", "float32"],
    { domain: OWN_DOMAIN, attributes: { epsilon: float(epsilon) } },
  );
  return { sum: sum!, normalised: { graph, int8: int8!, scales: scales!, type } };
}
