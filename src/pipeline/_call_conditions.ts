/** What a call's pictures are to show: texts to encode, or features that were given instead. */
import { RequestError } from "../errors.ts";
import type { ModelFamily } from "../families/mod.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { type EncoderTexts, promptTexts } from "./_prompt_texts.ts";
import { expectDims, expectTensor } from "./parts/expect_tensor.ts";
import type { GenerateOptions, PromptEmbeds } from "./types.ts";

/** What the text encoders make of a batch of texts. */
export interface EncodedTexts {
  /** [B, L, D]. */
  readonly embeds: Tensor;
  /** [B, L]. */
  readonly mask: Tensor;
  /** [B, P]. */
  readonly pooled: Tensor;
}

/** Texts that are still to be encoded, or what was given instead. */
export type Side = { readonly texts: EncoderTexts[] } | { readonly given: EncodedTexts };

/** Of every prompt, what its pictures are to show and what not. */
export interface CallConditions {
  readonly promptCount: number;
  readonly positive: Side;
  readonly negative: Side;
}

/** What the transformer expects of features. */
export interface FeatureWidths {
  readonly caption: number;
  /** Absent in a model without CLIP conditioning. */
  readonly pooled: number | undefined;
  /** What is known of the padding of features that the pipeline itself made. */
  readonly maskOf: (embeds: Tensor) => Tensor | undefined;
}

/**
 * Reads the prompts of a call.
 *
 * @throws {RequestError} When there are neither texts nor features, or both, or they do not fit the
 *   model or each other.
 * @throws {XmlPromptError} When a text is malformed XML.
 */
export function callConditions(
  options: GenerateOptions,
  family: ModelFamily,
  widths: FeatureWidths,
): CallConditions {
  const { prompt, negativePrompt, ...shared } = options;
  const positive = givenSide(options, "", prompt, widths);
  const count = positive?.embeds.dims[0];
  const negative = givenSide(options, "negative", negativePrompt, widths);
  if (positive === undefined && prompt === undefined) {
    throw new RequestError("There is neither a prompt nor promptEmbeds; give one of them.", {
      zh: "既没有 prompt，也没有 promptEmbeds；请给出其中之一。",
    });
  }
  const texts = promptTexts({
    ...shared,
    prompt: prompt ?? new Array<string>(count!).fill(""),
    negativePrompt: negativePrompt ?? "",
  }, family);
  const promptCount = texts.positive.length;
  const negatives = negative?.embeds.dims[0] ?? promptCount;
  if (negatives !== 1 && negatives !== promptCount) {
    throw new RequestError(
      `negativePromptEmbeds holds ${negatives} prompts for ${promptCount}; give one for all, or ` +
        "one for each.",
      {
        zh: `negativePromptEmbeds 有 ${negatives} 个提示词，但有 ${promptCount} 个提示词；` +
          "请只给一个，或每个提示词给一个。",
      },
    );
  }
  return {
    promptCount,
    positive: positive === undefined ? { texts: texts.positive } : { given: positive },
    negative: negative === undefined ? { texts: texts.negative } : { given: negative },
  };
}

const NAMES = {
  "": {
    text: "prompt",
    embeds: "promptEmbeds",
    mask: "promptAttentionMask",
    pooled: "pooledPromptEmbeds",
  },
  negative: {
    text: "negativePrompt",
    embeds: "negativePromptEmbeds",
    mask: "negativePromptAttentionMask",
    pooled: "negativePooledPromptEmbeds",
  },
} as const satisfies Readonly<
  Record<string, { readonly text: string } & Record<string, keyof PromptEmbeds | string>>
>;

function givenSide(
  options: GenerateOptions,
  side: keyof typeof NAMES,
  text: unknown,
  { caption, pooled: pooledWidth, maskOf }: FeatureWidths,
): EncodedTexts | undefined {
  const names = NAMES[side];
  const { [names.embeds]: embeds, [names.mask]: mask, [names.pooled]: pooled } = options;
  if (embeds === undefined) {
    const lonely = mask !== undefined
      ? names.mask
      : pooled !== undefined
      ? names.pooled
      : undefined;
    if (lonely === undefined) return undefined;
    throw new RequestError(`${lonely} was given without ${names.embeds}: give both.`, {
      zh: `给出了 ${lonely}，但没有 ${names.embeds}：请两者都给出。`,
    });
  }
  if (text !== undefined) {
    throw new RequestError(`Both ${names.text} and ${names.embeds} were given: give one of them.`, {
      zh: `${names.text} 与 ${names.embeds} 同时给出：请只给其中之一。`,
    });
  }
  expectTensor(names.embeds, embeds, 3);
  const [batch, length] = embeds.dims as [number, number];
  expectDims(names.embeds, embeds, [batch, length, caption]);
  if (pooledWidth !== undefined) expectDims(names.pooled, pooled, [batch, pooledWidth]);
  const known = mask ?? maskOf(embeds) ??
    tensor(new Float32Array(batch * length).fill(1), [batch, length]);
  expectDims(names.mask, known, [batch, length]);
  return {
    embeds,
    mask: known,
    pooled: pooledWidth === undefined || pooled === undefined
      ? tensor(new Float32Array(), [batch, 0])
      : pooled,
  };
}
