/** What the tensors of one module make together, and whether they fit. */
import type { Texts } from "../language.ts";
import { rowsOf, type TensorEntry } from "../safetensors/mod.ts";
import type { AdapterProblemKind } from "./adapter_error.ts";
import type { Slot } from "./_keys.ts";
import { asMatrix } from "./_tensors.ts";
import type { Change, DoraChange, Factor, LowRankChange, Product } from "./types.ts";

/** What a file has of one module. */
export interface ModuleTensors {
  readonly slots: ReadonlyMap<Slot, TensorEntry>;
  /** The alpha that the file has for it. */
  readonly alpha?: number;
  /** What adapter_config.json says of it. */
  readonly stated?: { readonly rank: number; readonly alpha: number };
  readonly isRankStabilised: boolean;
}

/** What is wrong with a module's tensors. */
export interface ModuleProblem {
  readonly kind: AdapterProblemKind;
  readonly detail: Texts<string>;
}

/** A change of the module's weight or bias, before it is cut to the checkpoint's tensors. */
export interface ModuleChange {
  readonly of: "weight" | "bias";
  /** [out, in], or [n] */
  readonly shape: readonly number[];
  readonly change: Change;
}

/** Thrown within this file alone, to be collected. */
class Misfit {
  constructor(readonly problem: ModuleProblem) {}
}

/** Matrices of more rank than this are no adapter's. */
const HIGHEST_RANK = 16_384;

/**
 * Makes changes of a module's tensors.
 *
 * @param weight The shape of the module's weight as a whole, of fused matrices too.
 */
export function changesOf(
  tensors: ModuleTensors,
  weight: readonly number[],
): { readonly changes: readonly ModuleChange[]; readonly problems: readonly ModuleProblem[] } {
  const changes: ModuleChange[] = [];
  const problems: ModuleProblem[] = [];
  const { slots } = tensors;
  const attempt = (make: () => ModuleChange | undefined) => {
    try {
      const change = make();
      if (change !== undefined) changes.push(change);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      problems.push(error.problem);
    }
  };
  attempt(() => {
    const inner = innerChange(tensors, weight);
    const magnitude = slots.get("magnitude");
    if (inner === undefined) {
      if (magnitude !== undefined) throw half("lora_A, lora_B", "dora_scale");
      return undefined;
    }
    const change = magnitude === undefined ? inner : dora(inner, magnitude, weight);
    return { of: "weight", shape: weight, change };
  });
  attempt(() => {
    const entry = slots.get("difference");
    if (entry === undefined) return undefined;
    return { of: "weight", shape: weight, change: full(entry, weight, 1) };
  });
  attempt(() => {
    const entry = slots.get("value");
    if (entry === undefined) return undefined;
    const { difference: value } = full(entry, weight, 1);
    return { of: "weight", shape: weight, change: { kind: "replacement", value } };
  });
  const bias = weight.slice(0, 1);
  attempt(() => {
    const entry = slots.get("biasDifference");
    if (entry === undefined) return undefined;
    return { of: "bias", shape: bias, change: full(entry, bias, 1) };
  });
  attempt(() => {
    const entry = slots.get("biasValue");
    if (entry === undefined) return undefined;
    const { difference: value } = full(entry, bias, 1);
    return { of: "bias", shape: bias, change: { kind: "replacement", value } };
  });
  attempt(() => {
    const entry = slots.get("upBias");
    if (entry === undefined) return undefined;
    const rank = slots.get("down")?.shape[0];
    if (rank === undefined) throw half("lora_A", "lora_B.bias");
    return { of: "bias", shape: bias, change: full(entry, bias, scaleOf(tensors, rank)) };
  });
  if (changes.length === 0 && problems.length === 0) {
    problems.push(half("lora_down, lora_up", "alpha").problem);
  }
  return { changes, problems };
}

/** The rows of a change that belong to a part of a matrix; undefined where it cannot be cut. */
export function rowsOfChange(
  change: Change,
  rows: readonly [from: number, to: number],
): Change | undefined {
  switch (change.kind) {
    case "low-rank":
      return { ...change, up: rowsOf(change.up, rows) };
    case "full":
      return { ...change, difference: rowsOf(change.difference, rows) };
    case "replacement":
      return { ...change, value: rowsOf(change.value, rows) };
    case "dora": {
      // Norms by column are those of all rows together.
      if (change.axis === "columns") return undefined;
      const inner = rowsOfChange(change.inner, rows) as DoraChange["inner"];
      return { ...change, inner, magnitude: rowsOf(change.magnitude, rows) };
    }
    default:
      return { ...change, rows };
  }
}

