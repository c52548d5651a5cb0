/** What the tasks that drive a container engine share. */
import { Engine, engineAddress } from "../../src/container/mod.ts";
import { onSignals } from "../cli/signals.ts";
import { inLanguage, TaskFailure } from "../cli/task.ts";

const text = inLanguage({
  en: { cancelled: "Cancelled; nothing is left of it." },
  zh: { cancelled: "已取消，没有留下任何内容。" },
});

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
  const release = onSignals(["SIGINT", "SIGTERM"], () => controller.abort());
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) throw new TaskFailure(message(), {});
    throw error;
  } finally {
    release();
  }
}
