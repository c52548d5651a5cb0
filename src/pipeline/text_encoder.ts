/**
 * Gemma 3 as the pipeline sees it: token ids in, caption features out.
 *
 * @module
 */
import { type Gemma3Config, type Gemma3Graph, gemma3RopeTables } from "../models/gemma3.ts";
import type { Device } from "../onnx/mod.ts";
import { Session } from "../runtime/session.ts";
import { RowReader } from "../safetensors/mod.ts";
import { type Tensor, tensor } from "../tensor.ts";

/** Gemma 3 with its graph loaded and its embedding table open. */
export class TextEncoder implements AsyncDisposable {
  readonly config: Gemma3Config;
  readonly #resources: AsyncDisposableStack;
  readonly #session: Session;
  readonly #embeddings: RowReader;

  private constructor(
    config: Gemma3Config,
    resources: AsyncDisposableStack,
    session: Session,
    embeddings: RowReader,
  ) {
    this.config = config;
    this.#resources = resources;
    this.#session = session;
    this.#embeddings = embeddings;
  }

  /** @throws {SessionError} When ONNX Runtime cannot load the graph. */
  static async create(
    config: Gemma3Config,
    { graph, embeddings }: Gemma3Graph,
    device: Device,
  ): Promise<TextEncoder> {
    await using stack = new AsyncDisposableStack();
    const reader = stack.use(await RowReader.open(embeddings));
    const session = stack.use(await Session.create(graph, { device }));
    return new TextEncoder(config, stack.move(), session, reader);
  }

  /**
   * Encodes one sequence.
   *
   * @param ids Token ids, without padding.
   * @returns Features [1, ids.length, hidden_size]: the input of the last layer.
   * @throws {RangeError} When an id lies outside the embedding table.
   */
  async encode(ids: Int32Array): Promise<Tensor> {
    const { length } = ids;
    const { hidden_size } = this.config;
    const rope = gemma3RopeTables(this.config, length);
    const { features } = await this.#session.run({
      embeddings: tensor(await this.#embeddings.read(ids), [1, length, hidden_size]),
      full_cos: rope.full_attention.cos,
      full_sin: rope.full_attention.sin,
      sliding_cos: rope.sliding_attention.cos,
      sliding_sin: rope.sliding_attention.sin,
      positions: tensor(Float32Array.from({ length }, (_, index) => index), [length]),
    });
    return features!;
  }

  /** Frees the graph and closes the table. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
