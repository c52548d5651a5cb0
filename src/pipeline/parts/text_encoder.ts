/**
 * Gemma 3 as the pipeline sees it: token ids in, caption features out.
 *
 * @module
 */
import { type Gemma3Config, type Gemma3Graphs, gemma3RopeTables } from "../../models/mod.ts";
import { SessionChain, type SessionChainOptions } from "../../runtime/session_chain.ts";
import { RowReader } from "../../safetensors/mod.ts";
import { type Tensor, tensor } from "../../tensor.ts";
import { adapterFeed, type AdapterWeights } from "./adapter_feed.ts";
import { expectFinite } from "./non_finite_error.ts";

/** Gemma 3, ready to run, with its embedding table open. */
export class TextEncoder implements AsyncDisposable {
  readonly config: Gemma3Config;
  readonly #resources: AsyncDisposableStack;
  readonly #layers: SessionChain;
  readonly #embeddings: RowReader;
  readonly #adapterWeights: AdapterWeights;

  private constructor(
    config: Gemma3Config,
    resources: AsyncDisposableStack,
    layers: SessionChain,
    embeddings: RowReader,
    adapterWeights: AdapterWeights,
  ) {
    this.#adapterWeights = adapterWeights;
    this.config = config;
    this.#resources = resources;
    this.#layers = layers;
    this.#embeddings = embeddings;
  }

  /**
   * @param adapterWeights Is asked in each run, where the graphs were compiled with adapters.
   * @throws {SessionError} When ONNX Runtime cannot load the graph.
   */
  static async create(
    config: Gemma3Config,
    { graphs, embeddings }: Gemma3Graphs,
    options: SessionChainOptions,
    adapterWeights: AdapterWeights = () => undefined,
  ): Promise<TextEncoder> {
    await using stack = new AsyncDisposableStack();
    const reader = stack.use(await RowReader.open(embeddings));
    const layers = stack.use(await SessionChain.create(graphs, options));
    return new TextEncoder(config, stack.move(), layers, reader, adapterWeights);
  }

  /**
   * Encodes one sequence.
   *
   * @param ids Token ids, without padding.
   * @returns Features [1, ids.length, hidden_size]: the input of the last layer.
   * @throws {RangeError} When an id lies outside the embedding table.
   * @throws {NonFiniteError} When the arithmetic overflowed.
   */
  async encode(ids: Int32Array): Promise<Tensor> {
    const { length } = ids;
    const { hidden_size } = this.config;
    const rope = gemma3RopeTables(this.config, length);
    const [result] = await this.#layers.run([{
      ...adapterFeed(this.#adapterWeights),
      embeddings: tensor(await this.#embeddings.read(ids), [1, length, hidden_size]),
      full_cos: rope.full_attention.cos,
      full_sin: rope.full_attention.sin,
      sliding_cos: rope.sliding_attention.cos,
      sliding_sin: rope.sliding_attention.sin,
      positions: tensor(Float32Array.from({ length }, (_, index) => index), [length]),
    }]);
    return expectFinite("textEncoder", result!.features!);
  }

  /** Frees the graph and closes the table. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
