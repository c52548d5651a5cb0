/**
 * What the readers of other programs' notes share: values in all the forms in which programs write
 * them, checked, and a list of what is left.
 *
 * @module
 */
import { SCHEDULE_NAMES, SCHEDULER_NAMES, type SchedulerName } from "../schedulers/mod.ts";
import {
  type AskedSettings,
  fromJson,
  mergeSettings,
  SETTINGS,
  type SettingsTable,
} from "../settings/mod.ts";
import type { ForeignLora, ForeignProgram, ForeignRecipe, LeftOver } from "./foreign_recipe.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The largest seed of a generator. */
const MOST_SEED = 2n ** 64n - 1n;
const LONGEST_SIDE = 2 ** 16;

/** How many things that are left are listed, and how much of each value. */
const MOST_LEFT = 200;
const LONGEST_VALUE = 200;

/** The samplers by the names that other programs have for them, in lower case without `k_`. */
const SAMPLERS: Readonly<Record<string, string>> = {
  "euler": "euler",
  "midpoint": "midpoint",
  "heun": "heun",
  "dpm++ 2m": "dpm-solver++",
  "dpmpp 2m": "dpm-solver++",
  "res multistep": "res_multistep",
};

/** Words for a schedule of noise that mean the usual one. */
const PLAIN_SCHEDULES: ReadonlySet<string> = new Set(["", "automatic", "normal"]);

/** The name of a sampler here, if it is known. */
export function schedulerOf(name: string): SchedulerName | undefined {
  const plain = name.trim().toLowerCase().replace(/[\s_]+/g, " ").replace(/^k /, "");
  const own = Object.hasOwn(SAMPLERS, plain) ? SAMPLERS[plain] : undefined;
  return SCHEDULER_NAMES.find((known) => known === own);
}

/**
 * JSON whose whole numbers keep all their digits: those that a double does not hold are bigints.
 * `NaN` and `Infinity`, which Python writes, are null.
 *
 * @returns Undefined when it is no JSON.
 */
export function parseJson(text: string): unknown {
  const parse = (text: string): unknown =>
    JSON.parse(text, exactly as (key: string, value: unknown) => unknown);
  try {
    return parse(text);
  } catch {
    try {
      return parse(text.replace(STRING_OR_NO_NUMBER, (it) => it.startsWith('"') ? it : "null"));
    } catch {
      return undefined;
    }
  }
}

/** A string, to the end where it is not closed, or a word that stands for no number. */
const STRING_OR_NO_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|$)|-?\b(?:NaN|Infinity)\b/gs;

/** TypeScript's own types do not know the third argument yet. */
function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return source.length <= 40 && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** A foreign recipe while it is read. Where something is said twice, the first one counts. */
export class ForeignDraft {
  readonly #program: ForeignProgram;
  readonly #left: LeftOver[] = [];
  readonly #loras: ForeignLora[] = [];
  #settings: AskedSettings = {};

  readonly #table: SettingsTable;

  constructor(program: ForeignProgram, table: SettingsTable = SETTINGS) {
    this.#program = program;
    this.#table = table;
  }

  /** Takes settings over, those that are not there yet. */
  take(settings: AskedSettings): void {
    this.#settings = mergeSettings([settings, this.#settings], this.#table);
  }

  prompt(value: unknown): void {
    if (typeof value === "string" && value.trim() !== "") this.take({ prompt: value.trim() });
  }

  negativePrompt(value: unknown): void {
    if (typeof value === "string" && value.trim() !== "") {
      this.take({ negativePrompt: value.trim() });
    }
  }

  seed(name: string, value: unknown): void {
    const seed = wholeNumber(value);
    if (seed === undefined || seed < 0n || seed > MOST_SEED) return this.leave(name, value);
    const number = Number(seed);
    this.take({ generator: { seed: Number.isSafeInteger(number) ? number : seed } });
  }

  steps(name: string, value: unknown): void {
    const numInferenceSteps = fromJson(SETTINGS.numInferenceSteps.kind, numberOf(value));
    if (numInferenceSteps === undefined) return this.leave(name, value);
    this.take({ numInferenceSteps });
  }

