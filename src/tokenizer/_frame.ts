/**
 * What a post-processor puts before and after every text.
 *
 * Rules: tokenizers/src/processors of huggingface/tokenizers.
 *
 * @module
 */
import { isId } from "./_models.ts";
import { Refusal, unknownStage } from "./_refusal.ts";

/** The ids around a text. */
export interface Frame {
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
}

type Config = Readonly<Record<string, unknown>>;
type IdOf = (token: string) => number | undefined;

const NOTHING: Frame = { prefix: [], suffix: [] };
const STAGE = { en: "the post-processor", zh: "后处理器（post_processor）" };

/** @throws {Refusal} When there is no such post-processor, or a token of it has no id. */
export function createFrame(config: unknown, idOf: IdOf): Frame {
  const { type } = (config ?? {}) as Config;
  const create = typeof type === "string" && Object.hasOwn(PROCESSORS, type)
    ? PROCESSORS[type]!
    : undefined;
  if (create === undefined) throw unknownStage(STAGE, type);
  return create(config as Config, idOf);
}

const PROCESSORS: Readonly<Record<string, (config: Config, idOf: IdOf) => Frame>> = {
  // It changes places in the text alone.
  ByteLevel: () => NOTHING,
  BertProcessing: between,
  RobertaProcessing: between,
  TemplateProcessing: template,
  Sequence: ({ processors }, idOf) => {
    const frames = (Array.isArray(processors) ? processors : []).map((processor) =>
      createFrame(processor, idOf)
    );
    return frames.reduce((inner, outer) => ({
      prefix: [...outer.prefix, ...inner.prefix],
      suffix: [...inner.suffix, ...outer.suffix],
    }), NOTHING);
  },
};

/** A token before and one behind, each with its id: `["</s>", 2]`. */
function between({ cls, sep }: Config): Frame {
  const [prefix, suffix] = [cls, sep].map((pair) => {
    const id: unknown = Array.isArray(pair) ? pair[1] : undefined;
    if (!isId(id)) throw missing(pair);
    return [id];
  });
  return { prefix: prefix!, suffix: suffix! };
}

function template({ single, special_tokens: specials }: Config, idOf: IdOf): Frame {
  const parts = Array.isArray(single) ? single as Config[] : [];
  const place = parts.findIndex((part) => "Sequence" in part);
  if (place < 0 || parts.findLastIndex((part) => "Sequence" in part) !== place) {
    throw new Refusal("its template does not hold the text once", "模板中的文本不是恰好一次");
  }
  const idsOf = (part: Config): readonly number[] => {
    const { id: token } = (part["SpecialToken"] ?? {}) as Config;
    const stated = ((specials ?? {}) as Config)[String(token)] as Config | undefined;
    const ids: unknown = stated?.["ids"];
    if (Array.isArray(ids)) {
      if (!ids.every(isId)) throw missing(token);
      return ids;
    }
    const id = idOf(String(token));
    if (id === undefined) throw missing(token);
    return [id];
  };
  return {
    prefix: parts.slice(0, place).flatMap(idsOf),
    suffix: parts.slice(place + 1).flatMap(idsOf),
  };
}

const missing = (token: unknown): Refusal =>
  new Refusal(
    `every text is framed with ${JSON.stringify(token)}, which its vocabulary lacks`,
    `每段文本都会加上 ${JSON.stringify(token)}，但词表里没有这个词`,
  );
