/**
 * Machines that nobody has at hand, as trees of files and answers of nvidia-smi. What should be said
 * of each was written down by hand: CUDA 13 needs driver 580 (CUDA Toolkit release notes), and which
 * packages hold which library is what NVIDIA's repository for Ubuntu says.
 */
import assert from "node:assert/strict";
import { diagnose } from "../../src/doctor/diagnose.ts";
import type { Diagnosis, FindingCode } from "../../src/doctor/types.ts";
import { chooseProvider } from "../../src/machine/provider.ts";
import {
  cudaLibraries,
  driverFiles,
  type FakeGpu,
  GPU_12,
  GPU_24,
  GPU_8,
  H100,
  nvidiaSmi,
  PCI_CARD,
  pciCard,
  UBUNTU,
} from "../machine/_fake_host.ts";
import { type Circumstances, DEMO, factsOf, providerFiles, PUBLISHED } from "./_machines.ts";

const SYSTEM = "/usr/lib/x86_64-linux-gnu";
/** All that CUDA needs. */
const WELL = {
  ...UBUNTU,
  ...PCI_CARD,
  ...driverFiles("580.95.05"),
  ...cudaLibraries(SYSTEM),
  ...await providerFiles(),
};
const GOOD_DRIVER = (gpu = GPU_24) => nvidiaSmi("580.95.05", "13.0", [gpu]);

async function examine(circumstances: Circumstances): Promise<Diagnosis> {
  return diagnose(await factsOf(circumstances));
}

const reasons = ({ reasons }: Diagnosis) => reasons.map(({ code }) => code);
const find = ({ findings }: Diagnosis, code: FindingCode) =>
  findings.find((finding) => finding.code === code);

Deno.test("a machine with nothing makes pictures on its CPU, and nothing is wrong with that", async () => {
  const diagnosis = await examine({ files: UBUNTU });
  assert.equal(diagnosis.provider, "cpu");
  assert.deepEqual(reasons(diagnosis), ["no-gpu"]);
  assert.equal(diagnosis.canMakePictures, true);
  assert.equal(diagnosis.model, "demo");
  const wrong = diagnosis.findings.filter(({ severity }) =>
    severity === "warning" || severity === "error"
  );
  assert.deepEqual(wrong, []);
});

Deno.test("a card without a driver: the distribution's own command installs one", async () => {
  const ubuntu = await examine({ files: { ...UBUNTU, ...PCI_CARD } });
  assert.equal(reasons(ubuntu)[0], "driver-missing");
  assert.equal(find(ubuntu, "driver-missing")?.fix, "sudo apt-get install -y nvidia-driver-580");
  const fedora = { "/etc/os-release": "ID=fedora\n" };
  assert.match(
    find(await examine({ files: { ...PCI_CARD, ...fedora } }), "driver-missing")!.fix!,
    /^sudo dnf install /,
  );
});

Deno.test("a GPU and its driver, but nothing of CUDA: each lack has its command", async () => {
  const diagnosis = await examine({
    files: { ...UBUNTU, ...PCI_CARD, ...driverFiles("580.95.05") },
    commands: GOOD_DRIVER(),
  });
  assert.deepEqual(reasons(diagnosis), ["provider-missing", "libraries-missing"]);
  const missing = find(diagnosis, "libraries-missing")!;
  for (const name of ["libcudart.so.13", "libcublas.so.13", "libcurand.so.10", "libcudnn.so.9"]) {
    assert(missing.message.includes(name), name);
  }
  assert(!missing.message.includes("libcuda.so.1"), "the driver brought that one");
  assert.match(
    missing.fix!,
    /ubuntu2404\/x86_64.*apt-get install -y cuda-cudart-13-0 libcublas-13-0 libcurand-13-0 libcudnn9-cuda-13$/,
  );
  assert.equal(find(diagnosis, "provider-missing")!.fix, "deno task install:cuda");
});

