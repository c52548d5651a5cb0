/**
 * How large the parts of a model are, from their headers and configurations.
 *
 * @module
 */
import type { ModelFamily, PartName, PartShape } from "../../families/mod.ts";
import { pixelsPerLatent, type VaeConfig } from "../../models/mod.ts";
import { BLOCK_LAYOUTS, type BlockType, isBlockType } from "../../gguf/mod.ts";
import { isByteDtype, type Weights } from "../../safetensors/mod.ts";
import { elementCount } from "../../tensor.ts";

/** Longest texts that people write; the encoder takes more. */
const USUAL_CLIP_TOKENS = 512;

/**
 * What a part's memory depends on; no weight is read.
 *
 * @param json Its parsed config.json.
 * @param file The path of that, for messages.
 * @throws {ConfigError} When the configuration is wrong.
 */
export function partShape(
  name: PartName,
  json: unknown,
  file: string,
  weights: Weights,
  { networks, encoders }: ModelFamily,
): PartShape {
  // A file may hold other parts too.
  const owns = networks[name].names(weights)?.owns ?? (() => true);
  const onDevice = (isOnDevice: (name: string) => boolean) =>
    countOnDevice(weights, (name) => owns(name) && isOnDevice(name));
  switch (name) {
    case "transformer": {
      const config = networks.transformer.parse(json, file, weights);
      const { dim, n_heads, patch_size, sample_size } = config;
      const imageTokens = (sample_size / patch_size) ** 2;
      return {
        ...onDevice(() => true),
        int8Parameters: onDevice((name) => IN_INT8.test(name)).deviceParameters,
        sampleSize: sample_size,
        needsClip: config.clip_text_dim !== undefined,
        sequence: {
          tokens: imageTokens + USUAL_CAPTION_TOKENS,
          imageTokens,
          width: dim,
          heads: n_heads,
        },
      };
    }
    case "textEncoder": {
      const config = networks.textEncoder.parse(json, file, weights);
      const last = config.layer_types.length - 1;
      const absent = new RegExp(
        `embed_tokens|lm_head|vision_tower|multi_modal|(layers|blk)\\.${last}\\.|(^|\\.)norm\\.|` +
          "token_embd|(^|\\.)output(_norm)?\\.",
      );
      return {
        ...onDevice((name) => !absent.test(name)),
        int8Parameters:
          onDevice((name) => TEXT_IN_INT8.test(name) && !absent.test(name)).deviceParameters,
        sequence: {
          tokens: encoders.textEncoder.maxTokens,
          width: config.hidden_size,
          heads: config.num_attention_heads,
          causal: true,
        },
      };
    }
    case "clipModel": {
      const config = networks.clipModel.parse(json, file, weights);
      return {
        ...onDevice(
          (name) => !/word_embeddings|token_type_embeddings|vision_model/.test(name),
        ),
        sequence: {
          tokens: USUAL_CLIP_TOKENS,
          width: config.hidden_size,
          heads: config.num_attention_heads,
        },
      };
    }
    case "vae": {
      const config = networks.vae.parse(json, file, weights);
      return {
        ...onDevice((name) => !/(^|[._])encoder\./.test(name)),
        pixelsPerLatent: pixelsPerLatent(config),
        picture: { kind: config._class_name, channels: widestAtFullSize(config) },
      };
    }
  }
}

/** The transformer's matrices of its layers' products, by upstream's names and diffusers'. */
const IN_INT8 =
  /(^|\.)(layers|noise_refiner)\.\d+\.(attn|attention|feed_forward)\.(?!\w*norm)[\w.]+\.weight$/;

/** The text encoder's, by transformers' names and llama.cpp's. */
const TEXT_IN_INT8 =
  /(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj|attn_([qkv]|output)|ffn_(gate|up|down))\.weight$/;

/** Of a caption as people write them. */
const USUAL_CAPTION_TOKENS = 256;

function countOnDevice(
  { tensors }: Weights,
  isOnDevice: (name: string) => boolean,
): Pick<PartShape, "deviceParameters" | "quantizedBytes"> {
  let [deviceParameters, quantizedBytes] = [0, 0];
  for (const { name, dtype, shape, byteLength, quantization } of tensors.values()) {
    if (!isOnDevice(name)) continue;
    if (isByteDtype(dtype)) quantizedBytes += byteLength;
    else if (isBlockType(dtype)) quantizedBytes += unpackedByteLength(dtype, byteLength);
    else if (quantization === undefined) deviceParameters += elementCount(shape);
    else quantizedBytes += byteLength + quantization.scales.byteLength;
  }
  return { deviceParameters, quantizedBytes };
}

/** Bytes of a scale and of an offset, on a device whose arithmetic is in float32. */
const BYTES_OF_SCALE = 4;

/** What a matrix of GGUF's blocks takes when it is unpacked into points, scales and offsets. */
function unpackedByteLength(type: BlockType, byteLength: number): number {
  const { values, bytes, bits, scaleValues, hasMinima } = BLOCK_LAYOUTS[type];
  const count = byteLength / bytes * values;
  return count * bits / 8 + count / scaleValues * BYTES_OF_SCALE * (hasMinima ? 2 : 1);
}

/** The widest feature map of the picture's size: what the last upsampling writes. */
function widestAtFullSize(config: VaeConfig): number {
  return config._class_name === "AutoencoderKL"
    ? config.block_out_channels[1] ?? config.block_out_channels[0]!
    : config.decoder_block_out_channels.at(-1)!;
}
