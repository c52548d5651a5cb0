/**
 * Gemma 3's text model up to the features that NewBie takes from it.
 *
 * The maths is that of transformers (models/gemma3, `Gemma3TextModel`) after the Gemma 3 technical
 * report (2025). The features are `hidden_states[-2]`, the input of the last layer, so that the
 * last layer, the final norm and the head are not in the graph at all.
 *
 * @module
 */
import {
  type Adaptation,
  add,
  addRmsNorm,
  addScalar,
  attention,
  cast,
  type CompiledGraph,
  type DtypePolicy,
  type FloatType,
  gelu,
  Graph,
  INTERFACE_TYPE,
  less,
  linear,
  mul,
  Parameters,
  reshape,
  rmsNorm,
  rotaryEmbedding,
  scale,
  sub,
  type Value,
  withoutOwnOperators,
} from "../onnx/mod.ts";
import type { TensorEntry, Weights } from "../safetensors/mod.ts";
import {
  type Gemma3Config,
  type LayerType,
  LLAMA_CPP,
  namesOf,
  type RopeParameters,
} from "./gemma3_config.ts";
import { languageRopeTables, type RopeTensors } from "./_rotary.ts";
import { cutEvenly } from "./_segments.ts";

/** The longest prompt that NewBie gives Gemma, in tokens. */
export const GEMMA3_MAX_TOKENS = 512;

/** Gemma 3 as graphs, and the table that stays on disk. */
export interface Gemma3Graphs {
  /**
   * One after the other, each with its share of the layers. All take the tables `full_{cos,sin}` and
   * `sliding_{cos,sin}` [L, head_dim / 2], and with a window shorter than the longest prompt
   * `positions` [L] = 0, 1, 2…. The first takes `embeddings` [1, L, hidden_size], as stored, the
   * others `hidden` as their predecessor gave it; the last gives `features` [1, L, hidden_size].
   */
  readonly graphs: readonly CompiledGraph[];
  /** The embedding table [vocab_size, hidden_size], to be read by row. */
  readonly embeddings: TensorEntry;
}

/**
 * Compiles Gemma 3 over its weights.
 *
 * @param segments How many graphs to cut it into, so that no more than one has to be loaded at a
 *   time.
 * @param adaptation What adapters change; each graph then takes their weights, too.
 * @throws {CheckpointError} Naming every tensor that is missing or has another shape.
 */
export function compileGemma3(
  config: Gemma3Config,
  weights: Weights,
  policy: DtypePolicy,
  segments = 1,
  adaptation?: Adaptation,
): Gemma3Graphs {
  const { text: compute } = policy;
  const { hidden_size, vocab_size, layer_types } = config;
  const { nameInFile, style } = namesOf(weights);
  // llama.cpp has added it to the weights of norms, where transformers' arithmetic does.
  const normOffset = style === LLAMA_CPP ? 0 : 1;
  const options = { nameInFile, problems: new Map(), adaptation };
  const parts = cutEvenly(layer_types.length - 1, segments);
  // It runs once a prompt: only the memory of its matrices matters, and they lose less than rows would.
  const graphPolicy = policy.products === undefined
    ? withoutOwnOperators(policy)
    : { ...policy, products: "int8 matrices" } as const;
  const built = parts.map(({ from, to }) => {
    const graph = new Graph("gemma3", graphPolicy);
    const parameters = new Parameters(graph, weights, options);
    const layers = layer_types.slice(from, to);
    const context = layerContext(graph, config, layers, compute, normOffset);
    const isFirst = from === 0;
    const input = graph.input(isFirst ? "embeddings" : "hidden", INTERFACE_TYPE, [
      1,
      "L",
      hidden_size,
    ]);
    let x = cast(input, compute);
    // In the type of arithmetic the factor is rounded too, as transformers rounds it.
    if (isFirst) x = scale(x, Math.sqrt(hidden_size));
    const places = layers.map((type, index) => ({
      context: context[type],
      parameters: parameters.scope(`layers.${from + index}`),
    }));
    x = runLayers(x, places, config, compute);
    const isLast = to === layer_types.length - 1;
    const output = cast(x, INTERFACE_TYPE);
    graph.output(isLast ? "features" : "hidden_out", output, [1, "L", hidden_size]);
    return { graph, parameters };
  });
  const { parameters } = built[0]!;
  const embeddings = parameters.entry("embed_tokens.weight", [vocab_size, hidden_size]);
  parameters.check();
  return { graphs: built.map(({ graph }) => graph.compile()), embeddings: embeddings! };
}

/** What layers of one type share. */
interface LayerContext {
  readonly rope: { readonly cos: Value; readonly sin: Value };
  readonly mask?: Value;
  /** What is added to the weights of norms. */
  readonly normOffset: number;
}

function layerContext(
  graph: Graph,
  { head_dim, sliding_window }: Gemma3Config,
  layers: readonly LayerType[],
  compute: FloatType,
  normOffset: number,
): Record<LayerType, LayerContext> {
  const rope = (name: string) => ({
    cos: cast(graph.input(`${name}_cos`, INTERFACE_TYPE, ["L", head_dim / 2]), compute),
    sin: cast(graph.input(`${name}_sin`, INTERFACE_TYPE, ["L", head_dim / 2]), compute),
  });
  const context: Record<LayerType, LayerContext> = {
    full_attention: { rope: rope("full"), normOffset },
    sliding_attention: { rope: rope("sliding"), normOffset },
  };
  if (sliding_window < GEMMA3_MAX_TOKENS && layers.includes("sliding_attention")) {
    const positions = graph.input("positions", INTERFACE_TYPE, ["L"]);
    const distance = sub(reshape(positions, [-1, 1]), reshape(positions, [1, -1]));
    const mask = less(distance, graph.scalar(sliding_window, INTERFACE_TYPE));
    context.sliding_attention = { ...context.sliding_attention, mask };
  }
  return context;
}

