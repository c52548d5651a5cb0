/** What each machine lacks was written down by hand; see tests/doctor/diagnose_test.ts. */
import assert from "node:assert/strict";
import { chooseDevice, type Probes } from "../../src/machine/device.ts";
import { RequestError } from "../../src/errors.ts";
import { DeviceError } from "../../src/machine/device_error.ts";
import type { DeviceName, GpuCount } from "../../src/machine/device_name.ts";
import type { AdapterFacts } from "../../src/machine/webgpu_adapter.ts";
import { OutOfMemoryError, SessionError } from "../../src/runtime/session.ts";
import { providerFiles } from "../doctor/_machines.ts";
import {
  cudaLibraries,
  driverFiles,
  fakeHost,
  type FakeMachine,
  GPU_12,
  GPU_24,
  GPU_8,
  nvidiaSmi,
  pciCard,
  UBUNTU,
} from "./_fake_host.ts";

const notAsked = () => Promise.reject(new Error("not to be asked"));
const works: Probes = { cuda: () => Promise.resolve(), webgpu: notAsked };
const never: Probes = { cuda: notAsked, webgpu: notAsked };
const fails = (message: string): Probes => ({
  cuda: () => Promise.reject(new Error(message)),
  webgpu: notAsked,
});
const SYSTEM = "/usr/lib/x86_64-linux-gnu";
const WELL = {
  ...UBUNTU,
  ...pciCard("nvidia"),
  ...driverFiles("580.95.05"),
  ...cudaLibraries(SYSTEM),
  ...await providerFiles(),
};
const commands = nvidiaSmi("580.95.05", "13.0", [GPU_12]);

/** What is said when CUDA is asked for by name, in both languages. */
async function refusal(machine: FakeMachine, probes: Probes): Promise<string[]> {
  const error = await chooseDevice("cuda", fakeHost(machine), probes).then(() => {}, (e) => e);
  assert(error instanceof DeviceError);
  return [error.explain("en"), error.explain("zh")];
}

Deno.test("without a GPU the CPU is taken, and nothing is tried", async () => {
  const choice = await chooseDevice("auto", fakeHost(), never);
  assert.deepEqual([choice.device, choice.reason?.en], ["cpu", "there is no NVIDIA GPU"]);
});

Deno.test("a GPU without the provider is told with the command that installs it", async () => {
  const files = { ...UBUNTU, ...driverFiles("580.95.05") };
  const choice = await chooseDevice("auto", fakeHost({ files, commands }), never);
  assert.equal(choice.device, "cpu");
  assert.match(choice.reason!.en, /provider is not installed.*deno task install:cuda/);
  assert.match(choice.reason!.zh, /没有安装.*deno task install:cuda/);
});

Deno.test("CUDA that works is taken, with the memory that is free", async () => {
  for (const asked of ["auto", "cuda"] as const) {
    const choice = await chooseDevice(asked, fakeHost({ files: WELL, commands }), works);
    assert.deepEqual(choice, {
      device: "cuda",
      gpu: "NVIDIA GeForce RTX 4070",
      memoryFree: 11900 * 2 ** 20,
    });
  }
});

Deno.test("the GPU that CUDA_VISIBLE_DEVICES names is the one whose memory counts", async () => {
  const two = nvidiaSmi("580.95.05", "13.0", [{ ...GPU_12, free: 200 }, GPU_12]);
  const env = { CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "1" };
  const { memoryFree } = await chooseDevice(
    "auto",
    fakeHost({ files: WELL, commands: two, env }),
    works,
  );
  assert.equal(memoryFree, 11900 * 2 ** 20);
});

Deno.test("what works is used, whatever seems to be missing", async () => {
  const { [`${SYSTEM}/libcudnn.so.9`]: _, ...files } = WELL;
  const old = nvidiaSmi("570.133.20", "12.8", [GPU_12]);
  assert.equal(
    (await chooseDevice("auto", fakeHost({ files, commands: old }), works)).device,
    "cuda",
  );
});

Deno.test("CUDA that does not start leaves the CPU, and the library that is missing is named", async () => {
  const { [`${SYSTEM}/libcudnn.so.9`]: _, ...files } = WELL;
  const choice = await chooseDevice("auto", fakeHost({ files, commands }), fails("no"));
  assert.equal(choice.device, "cpu");
  assert.match(choice.reason!.en, /libcudnn\.so\.9 missing; deno task doctor/);
});