Deno.test("a driver of CUDA 12 is too old for a provider of CUDA 13", async () => {
  const files = { ...WELL, ...driverFiles("570.133.20") };
  const diagnosis = await examine({ files, commands: nvidiaSmi("570.133.20", "12.8", [GPU_24]) });
  assert.deepEqual(reasons(diagnosis), ["driver-old"]);
  assert.match(find(diagnosis, "driver-old")!.message, /570\.133\.20.*580/);
});

Deno.test("cuDNN alone is missing, and alone is installed", async () => {
  const files = { ...WELL };
  delete files[`${SYSTEM}/libcudnn.so.9`];
  const diagnosis = await examine({ files, commands: GOOD_DRIVER() });
  assert.deepEqual(reasons(diagnosis), ["libraries-missing"]);
  assert.match(find(diagnosis, "libraries-missing")!.fix!, /install -y libcudnn9-cuda-13$/);
});

Deno.test("libraries that pip brought are there, but the loader must be told", async () => {
  const folder = "/usr/local/lib/python3.12/dist-packages/nvidia/cu13/lib";
  const files: Record<string, string> = { ...WELL, ...cudaLibraries(folder, ["libcudnn.so.9"]) };
  for (const path of Object.keys(cudaLibraries(SYSTEM, ["libcudnn.so.9"]))) delete files[path];
  const diagnosis = await examine({ files, commands: GOOD_DRIVER() });
  assert.deepEqual(reasons(diagnosis), ["libraries-elsewhere"]);
  assert.equal(
    find(diagnosis, "libraries-elsewhere")?.fix,
    `export LD_LIBRARY_PATH=${folder}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`,
  );
  const told = await examine({ files, commands: GOOD_DRIVER(), env: { LD_LIBRARY_PATH: folder } });
  assert.deepEqual(reasons(told), []);
});

Deno.test("where all is well, CUDA is taken", async () => {
  const facts = await factsOf({ files: WELL, commands: GOOD_DRIVER() });
  const given = { machine: facts.machine, gpu: facts.gpu, cuda: facts.binding.cuda };
  assert.deepEqual(chooseProvider(given), { provider: "cuda", reasons: [] });
});

for (
  const [gpu, size, offload] of [
    [{ ...GPU_8, total: 4096, free: 3600 }, "4 GB", null],
    [GPU_8, "8 GB", "sequential"],
    [GPU_12, "12 GB", "model"],
    [GPU_24, "24 GB", "none"],
    [H100, "80 GB", "none"],
  ] as const
) {
  Deno.test(`the published model on ${size}: ${offload ?? "does not fit"}`, async () => {
    const diagnosis = await examine({ files: WELL, commands: GOOD_DRIVER(gpu), model: PUBLISHED });
    const fit = diagnosis.fits.find(({ estimate }) => estimate.device === "cuda");
    assert.equal(fit?.model, "used");
    assert.equal(fit?.offload, offload);
    assert(find(diagnosis, offload === null ? "gpu-memory-small" : "gpu-memory-fits"));
    assert.equal(diagnosis.canMakePictures, true, "the CPU is always there");
  });
}

Deno.test("the published model's need is told also where it is not there", async () => {
  const diagnosis = await examine({ files: WELL, commands: GOOD_DRIVER(GPU_12) });
  const fit = diagnosis.fits.find(({ model, estimate }) =>
    model === "published" && estimate.device === "cuda"
  );
  assert.equal(fit?.offload, "model");
});

Deno.test("a card that others fill is told from one that is too small", async () => {
  const commands = GOOD_DRIVER({ ...GPU_24, free: 2000 });
  const diagnosis = await examine({ files: WELL, commands, model: PUBLISHED });
  assert.match(find(diagnosis, "gpu-memory-busy")!.fix!, /^nvidia-smi --query-compute-apps/);
});

