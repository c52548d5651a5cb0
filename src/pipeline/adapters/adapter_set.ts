/** The adapters of a pipeline: which are loaded, and how strongly each works. */
import { type AdaptableParts, type Adapter, readAdapter } from "../../adapters/mod.ts";
import { type Message, RequestError } from "../../errors.ts";
import { PART_NAMES, type PartName } from "../../families/mod.ts";
import type { FloatType } from "../../onnx/mod.ts";
import { adapterName as nameOf, listed, similarNames } from "./adapter_names.ts";
import type { PartAdapters } from "./part_adapters.ts";
import type { AdapterWeight, LoadedAdapter, LoadLoraOptions } from "./types.ts";

/** What the set needs of its pipeline. */
export interface AdapterHost {
  /** The type in which the model computes. */
  readonly compute: FloatType;
  readonly adaptable: AdaptableParts;
  readonly parts: ReadonlyMap<PartName, PartAdapters>;
  /** Frees what was loaded of parts that must be compiled again. */
  readonly reload: (parts: readonly PartName[]) => Promise<void>;
  /** A file's SHA-256, after it was compared with the toolkit's list. */
  readonly hash: (file: string) => Promise<string>;
  /** Throws when a file is no longer what it was. */
  readonly remember: (files: readonly string[]) => Promise<() => Promise<void>>;
}

interface Member {
  readonly name: string;
  readonly adapter: Adapter;
  readonly sha256: string;
  readonly weights: Weights;
  readonly check: () => Promise<void>;
}

interface Weights {
  readonly transformer: number;
  readonly textEncoder: number;
}

/**
 * Loads, weighs and unloads adapters. Nothing of this happens while pictures are made: who asks for it
 * then is refused. Pictures that are asked for while an adapter is loaded wait for it.
 */
export class AdapterSet {
  readonly #host: AdapterHost;
  #members: readonly Member[] = [];
  #users = 0;
  #changes: Promise<unknown> = Promise.resolve();

  constructor(host: AdapterHost) {
    this.#host = host;
  }

  /** All that are loaded, in the order in which they are computed: that of their checksums. */
  get all(): readonly LoadedAdapter[] {
    return this.#members.map(({ name, adapter, sha256, weights }) => ({
      name,
      weight: weights.transformer,
      textWeight: weights.textEncoder,
      file: adapter.file,
      sha256,
      format: adapter.format,
      parts: PART_NAMES.filter((part) => adapter.parts.has(part)),
      triggerWords: adapter.triggerWords,
    }));
  }

  /** Does work during which the adapters stay as they are. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    await this.#changes;
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
    }
  }

  /** @throws {Error} When an adapter's file was changed or removed. */
  async check(): Promise<void> {
    for (const { check } of this.#members) await check();
  }

  /**
   * Adds an adapter.
   *
   * @returns Its name.
   */
  load(path: string, { adapterName, weight = 1 }: LoadLoraOptions): Promise<string> {
    const name = adapterName ?? nameOf(path);
    const weights = checkedWeight(name, weight);
    if (name.trim() === "") throw refused((text) => text.noName);
    return this.#change(async () => {
      if (this.#members.some((member) => member.name === name)) {
        throw refused((text) => text.twice(name));
      }
      const adapter = await readAdapter(path, this.#host.adaptable, {
        compute: this.#host.compute,
      });
      const check = await this.#host.remember([adapter.file]);
      const sha256 = await this.#host.hash(adapter.file);
      await this.#take([...this.#members, { name, adapter, sha256, weights, check }]);
      return name;
    });
  }

  /** Gives the named adapters their weights, and all others 0. */
  weigh(names: readonly string[], weights: readonly AdapterWeight[]): Promise<void> {
    const asked = new Map<string, Weights>();
    if (names.length !== weights.length) {
      throw refused((text) => text.counts(names.length, weights.length));
    }
    for (const [index, name] of names.entries()) {
      if (asked.has(name)) throw refused((text) => text.namedTwice(name));
      asked.set(name, checkedWeight(name, weights[index]!));
    }
    return this.#change(async () => {
      names.forEach((name) => this.#expect(name));
      await this.#take(
        this.#members.map((member) => ({
          ...member,
          weights: asked.get(member.name) ?? NOT_AT_ALL,
        })),
      );
    });
  }

  /** Unloads the named adapters. */
  remove(names: readonly string[]): Promise<void> {
    return this.#change(async () => {
      names.forEach((name) => this.#expect(name));
      await this.#take(this.#members.filter(({ name }) => !names.includes(name)));
    });
  }

  #expect(name: string): void {
    const names = this.#members.map((member) => member.name);
    if (!names.includes(name)) throw refused((text) => text.unknown(name, names));
  }

  /** One change after another, and none while something is made. */
  #change<T>(work: () => Promise<T>): Promise<T> {
    if (this.#users > 0) throw refused((text) => text.busy);
    const done = this.#changes.then(work);
    this.#changes = done.catch(() => {});
    return done;
  }

  async #take(members: readonly Member[]): Promise<void> {
    // Sums are rounded: in an order of their own they are the same whatever was loaded first.
    const key = ({ sha256, name }: Member) => `${sha256} ${name}`;
    this.#members = members.toSorted((a, b) => key(a) < key(b) ? -1 : 1);
    const stale = [...this.#host.parts].filter(([part, adapters]) =>
      adapters.take(
        this.#members.map(({ name, sha256, adapter, weights }) => ({
          id: `${sha256} ${name}`,
          weight: part === "transformer" ? weights.transformer : weights.textEncoder,
          targets: adapter.parts.get(part) ?? [],
        })),
      )
    );
    await this.#host.reload(stale.map(([part]) => part));
  }
}

