/** Machines that are not here, as in tests/doctor; what ONNX Runtime says when CUDA does not start. */
import assert from "node:assert/strict";
import { chooseDevice, cudaProblem } from "../../src/machine/device.ts";
import { OutOfMemoryError, SessionError } from "../../src/runtime/session.ts";
import { fakeHost, type FakeMachine } from "./_fake_host.ts";
import { providerFiles } from "../doctor/_machines.ts";

const LINUX = { os: "linux", arch: "x86_64" };
const works = () => Promise.resolve();
const never = () => Promise.reject(new Error("not to be asked"));
const commands: FakeMachine["commands"] = (command, args) => {
  if (command !== "nvidia-smi") return undefined;
  const stdout = args.some((arg) => arg.startsWith("--query-gpu"))
    ? "0, NVIDIA RTX 4080, 16376, 15200, 580.95.05, 8.9\n"
    : "| CUDA Version: 13.0 |";
  return { code: 0, stdout, stderr: "" };
};

Deno.test("without a GPU the CPU is taken, and nothing is tried", async () => {
  const choice = await chooseDevice(fakeHost(), never, LINUX);
  assert.deepEqual([choice.device, choice.reason?.en], ["cpu", "no NVIDIA GPU was found"]);
});

Deno.test("a GPU without the provider is named with the command that installs it", async () => {
  const choice = await chooseDevice(fakeHost({ commands }), never, LINUX);
  assert.equal(choice.device, "cpu");
  assert.match(choice.reason!.en, /RTX 4080 is not installed: deno task install:cuda$/);
  assert.match(choice.reason!.zh, /deno task install:cuda$/);
});

Deno.test("CUDA that works is taken, with the memory that is free", async () => {
  const machine = { commands, files: await providerFiles() };
  assert.deepEqual(await chooseDevice(fakeHost(machine), works, LINUX), {
    device: "cuda",
    gpu: "NVIDIA RTX 4080",
    memoryFree: 15200 * 2 ** 20,
  });
});

Deno.test("CUDA that does not start leaves the CPU, and the library that is missing is named", async () => {
  const machine = { commands, files: await providerFiles() };
  const fails = () =>
    Promise.reject(
      new Error(
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcudnn.so.9: " +
          "cannot open shared object file: No such file or directory",
      ),
    );
  const choice = await chooseDevice(fakeHost(machine), fails, LINUX);
  assert.equal(choice.device, "cpu");
  assert.match(choice.reason!.en, /libcudnn\.so\.9 is missing; deno task doctor/);
});

Deno.test("another failure of CUDA is told by its first line", () => {
  const { en } = cudaProblem(new Error("CUDA failure 35: driver too old\nat somewhere"));
  assert.equal(
    en,
    "CUDA does not start (CUDA failure 35: driver too old); deno task doctor says more",
  );
});

Deno.test("other systems than Linux on x86_64 compute on the CPU", async () => {
  const choice = await chooseDevice(fakeHost(), never, { os: "darwin", arch: "aarch64" });
  assert.equal(choice.reason?.en, "CUDA needs Linux on x86_64, and this is darwin on aarch64");
});

Deno.test("running out of memory is an error of a session, of its own kind", () => {
  const error = new OutOfMemoryError("vae", "run", new Error("Failed to allocate memory"));
  assert(error instanceof SessionError);
  assert.equal(error.graph, "vae");
});