Deno.test("where files may not be looked for, ONNX Runtime's words tell the library", async () => {
  const said = "Failed to load library libonnxruntime_providers_cuda.so with error: " +
    "libcublas.so.13: cannot open shared object file: No such file or directory";
  const machine = { files: await providerFiles(), commands, seesEverything: false };
  const { reason } = await chooseDevice("auto", fakeHost(machine), fails(said));
  assert.equal(reason?.en, "libcublas.so.13 is missing; deno task doctor says what to do");
});

Deno.test("another failure of CUDA is told by its first line", async () => {
  const probe = fails("CUDA failure 35: driver too old\nat somewhere");
  const { reason } = await chooseDevice("auto", fakeHost({ files: WELL, commands }), probe);
  assert.equal(
    reason?.en,
    "it does not start (CUDA failure 35: driver too old); deno task doctor says what to do",
  );
});

Deno.test("a driver that hangs is not asked again: the CPU is taken, and why is said", async () => {
  const silent = (command: string) => command === "nvidia-smi" ? "silent" as const : undefined;
  const machine = { files: WELL, commands: silent };
  const { device, reason } = await chooseDevice("auto", fakeHost(machine), never);
  assert.equal(device, "cpu");
  assert.match(reason!.en, /driver hangs: nvidia-smi did not answer within 10 seconds/);
  const [en, zh] = await refusal(machine, never);
  assert.match(en!, /^CUDA cannot be used: the NVIDIA driver hangs.*deno task doctor/);
  assert.match(zh!, /10 秒/);
});

Deno.test("CUDA asked for by name is refused for what doctor knows, in one sentence", async () => {
  const old = nvidiaSmi("550.54.14", "12.4", [GPU_12]);
  const { [`${SYSTEM}/libcudnn.so.9`]: _, ...withoutCudnn } = WELL;
  const cases: [FakeMachine, Probes, RegExp][] = [
    [{ files: UBUNTU }, never, /there is no NVIDIA GPU; .*deno task doctor says more\.$/],
    [
      { files: WELL, commands: old },
      fails("CUDA failure 35"),
      /550\.54\.14.*580.*deno task doctor/,
    ],
    [{ files: withoutCudnn, commands }, fails("no"), /libcudnn\.so\.9 missing.*deno task doctor/],
    [{ files: { ...UBUNTU, ...driverFiles("580.95.05") }, commands }, never, /install:cuda/],
    [{ os: "darwin", arch: "aarch64" }, never, /darwin on aarch64/],
    [{ files: WELL, commands, env: { CUDA_VISIBLE_DEVICES: "" } }, never, /CUDA_VISIBLE_DEVICES/],
  ];
  for (const [machine, probe, expected] of cases) {
    const [en, zh] = await refusal(machine, probe);
    assert.match(en!, expected);
    assert.match(zh!, /^无法使用 CUDA：.*[\u4e00-\u9fff].*。$/);
    assert.doesNotMatch(en!, /\n|\. /);
  }
});

Deno.test("the CPU asked for by name is taken without a look at any GPU", async () => {
  const commands = () => assert.fail("nvidia-smi was asked");
  assert.deepEqual(await chooseDevice("cpu", fakeHost({ commands }), never), { device: "cpu" });
});

Deno.test("running out of memory is an error of a session, of its own kind", () => {
  const error = new OutOfMemoryError("vae", "run", new Error("Failed to allocate memory"));
  assert(error instanceof SessionError);
  assert.equal(error.graph, "vae");
});

const CARD: AdapterFacts = {
  name: "Radeon RX 7800",
  isSoftware: false,
  hasFloat16: true,
  maxBufferBytes: 2 ** 32,
  maxBindingBytes: 2 ** 31,
};
const RADEON = { ...UBUNTU, ...pciCard("amdgpu") };
const webgpu = (fusedAttention: boolean): Probes => ({
  cuda: notAsked,
  webgpu: () => Promise.resolve({ fusedAttention }),
});

Deno.test("auto takes WebGPU where there is a card and no CUDA, and says why not CUDA", async () => {
  const { device, gpu, adapter, reason } = await chooseDevice(
    "auto",
    fakeHost({ files: RADEON, adapter: CARD }),
    webgpu(true),
  );
  assert.deepEqual([device, gpu, adapter?.hasFloat16, adapter?.writesScores], [
    "webgpu",
    "Radeon RX 7800",
    true,
    false,
  ]);
  assert.match(reason!.en, /no NVIDIA GPU/);
});