const NOT_AT_ALL: Weights = { transformer: 0, textEncoder: 0 };

function checkedWeight(name: string, weight: AdapterWeight): Weights {
  const { transformer, textEncoder } = typeof weight === "object" && weight !== null
    ? weight
    : { transformer: weight, textEncoder: weight };
  for (const value of [transformer, textEncoder]) {
    if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) {
      throw refused((text) => text.weight(name, value));
    }
  }
  return { transformer, textEncoder };
}

interface Texts {
  readonly twice: (name: string) => string;
  readonly noName: string;
  readonly namedTwice: (name: string) => string;
  readonly counts: (names: number, weights: number) => string;
  readonly weight: (name: string, weight: unknown) => string;
  readonly unknown: (name: string, names: readonly string[]) => string;
  readonly busy: string;
}

const TEXTS: { readonly en: Texts; readonly zh: Texts } = {
  en: {
    twice: (name) =>
      `An adapter called ${name} is loaded already. Give this one another name, or unload that one.`,
    noName: "An adapter needs a name.",
    namedTwice: (name) => `The adapter ${name} is named twice.`,
    counts: (names, weights) =>
      `There are ${weights} weights for ${names} adapters; give one for all, or one for each.`,
    weight: (name, weight) => `The weight of ${name} is ${weight}; expected a number, such as 0.8.`,
    unknown: (name, names) => {
      const similar = similarNames(name, names);
      return `There is no adapter ${name}. ` +
        (names.length === 0
          ? "None is loaded."
          : similar.length === 0
          ? `Loaded: ${listed(names, ", ")}.`
          : `Did you mean ${similar.join(", ")}?`);
    },
    busy: "Pictures are being made: adapters are loaded, weighed and unloaded between two calls. " +
      "Await the call first.",
  },
  zh: {
    twice: (name) => `已经加载了名为 ${name} 的适配器。请换一个名字，或先卸载它。`,
    noName: "适配器需要一个名字。",
    namedTwice: (name) => `适配器 ${name} 出现了两次。`,
    counts: (names, weights) =>
      `有 ${weights} 个权重，但有 ${names} 个适配器；请只给一个，或每个适配器给一个。`,
    weight: (name, weight) => `${name} 的权重是 ${weight}；应为数字，例如 0.8。`,
    unknown: (name, names) => {
      const similar = similarNames(name, names);
      return `没有适配器 ${name}。` +
        (names.length === 0
          ? "尚未加载任何适配器。"
          : similar.length === 0
          ? `已加载：${listed(names, "、")}。`
          : `是否是 ${similar.join("、")}？`);
    },
    busy: "正在生成图片：适配器只能在两次调用之间加载、调整和卸载。请先等待调用结束。",
  },
};

function refused(say: (texts: Texts) => Message): RequestError {
  return new RequestError({ en: say(TEXTS.en), zh: say(TEXTS.zh) });
}
