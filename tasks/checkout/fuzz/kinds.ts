/** All kinds of input that are thrown at their readers, besides prompts and safetensors headers. */
import { adapters } from "./adapters.ts";
import { batchLines } from "./batch_lines.ts";
import { bundles } from "./bundles.ts";
import { checksumLists } from "./checksum_lists.ts";
import { configs } from "./configs.ts";
import { gguf } from "./gguf.ts";
import { pictures } from "./pictures.ts";
import { pngText } from "./png_text.ts";
import { recipes } from "./recipes.ts";
import { tokenizers } from "./tokenizers.ts";
import { templates } from "./templates.ts";
import type { FuzzKind } from "./types.ts";

export const FUZZ_KINDS = {
  gguf: { open: gguf },
  pictures: { open: pictures },
  "png-text": { open: pngText },
  recipes: { open: recipes },
  configs: { open: configs },
  tokenizers: { open: tokenizers },
  adapters: { open: adapters },
  bundles: { open: bundles },
  checksums: { open: checksumLists },
  templates: { open: templates },
  "batch-lines": { open: batchLines },
} as const satisfies Readonly<Record<string, FuzzKind>>;

/** The name of a kind. */
export type FuzzKindName = keyof typeof FUZZ_KINDS;
