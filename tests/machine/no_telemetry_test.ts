import assert from "node:assert/strict";
import { filesBelow, inTempFolder } from "../_folders.ts";

Deno.test("ONNX Runtime keeps no store of usage events in a person's home", async () => {
  await inTempFolder(async (home) => {
    const { DENO_DIR, ORT_DISABLE_TELEMETRY: _, ...env } = Deno.env.toObject();
    const cache = DENO_DIR ?? `${env.XDG_CACHE_HOME ?? `${env.HOME}/.cache`}/deno`;
    const script = 'import { readBinding } from "./src/machine/binding.ts";\n' +
      'import { localHost } from "./src/machine/host.ts";\n' +
      "const { failure } = await readBinding(localHost());\n" +
      "if (failure !== undefined) throw new Error(failure);\n";
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--cached-only", script],
      clearEnv: true,
      env: { ...env, DENO_DIR: cache, HOME: home, XDG_CACHE_HOME: `${home}/.cache` },
    });
    const { success, stderr } = await child.output();
    assert(success, new TextDecoder().decode(stderr));
    assert.deepEqual(filesBelow(home), []);
  });
});
