/**
 * NewBie-image: all that tells this family of models from another.
 *
 * @module
 */
import {
  compileGemma3,
  compileJinaClip,
  compileNextDiT,
  compileVae,
  compileVaeEncoder,
  GEMMA3_MAX_TOKENS,
  GEMMA3_MODULES,
  gemma3Names,
  JINA_CLIP_MAX_TOKENS,
  JINA_CLIP_MODULES,
  jinaClipNames,
  NEXT_DIT_MODULES,
  nextDiTNames,
  parseGemma3Config,
  parseJinaClipConfig,
  parseNextDiTConfig,
  parseVaeConfig,
  vaeNames,
} from "../models/mod.ts";
import type { ModelFamily, PublishedPart } from "./types.ts";

/** bfloat16. */
const BYTES_A_VALUE = 2;

/**
 * NextDiT with 36 layers, Gemma 3 4B, Jina CLIP v2's text tower, FLUX's AutoencoderKL. The files are those
 * that docs/models.md names: Gemma's and Jina CLIP's hold vision towers, too.
 */
const PUBLISHED: readonly PublishedPart[] = [
  {
    name: "transformer",
    bytes: BYTES_A_VALUE * 3_486_633_792,
    parameters: 3_486_633_792,
    deviceParameters: 3_486_633_792,
    int8Parameters: 2_958_557_184,
    sequence: { tokens: 4352, imageTokens: 4096, width: 2304, heads: 24 },
    sampleSize: 128,
  },
  {
    name: "textEncoder",
    bytes: BYTES_A_VALUE * 4_300_079_472,
    parameters: 3_880_263_168,
    deviceParameters: 3_114_625_536,
    int8Parameters: 3_114_270_720,
    sequence: { tokens: 512, width: 2560, heads: 8, causal: true },
  },
  {
    name: "clipModel",
    bytes: BYTES_A_VALUE * 865_278_477,
    parameters: 558_314_496,
    deviceParameters: 302_312_448,
    sequence: { tokens: 512, width: 1024, heads: 16 },
  },
  {
    name: "vae",
    bytes: BYTES_A_VALUE * 83_819_683,
    parameters: 83_819_683,
    deviceParameters: 49_545_475,
    picture: { kind: "AutoencoderKL", channels: 256 },
    pixelsPerLatent: 8,
  },
];

/** NewBie-image (NewBieAI-Lab/NewBie-image-Exp0.1). */
export const NEWBIE: ModelFamily = {
  name: "NewBie-image",
  networks: {
    transformer: {
      names: nextDiTNames,
      parse: parseNextDiTConfig,
      compile: compileNextDiT,
      adaptable: NEXT_DIT_MODULES,
    },
    textEncoder: {
      names: gemma3Names,
      parse: parseGemma3Config,
      compile: compileGemma3,
      adaptable: GEMMA3_MODULES,
    },
    clipModel: {
      names: jinaClipNames,
      parse: parseJinaClipConfig,
      compile: compileJinaClip,
      adaptable: JINA_CLIP_MODULES,
    },
    vae: {
      names: vaeNames,
      parse: parseVaeConfig,
      compile: compileVae,
      compileEncoder: compileVaeEncoder,
    },
  },
  encoders: {
    textEncoder: { name: "Gemma 3", maxTokens: GEMMA3_MAX_TOKENS, tokenizer: "gemma3" },
    clipModel: { name: "Jina CLIP", maxTokens: JINA_CLIP_MAX_TOKENS, tokenizer: "xlm-roberta" },
  },
  systemPrompts: {
    xml:
      "You are an assistant designed to generate high-quality anime images based on xml format " +
      "prompts. <Prompt Start> ",
    text:
      "You are an assistant designed to generate high-quality anime images with the highest degree " +
      "of image-text alignment based on textual prompts. <Prompt Start> ",
  },
  slots: {
    toolkit: {
      transformer: "next-dit-3.5b",
      textEncoder: "transformer/gemma-3-2b",
      clipModel: "clip_model/jina-clip-v2",
      vae: "vae/taesd",
    },
    demo: {
      transformer: "next-dit",
      textEncoder: "transformer",
      clipModel: "clip_model",
      vae: "vae",
    },
    diffusers: {
      transformer: ["transformer"],
      textEncoder: ["text_encoder"],
      // What diffusers calls the second encoder of any pipeline.
      clipModel: ["clip_model", "text_encoder_2"],
      vae: ["vae"],
    },
    tokenizers: {
      textEncoder: ["tokenizer"],
      clipModel: ["clip_tokenizer", "tokenizer_2"],
    },
  },
  published: {
    pictureSize: 1024,
    parts: PUBLISHED,
  },
};