function innerChange(
  tensors: ModuleTensors,
  weight: readonly number[],
): DoraChange["inner"] | undefined {
  const { slots } = tensors;
  const kinds = [lowRank, kronecker, hadamard].map((make) => make(tensors, weight))
    .filter((change) => change !== undefined);
  if (kinds.length > 1) {
    throw new Misfit({
      kind: "twice",
      detail: { en: [...slots.keys()].join(", "), zh: [...slots.keys()].join("、") },
    });
  }
  return kinds[0];
}

function lowRank(tensors: ModuleTensors, weight: readonly number[]): LowRankChange | undefined {
  const { slots } = tensors;
  const found = { down: slots.get("down"), up: slots.get("up") };
  if (found.down === undefined && found.up === undefined) return undefined;
  if (found.down === undefined) throw half("lora_down / lora_A", "lora_up / lora_B");
  if (found.up === undefined) throw half("lora_up / lora_B", "lora_down / lora_A");
  const [down, up] = [asMatrix(found.down), asMatrix(found.up)];
  const rank = down.shape[0] ?? 0;
  if (down.shape.length !== 2 || up.shape.length !== 2) throw shapes([up, down], weight);
  if (up.shape[1] !== rank) throw rankProblem(`A ${show(down.shape)}, B ${show(up.shape)}`);
  if (up.shape[0] !== weight[0] || down.shape[1] !== weight[1] || weight.length !== 2) {
    throw shapes([up, down], weight);
  }
  return { kind: "low-rank", down, up, scale: scaleOf(tensors, rank) };
}

function kronecker(
  tensors: ModuleTensors,
  weight: readonly number[],
): Change & { kind: "kronecker" } | undefined {
  const { slots } = tensors;
  const names =
    (["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"] as const)
      .filter((name) => slots.has(name));
  if (names.length === 0) return undefined;
  const w1 = factor(slots, "lokr_w1", undefined);
  const w2 = factor(slots, "lokr_w2", "lokr_t2");
  const [first, second] = [extents(w1), extents(w2)];
  if (
    weight.length !== 2 || first[0] * second[0] !== weight[0] || first[1] * second[1] !== weight[1]
  ) {
    const found = `${show(first)} ⊗ ${show(second)}`;
    throw shapeProblem(found, weight);
  }
  const product = [w2, w1].find((each) => "a" in each);
  // Of two whole matrices LyCORIS ignores alpha, and PEFT does not.
  const scale = product !== undefined
    ? scaleOf(tensors, rankOf(product))
    : tensors.stated === undefined || tensors.alpha !== undefined
    ? 1
    : tensors.stated.alpha / tensors.stated.rank;
  return { kind: "kronecker", w1, w2, scale };
}

function hadamard(
  tensors: ModuleTensors,
  weight: readonly number[],
): Change & { kind: "hadamard" } | undefined {
  const { slots } = tensors;
  if (![...slots.keys()].some((name) => name.startsWith("hada_"))) return undefined;
  const w1 = productOf(slots, "hada_w1", "hada_t1");
  const w2 = productOf(slots, "hada_w2", "hada_t2");
  const [first, second] = [extents(w1), extents(w2)];
  const fits = weight.length === 2 &&
    [first, second].every(([rows, columns]) => rows === weight[0] && columns === weight[1]);
  if (!fits) throw shapeProblem(`${show(first)} ∘ ${show(second)}`, weight);
  if (rankOf(w1) !== rankOf(w2)) throw rankProblem(`${rankOf(w1)}, ${rankOf(w2)}`);
  return { kind: "hadamard", w1, w2, scale: scaleOf(tensors, rankOf(w1)) };
}

type ProductName = "lokr_w1" | "lokr_w2" | "hada_w1" | "hada_w2";

function factor(
  slots: ReadonlyMap<Slot, TensorEntry>,
  name: "lokr_w1" | "lokr_w2",
  core: "lokr_t2" | undefined,
): Factor {
  const whole = slots.get(name);
  if (whole === undefined) return productOf(slots, name, core);
  if (slots.has(`${name}_a`) || slots.has(`${name}_b`) || (core !== undefined && slots.has(core))) {
    throw new Misfit({
      kind: "twice",
      detail: { en: `${name} and ${name}_a, ${name}_b`, zh: `${name} 与 ${name}_a、${name}_b` },
    });
  }
  const matrix = asMatrix(whole);
  if (matrix.shape.length !== 2) throw rankProblem(`${name} ${show(matrix.shape)}`);
  return matrix;
}

