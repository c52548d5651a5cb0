/** A hunk of a unified diff: what it expects and what it makes of it. */
export interface Hunk {
  /** Where the lines are expected, counted from 1. */
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  /** Each begins with a space, `-`, `+` or `\`. */
  readonly lines: readonly string[];
}

/** What a patch changes in one file. */
export interface FileChange {
  /** Below the top of the project, such as `node_modules/.deno/<package>@<version>/…`. */
  readonly path: string;
  /** The package, such as `onnxruntime-common` or `@scope/name`. */
  readonly packageName: string;
  readonly packageVersion: string;
  readonly hunks: readonly Hunk[];
}

/** A patch against installed packages. */
export interface Patch {
  /** Its file name, such as `fix_dtype.patch`. */
  readonly name: string;
  readonly changes: readonly FileChange[];
}

/**
 * - `applied`: what the patch makes is there;
 * - `not-applied`: what the patch expects is there;
 * - `does-not-fit`: neither is.
 */
export type PatchState = "applied" | "not-applied" | "does-not-fit";

/** Why a change does not fit. */
export type Misfit =
  | {
    readonly code: "no-file";
    /** The package's versions that are installed instead. */
    readonly installed: readonly string[];
  }
  | {
    readonly code: "hunk";
    /** Counted from 1. */
    readonly number: number;
    /** The line with `@@`. */
    readonly header: string;
    readonly lines: readonly string[];
  };

/** How a patch stands in one file. */
export interface FileReport {
  readonly path: string;
  readonly state: PatchState;
  /** Present when it does not fit. */
  readonly misfit?: Misfit;
}

/** How a patch stands. */
export interface PatchReport {
  readonly patch: string;
  /**
   * Of all its files: `does-not-fit` when one does not fit, `applied` when it is in all of them,
   * else `not-applied`.
   */
  readonly state: PatchState;
  readonly files: readonly FileReport[];
}

/** How a patch stands after it was to be applied. */
export interface AppliedPatch extends PatchReport {
  /** The files that were changed just now. */
  readonly changed: readonly string[];
}