Deno.test("a container without its GPU says how to start it with one", async () => {
  const kernel = {
    "/proc/driver/nvidia/version": driverFiles("580.95.05")["/proc/driver/nvidia/version"]!,
  };
  const files = { ...UBUNTU, ...PCI_CARD, ...kernel, ...await providerFiles() };
  const docker = await examine({ files: { ...files, "/.dockerenv": "" } });
  assert.equal(reasons(docker)[0], "gpu-not-passed");
  assert.match(find(docker, "gpu-not-passed")!.fix!, /^docker run --gpus all /);
  const podman = await examine({ files: { ...files, "/run/.containerenv": "" } });
  assert.match(find(podman, "gpu-not-passed")!.fix!, /^podman run --device nvidia\.com\/gpu=all /);
  assert(!docker.findings.some(({ code }) => code === "driver-missing"), "not inside a container");
});

Deno.test("a container on a machine without a GPU lacks nothing", async () => {
  assert.deepEqual(reasons(await examine({ files: { ...UBUNTU, "/.dockerenv": "" } })), ["no-gpu"]);
});

Deno.test("a driver that does not fit its kernel module wants a restart", async () => {
  const complaint = "Failed to initialize NVML: Driver/library version mismatch";
  const diagnosis = await examine({
    files: WELL,
    commands: (command) =>
      command === "nvidia-smi" ? { code: 18, stdout: `${complaint}\n`, stderr: "" } : undefined,
  });
  assert.equal(reasons(diagnosis)[0], "driver-broken");
  const { message, fix } = find(diagnosis, "driver-broken")!;
  assert(message.includes(complaint));
  assert.equal(fix, "sudo reboot");
});

Deno.test("a driver on a machine from which the card was taken is no defect", async () => {
  const commands = (command: string) =>
    command === "nvidia-smi"
      ? { code: 6, stdout: "No devices were found\n", stderr: "" }
      : undefined;
  const { ...files } = { ...UBUNTU, ...driverFiles("580.95.05") };
  assert.deepEqual(reasons(await examine({ files, commands })), ["no-gpu"]);
  const onBus = await examine({ files: { ...files, ...PCI_CARD }, commands });
  assert.equal(reasons(onBus)[0], "driver-broken");
});

Deno.test("on WSL, drivers belong in Windows", async () => {
  const release = "5.15.153.1-microsoft-standard-WSL2";
  const without = await examine({ files: UBUNTU, release });
  assert.deepEqual(reasons(without), ["no-gpu"]);
  assert.match(find(without, "no-gpu")!.message, /Windows/);
  const old = await examine({
    release,
    files: { ...UBUNTU, "/usr/lib/wsl/lib/libcuda.so.1": "" },
    commands: nvidiaSmi("566.36", "12.7", [GPU_24]),
  });
  const { message, fix } = find(old, "driver-old")!;
  assert.match(message, /in Windows, never in WSL/);
  assert(!fix!.includes("apt-get"), fix);
});

Deno.test("where CUDA draws, it is said which task has whose kernels", async () => {
  const onCuda = await examine({ files: WELL, commands: GOOD_DRIVER(), model: PUBLISHED });
  assert.match(
    find(onCuda, "own-kernels")!.message,
    /create:fast.* toolkit's own .* ONNX Runtime's/,
  );
  const old = { files: WELL, commands: nvidiaSmi("570.86.15", "12.8", [GPU_24]) };
  assert.equal(find(await examine(old), "own-kernels"), undefined);
});

Deno.test("of two GPUs the first is used, and a freer second one is pointed out", async () => {
  const commands = nvidiaSmi("580.95.05", "13.0", [GPU_8, H100]);
  const env = { CUDA_DEVICE_ORDER: "PCI_BUS_ID" };
  const diagnosis = await examine({ files: WELL, commands, model: PUBLISHED, env });
  const onCuda = diagnosis.fits.find(({ estimate }) => estimate.device === "cuda");
  assert.equal(onCuda?.offload, "sequential");
  assert.equal(
    find(diagnosis, "larger-gpu-idle")?.fix,
    "export CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=1",
  );
  const sorted = await examine({
    files: WELL,
    commands: nvidiaSmi("580.95.05", "13.0", [H100, GPU_8]),
  });
  assert.equal(find(sorted, "larger-gpu-idle"), undefined);
});

