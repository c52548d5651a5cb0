/** What the tasks that drive a container engine share. */
import { Engine, engineAddress } from "../../src/container/mod.ts";
import { inLanguage, TaskFailure } from "../cli/task.ts";

const text = inLanguage({
  en: {
    megabytes: (value: string) => `${value} MB`,
    cancelled: "Cancelled; nothing is left of it.",
  },
  zh: {
    megabytes: (value: string) => `${value} MB`,
    cancelled: "已取消，没有留下任何内容。",
  },
});

const MEGABYTE = 1_000_000;
const REDRAW_MILLISECONDS = 100;

/**
 * Finds the engine at `DOCKER_HOST`, or at the usual place.
 *
 * @throws {EngineError} When there is none that this user may use.
 */
export async function connectEngine(): Promise<Engine> {
  const address = engineAddress(Deno.env.get("DOCKER_HOST"));
  if (address.kind === "socket") {
    // The usual sockets are granted by deno.json; for another one a person is asked.
    const { path } = address;
    await Deno.permissions.request({ name: "net", host: `unix:${path}` });
    await Deno.permissions.request({ name: "read", path });
    await Deno.permissions.request({ name: "write", path });
  } else {
    await Deno.permissions.request({ name: "net", host: `${address.host}:${address.port}` });
  }
  return await Engine.connect(address);
}

/** Sizes as they are written of files and images. */
export function megabytes(bytes: number): string {
  return text.megabytes((bytes / MEGABYTE).toFixed(bytes < 10 * MEGABYTE ? 1 : 0));
}

/** A line that is drawn over and over, on a terminal only. */
export class ProgressLine {
  readonly #isShown = Deno.stderr.isTerminal();
  #drawn = -Infinity;

  /** Draws the line anew, at most ten times a second. */
  draw(line: () => string): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#drawn < REDRAW_MILLISECONDS) return;
    this.#drawn = now;
    this.#write(`\r\x1b[K  ${line()}`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#drawn > -Infinity) this.#write("\r\x1b[K");
    this.#drawn = -Infinity;
  }

  #write(line: string): void {
    if (this.#isShown) Deno.stderr.writeSync(new TextEncoder().encode(line));
  }
}

/**
 * Does something that Ctrl-C ends cleanly: the signal is aborted, and the work has the time to take
 * back what it did.
 *
 * @param message What is said when it was ended.
 * @throws {TaskFailure} When it was ended.
 */
export async function cancellable<T>(
  work: (signal: AbortSignal) => Promise<T>,
  message = () => text.cancelled,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) Deno.addSignalListener(name, stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) throw new TaskFailure(message(), {});
    throw error;
  } finally {
    for (const name of signals) Deno.removeSignalListener(name, stop);
  }
}