  guidance(name: string, value: unknown): void {
    const guidanceScale = fromJson(SETTINGS.guidanceScale.kind, numberOf(value));
    if (guidanceScale === undefined) return this.leave(name, value);
    this.take({ guidanceScale });
  }

  sampler(name: string, value: unknown): void {
    const scheduler = typeof value === "string" ? schedulerOf(value) : undefined;
    if (scheduler === undefined) return this.leave(name, value);
    this.take({ scheduler: { name: scheduler } });
  }

  /** How far the picture went from one that was given; 1 is from noise alone, as without one. */
  strength(name: string, value: unknown): void {
    const strength = fromJson(SETTINGS.strength.kind, numberOf(value));
    if (strength === undefined) return this.leave(name, value);
    if (strength < 1) this.take({ strength });
  }

  /** Over how many pixels the edge of a mask was soft. */
  maskBlur(name: string, value: unknown): void {
    const pixels = numberOf(value);
    const maskBlur = fromJson(SETTINGS.maskBlur.kind, pixels && Math.round(pixels));
    if (maskBlur === undefined) return this.leave(name, value);
    this.take({ maskBlur });
  }

  /** The schedule of noise. Besides those there are, only the plain one can be left out. */
  schedule(name: string, value: unknown): void {
    const word = typeof value === "string" ? value.trim().toLowerCase() : undefined;
    if (word === undefined) return this.leave(name, value);
    const schedule = SCHEDULE_NAMES.find((known) => known === word);
    if (schedule !== undefined) return this.take({ scheduler: { schedule } });
    if (!PLAIN_SCHEDULES.has(word)) this.leave(name, value);
  }

  size(name: string, width: unknown, height: unknown): void {
    if (width === undefined && height === undefined) return;
    const [across, down] = [numberOf(width), numberOf(height)].map((side) =>
      side !== undefined && side <= LONGEST_SIDE ? fromJson(SETTINGS.width.kind, side) : undefined
    );
    if (across === undefined || down === undefined) {
      return this.leave(name, `${shown(width)}x${shown(height)}`);
    }
    if (this.#settings.width === undefined) this.take({ width: across, height: down });
  }

  /**
   * An adapter. What is no name, or no weight, says nothing.
   *
   * @returns Whether it is one.
   */
  lora(name: unknown, weight: unknown, textWeight?: unknown, hash?: string): boolean {
    if (typeof name !== "string" || name.trim() === "" || name === "None") return false;
    if (this.#loras.length >= MOST_LEFT) return false;
    const [model, text] = [weight, textWeight].map((value) =>
      typeof value === "number" && Number.isFinite(value) ? value : undefined
    );
    this.#loras.push({
      name,
      ...(model === undefined ? {} : { weight: model }),
      ...(text === undefined || text === model ? {} : { textWeight: text }),
      ...(hash === undefined ? {} : { hash }),
    });
    return true;
  }

  /** Notes what is not taken over. What is absent or empty says nothing. */
  leave(name: string, value: unknown): void {
    if (value === undefined || value === null || value === "" || this.#left.length >= MOST_LEFT) {
      return;
    }
    if (Array.isArray(value) && value.length === 0) return;
    this.#left.push({ name, value: shown(value) });
  }

  recipe(): ForeignRecipe {
    const loras = this.#loras.length === 0 ? {} : { loras: this.#loras };
    return { program: this.#program, settings: this.#settings, ...loras, left: this.#left };
  }
}

function shown(value: unknown): string {
  const text = typeof value === "string"
    ? value
    : JSON.stringify(value, (_, inner) => typeof inner === "bigint" ? String(inner) : inner) ?? "";
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE).toWellFormed()}…` : text;
}

function wholeNumber(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  const isDigits = typeof value === "string" && /^-?\d{1,20}$/.test(value.trim());
  return isDigits ? BigInt(value.trim()) : undefined;
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d{1,9}(?:\.\d{1,9})?$/.test(value.trim())
    ? Number(value)
    : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}
