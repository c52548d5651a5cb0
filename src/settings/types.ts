/**
 * How a setting of a picture is declared, and the types that follow from the declarations.
 *
 * @module
 */
import type * as z from "zod";
import type { Texts } from "../language.ts";

/** A kind of value: how it is written in JSON and as text, and what is expected of it. */
export interface Kind<Value> {
  /**
   * From JSON to the value (`z.decode`) and back (`z.encode`); either checks the value.
   *
   * @ignore
   */
  readonly schema: z.ZodType<Value>;
  /** What a text means in JSON: an option, an answer, a word of another program's text. */
  readonly fromText: (text: string) => unknown;
  /** What a value of a batch's line means in the schema's JSON, where it is not that itself. */
  readonly fromLine?: (json: unknown) => unknown;
  /** Goes on after "expected", or after "应为". */
  readonly expected: Texts<string>;
  /** What stands for the value in `--help`; absent where the option alone says yes. */
  readonly placeholder?: string;
  /** All values there are, where they are few. */
  readonly choices?: readonly string[];
}

/** How AUTOMATIC1111's text spells a setting. */
export interface InfotextSpelling<Value> {
  /** `Steps`, as in `Steps: 30`. Settings of the same name share it: `Size: 256x384`. */
  readonly name: string;
  /** A value that is left out of the text, besides the setting's `absent`. */
  readonly omit?: Value;
  /** What the text calls each choice. In brackets, so that every one of them is asked for. */
  readonly words?: [Value] extends [string] ? Readonly<Record<Value, string>> : never;
}

/** All that is said of a setting, besides its name in the API and its kind. */
export interface Declaration<Value> {
  /** What counts where nobody says anything; without one, the model decides. */
  readonly default?: Value;
  /** The same for the demo model, where it differs. */
  readonly demo?: Value;
  /** What counts by default, where that is no value of the table's, for `--help`. */
  readonly otherwise?: Texts<string>;
  /** Whether the setting may stay without a value. */
  readonly isOptional?: true;
  /**
   * What it means that a recipe does not name the setting. Every setting that is younger than the
   * first recipes has one, or is optional; recipes leave the value out.
   */
  readonly absent?: Value;
  /** What a batch's line calls it (`step_cache`); the option is the same with hyphens. */
  readonly word: string;
  readonly infotext: InfotextSpelling<Value>;
  /** Its name in the questions of the conversation, where they ask for it. */
  readonly question?: Texts<string>;
  /** What it does, for `--help`. */
  readonly about: Texts<string>;
}

/** A setting of a picture. */
export interface Setting<Value> extends Declaration<Value> {
  readonly kind: Kind<Value>;
}

/** A setting of any type; `any` because a `Kind` both takes and gives its value. */
// deno-lint-ignore no-explicit-any
export type AnySetting = Setting<any>;

/** Settings by their names in the API; groups are objects there too, such as `generator`. */
export interface SettingsTable {
  readonly [name: string]: AnySetting | SettingsTable;
}

/** What may stay without a value. */
export interface OptionalSetting {
  readonly isOptional: true;
}

/** What a recipe leaves out where it changes nothing. */
export interface LeftOutSetting {
  readonly absent: unknown;
}

/** A setting, and no group of them. */
export type SettingEntry = { readonly kind: unknown; readonly word: string };

/** The type of a setting's value. */
export type ValueOf<T> = T extends { readonly kind: Kind<infer Value> } ? Value : never;

/** Whether an entry may be absent: a setting by its mark, a group where all that is in it may. */
export type MayBeAbsent<T, Mark> = T extends SettingEntry ? T extends Mark ? true : false
  : false extends { [K in keyof T]: MayBeAbsent<T[K], Mark> }[keyof T] ? false
  : true;

/** Whole: every setting has its value, but for those that may stay without one. */
export type ResolvedOf<Table> =
  & {
    readonly [
      K in keyof Table as MayBeAbsent<Table[K], OptionalSetting> extends true ? never : K
    ]: Table[K] extends SettingEntry ? ValueOf<Table[K]> : ResolvedOf<Table[K]>;
  }
  & {
    readonly [
      K in keyof Table as MayBeAbsent<Table[K], OptionalSetting> extends true ? K : never
    ]?: Table[K] extends SettingEntry ? ValueOf<Table[K]> : ResolvedOf<Table[K]>;
  };

/** What is asked for: anything may be left out. */
export type AskedOf<Table> = {
  readonly [K in keyof Table]?: Table[K] extends SettingEntry ? ValueOf<Table[K]>
    : AskedOf<Table[K]>;
};

/** As a recipe has it: what `absent` stands for is left out. */
export type WrittenOf<Table> =
  & {
    readonly [
      K in keyof Table as MayBeAbsent<Table[K], OptionalSetting | LeftOutSetting> extends true
        ? never
        : K
    ]: Table[K] extends SettingEntry ? ValueOf<Table[K]> : WrittenOf<Table[K]>;
  }
  & {
    readonly [
      K in keyof Table as MayBeAbsent<Table[K], OptionalSetting | LeftOutSetting> extends true ? K
        : never
    ]?: Table[K] extends SettingEntry ? ValueOf<Table[K]> : WrittenOf<Table[K]>;
  };
