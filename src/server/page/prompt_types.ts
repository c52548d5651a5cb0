/** What the server says of presets, grids, adapters, wildcards and the bin. */
import type { Adapter, Words } from "./types.ts";

export type { Adapter, Words };

export interface BinnedPicture {
  readonly binned: string;
  readonly name: string;
  readonly bytes: number;
  /** When it was thrown away: milliseconds since 1970. */
  readonly time: number;
}

export interface Preset {
  readonly name: string;
  readonly description?: string;
  /** Whether it has a file for itself, which the page may change. */
  readonly isEditable: boolean;
  readonly problem?: string;
}

export interface PresetContent extends Preset {
  readonly settings: Words;
  readonly prefix: string;
  readonly suffix: string;
}

export interface GridCount {
  readonly axes: readonly { readonly word: string; readonly values: readonly string[] }[];
  readonly count: number;
}

/** The pictures that a job would have. */
export interface JobPlan {
  readonly count: number;
  readonly pictures: readonly {
    readonly seed: string;
    readonly prompt: string;
    readonly template?: string;
  }[];
}

export interface WildcardValues {
  readonly name: string;
  readonly count: number;
  /** The first of them. */
  readonly values: readonly string[];
}
