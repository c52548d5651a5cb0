/** The part of dockerode that the toolkit uses, with types; nothing else imports dockerode. */
import type { Duplex, Readable, Writable } from "node:stream";
import Dockerode from "dockerode";

/** Options travel as a request's query or body, in the words of Docker's Engine API. */
type Options = Readonly<Record<string, unknown>>;

/** A connection to an engine. */
export interface Docker {
  readonly modem: {
    demuxStream(stream: Readable, stdout: Writable, stderr: Writable): void;
  };
  version(): Promise<{
    readonly Version: string;
    readonly ApiVersion: string;
    readonly Os: string;
    readonly Arch: string;
    readonly Components?: readonly { readonly Name: string }[];
  }>;
  info(): Promise<{
    readonly Runtimes?: Readonly<Record<string, unknown>>;
    readonly SecurityOptions?: readonly string[] | null;
  }>;
  listImages(options: Options): Promise<
    readonly { readonly Id: string; readonly ParentId: string }[]
  >;
  getImage(name: string): DockerImage;
  /** Answers when the engine has read the last byte of the archive, or has failed before. */
  loadImage(archive: Readable, options?: Options): Promise<Readable>;
  buildImage(context: Readable, options: Options): Promise<Readable>;
  pull(name: string, options: Options): Promise<Readable>;
  createContainer(options: Options): Promise<DockerContainer>;
  listContainers(options: Options): Promise<
    readonly { readonly Id: string; /** Seconds since 1970. */ readonly Created: number }[]
  >;
  getContainer(id: string): DockerContainer;
}

export interface DockerImage {
  inspect(): Promise<{
    readonly Id: string;
    readonly Os: string;
    readonly Architecture: string;
    readonly Size: number;
    readonly RepoTags: readonly string[] | null;
    readonly RepoDigests: readonly string[] | null;
    readonly RootFS?: { readonly Layers?: readonly string[] };
    readonly Config: {
      readonly Labels: Readonly<Record<string, string>> | null;
      readonly Entrypoint?: readonly string[] | null;
    };
  }>;
  /** The archive of `docker save`. */
  get(): Promise<Readable>;
  tag(options: Options): Promise<unknown>;
  remove(options?: Options): Promise<unknown>;
}

export interface DockerContainer {
  readonly id: string;
  attach(options: Options): Promise<Duplex>;
  start(): Promise<unknown>;
  wait(options: Options): Promise<{ readonly StatusCode: number }>;
  kill(options: Options): Promise<unknown>;
  exec(options: Options): Promise<DockerExec>;
  resize(options: { readonly h: number; readonly w: number }): Promise<unknown>;
  remove(options: Options): Promise<unknown>;
}

/** Another program in a container that runs. */
export interface DockerExec {
  start(options: Options): Promise<Duplex>;
}

/** What dockerode throws: what the engine answered, or what the socket said. */
export interface DockerFault extends Error {
  /** The HTTP status of an engine's answer. */
  readonly statusCode?: number;
  /** What the engine said; bytes where it was no JSON. */
  readonly json?: unknown;
  /** What the operating system said. */
  readonly code?: string;
}

/** Opens nothing: the first request does. */
export function openDocker(
  options: { readonly socketPath: string } | { readonly host: string; readonly port: number },
): Docker {
  return new (Dockerode as new (options: unknown) => Docker)(options);
}