/** A layer's place: its weights, and what it shares with others of its type. */
interface LayerPlace {
  readonly context: LayerContext;
  readonly parameters: Parameters;
}

/** `Gemma3DecoderLayer`s: a norm before and a norm after both attention and feed-forward. */
function runLayers(
  x: Value,
  places: readonly LayerPlace[],
  config: Gemma3Config,
  compute: FloatType,
): Value {
  const { hidden_size: width, rms_norm_eps: epsilon } = config;
  const weight = ({ parameters, context }: LayerPlace, name: string) =>
    gemmaNormWeight(parameters, context, name, width, compute);
  const norm = (x: Value, place: LayerPlace, name: string) =>
    rmsNorm(x, weight(place, name), { epsilon, width, shape: [1, -1, width] });
  const [first] = places;
  if (first === undefined) return x;
  let normalised = norm(x, first, "input_layernorm");
  places.forEach((place, index) => {
    const { context, parameters } = place;
    const attended = selfAttention(
      normalised,
      context,
      config,
      parameters.scope("self_attn"),
      compute,
    );
    ({ sum: x, normalised } = addRmsNorm(
      norm(attended, place, "post_attention_layernorm"),
      x,
      weight(place, "pre_feedforward_layernorm"),
      epsilon,
    ));
    const fed = feedForward(normalised, config, parameters.scope("mlp"), compute);
    const update = norm(fed, place, "post_feedforward_layernorm");
    const next = places[index + 1];
    if (next === undefined) {
      x = add(x, update);
    } else {
      ({ sum: x, normalised } = addRmsNorm(update, x, weight(next, "input_layernorm"), epsilon));
    }
  });
  return x;
}

/** Gemma's RMS norm multiplies by 1 + weight. */
function gemmaNormWeight(
  parameters: Parameters,
  { normOffset }: LayerContext,
  name: string,
  width: number,
  compute: FloatType,
): Value {
  const weight = parameters.get(`${name}.weight`, [width], INTERFACE_TYPE);
  return cast(normOffset === 0 ? weight : addScalar(weight, normOffset), compute);
}

function selfAttention(
  x: Value,
  context: LayerContext,
  config: Gemma3Config,
  parameters: Parameters,
  compute: FloatType,
): Value {
  const { rope, mask } = context;
  const { hidden_size, head_dim, rms_norm_eps } = config;
  const { num_attention_heads: heads, num_key_value_heads: keyValueHeads } = config;
  const project = (x: Value, name: string, from: number, to: number) =>
    linear(
      x,
      parameters.matrix(`${name}.weight`, [to, from], compute),
      config.attention_bias ? parameters.get(`${name}.bias`, [to], compute) : undefined,
    );
  const position = (x: Value, heads: number, name: string) => {
    const normalised = rmsNorm(x, gemmaNormWeight(parameters, context, name, head_dim, compute), {
      epsilon: rms_norm_eps,
      width: head_dim,
      shape: [1, -1, heads * head_dim],
    });
    return rotaryEmbedding(normalised, rope, heads, "halves");
  };
  const q = project(x, "q_proj", hidden_size, heads * head_dim);
  const k = project(x, "k_proj", hidden_size, keyValueHeads * head_dim);
  const v = project(x, "v_proj", hidden_size, keyValueHeads * head_dim);
  const attended = attention(
    position(q, heads, "q_norm"),
    position(k, keyValueHeads, "k_norm"),
    v,
    {
      heads,
      keyValueHeads,
      headDim: head_dim,
      scale: config.query_pre_attn_scalar ** -0.5,
      causal: true,
      ...(mask === undefined ? {} : { mask }),
    },
  );
  return project(attended, "o_proj", heads * head_dim, hidden_size);
}

/** down(gelu(gate x) · up x) (Shazeer 2020, GEGLU). */
function feedForward(
  x: Value,
  { hidden_size, intermediate_size, hidden_activation }: Gemma3Config,
  parameters: Parameters,
  compute: FloatType,
): Value {
  const inner = [intermediate_size, hidden_size] as const;
  const gate = linear(x, parameters.matrix("gate_proj.weight", inner, compute));
  const up = linear(x, parameters.matrix("up_proj.weight", inner, compute));
  const activated = gelu(gate, hidden_activation === "gelu" ? "none" : "tanh");
  const down = parameters.matrix("down_proj.weight", [hidden_size, intermediate_size], compute);
  return linear(mul(activated, up), down);
}

/** The rotary tables for a prompt, by layer type; each [length, head_dim / 2]. */
export function gemma3RopeTables(
  { head_dim, rope }: Gemma3Config,
  length: number,
): Readonly<Record<LayerType, RopeTensors>> {
  const tables = ({ theta, factor }: RopeParameters) =>
    languageRopeTables(length, head_dim, theta, factor);
  return {
    full_attention: tables(rope.full_attention),
    sliding_attention: tables(rope.sliding_attention),
  };
}
