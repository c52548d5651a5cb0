import type { Readable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { NewBieError } from "../../errors.ts";
import { type Docker, type DockerContainer, openDocker } from "./_docker.ts";
import { type Message, readMessages } from "./_messages.ts";
import { addressText } from "./engine_address.ts";
import { asEngineError, BuildError, EngineError } from "./engine_error.ts";
import type {
  BuildEvent,
  BuildRequest,
  EngineAddress,
  EngineFacts,
  ImageFacts,
  PullProgress,
} from "./types.ts";

const NOT_FOUND = 404;
const MILLISECONDS = 1000;
/** How a step begins, in Docker's words and in Podman's, which counts stages too. */
const STEP = /^(?:\[\d+\/\d+\] )?(?:Step|STEP) (\d+)\/(\d+) ?: (.*)$/;
/** How they tell the image that a step made. */
const MADE = /^ ?-{2,3}> ([0-9a-f]{11,64})$/;
/** What the builder says of its own, and not a step. */
const ASIDE = /^(?: ---> Running in |Removing intermediate container |Successfully )/;
/**
 * How often to look for what a cancelled build leaves, and after how many looks without a find to
 * stop.
 */
const LOOK_MILLISECONDS = 300;
const QUIET_LOOKS = 3;

/**
 * A container engine: Docker, or another with its API.
 *
 * Every method throws {@linkcode EngineError} when the engine cannot be reached or refuses.
 */
export class Engine {
  readonly facts: EngineFacts;
  /** As people write it. */
  readonly address: string;
  readonly #docker: Docker;

  private constructor(docker: Docker, facts: EngineFacts, address: string) {
    this.#docker = docker;
    this.facts = facts;
    this.address = address;
  }

  /** Finds out whether an engine answers, and which. */
  static async connect(address: EngineAddress): Promise<Engine> {
    const text = addressText(address);
    const docker = openDocker(
      address.kind === "socket"
        ? { socketPath: address.path }
        : { host: address.host, port: address.port },
    );
    try {
      const { Version, ApiVersion, Os, Arch, Components = [] } = await docker.version();
      const { Runtimes = {}, SecurityOptions } = await docker.info();
      const isPodman = Components.some(({ Name }) => Name.startsWith("Podman"));
      const facts = {
        product: isPodman ? "Podman" : "Docker",
        version: Version,
        apiVersion: ApiVersion,
        platform: `${Os}/${Arch}`,
        isRootless: SecurityOptions?.some((option) => option.includes("rootless")) ?? false,
        hasNvidiaRuntime: "nvidia" in Runtimes,
      };
      return new Engine(docker, facts, text);
    } catch (error) {
      throw asEngineError(error, text);
    }
  }

  /** What the engine knows of an image; undefined when it has none of that name. */
  async image(name: string): Promise<ImageFacts | undefined> {
    try {
      const found = await this.#ask(() => this.#docker.getImage(name).inspect());
      return {
        id: found.Id.startsWith("sha256:") ? found.Id : `sha256:${found.Id}`,
        platform: `${found.Os}/${found.Architecture}`,
        bytes: found.Size,
        tags: found.RepoTags ?? [],
        digests: found.RepoDigests ?? [],
        labels: found.Config.Labels ?? {},
        entrypoint: found.Config.Entrypoint ?? [],
        layers: found.RootFS?.Layers ?? [],
      };
    } catch (error) {
      if (error instanceof EngineError && error.status === NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** Fetches an image from its registry. */
  async pull(
    name: string,
    { platform, signal, onProgress = () => {} }: {
      readonly platform: string;
      readonly signal?: AbortSignal | undefined;
      readonly onProgress?: (progress: PullProgress) => void;
    },
  ): Promise<void> {
    const layers = new Map<string, PullProgress>();
    await this.#ask(async () => {
      const options = { platform, ...(signal === undefined ? {} : { abortSignal: signal }) };
      const stream = await this.#docker.pull(name, options);
      for await (const { error, id = "", progressDetail = {} } of this.#messages(stream, signal)) {
        if (error !== undefined) throw new Error(error);
        const { current: done, total } = progressDetail;
        if (done === undefined || total === undefined) continue;
        layers.set(id, { done, total });
        const sum = (key: keyof PullProgress) =>
          layers.values().reduce((bytes, layer) => bytes + layer[key], 0);
        onProgress({ done: sum("done"), total: sum("total") });
      }
    });
  }

  /**
   * Builds an image with no network and no cache. When this throws, what the build had made is gone.
   *
   * @returns The image's id.
   * @throws {BuildError} When a step fails.
   */
  async build(
    { context, arguments: buildargs, base, labels, platform, signal }: BuildRequest,
    onEvent: (event: BuildEvent) => void = () => {},
  ): Promise<string> {
    const made: string[] = [];
    const kept = [base];
    const connection = new AbortController();
    /** A step that runs may be stopped; anything else ends by itself and then reports its image. */
    let mayCut = true;
    const cancel = () => {
      if (mayCut) connection.abort();
    };
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel);
    try {
      const id = await this.#ask(async () => {
        const options = {
          buildargs,
          labels,
          platform,
          networkmode: "none",
          nocache: true,
          rm: true,
          forcerm: true,
          abortSignal: connection.signal,
        };
        const stream = await this.#docker.buildImage(context, options);
        return await follow(this.#messages(stream, connection.signal), made, (event) => {
          mayCut = event.kind === "output" ? mayCut : event.text.startsWith("RUN ");
          if (signal?.aborted) connection.abort();
          connection.signal.throwIfAborted();
          onEvent(event);
        });
      });
      kept.push(id);
      return id;
    } finally {
      signal?.removeEventListener("abort", cancel);
      context.destroy();
      if (connection.signal.aborted) await this.#addLate(made);
      await this.#removeMade(made, kept);
    }
  }

  /** Gives an image a name, `repository:tag`; an image that had it before loses it. */
  async tag(id: string, name: string): Promise<void> {
    const place = name.lastIndexOf(":");
    const options = { repo: name.slice(0, place), tag: name.slice(place + 1) };
    await this.#ask(() => this.#docker.getImage(id).tag(options));
  }

  /** Removes an image, or one of its names while it has others. */
  async removeImage(name: string): Promise<void> {
    await this.#ask(() => this.#docker.getImage(name).remove());
  }

  /** The archive that `docker save` writes. */
  async save(name: string): Promise<Readable> {
    return await this.#ask(() => this.#docker.getImage(name).get());
  }

  /**
   * Reads an archive of `docker save`.
   *
   * @returns What the engine says of it, such as `Loaded image: newbie:cpu`.
   */
  async load(archive: Readable, signal?: AbortSignal): Promise<string> {
    return await this.#ask(async () => {
      const options = signal === undefined ? {} : { abortSignal: signal };
      const stream = await this.#docker.loadImage(archive, options);
      let said = "";
      for await (const { error, stream: text = "" } of this.#messages(stream, signal)) {
        if (error !== undefined) throw new Error(error);
        said += text;
      }
      return said.trim();
    });
  }

  /** Removes containers with a label that were made so many seconds ago and never started. */
  async removeUnstarted(label: string, seconds: number): Promise<void> {
    const filters = { label: [label], status: ["created"] };
    const found = await this.#ask(() => this.#docker.listContainers({ all: true, filters }));
    const now = Date.now() / MILLISECONDS;
    for (const { Id } of found.filter(({ Created }) => now - Created > seconds)) {
      await this.#docker.getContainer(Id).remove({ v: true }).catch(() => {});
    }
  }

  /** Makes a container; whoever does removes it. */
  async createContainer(options: Readonly<Record<string, unknown>>): Promise<DockerContainer> {
    return await this.#ask(() => this.#docker.createContainer(options));
  }

  /** Parts what a container without a terminal prints. */
  get demux(): Docker["modem"]["demuxStream"] {
    return this.#docker.modem.demuxStream.bind(this.#docker.modem);
  }

  /** Waits for the engine's answer; what it throws are errors for people. */
  async #ask<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw asEngineError(error, this.address);
    }
  }

  async *#messages(stream: Readable, signal: AbortSignal | undefined): AsyncGenerator<Message> {
    const stop = () => stream.destroy(signal!.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      yield* readMessages(stream);
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /** Waits for what a step that was cut off may still make, and adds it. */
  async #addLate(made: string[]): Promise<void> {
    for (let quiet = 0; quiet < QUIET_LOOKS;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
      const images = await this.#docker.listImages({ all: true }).catch(() => []);
      const isMade = (id: string) =>
        made.some((known) => id.replace("sha256:", "").startsWith(known));
      const late = images.filter(({ Id, ParentId }) =>
        ParentId !== "" && isMade(ParentId) && !isMade(Id)
      );
      quiet = late.length === 0 ? quiet + 1 : 0;
      for (const { Id } of late) made.push(Id.replace("sha256:", ""));
    }
  }

  /**
   * Removes what a build leaves: the images of its steps, which the engine keeps as a cache that no
   * build here uses. Those that a finished image stands on are refused, and stay.
   */
  async #removeMade(made: readonly string[], kept: readonly string[]): Promise<void> {
    for (const id of made.toReversed()) {
      if (kept.some((whole) => whole.replace("sha256:", "").startsWith(id))) continue;
      // What cannot be removed must not hide how the build ended.
      await this.#docker.getImage(id).remove().catch(() => {});
    }
  }
}