Deno.test("where several GPUs can draw, it is said how to choose one or use all", async () => {
  const old = { ...GPU_8, name: "NVIDIA GeForce RTX 2080", capability: "7.5" };
  const env = { CUDA_DEVICE_ORDER: "PCI_BUS_ID" };
  const examined = (gpus: readonly FakeGpu[]) =>
    examine({ files: WELL, commands: nvidiaSmi("580.95.05", "13.0", gpus), env });
  const { message } = find(await examined([GPU_24, old, GPU_12]), "several-gpus")!;
  assert.match(message, /can draw: cuda:0, cuda:2\..*--device cuda:2 .*--gpus all/);
  assert.equal(find(await examined([GPU_24, old]), "several-gpus"), undefined);
});

Deno.test("CUDA_VISIBLE_DEVICES decides which GPU's memory is judged, and ends the advice", async () => {
  const commands = nvidiaSmi("580.95.05", "13.0", [{ ...GPU_24, free: 200 }, GPU_24]);
  const env = { CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "1" };
  const chosen = await examine({ files: WELL, commands, model: PUBLISHED, env });
  assert(find(chosen, "gpu-memory-fits"));
  assert.equal(find(chosen, "larger-gpu-idle"), undefined);
  const hidden = await examine({ files: WELL, commands, env: { CUDA_VISIBLE_DEVICES: "" } });
  assert.deepEqual(reasons(hidden), ["gpus-hidden"]);
  assert.equal(find(hidden, "gpus-hidden")?.fix, "unset CUDA_VISIBLE_DEVICES");
});

Deno.test("a driver that hangs is said to hang, and the CPU is left", async () => {
  const commands = (command: string) => command === "nvidia-smi" ? "silent" as const : undefined;
  const diagnosis = await examine({ files: WELL, commands });
  assert.deepEqual([diagnosis.provider, reasons(diagnosis)], ["cpu", ["driver-silent"]]);
  assert.match(find(diagnosis, "driver-silent")!.message, /did not answer within 10 seconds\.$/);
  assert.equal(diagnosis.canMakePictures, true);
});

Deno.test("a GPU older than Ampere, and a system other than Linux on x86_64, cannot take part", async () => {
  const turing = { name: "Tesla T4", total: 15360, free: 15000, capability: "7.5" };
  const old = await examine({ files: WELL, commands: GOOD_DRIVER(turing) });
  assert.deepEqual(reasons(old), ["gpu-old"]);
  assert.deepEqual(reasons(await examine({ os: "darwin", arch: "aarch64" })), ["platform"]);
});

const meminfo = (gibibytes: number, available: number) => ({
  "/proc/meminfo": `MemTotal: ${gibibytes * 1048576} kB\nMemAvailable: ${
    available * 1048576
  } kB\nSwapFree: 0 kB\n`,
});

Deno.test("too little memory for the published model: the demo model is left", async () => {
  const files = { ...UBUNTU, ...meminfo(4, 3) };
  const diagnosis = await examine({
    files,
    model: PUBLISHED,
    demo: { ...DEMO, folder: "models/demo" },
  });
  assert.equal(find(diagnosis, "memory-small")?.severity, "error");
  assert.match(find(diagnosis, "memory-small")!.fix!, /swapon/);
  assert.equal(diagnosis.model, "demo");
  assert.equal(diagnosis.canMakePictures, true);
  const alone = await examine({ files, model: PUBLISHED });
  assert.equal(alone.canMakePictures, false);
});

Deno.test("memory that others hold is told from memory that is not there", async () => {
  const diagnosis = await examine({ files: { ...UBUNTU, ...meminfo(32, 4) }, model: PUBLISHED });
  assert.equal(find(diagnosis, "memory-busy")?.severity, "warning");
  assert.equal(diagnosis.canMakePictures, true);
});

Deno.test("a container's limit counts as its memory", async () => {
  const limit = { "/sys/fs/cgroup/memory.max": `${4 * 2 ** 30}\n`, "/.dockerenv": "" };
  const diagnosis = await examine({ files: { ...UBUNTU, ...limit }, model: PUBLISHED });
  assert.match(find(diagnosis, "memory-small")!.fix!, /^docker run --memory \d+g /);
});

