/**
 * The networks: their configurations, and the graphs that are compiled of them.
 *
 * @module
 */
export {
  type AdaptableModules,
  adaptableTensors,
  GEMMA3_MODULES,
  JINA_CLIP_MODULES,
  NEXT_DIT_MODULES,
} from "./adaptable.ts";
export {
  compileVae,
  compileVaeEncoder,
  parseVaeConfig,
  pixelsPerLatent,
  type VaeConfig,
  vaeNames,
} from "./autoencoder.ts";
export {
  CORE_END,
  CORE_START,
  type DecoderGraphs,
  type EncoderGraphs,
  NON_FINITE,
  type TiledStep,
} from "./autoencoder_graphs.ts";
export { compileGemma3, GEMMA3_MAX_TOKENS, type Gemma3Graphs, gemma3RopeTables } from "./gemma3.ts";
export {
  type Gemma3Config,
  gemma3LlamaCppName,
  gemma3Names,
  parseGemma3Config,
} from "./gemma3_config.ts";
export {
  compileJinaClip,
  JINA_CLIP_MAX_TOKENS,
  type JinaClipConfig,
  type JinaClipGraph,
  jinaClipNames,
  jinaClipRopeTables,
  parseJinaClipConfig,
} from "./jina_clip.ts";
export type { Naming } from "./names.ts";
export { compileUpscaler, type UpscalerGraphs } from "./upscaler.ts";
export { compileNextDiT, type NextDiTGraphs } from "./next_dit.ts";
export { type NextDiTConfig, nextDiTNames, parseNextDiTConfig } from "./next_dit_config.ts";
export { checkPlaces, nextDiTRopeTables } from "./next_dit_rope.ts";
