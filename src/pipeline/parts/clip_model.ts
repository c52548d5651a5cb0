/**
 * Jina CLIP's text tower as the pipeline sees it: token ids in, one pooled vector out.
 *
 * @module
 */
import { type JinaClipConfig, type JinaClipGraph, jinaClipRopeTables } from "../../models/mod.ts";
import type { Device } from "../../onnx/mod.ts";
import { type Feed, type RunningGraph, Session, type SessionHost } from "../../runtime/session.ts";
import { RowReader } from "../../safetensors/mod.ts";
import { type Tensor, tensor } from "../../tensor.ts";
import { adapterFeed, type AdapterWeights } from "./adapter_feed.ts";
import { expectFinite } from "./non_finite_error.ts";

/** The text tower with its graph loaded and its embedding table open. */
export class ClipModel implements AsyncDisposable {
  readonly config: JinaClipConfig;
  readonly #resources: AsyncDisposableStack;
  readonly #session: RunningGraph;
  readonly #embeddings: RowReader;
  readonly #adapterRows: RowReader | undefined;
  readonly #adapterWeights: AdapterWeights;

  private constructor(
    config: JinaClipConfig,
    resources: AsyncDisposableStack,
    session: RunningGraph,
    embeddings: RowReader,
    adapterRows: RowReader | undefined,
    adapterWeights: AdapterWeights,
  ) {
    this.#adapterWeights = adapterWeights;
    this.config = config;
    this.#resources = resources;
    this.#session = session;
    this.#embeddings = embeddings;
    this.#adapterRows = adapterRows;
  }

  /**
   * @param adapterWeights Is asked in each run, where the graph was compiled with adapters.
   * @throws {SessionError} When ONNX Runtime cannot load the graph.
   */
  static async create(
    config: JinaClipConfig,
    { graph, embeddings, adapterRows }: JinaClipGraph,
    device: Device,
    host: SessionHost = Session,
    adapterWeights: AdapterWeights = () => undefined,
  ): Promise<ClipModel> {
    await using stack = new AsyncDisposableStack();
    const table = stack.use(await RowReader.open(embeddings));
    const adapter = adapterRows && stack.use(await RowReader.open(adapterRows));
    const session = stack.use(await host.create(graph, { device }));
    return new ClipModel(config, stack.move(), session, table, adapter, adapterWeights);
  }

  /**
   * Encodes one sequence.
   *
   * @param ids Token ids with `<s>` and `</s>`, without padding.
   * @returns The mean over all tokens [1, hidden_size], not normalised.
   * @throws {RangeError} When an id lies outside the embedding table.
   * @throws {NonFiniteError} When the arithmetic overflowed.
   */
  async encode(ids: Int32Array): Promise<Tensor> {
    const { length } = ids;
    const { hidden_size, adapter } = this.config;
    const { cos, sin } = jinaClipRopeTables(this.config, length);
    const feeds: Record<string, Feed> = {
      ...adapterFeed(this.#adapterWeights),
      embeddings: tensor(await this.#embeddings.read(ids), [1, length, hidden_size]),
      cos,
      sin,
    };
    if (adapter !== undefined) {
      const rows = await this.#adapterRows!.read(ids);
      feeds.adapter_rows = tensor(rows, [1, length, adapter.rank]);
    }
    const { pooled } = await this.#session.run(feeds);
    return expectFinite("clipModel", pooled!);
  }

  /** Frees the graph and closes the tables. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
