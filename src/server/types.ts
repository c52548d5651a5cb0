/**
 * What the server works with.
 *
 * @module
 */
import type { Language } from "../language.ts";
import type { Gallery } from "../studio/gallery.ts";
import type { GivenPictures } from "../studio/given_pictures.ts";
import type { PictureQueue } from "../studio/picture_queue.ts";
import type { PictureThread } from "../studio/picture_thread.ts";
import type { PromptDesk } from "../studio/prompt_desk.ts";

/** Who may speak to the server. */
export interface Access {
  /** Names and ports by which the server may be called, `127.0.0.1:7860`; absent where any may be. */
  readonly hosts?: readonly string[];
  /** What has to be shown with every request; absent where nothing has. */
  readonly token?: string;
  /** Pages elsewhere that may speak to it: `https://example.org`. */
  readonly origins: readonly string[];
}

/** The most that one request may ask for. */
export interface Limits {
  /** Pictures of one job. */
  readonly pictures: number;
  readonly steps: number;
  /** Width times height. */
  readonly pixels: number;
  /** Bytes of an uploaded picture. */
  readonly uploadBytes: number;
  /** Bytes of any other request. */
  readonly bodyBytes: number;
  /** Bytes of all requests that are not answered yet. */
  readonly heldBytes: number;
  /** Connections that watch at the same time. */
  readonly watchers: number;
}

/** The usual limits. */
export const LIMITS: Limits = {
  pictures: 100,
  steps: 200,
  pixels: 2048 * 2048,
  uploadBytes: 64 * 2 ** 20,
  bodyBytes: 2 ** 20,
  heldBytes: 512 * 2 ** 20,
  watchers: 200,
};

/** What the server knows. */
export interface ServerContext {
  readonly queue: PictureQueue;
  readonly gallery: Gallery;
  /** Pictures to start from. */
  readonly given: GivenPictures;
  /** Where pictures are decoded and resized. */
  readonly thread: PictureThread;
  /** The folder of presets. */
  readonly presets: string;
  /** The folder of wildcards. */
  readonly wildcards: string;
  readonly desk: PromptDesk;
  /** What doctor says of this machine, for people. */
  readonly diagnose: (language: Language) => Promise<MachineReport>;
  /** What was said while the model was loaded. */
  readonly log: readonly string[];
  readonly access: Access;
  readonly limits: Limits;
}

/** What is known of the machine. */
export interface MachineReport {
  /** Bytes. */
  readonly memory: { readonly total: number; readonly free: number };
  /** Those that were found. */
  readonly adapters: readonly {
    readonly name: string;
    readonly bytes: number;
    /** Whose way of writing adapters it follows; absent where it cannot be used. */
    readonly format?: string;
    /** The parts of the model that it changes. */
    readonly parts: readonly string[];
    /** Why it cannot be used. */
    readonly problem?: string;
  }[];
  readonly findings: readonly {
    readonly area: string;
    readonly code: string;
    readonly severity: string;
    readonly message: string;
    readonly fix?: string;
  }[];
}
