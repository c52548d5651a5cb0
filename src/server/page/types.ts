/** What the server says, as far as the page reads it. */

export type Language = "en" | "zh";
export type Texts = Readonly<Record<Language, string>>;
export type Value = string | number | boolean;
/** Settings by the words of a request. */
export type Words = Readonly<Record<string, unknown>>;

export interface JobPicture {
  readonly index: number;
  readonly name: string;
  readonly seed: string;
  readonly prompt: string;
  readonly width: number;
  readonly height: number;
  readonly milliseconds: number;
}

export interface Job {
  readonly id: string;
  readonly state: "queued" | "drawing" | "done" | "failed" | "cancelled";
  readonly request: Words;
  readonly count: number;
  readonly pictures: readonly JobPicture[];
  /** All of a grid's pictures in one, when they are done. */
  readonly sheet?: Pick<JobPicture, "name" | "width" | "height">;
  readonly progress?: {
    readonly picture: number;
    readonly step: number;
    readonly steps: number;
    readonly millisecondsLeft?: number;
  };
  readonly error?: Texts;
  readonly created: number;
}

export interface Preview {
  readonly id: string;
  readonly picture: number;
  readonly step: number;
  readonly image: string;
}

export interface ModelFacts {
  readonly isDemo: boolean;
  readonly device: string;
  readonly dtype: string;
  readonly offload: string;
  readonly layout: string;
  readonly scheduler: { readonly name: string; readonly shift: number };
  readonly defaultSize: number;
  readonly sizeMultiple: number;
  readonly weights: Readonly<Record<string, string>>;
  /** The parts whose weights are those that checksums.txt lists. */
  readonly verified: readonly string[];
  readonly processor: string;
  /** Whose kernels a GPU computes with. */
  readonly kernels?: string;
}

export type ModelState =
  | { readonly state: "absent" | "loading" }
  | { readonly state: "loaded"; readonly facts: ModelFacts }
  | { readonly state: "failed"; readonly error: Texts };

export interface Setting {
  readonly word: string;
  /** Those of `picture` say nothing without a picture to start from, those of `mask` without a mask. */
  readonly group: string;
  readonly about: Texts;
  readonly name?: Texts;
  readonly default?: Value;
  readonly otherwise?: Texts;
  readonly schema: {
    readonly type?: string;
    readonly enum?: readonly string[];
    readonly minimum?: number;
    readonly maximum?: number;
  };
}

export interface SettingsAnswer {
  readonly settings: readonly Setting[];
  readonly model: ModelFacts | null;
  readonly limits: { readonly pictures: number; readonly steps: number; readonly pixels: number };
}

export interface GalleryPicture {
  readonly name: string;
  readonly bytes: number;
  readonly time: number;
  /** Whether somebody marked it. */
  readonly isFavourite: boolean;
  readonly notes?: {
    readonly prompt?: string;
    readonly seed?: string;
    readonly width?: number;
    readonly height?: number;
  };
}

export interface GalleryPage {
  readonly pictures: readonly GalleryPicture[];
  readonly total: number;
  readonly isSearched: boolean;
}

export interface Recipe {
  readonly program: string;
  readonly settings: Words;
  readonly template?: string;
  readonly made?: {
    readonly models: Readonly<Record<string, unknown>>;
    readonly provider: string;
    readonly dtype: string;
    readonly versions: Readonly<Record<string, string>>;
  };
  readonly left: readonly { readonly name: string; readonly value: string }[];
  /** SHA-256 of the files that it was drawn from, where it says them. */
  readonly hashes: { readonly image?: string; readonly mask?: string };
  /** What of these is not here. */
  readonly missing: readonly ("image" | "mask")[];
}

/** A picture that was given. */
export interface Given {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly isTransparent: boolean;
}

/** In which size a picture will be drawn, and where in it the one lies that it starts from. */
export interface DrawnSize {
  readonly width: number;
  readonly height: number;
  readonly place: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
}

export interface Diagnostic {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly suggestion?: string;
  readonly offset: number;
  readonly length: number;
  readonly line: number;
  readonly column: number;
  readonly fix?: readonly {
    readonly offset: number;
    readonly length: number;
    readonly text: string;
  }[];
}

export interface Lint {
  readonly kind: "xml" | "text";
  readonly canonical: string | null;
  readonly tokens: readonly {
    readonly encoder: string;
    readonly count: number;
    readonly maxTokens: number;
  }[];
  readonly diagnostics: readonly Diagnostic[];
  readonly beyondTraining: readonly string[];
  readonly isTemplate: boolean;
  readonly hasOwnPlaces: boolean;
}

export interface Adapter {
  readonly name: string;
  readonly bytes?: number;
  readonly format?: string;
  /** The parts of the model that it changes. */
  readonly parts?: readonly string[];
  /** Why it cannot be used. */
  readonly problem?: string;
}

export interface Machine {
  readonly model: ModelState;
  readonly facts: ModelFacts | null;
  readonly log: readonly string[];
  readonly rss: number;
  readonly memory: { readonly total: number; readonly free: number };
  readonly adapters: readonly Adapter[];
  readonly findings: readonly {
    readonly area: string;
    readonly code: string;
    readonly severity: string;
    readonly message: string;
    readonly fix?: string;
  }[];
}