function productOf(
  slots: ReadonlyMap<Slot, TensorEntry>,
  name: ProductName,
  coreName: "lokr_t2" | "hada_t1" | "hada_t2" | undefined,
): Product {
  const found = { a: slots.get(`${name}_a`), b: slots.get(`${name}_b`) };
  if (found.a === undefined) throw half(`${name}_a`, found.b === undefined ? "…" : `${name}_b`);
  if (found.b === undefined) throw half(`${name}_b`, `${name}_a`);
  const [a, b] = [asMatrix(found.a), asMatrix(found.b)];
  const stored = coreName === undefined ? undefined : slots.get(coreName);
  const core = stored === undefined ? undefined : asMatrix(stored);
  const said = [a, b, ...(core === undefined ? [] : [core])].map(({ shape }) => show(shape));
  if ([a, b, core].some((entry) => entry !== undefined && entry.shape.length !== 2)) {
    throw rankProblem(`${name} ${said.join(" · ")}`);
  }
  const fits = core === undefined
    ? a.shape[1] === b.shape[0]
    : core.shape[0] === a.shape[0] && core.shape[1] === b.shape[0];
  if (!fits) throw rankProblem(`${name} ${said.join(" · ")}`);
  return core === undefined ? { a, b } : { a, b, core };
}

function extents(factor: Factor): readonly [number, number] {
  if (!("a" in factor)) return factor.shape as readonly number[] as [number, number];
  const { a, b, core } = factor;
  return [a.shape[core === undefined ? 0 : 1]!, b.shape[1]!];
}

function rankOf(factor: Factor): number {
  return "a" in factor ? factor.b.shape[0]! : 0;
}

/** alpha / rank; without an alpha it is the rank. */
function scaleOf(tensors: ModuleTensors, rank: number): number {
  const scale = statedScale(tensors, rank);
  // It is multiplied in float32.
  if (!Number.isFinite(Math.fround(scale))) {
    const alpha = String(tensors.alpha ?? tensors.stated?.alpha);
    throw new Misfit({ kind: "alpha", detail: { en: alpha, zh: alpha } });
  }
  return scale;
}

function statedScale({ alpha, stated, isRankStabilised }: ModuleTensors, rank: number): number {
  if (rank < 1 || rank > HIGHEST_RANK) throw rankProblem(String(rank));
  if (alpha !== undefined) {
    // Kohya's trainer and LyCORIS take 0 for "as the rank".
    return alpha === 0 ? 1 : alpha / rank;
  }
  if (stated === undefined) return 1;
  if (stated.rank !== rank) {
    throw new Misfit({
      kind: "rank",
      detail: {
        en: `the configuration says ${stated.rank}, the tensors have ${rank}`,
        zh: `配置为 ${stated.rank}，张量为 ${rank}`,
      },
    });
  }
  return stated.alpha / (isRankStabilised ? Math.sqrt(rank) : rank);
}

function full(
  entry: TensorEntry,
  shape: readonly number[],
  scale: number,
): Change & { kind: "full" } {
  const extents = (of: readonly number[]) => of.filter((extent) => extent !== 1).join();
  if (extents(entry.shape) !== extents(shape)) throw shapeProblem(show(entry.shape), shape);
  return { kind: "full", difference: { ...entry, shape }, scale };
}

/** DoRA's magnitudes are [out] or [out, 1] of rows, [1, in] of columns. */
function dora(
  inner: DoraChange["inner"],
  magnitude: TensorEntry,
  [rows, columns]: readonly number[],
): DoraChange {
  const shape = asMatrix(magnitude).shape;
  if (shape[0] === rows && (shape[1] ?? 1) === 1 && shape.length <= 2) {
    return { kind: "dora", inner, magnitude: { ...magnitude, shape: [rows!] }, axis: "rows" };
  }
  if (shape.length === 2 && shape[0] === 1 && shape[1] === columns) {
    return { kind: "dora", inner, magnitude: { ...magnitude, shape: [columns!] }, axis: "columns" };
  }
  throw shapeProblem(`dora_scale ${show(magnitude.shape)}`, [rows!, 1]);
}

const MOST_EXTENTS = 8;

function show(shape: readonly number[]): string {
  const shown = shape.slice(0, MOST_EXTENTS).join(", ");
  return `[${shown}${shape.length > MOST_EXTENTS ? ", …" : ""}]`;
}

function shapes(
  [up, down]: readonly [TensorEntry, TensorEntry],
  weight: readonly number[],
): Misfit {
  return shapeProblem(`${show(up.shape)} · ${show(down.shape)}`, weight);
}

function shapeProblem(found: string, expected: readonly number[]): Misfit {
  return new Misfit({
    kind: "shape",
    detail: {
      en: `found ${found}, expected ${show(expected)}`,
      zh: `实际为 ${found}，应为 ${show(expected)}`,
    },
  });
}

function rankProblem(found: string): Misfit {
  return new Misfit({ kind: "rank", detail: { en: found, zh: found } });
}

function half(missing: string, found: string): Misfit {
  return new Misfit({
    kind: "half",
    detail: { en: `${found} without ${missing}`, zh: `有 ${found}，缺少 ${missing}` },
  });
}
