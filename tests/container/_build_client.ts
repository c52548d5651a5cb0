/**
 * Builds a context of one file with the engine at SOCKET, and prints what came of it as JSON; in a
 * process of its own because tests have no network. It is cancelled at the first `RUN` when asked to.
 *
 *     deno run -A tests/container/_build_client.ts SOCKET [--cancel]
 */
import { type BuildEvent, Engine, packContext } from "../../src/container/mod.ts";
import { NewBieError } from "../../src/errors.ts";

const [path, option] = Deno.args as [string, string?];
const controller = new AbortController();
const events: BuildEvent[] = [];
try {
  const engine = await Engine.connect({ kind: "socket", path });
  const base = await engine.image("base:latest");
  const id = await engine.build({
    context: packContext([{ path: "a", kind: "file", mode: 0o644, body: new Uint8Array(9) }], 0),
    arguments: {},
    base: base!.id,
    labels: {},
    platform: "linux/amd64",
    signal: controller.signal,
  }, (event) => {
    events.push(event);
    const isRunning = event.kind === "step" && event.text.startsWith("RUN");
    if (isRunning && option === "--cancel") setTimeout(() => controller.abort(), 100);
  });
  console.log(JSON.stringify({ id, events }));
} catch (error) {
  const { name, message, code, step, output } = error as Error & Record<string, string>;
  const zh = error instanceof NewBieError ? error.explain("zh") : undefined;
  console.log(JSON.stringify({ error: { name, message, zh, code, step, output }, events }));
}
Deno.exit(0);
