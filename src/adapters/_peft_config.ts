/** adapter_config.json, and the same in the metadata of diffusers' files. */
import { RE2JS } from "re2js";
import * as z from "zod";
import type { Message } from "../errors.ts";
import { readJson } from "../files.ts";
import { schemaProblem } from "../schema_problems.ts";
import { shown } from "../shown.ts";
import type { AdapterError } from "./adapter_error.ts";
import { type AdapterTexts, refusal } from "./_texts.ts";

/** What a configuration says of one module. */
export interface ModuleConfig {
  readonly rank: number;
  readonly alpha: number;
}

/** A PEFT configuration, as far as it says what an adapter's tensors mean. */
export interface PeftConfig {
  /** Whether alpha is divided by the rank's square root. */
  readonly isRankStabilised: boolean;
  /** Rank and alpha of a module, by the name that PEFT gives it. */
  readonly of: (module: string) => ModuleConfig;
}

const MOST_BYTES = 4 << 20;
/** Expressions that are more than a name; each is tried on every module. */
const MOST_EXPRESSIONS = 64;
const MOST_NAMES = 20_000;
const LONGEST_EXPRESSION = 300;
/** Counted repetitions are written out when they are compiled; no name repeats anything more often. */
const MOST_REPEATED = 20;

/** These initialisations take from the model what they give to the adapter. */
const CHANGES_MODEL = /^(?:pissa|olora|corda|loftq|lora_ga)/i;

const patterns = z.record(z.string(), z.number()).nullish();

const schema = z.looseObject({
  peft_type: z.string().nullish(),
  r: z.number().positive().nullish(),
  lora_alpha: z.number().nullish(),
  // LoKr's and LoHa's.
  alpha: z.number().nullish(),
  rank_pattern: patterns,
  alpha_pattern: patterns,
  use_rslora: z.boolean().nullish(),
  init_lora_weights: z.unknown().optional(),
  layer_replication: z.unknown().optional(),
  alora_invocation_tokens: z.unknown().optional(),
});

type Stated = z.infer<typeof schema>;

/**
 * Reads a configuration beside an adapter.
 *
 * @returns Undefined where there is none, or where it is LyCORIS's own, whose file says it all.
 * @throws {AdapterError} When it is damaged, or of an adapter that is not read.
 */
export async function readPeftConfig(path: string): Promise<PeftConfig | undefined> {
  const size = await Deno.stat(path).then(({ size }) => size, () => undefined);
  if (size === undefined) return undefined;
  if (size > MOST_BYTES) throw refuse(path, (text) => text.tooLong(size, MOST_BYTES));
  const json = await readJson(path);
  if (json.problem !== undefined) {
    const { problem, cause } = json;
    throw refusal(path, (text, language) => text.config(problem[language]), { cause });
  }
  return parsePeftConfig(json.value, path);
}

/** Reads a parsed configuration. */
export function parsePeftConfig(json: unknown, file: string): PeftConfig | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw refuse(file, (text) => text.notAnObject);
  }
  const result = schema.safeParse(json, { reportInput: true });
  if (!result.success) {
    const problem = schemaProblem(result.error);
    throw refusal(file, (text, language) => text.config(problem[language]));
  }
  const stated = result.data;
  const type = (stated.peft_type ?? "LORA").toUpperCase();
  if (type === "LYCORIS") return undefined;
  if (!["LORA", "LOKR", "LOHA"].includes(type)) {
    throw refuse(file, (text) => text.peftType(shown(type)));
  }
  const {
    init_lora_weights: init,
    layer_replication: replication,
    alora_invocation_tokens: invocation,
  } = stated;
  if (type === "LORA" && typeof init === "string" && CHANGES_MODEL.test(init)) {
    throw refuse(file, (text) => text.initialised(shown(init)));
  }
  if (Array.isArray(replication) && replication.length > 0) {
    throw refuse(file, (text) => text.replicated);
  }
  if (Array.isArray(invocation) && invocation.length > 0) {
    throw refuse(file, (text) => text.invoked);
  }
  return configOf(stated, type, file);
}

