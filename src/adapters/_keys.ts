/** The keys of adapter files: which module a tensor belongs to, and what it is of it. */

/** What a tensor is of its module's change. */
export type Slot =
  | "down"
  | "up"
  | "upBias"
  | "alpha"
  | "magnitude"
  | "hada_w1_a"
  | "hada_w1_b"
  | "hada_w2_a"
  | "hada_w2_b"
  | "hada_t1"
  | "hada_t2"
  | "lokr_w1"
  | "lokr_w1_a"
  | "lokr_w1_b"
  | "lokr_w2"
  | "lokr_w2_a"
  | "lokr_w2_b"
  | "lokr_t2"
  | "difference"
  | "biasDifference"
  | "value"
  | "biasValue";

/** Kinds of adapters that are known and not read. */
export type UnreadKind =
  | "GLoRA"
  | "OFT"
  | "BOFT"
  | "IA3"
  | "VeRA"
  | "AdaLoRA"
  | "KaSA"
  | "LoCon with lora_mid"
  | "LoKr with lokr_t1"
  | "LoRA of an embedding table"
  | "trainable tokens"
  | "a reshaped weight";

/** A key taken apart. */
export interface Key {
  /** The module, as the file calls it. */
  readonly module: string;
  readonly slot: Slot;
}

/** PEFT puts the adapter's own name into keys, unless they are saved by its own function. */
const NAME = String.raw`(?:\.(?!weight$|bias$)[^.]+)?`;

const SLOTS: readonly (readonly [RegExp, Slot])[] = [
  [new RegExp(String.raw`\.lora_A${NAME}(?:\.weight)?$`), "down"],
  [new RegExp(String.raw`\.lora_B${NAME}(?:\.weight)?$`), "up"],
  [new RegExp(String.raw`\.lora_B${NAME}\.bias$`), "upBias"],
  [new RegExp(String.raw`\.lora_magnitude_vector${NAME}(?:\.weight)?$`), "magnitude"],
  [/\.lora_down\.weight$/, "down"],
  [/\.lora_up\.weight$/, "up"],
  // diffusers over the years: `to_q_lora.down`, `to_q.lora.down`, `to_q.lora_linear_layer.down`.
  [/(?:_lora|\.lora|\.lora_linear_layer)\.down\.weight$/, "down"],
  [/(?:_lora|\.lora|\.lora_linear_layer)\.up\.weight$/, "up"],
  [/\.alpha$/, "alpha"],
  [/\.dora_scale$/, "magnitude"],
  [/\.diff$/, "difference"],
  [/\.diff_b$/, "biasDifference"],
  [/\.w_norm$/, "difference"],
  [/\.b_norm$/, "biasDifference"],
  [/\.set_weight$/, "value"],
];

/** Their names are those of slots; PEFT adds the adapter's name. */
const LYCORIS = new RegExp(
  String.raw`\.(hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2))${NAME}(?:\.weight)?$`,
);

const UNREAD: readonly (readonly [RegExp, UnreadKind])[] = [
  [/\.lora_mid\.weight$/, "LoCon with lora_mid"],
  [/\.lokr_t1$/, "LoKr with lokr_t1"],
  [/\.(?:a1|a2|b1|b2|bm)\.weight$/, "GLoRA"],
  [/\.boft_[A-Za-z]+(?:\.|$)/, "BOFT"],
  [/\.oft_[A-Za-z]+(?:\.|$)/, "OFT"],
  [/\.(?:on_input|ia3_l)(?:\.|$)/, "IA3"],
  [/\.vera_[A-Za-z_]+(?:\.|$)/, "VeRA"],
  [/\.(?:lora_E|ranknum)(?:\.|$)/, "AdaLoRA"],
  [/\.lora_diag(?:\.|$)/, "KaSA"],
  [/\.lora_embedding_[AB](?:\.|$)/, "LoRA of an embedding table"],
  [/\.(?:trainable_tokens_delta|token_adapter)(?:\.|$)/, "trainable tokens"],
  [/\.reshape_weight$/, "a reshaped weight"],
];

/** What wrapper modules add to names: torch.compile, FSDP, checkpointing, PEFT. */
const WRAPPERS =
  /(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_layer|original_module|modules_to_save(?:\.[^.]+)?)(?=\.|$)/g;

/** Takes a key apart; undefined where its end says nothing of an adapter. */
export function parseKey(key: string): Key | undefined {
  const lycoris = LYCORIS.exec(key);
  if (lycoris !== null) {
    return { module: withoutWrappers(key.slice(0, lycoris.index)), slot: lycoris[1] as Slot };
  }
  for (const [pattern, slot] of SLOTS) {
    const found = pattern.exec(key);
    if (found !== null) return { module: withoutWrappers(key.slice(0, found.index)), slot };
  }
  return undefined;
}

/** A whole tensor that was trained, as PEFT's `modules_to_save` and `bias` store it. */
export function parseWholeTensor(key: string): Key | undefined {
  const found = /^base_model\.model\.(.+)\.(weight|bias)$/.exec(key);
  if (found === null) return undefined;
  const slot = found[2] === "weight" ? "value" : "biasValue";
  return { module: withoutWrappers(`base_model.model.${found[1]}`), slot };
}

/**
 * Whether PEFT does not use a tensor that it stored: with `bias="all"` the biases of modules that it
 * trained as a whole are there three times, once as they were and twice as they became.
 */
export function isSpare(key: string, others: { has(key: string): boolean }): boolean {
  if (/\.original_module\./.test(key)) return true;
  const plain = key.replace(/\.modules_to_save(?:\.[^.]+)?(?=\.(?:weight|bias)$)/, "");
  return plain !== key && others.has(plain);
}

/** The kind of adapter that a key belongs to, where it is one that is not read. */
export function unreadKind(key: string): UnreadKind | undefined {
  return UNREAD.find(([pattern]) => pattern.test(key))?.[1];
}

function withoutWrappers(module: string): string {
  return module.replace(WRAPPERS, (_, before: string) => before)
    .replace(/^\.+|\.+$/g, "").replace(/\.{2,}/g, ".");
}