Deno.test("auto never takes an adapter that is a program, nor one that does not start", async () => {
  const software = { ...CARD, isSoftware: true };
  for (const adapter of [software, CARD]) {
    const choice = await chooseDevice("auto", fakeHost({ files: RADEON, adapter }), never);
    assert.equal(choice.device, "cpu");
  }
});

Deno.test("where Linux has no card, no adapter is asked for: its libraries complain", async () => {
  const host = { ...fakeHost({ files: UBUNTU }), adapter: notAsked };
  assert.equal((await chooseDevice("auto", host, never)).device, "cpu");
});

Deno.test("CUDA that works goes before WebGPU", async () => {
  const host = fakeHost({ files: WELL, commands, adapter: CARD });
  assert.equal((await chooseDevice("auto", host, works)).device, "cuda");
});

Deno.test("WebGPU by name takes a program, too, and tries the type that the adapter has", async () => {
  const tried: string[] = [];
  const adapter = { ...CARD, isSoftware: true, hasFloat16: false };
  const choice = await chooseDevice("webgpu", fakeHost({ adapter }), {
    cuda: notAsked,
    webgpu: (dtype) => {
      tried.push(dtype);
      return Promise.resolve({ fusedAttention: false });
    },
  });
  assert.deepEqual(tried, ["float32"]);
  assert.deepEqual(choice.adapter, {
    hasFloat16: false,
    writesScores: true,
    maxBufferBytes: CARD.maxBufferBytes,
  });
});

Deno.test("where float16 is not known, it is tried first, and float32 after it", async () => {
  const adapter = { ...CARD, hasFloat16: undefined };
  for (const works of [["float16", "float32"], ["float32"]]) {
    const tried: string[] = [];
    const choice = await chooseDevice("webgpu", fakeHost({ os: "windows", adapter }), {
      cuda: notAsked,
      webgpu: (dtype) => {
        tried.push(dtype);
        return works.includes(dtype)
          ? Promise.resolve({ fusedAttention: true })
          : Promise.reject(new Error("the device does not support it"));
      },
    });
    assert.equal(choice.adapter?.hasFloat16, works[0] === "float16");
    assert.equal(tried.at(-1), works[0]);
  }
});

