/** One part's share of the adapters: what they change in it, and with which weights. */
import {
  type AdaptablePart,
  type AdapterTarget,
  denseChange,
  needsBaseWeight,
} from "../../adapters/mod.ts";
import type { Adaptation, ThinChange } from "../../onnx/mod.ts";
import { elementCount, type Tensor, tensor } from "../../tensor.ts";

/** An adapter's share of one part. */
export interface PartAdapter {
  /** The same for the same file. */
  readonly id: string;
  readonly weight: number;
  readonly targets: readonly AdapterTarget[];
}

/** What is changed of a part's own weights. */
export interface OwnWeights {
  readonly adaptable: AdaptablePart;
  /** All values of a tensor by the architecture's name, in float32. */
  readonly read: (tensor: string) => Promise<Float32Array>;
}

/** What adapters make of one part. */
export class PartAdapters {
  readonly #own: OwnWeights | undefined;
  #adapters: readonly PartAdapter[] = [];
  #weights: Tensor | undefined;
  #adaptation: Promise<Adaptation | undefined> = Promise.resolve(undefined);
  #key = "";

  /** @param own Undefined for a part in which adapters change nothing. */
  constructor(own: OwnWeights | undefined) {
    this.#own = own;
  }

  /** The weights of the adapters that run beside the part's own, in the graphs' order. */
  readonly weights = (): Tensor | undefined => this.#weights;

  /** What the part's graphs are to be compiled with; merging is done when it is asked for. */
  adaptation(): Promise<Adaptation | undefined> {
    if (this.#adapters.length === 0) return Promise.resolve(undefined);
    // What could not be made once, for example for a busy disk, is tried again.
    this.#adaptation = this.#adaptation.then((made) => made ?? this.#adapt(), () => this.#adapt());
    return this.#adaptation;
  }

  /** Values that adapters add to what the part takes: thin matrices, and merged ones in memory. */
  get addedValues(): number {
    const thin = this.#adapters.flatMap(({ targets }) => targets.map(({ change }) => change))
      .reduce(
        (sum, change) =>
          change.kind === "low-rank"
            ? sum + elementCount(change.down.shape) + elementCount(change.up.shape)
            : sum,
        0,
      );
    const merged = [...this.#mergedTensors()].reduce(
      (sum, name) => sum + elementCount(this.#own!.adaptable.tensors.get(name) ?? []),
      0,
    );
    return thin + merged;
  }

  /**
   * Takes other adapters, or the same with other weights.
   *
   * @returns Whether the part has to be compiled and loaded again.
   */
  take(adapters: readonly PartAdapter[]): boolean {
    this.#adapters = adapters.filter(({ targets }) => targets.length > 0);
    const beside = this.#adapters.filter(({ targets }) => targets.some(isThin));
    this.#weights = beside.length === 0 ? undefined : tensor(
      Float32Array.from(beside, ({ weight }) => weight),
      [beside.length],
    );
    const merged = this.#adapters.filter(({ targets, weight }) =>
      weight !== 0 && !targets.every(isThin)
    );
    const key = JSON.stringify([
      beside.map(({ id }) => id),
      merged.map(({ id, weight }) => [id, weight]),
    ]);
    if (key === this.#key) return false;
    this.#key = key;
    this.#adaptation = Promise.resolve(undefined);
    return true;
  }

  /** The tensors that are made anew now. */
  #mergedTensors(): ReadonlySet<string> {
    return new Set(
      this.#adapters.filter(({ weight }) => weight !== 0)
        .flatMap(({ targets }) => targets.filter((target) => !isThin(target)))
        .map(({ tensor }) => tensor),
    );
  }

  async #adapt(): Promise<Adaptation> {
    const beside = this.#adapters.filter(({ targets }) => targets.some(isThin));
    const thin = new Map<string, ThinChange[]>();
    for (const [adapter, { targets }] of beside.entries()) {
      for (const { tensor, rows, change } of targets) {
        if (change.kind !== "low-rank") continue;
        const { down, up, scale } = change;
        const all = thin.get(tensor) ?? [];
        all.push({ adapter, down, up, scale, ...(rows === undefined ? {} : { rows }) });
        thin.set(tensor, all);
      }
    }
    const merged = new Map<string, Float32Array<ArrayBuffer>>();
    for (const name of this.#mergedTensors()) merged.set(name, await this.#merge(name));
    return { adapters: beside.length, thin, merged };
  }

  /** A tensor with all that is added to it, in float32. */
  async #merge(name: string): Promise<Float32Array<ArrayBuffer>> {
    const base = await this.#own!.read(name);
    const values = Float64Array.from(base);
    const [rows = 1] = this.#own!.adaptable.tensors.get(name)!;
    const inner = base.length / rows;
    for (const { weight, targets } of this.#adapters) {
      if (weight === 0) continue;
      for (const target of targets) {
        if (target.tensor !== name || isThin(target)) continue;
        const [from, to] = target.rows ?? [0, rows];
        const own = base.subarray(from * inner, to * inner);
        const change = needsBaseWeight(target.change)
          ? await denseChange(target, own)
          : await denseChange(target);
        const first = from * inner;
        for (let index = 0; index < change.length; index++) {
          values[first + index]! += weight * change[index]!;
        }
      }
    }
    return Float32Array.from(values);
  }
}

/** Whether a change runs beside the weight, so that another weight costs nothing. */
function isThin({ change }: AdapterTarget): boolean {
  return change.kind === "low-rank";
}