/** Follows a build to its end. @returns The image's id. */
async function follow(
  messages: AsyncIterable<Message>,
  made: string[],
  onEvent: (event: BuildEvent) => void,
): Promise<string> {
  let id: string | undefined;
  let step = "";
  let output = "";
  let line = "";
  for await (const { stream = "", error, aux } of messages) {
    if (error !== undefined) throw new BuildError(step, output, error.trim());
    id = aux?.ID ?? id;
    const lines = (line + stream).split("\n");
    line = lines.pop()!;
    for (const coloured of lines) {
      const text = stripVTControlCharacters(coloured).trimEnd();
      const [, number, total, instruction] = STEP.exec(text) ?? [];
      const [, image] = MADE.exec(text) ?? [];
      if (image !== undefined) made.push(image);
      if (instruction !== undefined) {
        step = instruction;
        output = "";
        const place = { number: Number(number), total: Number(total) };
        onEvent({ kind: "step", ...place, text: instruction });
      } else if (image === undefined && !ASIDE.test(text)) {
        output += `${text}\n`;
        onEvent({ kind: "output", text });
      }
    }
  }
  if (id === undefined) {
    throw new NewBieError("The engine ended the build without an image.", {
      zh: "引擎结束了构建，但没有生成镜像。",
    });
  }
  return id;
}
