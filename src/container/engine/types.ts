import type { Readable, Writable } from "node:stream";

/** Where an engine listens. */
export type EngineAddress =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** What an engine says of itself. */
export interface EngineFacts {
  /** `Docker`, or `Podman`, whose API is the same. */
  readonly product: string;
  readonly version: string;
  readonly apiVersion: string;
  /** As Go writes it: `linux/amd64`. */
  readonly platform: string;
  /** Whether a container's root is nobody but the user that runs the engine. */
  readonly isRootless: boolean;
  /** Whether it hands NVIDIA GPUs to containers by a runtime of that name. */
  readonly hasNvidiaRuntime: boolean;
}

/** What an engine knows of an image. */
export interface ImageFacts {
  readonly id: string;
  /** As Go writes it: `linux/amd64`. */
  readonly platform: string;
  readonly bytes: number;
  readonly tags: readonly string[];
  /** `name@sha256:…`, for images that came from a registry. */
  readonly digests: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** What runs first in a container of it. */
  readonly entrypoint: readonly string[];
  /** The SHA-256 of each layer's tar, from the lowest to the highest. */
  readonly layers: readonly string[];
}

/** What is built. */
export interface BuildRequest {
  /** A tar archive with a Dockerfile at its top. */
  readonly context: Readable;
  readonly arguments: Readonly<Record<string, string>>;
  /** The id of the image that it builds on. */
  readonly base: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly signal?: AbortSignal | undefined;
}

/** What happens in a build. */
export type BuildEvent =
  | {
    readonly kind: "step";
    readonly number: number;
    readonly total: number;
    readonly text: string;
  }
  | { readonly kind: "output"; readonly text: string };

/** How far a download of an image has come. */
export interface PullProgress {
  readonly done: number;
  readonly total: number;
}

/** A file or folder of this machine that a container sees. */
export interface Mount {
  /** An absolute path on the engine's machine. */
  readonly source: string;
  readonly target: string;
  readonly isReadOnly: boolean;
}

/** What runs in a container, of which nothing is left in the end. */
export interface RunRequest {
  readonly image: ImageFacts;
  readonly command: readonly string[];
  readonly mounts: readonly Mount[];
  readonly environment: Readonly<Record<string, string>>;
  /** `uid:gid` */
  readonly user: string;
  readonly hasGpus: boolean;
  /** The terminal that it gets; absent where there is none. */
  readonly terminal?: RunTerminal | undefined;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** A port on which it serves: this computer alone reaches it, through the engine. */
  readonly port?: number | undefined;
  /** Signals to pass on, such as `SIGINT`. */
  readonly onSignal: (pass: (name: string) => void) => void;
}

/** A terminal, as far as a container is concerned. */
export interface RunTerminal {
  readonly size: () => { readonly columns: number; readonly rows: number };
  readonly onResize: (resized: () => void) => void;
}