Deno.test("half of the published model: what is missing is named, one command each", async () => {
  const diagnosis = await examine({
    files: UBUNTU,
    demo: { ...DEMO, folder: "models/demo" },
    model: {
      ...PUBLISHED,
      layout: undefined!,
      parts: PUBLISHED.parts.slice(0, 2),
      missing: [
        { name: "clipModel", path: "models/clip_model/jina-clip-v2" },
        { name: "vae", path: "models/vae/taesd" },
      ],
    },
  });
  const missing = diagnosis.findings.filter(({ code }) => code === "part-missing");
  assert.equal(missing.length, 2);
  assert.match(missing[0]!.fix!, /models\/clip_model\/jina-clip-v2/);
  assert.match(missing[1]!.fix!, /models\/vae\/taesd/);
  assert.equal(diagnosis.model, "demo");
});

Deno.test("a damaged part is named with its defect", async () => {
  const [, ...rest] = PUBLISHED.parts;
  const damaged = {
    name: "transformer",
    path: "models/next-dit-3.5b",
    problem: "cut off",
  } as const;
  const diagnosis = await examine({
    files: UBUNTU,
    model: { ...PUBLISHED, parts: [damaged, ...rest] },
  });
  assert.match(find(diagnosis, "part-damaged")!.message, /cut off/);
  assert.equal(diagnosis.canMakePictures, false);
});

Deno.test("no model at all, or a binding that does not load: no pictures", async () => {
  const none = await examine({
    files: UBUNTU,
    model: { ...DEMO, layout: undefined!, isDemo: false, parts: [], problem: "No model was found" },
  });
  assert.equal(none.canMakePictures, false);
  assert.equal(find(none, "model-absent")?.severity, "error");

  const failure = "libstdc++.so.6: cannot open shared object file";
  const broken = await examine({ files: UBUNTU, failure });
  assert.equal(broken.canMakePictures, false);
  assert.equal(find(broken, "binding-broken")?.fix, "sudo apt-get install -y libstdc++6");
  const windows = await examine({
    os: "windows",
    failure: "LoadLibraryExW failed: The specified module could not be found. (os error 126)",
  });
  const runtime = find(windows, "binding-broken");
  assert.equal(runtime?.fix, "winget install Microsoft.VCRedist.2015+.x64");
  const libc = { [`${SYSTEM}/libc.so.6`]: "GNU C Library (Debian GLIBC) release version 2.24." };
  const old = await examine({ files: { ...UBUNTU, ...libc }, failure: "GLIBC_2.28 not found" });
  assert.match(find(old, "glibc-old")!.message, /2\.28.*2\.24/);
});

Deno.test("outputs that cannot be written are told, with the way to use a shared installation", async () => {
  const shared = find(await examine({ files: UBUNTU, isReadOnly: true }), "outputs-read-only");
  assert.equal(shared?.severity, "warning");
  assert.match(shared!.fix!, /--config/);
  assert.equal(find(await examine({ files: UBUNTU }), "outputs-read-only"), undefined);
});

Deno.test("what stands in the place of the folder of pictures is told, and taken away", async () => {
  const taken = find(await examine({ files: UBUNTU, isNoFolder: true }), "outputs-no-folder");
  assert.deepEqual([taken?.severity, taken?.fix], ["error", "mv outputs outputs.old"]);
  assert.equal(find(await examine({ files: UBUNTU }), "outputs-no-folder"), undefined);
});

Deno.test("a full disk is told before a picture is lost", async () => {
  const diagnosis = await examine({ files: UBUNTU, freeDisk: 100e6 });
  assert.equal(find(diagnosis, "disk-full")?.severity, "warning");
  assert.equal(find(diagnosis, "disk-small")?.severity, "warning");
});