function configOf(stated: Stated, type: string, file: string): PeftConfig {
  // PEFT's own defaults.
  const rank = stated.r ?? 8;
  const alpha = (type === "LORA" ? stated.lora_alpha : stated.alpha ?? stated.lora_alpha) ?? 8;
  const rankOf = matcher("rank_pattern", stated.rank_pattern ?? {}, file);
  const alphaOf = matcher("alpha_pattern", stated.alpha_pattern ?? {}, file);
  return {
    isRankStabilised: type === "LORA" && (stated.use_rslora ?? false),
    of: (module) => ({ rank: rankOf(module) ?? rank, alpha: alphaOf(module) ?? alpha }),
  };
}

/**
 * Finds a module's value as PEFT does: the first key that, as an expression, matches the whole name
 * or all of it behind a dot. RE2 tries each in time linear in the name, whatever the expression is.
 */
function matcher(
  key: string,
  values: Readonly<Record<string, number>>,
  file: string,
): (module: string) => number | undefined {
  const entries = Object.entries(values);
  const expressions = entries.filter(([pattern]) => nameIn(pattern) === undefined).length;
  if (expressions > MOST_EXPRESSIONS) {
    throw refuse(file, (text) => text.tooManyPatterns(key, expressions, MOST_EXPRESSIONS));
  }
  if (entries.length > MOST_NAMES) {
    throw refuse(file, (text) => text.tooManyPatterns(key, entries.length, MOST_NAMES));
  }
  const names = new Map<string, Named>();
  const others: { matches: (module: string) => boolean; value: number; order: number }[] = [];
  entries.forEach(([pattern, value], order) => {
    const name = nameIn(pattern);
    // Of two that say the same the first counts.
    if (name !== undefined) names.set(name, names.get(name) ?? { value, order });
    else others.push({ matches: compiled(key, pattern, file), value, order });
  });
  return (module) => {
    let first = names.get(WHOLE + module);
    for (let from = 0; from >= 0; from = after(module, from)) {
      const named = names.get(module.slice(from));
      if (named !== undefined && (first === undefined || named.order < first.order)) first = named;
    }
    const other = others.find(({ matches, order }) =>
      (first === undefined || order < first.order) && matches(module)
    );
    return (other ?? first)?.value;
  };
}

/** Where the next part of a dotted name begins; -1 after the last. */
function after(module: string, from: number): number {
  const dot = module.indexOf(".", from);
  return dot < 0 ? -1 : dot + 1;
}

interface Named {
  readonly value: number;
  readonly order: number;
}

/** Before names that have to be a module's whole name; no name has such a character. */
const WHOLE = "^";

/**
 * The name that an expression is, without more: `feed_forward.w1`, or as diffusers writes it
 * `^layers.0.feed_forward.w1$`. Dots stand for any character there; no two modules differ in that.
 */
function nameIn(pattern: string): string | undefined {
  const [, whole, name] = /^(\^?)((?:\w|\\?\.)+)\$?$/.exec(pattern) ?? [];
  return name === undefined ? undefined : whole + name.replaceAll("\\.", ".");
}

function compiled(key: string, pattern: string, file: string): (module: string) => boolean {
  const refused = () => refuse(file, (text) => text.pattern(key, shown(pattern)));
  const repeated = [...pattern.matchAll(/\{[^}]*\}/g)].flatMap(([braces]) =>
    braces.match(/\d+/g) ?? []
  );
  if (
    pattern.length > LONGEST_EXPRESSION || repeated.some((count) => Number(count) > MOST_REPEATED)
  ) {
    throw refused();
  }
  try {
    const expression = RE2JS.compile(`(?:.*\\.)?(?:${pattern})`);
    return (module) => expression.matches(module);
  } catch {
    throw refused();
  }
}

function refuse(file: string, say: (text: AdapterTexts) => string): AdapterError {
  return refusal(file, (text): Message => text.config(say(text)));
}
