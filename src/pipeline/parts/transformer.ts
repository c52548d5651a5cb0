/**
 * The transformer as the pipeline sees it: a prompt becomes a conditioning once, and a conditioning
 * predicts velocities step by step.
 *
 * @module
 */
import { RequestError } from "../../errors.ts";
import { type NextDiTConfig, type NextDiTGraphs, nextDiTRopeTables } from "../../models/mod.ts";
import {
  type Feed,
  type Feeds,
  integers,
  type RunOptions,
  type SessionHost,
} from "../../runtime/session.ts";
import { SessionChain, type SessionChainOptions } from "../../runtime/session_chain.ts";
import { settled } from "../../settled.ts";
import { type Tensor, tensor } from "../../tensor.ts";
import { adapterFeed, type AdapterWeights } from "./adapter_feed.ts";
import { expectDims } from "./expect_tensor.ts";
import { expectFinite } from "./non_finite_error.ts";

/** What the transformer made of one prompt; the values must stay as they are. */
export interface Conditioning {
  /** Refined caption tokens [1, L, dim]. */
  readonly caption: Tensor;
  /** The projected pooled text [1, clip_text_dim]; absent without CLIP conditioning. */
  readonly pooled?: Tensor;
}

type RopeTables = ReturnType<typeof nextDiTRopeTables>;
/** Tables of so many captions and sizes are kept: a few megabytes. */
const ROPE_CACHE_SIZE = 4;

/** NextDiT, ready to run. */
export class Transformer implements AsyncDisposable {
  readonly config: NextDiTConfig;
  readonly #resources: AsyncDisposableStack;
  readonly #text: SessionChain;
  readonly #steps: SessionChain;
  readonly #adapterWeights: AdapterWeights;
  readonly #ropeCache = new Map<string, RopeTables>();

  private constructor(
    config: NextDiTConfig,
    resources: AsyncDisposableStack,
    text: SessionChain,
    steps: SessionChain,
    adapterWeights: AdapterWeights,
  ) {
    this.config = config;
    this.#adapterWeights = adapterWeights;
    this.#resources = resources;
    this.#text = text;
    this.#steps = steps;
  }

  /**
   * @param adapterWeights Is asked in each run, where the graphs were compiled with adapters.
   * @throws {SessionError} When ONNX Runtime cannot load a graph.
   */
  static async create(
    config: NextDiTConfig,
    graphs: NextDiTGraphs,
    options: SessionChainOptions & {
      /** Where the steps' graphs are loaded and run, if elsewhere: several at once, it may be. */
      readonly stepsHost?: SessionHost | undefined;
    },
    adapterWeights: AdapterWeights = () => undefined,
  ): Promise<Transformer> {
    await using stack = new AsyncDisposableStack();
    const { stepsHost: host = options.host } = options;
    const use = async (chain: Promise<SessionChain>) => stack.use(await chain);
    const [text, steps] = await settled([
      use(SessionChain.create([graphs.text], options)),
      use(SessionChain.create(graphs.steps, { ...options, host })),
    ]);
    return new Transformer(config, stack.move(), text, steps, adapterWeights);
  }

  /**
   * Runs what depends on the text alone.
   *
   * @param promptEmbeds One prompt's features [1, L, cap_feat_dim], without padding.
   * @param pooledPromptEmbeds Its pooled text [1, clip_text_dim], where the model takes one.
   * @throws {RequestError} When a shape does not fit the model.
   */
  async condition(promptEmbeds: Tensor, pooledPromptEmbeds?: Tensor): Promise<Conditioning> {
    const { cap_feat_dim, clip_text_dim } = this.config;
    const length = promptEmbeds.dims[1] ?? 0;
    expectDims("promptEmbeds", promptEmbeds, [1, length, cap_feat_dim]);
    const { caption: rope } = nextDiTRopeTables(this.config, length, 0, 0);
    const feeds: Record<string, Feed> = {
      ...adapterFeed(this.#adapterWeights),
      caption_features: promptEmbeds,
      caption_cos: rope.cos,
      caption_sin: rope.sin,
    };
    if (clip_text_dim !== undefined) {
      expectDims("pooledPromptEmbeds", pooledPromptEmbeds, [1, clip_text_dim]);
      feeds.pooled_features = pooledPromptEmbeds;
    }
    const [result] = await this.#text.run([feeds]);
    const { caption, pooled } = result!;
    return { caption: caption!, ...(pooled === undefined ? {} : { pooled }) };
  }

  /**
   * Forward passes for one sample: one for each conditioning.
   *
   * @param latents [1, in_channels, H, W].
   * @param timestep In [0, 1]; 0 is noise.
   * @param options Of the last pass.
   * @returns The velocities, each in the shape of the latents.
   * @throws {RequestError} When a shape does not fit the model.
   * @throws {NonFiniteError} When the arithmetic overflowed.
   */
  async predict(
    latents: Tensor,
    timestep: number,
    conditionings: readonly Conditioning[],
    options?: RunOptions,
  ): Promise<Tensor[]> {
    const { in_channels, patch_size } = this.config;
    const [, , height = 0, width = 0] = latents.dims;
    expectDims("latents", latents, [1, in_channels, height, width]);
    if (height % patch_size !== 0 || width % patch_size !== 0) {
      throw new RequestError(
        `latents of ${height} × ${width} cannot be cut into patches of ${patch_size} × ` +
          `${patch_size}: both sides must be multiples of ${patch_size}.`,
        {
          zh: `${height} × ${width} 的潜变量不能切成 ${patch_size} × ${patch_size} 的图块：` +
            `两边都应是 ${patch_size} 的倍数。`,
        },
      );
    }
    const [rows, columns] = [height / patch_size, width / patch_size];
    const time = tensor(Float32Array.of(timestep), [1]);
    const adapters = adapterFeed(this.#adapterWeights);
    const inputs = conditionings.map(({ caption, pooled }): Feeds => {
      const captionLength = caption.dims[1]!;
      const rope = this.#ropeTables(captionLength, rows, columns);
      return {
        ...adapters,
        latents,
        timestep: time,
        caption: constant(caption),
        ...(pooled === undefined ? {} : { pooled: constant(pooled) }),
        caption_cos: constant(rope.caption.cos),
        caption_sin: constant(rope.caption.sin),
        image_cos: constant(rope.image.cos),
        image_sin: constant(rope.image.sin),
        caption_length: integers([captionLength]),
        patch_grid: integers([1, rows, columns, patch_size ** 2 * in_channels]),
      };
    });
    const results = await this.#steps.run(inputs, options);
    return results.map(({ velocity }) => expectFinite("transformer", velocity!));
  }

  /** A run asks for the same two captions and one size again and again. */
  #ropeTables(captionLength: number, rows: number, columns: number): RopeTables {
    const key = `${captionLength} ${rows} ${columns}`;
    let tables = this.#ropeCache.get(key);
    if (tables === undefined) {
      tables = nextDiTRopeTables(this.config, captionLength, rows, columns);
      if (this.#ropeCache.size >= ROPE_CACHE_SIZE) this.#ropeCache.clear();
      this.#ropeCache.set(key, tables);
    }
    return tables;
  }

  /** Frees the graphs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** A prompt's and a size's share of what each step is given. */
function constant(tensor: Tensor): Feed {
  return { ...tensor, constant: true };
}
