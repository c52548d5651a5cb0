/**
 * What an adapter file says, in one form whatever program wrote it.
 *
 * @module
 */
import type { EachPart, PartName } from "../families/mod.ts";
import type { AdaptableModules } from "../models/mod.ts";
import type { TensorEntry } from "../safetensors/mod.ts";

/** What an adapter may change in one part of a model, from `adaptablePart`. */
export interface AdaptablePart {
  /** The architecture's modules, and what adapters call them. */
  readonly modules: AdaptableModules;
  /**
   * The tensors of the checkpoint at hand, by the names that the architecture gives them
   * (`layers.0.attention.qkv.weight`), with their shapes: `[out, in]` for a matrix, `[n]` for a
   * vector. A checkpoint whose queries, keys and values are apart has
   * `attention.to_{q,k,v}.weight` instead of `attention.qkv.weight`.
   */
  readonly tensors: ReadonlyMap<string, readonly number[]>;
}

/** What may be changed in each part of a model; a part that is not there has no entry. */
export type AdaptableParts = Partial<EachPart<AdaptablePart>>;

/** up · down · scale (LoRA, Hu et al. 2021). */
export interface LowRankChange {
  readonly kind: "low-rank";
  /** [rank, in] */
  readonly down: TensorEntry;
  /** [out, rank]; of a part of a matrix, its rows alone. */
  readonly up: TensorEntry;
  /** alpha / rank, or alpha / √rank of a rank-stabilised one. */
  readonly scale: number;
}

/** A matrix that is stored as the product of two, or with a core between them. */
export interface Product {
  /** [rows, rank]; with a core [rank, rows]. */
  readonly a: TensorEntry;
  /** [rank, columns] */
  readonly b: TensorEntry;
  /** [rank, rank], of a Tucker decomposition: the matrix is aᵀ · core · b. */
  readonly core?: TensorEntry;
}

/** A matrix, stored whole or as a product. */
export type Factor = TensorEntry | Product;

/** (w1 ⊗ w2) · scale (LoKr, Yeh et al. 2023). */
export interface KroneckerChange {
  readonly kind: "kronecker";
  readonly w1: Factor;
  readonly w2: Factor;
  readonly scale: number;
  /** Which rows of it are meant, for a part of a matrix; all by default. */
  readonly rows?: readonly [from: number, to: number];
}

/** (w1 ∘ w2) · scale, value by value (LoHa, Hyeon-Woo et al. 2021). */
export interface HadamardChange {
  readonly kind: "hadamard";
  readonly w1: Product;
  readonly w2: Product;
  readonly scale: number;
  /** Which rows of it are meant, for a part of a matrix; all by default. */
  readonly rows?: readonly [from: number, to: number];
}

/**
 * (W + inner) · magnitude / ‖W + inner‖ − W, which depends on the weight W of the model (DoRA, Liu et
 * al. 2024). It is that of weight 1; a weight of the adapter multiplies all of it, as in ComfyUI, so
 * that weight 0 is the model without it. PEFT and LyCORIS are the same at 1 and differ elsewhere.
 */
export interface DoraChange {
  readonly kind: "dora";
  readonly inner: LowRankChange | KroneckerChange | HadamardChange;
  /** One value a row or a column. */
  readonly magnitude: TensorEntry;
  /** Whether norms are taken, and magnitudes given, of rows or of columns. */
  readonly axis: "rows" | "columns";
}

/** difference · scale. */
export interface FullChange {
  readonly kind: "full";
  /** Of the tensor's shape. */
  readonly difference: TensorEntry;
  readonly scale: number;
}

/** value − W: a tensor that was trained as a whole (PEFT's `modules_to_save` and `bias`). */
export interface ReplacementChange {
  readonly kind: "replacement";
  /** Of the tensor's shape. */
  readonly value: TensorEntry;
}

/** What is added to a tensor at the adapter's weight 1; another weight multiplies it. */
export type Change =
  | LowRankChange
  | KroneckerChange
  | HadamardChange
  | DoraChange
  | FullChange
  | ReplacementChange;

/** The change of one tensor, or of some of its rows. */
export interface AdapterTarget {
  /** The tensor's name in {@linkcode AdaptablePart.tensors}. */
  readonly tensor: string;
  /**
   * From which row to before which; all of them by default. An adapter of queries, keys and values
   * apart has three targets in one matrix.
   */
  readonly rows?: readonly [from: number, to: number];
  /** The change's own shape: `[rows, in]` or `[n]`. */
  readonly shape: readonly number[];
  readonly change: Change;
}

/** Whose way of writing adapters a file follows. */
export type AdapterFormat = "peft" | "kohya" | "lycoris" | "comfyui" | "diffusers" | "plain";

/** An adapter: where each of its matrices lies on disk, and what it changes. */
export interface Adapter {
  /** The safetensors file, as it was found. */
  readonly file: string;
  readonly format: AdapterFormat;
  /** What it changes in each part; only parts that it touches. Several changes of a tensor add up. */
  readonly parts: ReadonlyMap<PartName, readonly AdapterTarget[]>;
  /** Keys for tensors that checkpoints carry and no arithmetic uses (`norm_final`). */
  readonly unused: readonly string[];
  /** Words that call up what it was trained for, where the file states them. */
  readonly triggerWords: readonly string[];
  /** The file's free text: who made it, and how. */
  readonly metadata: Readonly<Record<string, string>>;
}
