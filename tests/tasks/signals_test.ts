import assert from "node:assert/strict";
import { onSignals, signalsOf } from "../../tasks/cli/signals.ts";

Deno.test("Windows is asked only for the signals that it has", () => {
  const names = ["SIGINT", "SIGTERM", "SIGHUP", "SIGWINCH"] as const;
  assert.deepEqual(signalsOf(names, "windows"), ["SIGINT", "SIGHUP"]);
  assert.deepEqual(signalsOf(names, "linux"), names);
});

Deno.test("a signal is heard by its name until the listener is released", async () => {
  const heard: string[] = [];
  const first = Promise.withResolvers<void>();
  const release = onSignals(["SIGUSR1", "SIGUSR2"], (name) => {
    heard.push(name);
    first.resolve();
  });
  // A listener alone does not keep a program from ending.
  const awake = setInterval(() => {}, 1000);
  Deno.kill(Deno.pid, "SIGUSR2");
  await first.promise;
  clearInterval(awake);
  release();
  assert.deepEqual(heard, ["SIGUSR2"]);
});
