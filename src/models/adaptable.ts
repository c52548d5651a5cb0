/**
 * What adapters may change in each network: its linear layers and norms, by the names that the
 * architecture gives them. An adapter's file calls them in its own way; that is found elsewhere.
 *
 * @module
 */
import { countOf, type Naming } from "./names.ts";

/** The modules of a network that an adapter may change; `*` stands for a block's number. */
export interface AdaptableModules {
  readonly modules: readonly string[];
  /**
   * Modules that checkpoints and adapters carry though no arithmetic uses them: an adapter that
   * changes one fits a checkpoint that lacks it.
   */
  readonly unused: readonly string[];
  /** What an adapter may call a module besides its own name, by other programs' conventions. */
  readonly aliases: (module: string) => readonly string[];
  /**
   * One matrix of queries, keys and values (`attention.qkv`) and what they are called where they are
   * apart, in the order of its rows. The first has as many rows as the matrix has columns, the
   * others share the rest.
   */
  readonly fused?: { readonly whole: string; readonly parts: readonly [string, string, string] };
}

const BLOCK_LISTS = ["layers", "noise_refiner", "context_refiner"];
const BLOCK = [
  "attention.qkv",
  "attention.to_q",
  "attention.to_k",
  "attention.to_v",
  "attention.out",
  "attention.q_norm",
  "attention.k_norm",
  "feed_forward.w1",
  "feed_forward.w2",
  "feed_forward.w3",
  "attention_norm1",
  "attention_norm2",
  "ffn_norm1",
  "ffn_norm2",
  "adaLN_modulation.1",
];

/** NextDiT, by upstream's names; diffusers' are those of `Lumina2Transformer2DModel`. */
export const NEXT_DIT_MODULES: AdaptableModules = {
  modules: [
    "x_embedder",
    "t_embedder.mlp.0",
    "t_embedder.mlp.2",
    "cap_embedder.0",
    "cap_embedder.1",
    "time_text_embed.1",
    "clip_text_pooled_proj.0",
    "clip_text_pooled_proj.1",
    "norm_final",
    "final_layer.linear",
    "final_layer.adaLN_modulation.1",
    ...BLOCK_LISTS.flatMap((list) => BLOCK.map((module) => `${list}.*.${module}`)),
  ],
  unused: ["norm_final"],
  aliases: nextDiTAliases,
  fused: {
    whole: "attention.qkv",
    parts: ["attention.to_q", "attention.to_k", "attention.to_v"],
  },
};

/** Whole names that diffusers gives to modules outside of blocks. */
const DIFFUSERS_MODULES: Readonly<Record<string, string>> = {
  "cap_embedder.0": "time_caption_embed.caption_embedder.0",
  "cap_embedder.1": "time_caption_embed.caption_embedder.1",
  "t_embedder.mlp.0": "time_caption_embed.timestep_embedder.linear_1",
  "t_embedder.mlp.2": "time_caption_embed.timestep_embedder.linear_2",
  "final_layer.adaLN_modulation.1": "norm_out.linear_1",
  "final_layer.linear": "norm_out.linear_2",
};

/** What diffusers, and programs in its manner, call a module of a block. */
const DIFFUSERS_IN_BLOCK: Readonly<Record<string, readonly string[]>> = {
  "attention.qkv": ["attn.qkv", "attn.to_qkv", "attention.to_qkv"],
  "attention.to_q": ["attn.to_q", "attn.q", "attention.q_proj"],
  "attention.to_k": ["attn.to_k", "attn.k", "attention.k_proj"],
  "attention.to_v": ["attn.to_v", "attn.v", "attention.v_proj"],
  "attention.out": [
    "attn.to_out.0",
    "attn.to_out",
    "attention.to_out.0",
    "attention.to_out",
    "attn.out",
  ],
  "attention.q_norm": ["attn.norm_q", "attention.norm_q"],
  "attention.k_norm": ["attn.norm_k", "attention.norm_k"],
  "feed_forward.w1": ["feed_forward.linear_1"],
  "feed_forward.w2": ["feed_forward.linear_2"],
  "feed_forward.w3": ["feed_forward.linear_3"],
  "attention_norm1": ["norm1.norm", "norm1"],
  "attention_norm2": ["norm2"],
  "adaLN_modulation.1": ["norm1.linear"],
};

function nextDiTAliases(module: string): readonly string[] {
  const [, block, inner] = /^(\w+\.\d+)\.(.+)$/.exec(module) ?? [];
  if (block === undefined || inner === undefined || !BLOCK.includes(inner)) {
    const alias = DIFFUSERS_MODULES[module];
    return alias === undefined ? [] : [alias];
  }
  return (DIFFUSERS_IN_BLOCK[inner] ?? []).map((name) => `${block}.${name}`);
}

/** Gemma 3's text model. */
export const GEMMA3_MODULES: AdaptableModules = {
  modules: [
    ...["q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm"].map((name) =>
      `layers.*.self_attn.${name}`
    ),
    ...["gate_proj", "up_proj", "down_proj"].map((name) => `layers.*.mlp.${name}`),
    "layers.*.input_layernorm",
    "layers.*.post_attention_layernorm",
    "layers.*.pre_feedforward_layernorm",
    "layers.*.post_feedforward_layernorm",
    "norm",
  ],
  unused: ["norm"],
  aliases: () => [],
};

/** Jina CLIP's text tower. */
export const JINA_CLIP_MODULES: AdaptableModules = {
  modules: [
    "emb_ln",
    ...["mixer.Wqkv", "mixer.out_proj", "mlp.fc1", "mlp.fc2", "norm1", "norm2"].map((name) =>
      `encoder.layers.*.${name}`
    ),
  ],
  unused: [],
  aliases: () => [],
};

/**
 * The tensors of a checkpoint that adapters may change, by the architecture's names, with their
 * shapes; those of them alone that the checkpoint has.
 */
export function adaptableTensors(
  { modules }: AdaptableModules,
  naming: Naming,
): Map<string, readonly number[]> {
  const tensors = new Map<string, readonly number[]>();
  const add = (module: string) => {
    for (const name of [`${module}.weight`, `${module}.bias`]) {
      const shape = naming.shape(name);
      if (shape !== undefined) tensors.set(name, shape);
    }
  };
  for (const module of modules) {
    const numbered = (index: number) => module.replace("*", String(index));
    if (!module.includes("*")) add(module);
    else {
      const count = countOf(naming, (index) => `${numbered(index)}.weight`);
      for (let index = 0; index < count; index++) add(numbered(index));
    }
  }
  return tensors;
}
