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

Deno.test({
  name: "what nohup starts outlives its terminal, and what is started without it does not",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const script = `import { heedNohup, onSignals } from "./tasks/cli/signals.ts";
      await heedNohup();
      onSignals(["SIGTERM", "SIGHUP"], (name) => { console.log(name); Deno.exit(3); });
      console.log("ready");
      await (await Deno.open("/dev/fd/" + Deno.args[0])).read(new Uint8Array(1));
      console.log("done");
      Deno.exit(0);`;
    const outcomes: string[] = [];
    const byFile = "exec 3<&0 0>/dev/null;";
    for (const ignore of ["trap '' HUP;", byFile, ""]) {
      const input = ignore === byFile ? "3" : "0";
      const args = ["eval", "--frozen", "--no-check", "--ext=ts", script, input];
      const child = new Deno.Command("sh", {
        args: ["-c", `${ignore} exec "$0" "$@"`, Deno.execPath(), ...args],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      let said = "";
      while (!said.includes("ready")) said += (await reader.read()).value ?? "";
      child.kill("SIGHUP");
      const writer = child.stdin.getWriter();
      // The signal is there before the byte is.
      await new Promise((resolve) => setTimeout(resolve, 300));
      await writer.write(new Uint8Array(1)).catch(() => {});
      await writer.close().catch(() => {});
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        said += read.value;
      }
      outcomes.push(`${said.replaceAll(/\s+/g, " ")}${(await child.status).code}`);
    }
    assert.deepEqual(outcomes, ["ready done 0", "ready done 0", "ready SIGHUP 3"]);
  },
});