Deno.test("every problem carries one command, in both languages the same", async () => {
  const machines: Circumstances[] = [
    { files: UBUNTU },
    { files: { ...UBUNTU, ...PCI_CARD } },
    { files: WELL, commands: nvidiaSmi("550.54.14", "12.4", [GPU_8, H100]), model: PUBLISHED },
    { files: { ...UBUNTU, ...meminfo(2, 1) }, model: PUBLISHED, failure: "no", freeDisk: 1 },
    { files: UBUNTU, isReadOnly: true },
    { files: UBUNTU, isNoFolder: true },
  ];
  for (const machine of machines) {
    const facts = await factsOf(machine);
    const [english, chinese] = [diagnose(facts, "en"), diagnose(facts, "zh")];
    for (const [index, finding] of english.findings.entries()) {
      const other = chinese.findings[index]!;
      assert.deepEqual([other.code, other.fix], [finding.code, finding.fix]);
      assert.match(other.message, /[\u4e00-\u9fff]/, finding.code);
      assert.doesNotMatch(finding.message, /[\u4e00-\u9fff]/, finding.code);
      if (finding.severity === "ok" || finding.severity === "note") continue;
      assert(finding.fix !== undefined && !finding.fix.includes("\n"), finding.code);
    }
  }
});

const RADEON = {
  name: "AMD Radeon RX 7800 XT",
  isSoftware: false,
  hasFloat16: true,
  maxBufferBytes: 2 ** 32,
  maxBindingBytes: 2 ** 32,
};

Deno.test("a card that CUDA cannot use draws by WebGPU, and doctor says what it can", async () => {
  const diagnosis = await examine({ files: UBUNTU, adapter: RADEON });
  assert.equal(diagnosis.provider, "webgpu");
  assert.deepEqual(reasons(diagnosis), ["no-gpu"]);
  assert.match(find(diagnosis, "webgpu-adapter")!.message, /RX 7800 XT.*float16.*4\.0 GiB/);
});

Deno.test("an adapter that is a program is named, and not taken", async () => {
  const adapter = { ...RADEON, name: "llvmpipe", isSoftware: true };
  const diagnosis = await examine({ files: UBUNTU, adapter });
  assert.equal(diagnosis.provider, "cpu");
  assert.match(find(diagnosis, "webgpu-software")!.message, /llvmpipe.*--device webgpu/);
});

Deno.test("a card without a driver for Vulkan: the distribution's own command installs it", async () => {
  const files = { ...UBUNTU, ...pciCard("amdgpu") };
  const absent = find(await examine({ files }), "webgpu-absent");
  assert.equal(absent?.fix, "sudo apt-get install -y libvulkan1 mesa-vulkan-drivers");
  assert.equal(find(await examine({ files: UBUNTU }), "webgpu-absent"), undefined);
});

Deno.test("on Windows nobody knows beforehand whether the card has float16", async () => {
  const adapter = { ...RADEON, hasFloat16: undefined };
  const diagnosis = await examine({ os: "windows", adapter });
  assert.equal(diagnosis.provider, "webgpu");
  assert.match(find(diagnosis, "webgpu-adapter")!.message, /float16 where it can/);
});

const unixWords = /\b(sudo|apt-get|ln -s|du|xdg-open|cp|docker|mkdir -p|ps)\b/;

Deno.test("on Windows and macOS no command is one of Linux", async () => {
  const part = { ...DEMO.parts[0]!, problem: "not a safetensors file" };
  const circumstances = { failure: "no", freeDisk: 1, model: { ...DEMO, parts: [part] } };
  for (const os of ["windows", "darwin"]) {
    const { findings } = await examine({ ...circumstances, os });
    assert(findings.some(({ fix }) => fix !== undefined), os);
    const words = os === "windows" ? unixWords : /\b(sudo|apt-get|xdg-open|docker)\b/;
    for (const { code, fix = "" } of findings) assert.doesNotMatch(fix, words, code);
  }
});

Deno.test("where CUDA works, nothing is said of WebGPU", async () => {
  const diagnosis = await examine({ files: WELL, commands: GOOD_DRIVER(), adapter: RADEON });
  assert.equal(diagnosis.provider, "cuda");
  assert.equal(find(diagnosis, "webgpu-adapter"), undefined);
});
