import assert from "node:assert/strict";
import { startCuda } from "../../src/machine/mod.ts";
import { bindingFolder, CUDA_PROVIDER_FILES } from "../../src/runtime/binding_folder.ts";
import { fakeHost, type FakeMachine } from "./_fake_host.ts";

const DRIVER = "/dev/nvidiactl";

/** The names of what is looked for on a machine before CUDA would be started, where it is not. */
async function sought(machine: FakeMachine): Promise<readonly string[]> {
  const host = fakeHost(machine);
  const paths: string[] = [];
  const exists = (path: string) => {
    paths.push(path);
    return host.exists(path);
  };
  await startCuda({ ...host, exists }, 0, () => assert.fail("it was begun"));
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

Deno.test("where there is a driver and a provider, what can be done meanwhile is begun", async () => {
  const provider = `${bindingFolder({ os: "linux", arch: "x86_64" })}/${CUDA_PROVIDER_FILES[0]}`;
  let begun = 0;
  // Here CUDA itself does not start.
  await startCuda(fakeHost({ files: { [DRIVER]: "", [provider]: "" } }), 0, () => begun++)
    .catch(() => {});
  assert.equal(begun, 1);
});
