import assert from "node:assert/strict";
import { startCuda } from "../../src/machine/mod.ts";
import { fakeHost, type FakeMachine } from "./_fake_host.ts";

const DRIVER = "/dev/nvidiactl";

/** The names of what is looked for on a machine before CUDA would be started. */
async function sought(machine: FakeMachine): Promise<readonly string[]> {
  const host = fakeHost(machine);
  const paths: string[] = [];
  const exists = (path: string) => {
    paths.push(path);
    return host.exists(path);
  };
  await startCuda({ ...host, exists }, 0);
  return paths.map((path) => path.split("/").at(-1)!);
}

Deno.test("CUDA is not started early where there is no driver or no provider for it", async () => {
  assert.deepEqual(await sought({ os: "darwin" }), []);
  assert.deepEqual(await sought({ os: "linux", arch: "aarch64" }), []);
  assert.deepEqual(await sought({}), ["nvidiactl"]);
  const found = await sought({ files: { [DRIVER]: "" } });
  assert.deepEqual(found, ["nvidiactl", "libonnxruntime_providers_cuda.so"]);
});

Deno.test({
  name: "nor where the program may not call native code by itself",
  permissions: { ffi: ["node_modules"], read: true },
  fn: async () => {
    const found = await sought({ files: { [DRIVER]: "" } });
    assert.deepEqual(found, ["nvidiactl"]);
  },
});