Deno.test("WebGPU by name without an adapter, or with one that fails, says what to do", async () => {
  const cases: [FakeMachine, RegExp][] = [
    [{}, /WEBGPU cannot be used: there is no adapter: .*apt-get install libvulkan1/],
    [{ os: "windows" }, /there is no adapter: .*; install the graphics card's driver\.$/],
    [{ adapter: CARD }, /Radeon RX 7800 does not start \(not to be asked\); deno task doctor/],
  ];
  for (const [machine, expected] of cases) {
    const error = await chooseDevice("webgpu", fakeHost(machine), never).catch((error) => error);
    assert.match(error.message, expected);
    assert.match(error.explain("zh"), /。$/);
  }
});

/** Two large cards and an old one, as nvidia-smi lists them, and what is asked of them. */
const THREE = nvidiaSmi("580.95.05", "13.0", [
  { ...GPU_24, free: 20000 },
  GPU_12,
  { ...GPU_8, name: "NVIDIA GeForce RTX 2080", capability: "7.5" },
]);
const ordered = { CUDA_DEVICE_ORDER: "PCI_BUS_ID" };
const choose = (
  device: DeviceName,
  gpus: GpuCount,
  { env = {}, commands = THREE }: Pick<FakeMachine, "env" | "commands"> = {},
  probes = works,
) =>
  chooseDevice(
    device,
    fakeHost({ files: WELL, commands, env: { ...ordered, ...env } }),
    probes,
    gpus,
  );

Deno.test("a GPU is chosen by its number, and tried alone", async () => {
  const tried: number[] = [];
  const probes = { ...works, cuda: (id: number) => Promise.resolve(void tried.push(id)) };
  assert.deepEqual(await choose("cuda:1", 1, {}, probes), {
    device: "cuda",
    deviceId: 1,
    gpu: "NVIDIA GeForce RTX 4070",
    memoryFree: 11900 * 2 ** 20,
  });
  assert.deepEqual(tried, [1]);
});

Deno.test("several GPUs are those from the named one on, each with its memory", async () => {
  const both = await choose("auto", 2);
  assert.deepEqual([both.deviceId, both.gpu, both.memoryFree], [
    undefined,
    "NVIDIA GeForce RTX 4090",
    20000 * 2 ** 20,
  ]);
  const second = { deviceId: 1, gpu: "NVIDIA GeForce RTX 4070", memoryFree: 11900 * 2 ** 20 };
  assert.deepEqual(both.others, [second]);
  // The one that is too old is passed over.
  assert.deepEqual((await choose("cuda", "all")).others, [second]);
  assert.equal((await choose("cuda:1", "all")).others, undefined);
});

Deno.test("CUDA_VISIBLE_DEVICES counts the GPUs anew, by number and by identifier", async () => {
  for (const order of ["1,0", "GPU-1,GPU-0"]) {
    const { gpu, others } = await choose("cuda", 2, {
      env: { CUDA_VISIBLE_DEVICES: order },
    });
    assert.deepEqual([gpu, others?.map(({ gpu }) => gpu)], [
      "NVIDIA GeForce RTX 4070",
      ["NVIDIA GeForce RTX 4090"],
    ]);
  }
  const { gpu, deviceId } = await choose("cuda:1", 1, { env: { CUDA_VISIBLE_DEVICES: "2,0" } });
  assert.deepEqual([gpu, deviceId], ["NVIDIA GeForce RTX 4090", 1]);
});

Deno.test("GPUs that are not there are refused, with those that are", async () => {
  const cases: [DeviceName, GpuCount, Record<string, string>, RegExp, RegExp][] = [
    ["cuda:3", 1, {}, /no cuda:3:.*cuda:0 \(.*4090\), cuda:1 .*cuda:2/, /没有 cuda:3：.*cuda:0/],
    [
      "cuda:1",
      1,
      { CUDA_VISIBLE_DEVICES: "0" },
      /no cuda:1:.*cuda:0 \(.*\), CUDA_VISIBLE_DEVICES=0\./,
      /CUDA_VISIBLE_DEVICES=0/,
    ],
    [
      "cuda",
      4,
      {},
      /gpus is 4, but from cuda:0 on there are 3:.*--gpus all/,
      /只有 3 块.*--gpus all/,
    ],
    ["cuda:2", 2, {}, /gpus is 2, but from cuda:2 on there is 1:/, /只有 1 块/],
    ["auto", 3, {}, /cuda:2 \(.*2080\) has compute capability 7\.5;.*8\.0/, /7\.5.*8\.0/],
    ["cpu", 2, {}, /gpus is 2, but device is "cpu": only CUDA/, /只有 CUDA/],
    ["webgpu", "all", {}, /gpus is all, but device is "webgpu"/, /webgpu/],
    ["cuda", 0, {}, /gpus is 0; expected a whole number from 1, or "all"/, /1 以上的整数/],
    ["cuda:x" as DeviceName, 1, {}, /device is "cuda:x"; .*"cuda:N"/, /"cuda:N"/],
  ];
  for (const [device, gpus, env, en, zh] of cases) {
    const error = await choose(device, gpus, { env }, never).then(() => {}, (error) => error);
    assert(error instanceof RequestError, `${device} ${gpus}: ${error}`);
    assert.match(error.explain("en"), en);
    assert.match(error.explain("zh"), zh);
  }
});

Deno.test("where nvidia-smi is absent, every GPU is tried, and one that fails is told of", async () => {
  const machine = { files: { ...WELL }, commands: () => undefined };
  const tried: number[] = [];
  const probes = {
    ...works,
    cuda: (id: number) => {
      tried.push(id);
      return id < 2 ? Promise.resolve() : Promise.reject(new Error("invalid device ordinal"));
    },
  };
  const { others } = await chooseDevice("cuda", fakeHost(machine), probes, 2);
  assert.deepEqual([others, tried], [[{ deviceId: 1 }], [0, 1]]);
  await assert.rejects(
    chooseDevice("auto", fakeHost(machine), probes, 3),
    (error) =>
      error instanceof DeviceError && /cuda:2 does not start \(invalid/.test(error.message),
  );
});

Deno.test("several GPUs are not replaced by a CPU, all that there are may be none", async () => {
  const host = fakeHost({ files: UBUNTU });
  await assert.rejects(chooseDevice("auto", host, never, 2), DeviceError);
  assert.equal((await chooseDevice("auto", host, never, "all")).device, "cpu");
});
