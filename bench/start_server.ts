import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import configuration from "../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Those that the task may use; the first ones are left to whoever works here. */
const PORTS = [7869, 7868, 7867, 7866, 7865, 7864];

/** A server that runs. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The process's number. */
  readonly pid: number;
  /** Where it works; pictures are in `outputs` inside. */
  readonly folder: string;
  /** Ends it with a signal, and resolves to its exit code and what it said. */
  stop(signal?: Deno.Signal): Promise<{ code: number; said: string }>;
}

/**
 * Starts `deno task serve` with the demo model on the CPU, in a folder of its own, with the
 * permissions of its task.
 */
export async function startServer(
  args: readonly string[] = [],
  { folder, ports = PORTS }: { folder?: string; ports?: readonly number[] } = {},
): Promise<RunningServer> {
  const own = folder ?? await Deno.makeTempDir();
  for (const port of ports) {
    const server = await startAt(port, own, args);
    if (server === undefined) continue;
    return {
      ...server,
      [Symbol.asyncDispose]: async () => {
        await server.stop();
        if (folder === undefined) await Deno.remove(own, { recursive: true });
      },
    };
  }
  throw new Error(`All of the ports ${ports.join(", ")} are in use.`);
}

async function startAt(port: number, folder: string, args: readonly string[]) {
  const [, ...words] = configuration.tasks.serve.command.split(/\s+/);
  const flags = words.map((word) =>
    word === "tasks/serve.ts"
      ? `${ROOT}tasks/serve.ts`
      : word.replace("=node_modules", `=${ROOT}node_modules`)
  );
  const script = flags.findIndex((word) => word.endsWith(".ts"));
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...flags.slice(0, script),
      "--config",
      `${ROOT}deno.json`,
      ...flags.slice(script),
      ...["--model", ROOT, "--device", "cpu", "--port", String(port), "--lang", "en"],
      ...args,
    ],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { LC_ALL: "C" },
  }).spawn();
  let said = "";
  const ready = Promise.withResolvers<boolean>();
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes(`:${port}/`)) ready.resolve(true);
    }
  };
  const listening = Promise.all([listen(child.stdout), listen(child.stderr)]);
  const ended = child.status.then(async ({ code }) => {
    await listening;
    ready.resolve(false);
    return { code, said };
  });
  const isReady = await ready.promise;
  if (!isReady || said.includes("is in use")) {
    const { said, code } = await ended;
    assert(said.includes("is in use"), `${code}: ${said}`);
    return undefined;
  }
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    pid: child.pid,
    folder,
    stop: async (signal: Deno.Signal = "SIGTERM") => {
      try {
        child.kill(signal);
      } catch {
        // It has ended.
      }
      return await ended;
    },
  };
}
