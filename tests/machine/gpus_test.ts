/** nvidia-smi's answers: read off an H100 with driver 580.159.04; complaints as NVIDIA words them. */
import assert from "node:assert/strict";
import { readGpus } from "../../src/machine/gpus.ts";
import { driverFiles, fakeHost, GPU_24, H100, nvidiaSmi, PCI_CARD } from "./_fake_host.ts";

const MIB = 2 ** 20;

Deno.test("every GPU's name, memory and capability come from nvidia-smi", async () => {
  const host = fakeHost({
    files: { ...PCI_CARD, ...driverFiles("580.159.04") },
    commands: nvidiaSmi("580.159.04", "13.0", [H100, GPU_24]),
  });
  assert.deepEqual(await readGpus(host), {
    gpus: [
      {
        index: 0,
        name: "NVIDIA H100 80GB HBM3",
        memoryTotal: 81559 * MIB,
        memoryFree: 81079 * MIB,
        computeCapability: 9,
      },
      {
        index: 1,
        name: "NVIDIA GeForce RTX 4090",
        memoryTotal: 24564 * MIB,
        memoryFree: 24000 * MIB,
        computeCapability: 8.9,
      },
    ],
    nvidiaSmi: "answered",
    driver: "580.159.04",
    cuda: "13.0",
    pciDevices: 1,
    deviceFiles: true,
  });
});

Deno.test("a driver too old to know compute_cap is asked without it", async () => {
  const host = fakeHost({
    commands: (command, [query = ""]) => {
      if (command !== "nvidia-smi") return undefined;
      return query.includes("compute_cap")
        ? { code: 2, stdout: 'Field "compute_cap" is not a valid field to query.\n', stderr: "" }
        : { code: 0, stdout: "0, Tesla T4, 15360, 15000, 450.80.02\n", stderr: "" };
    },
  });
  const { gpus, driver } = await readGpus(host);
  assert.equal(driver, "450.80.02");
  assert.deepEqual(gpus.map(({ name, computeCapability }) => [name, computeCapability]), [
    ["Tesla T4", undefined],
  ]);
});

Deno.test("what nvidia-smi does not know stays unknown", async () => {
  const host = fakeHost({
    commands: (command) =>
      command === "nvidia-smi"
        ? { code: 0, stdout: "0, NVIDIA GB10, [N/A], [N/A], 580.95.05, 12.1\n", stderr: "" }
        : undefined,
  });
  assert.deepEqual((await readGpus(host)).gpus, [
    { index: 0, name: "NVIDIA GB10", computeCapability: 12.1 },
  ]);
});

Deno.test("a driver that does not answer is told from one that is absent", async () => {
  const complaint = "Failed to initialize NVML: Driver/library version mismatch";
  const broken = await readGpus(fakeHost({
    files: PCI_CARD,
    commands: (command) =>
      command === "nvidia-smi" ? { code: 18, stdout: `${complaint}\n`, stderr: "" } : undefined,
  }));
  assert.equal(broken.nvidiaSmi, "failed");
  assert.equal(broken.complaint, complaint);
  const absent = await readGpus(fakeHost({ files: PCI_CARD }));
  assert.equal(absent.nvidiaSmi, "absent");
  assert.equal(absent.pciDevices, 1, "its sound chip is no GPU");
});

Deno.test("without nvidia-smi, the kernel module tells names and version", async () => {
  const files = {
    ...driverFiles("550.54.14"),
    "/proc/driver/nvidia/gpus/0000:01:00.0/information":
      "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ: 1\n",
  };
  const { gpus, driver } = await readGpus(fakeHost({ files }));
  assert.deepEqual(gpus, [{ index: 0, name: "NVIDIA A100-SXM4-40GB" }]);
  assert.equal(driver, "550.54.14");
  const proprietary =
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n";
  const older = fakeHost({ files: { "/proc/driver/nvidia/version": proprietary } });
  assert.equal((await readGpus(older)).driver, "535.183.01");
});

Deno.test("on WSL, nvidia-smi is found where Windows puts it", async () => {
  const smi = nvidiaSmi("581.29", "13.0", [GPU_24]);
  const host = fakeHost({
    files: { "/dev/dxg": "" },
    commands: (command, args) =>
      command === "/usr/lib/wsl/lib/nvidia-smi" ? smi("nvidia-smi", args) : undefined,
  });
  const { gpus, deviceFiles } = await readGpus(host);
  assert.equal(gpus[0]?.name, "NVIDIA GeForce RTX 4090");
  assert(deviceFiles);
});
