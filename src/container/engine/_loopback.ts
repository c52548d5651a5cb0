/**
 * A port of this computer that leads into a container which has no network: for each connection a
 * program in the container connects to the same port there, and the engine passes on what they say.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { Writable } from "node:stream";
import { NewBieError } from "../../errors.ts";
import type { DockerContainer } from "./_docker.ts";
import type { Engine } from "./engine.ts";

const ADDRESS = "127.0.0.1";
/**
 * Passes on both ways until one side has no more to say, and then ends with all that it started.
 * Only bash opens connections by itself.
 */
const CONNECT = `exec 3<>/dev/tcp/${ADDRESS}/$0 || exit 1; ` +
  "(cat <&3; kill 0) & cat >&3; kill 0";

/** A port that nobody answers yet. */
export class Loopback implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number, server: Server) {
    this.port = port;
    this.#server = server;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** @throws {NewBieError} When another program has the port. */
  static async open(port: number): Promise<Loopback> {
    const server = createServer();
    const opened = Promise.withResolvers<void>();
    server.once("error", opened.reject);
    server.listen(port, ADDRESS, opened.resolve);
    try {
      await opened.promise;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
      throw new NewBieError(
        `Port ${port} is in use by another program. Stop it, or choose another: --port ${port + 1}`,
        { cause, zh: `端口 ${port} 已被其他程序占用。请停止它，或换一个端口：--port ${port + 1}` },
      );
    }
    return new Loopback(port, server);
  }

  /** From now on connections lead into a container. */
  leadInto(container: DockerContainer, engine: Engine): void {
    this.#server.on("connection", (socket) => {
      connect(socket, this.port, container, engine).catch(() => socket.destroy());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

async function connect(
  socket: Socket,
  port: number,
  container: DockerContainer,
  engine: Engine,
): Promise<void> {
  const exec = await container.exec({
    Cmd: ["bash", "-c", CONNECT, String(port)],
    AttachStdin: true,
    AttachStdout: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const end = () => {
    stream.destroy();
    socket.destroy();
  };
  // What is told last has to arrive, before the connection is closed.
  stream.on("end", () => socket.end());
  stream.on("error", end);
  socket.on("close", end);
  if (socket.destroyed) return end();
  engine.demux(stream, socket, new Writable({ write: (_bytes, _encoding, done) => done() }));
  socket.pipe(stream);
}
