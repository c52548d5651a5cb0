/** nvidia-smi's answers: read off an H100 with driver 580.159.04; complaints as NVIDIA words them. */
import assert from "node:assert/strict";
import { readGpus } from "../../src/machine/gpus.ts";
import {
  driverFiles,
  fakeHost,
  GPU_24,
  GPU_8,
  H100,
  nvidiaSmi,
  PCI_CARD,
  pciCard,
} from "./_fake_host.ts";

const MIB = 2 ** 20;

Deno.test("every GPU's name, memory and capability come from nvidia-smi", async () => {
  const host = fakeHost({
    files: { ...PCI_CARD, ...driverFiles("580.159.04") },
    commands: nvidiaSmi("580.159.04", "13.0", [H100, GPU_24]),
  });
  const { visible, ...facts } = await readGpus(host);
  assert.deepEqual(visible, facts.gpus);
  assert.deepEqual(facts, {
    gpus: [
      {
        index: 0,
        name: "NVIDIA H100 80GB HBM3",
        memoryTotal: 81559 * MIB,
        memoryFree: 81079 * MIB,
        computeCapability: 9,
        uuid: "GPU-00000000-0000-0000-0000-000000000000",
      },
      {
        index: 1,
        name: "NVIDIA GeForce RTX 4090",
        memoryTotal: 24564 * MIB,
        memoryFree: 24000 * MIB,
        computeCapability: 8.9,
        uuid: "GPU-10000000-0000-0000-0000-000000000000",
      },
    ],
    nvidiaSmi: "answered",
    driver: "580.159.04",
    cuda: "13.0",
    pciDevices: 1,
    driverLibrary: true,
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
    ...pciCard("nvidia"),
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
    files: { "/usr/lib/wsl/lib/libcuda.so.1": "" },
    commands: (command, args) =>
      command === "/usr/lib/wsl/lib/nvidia-smi" ? smi("nvidia-smi", args) : undefined,
  });
  const { gpus, driverLibrary } = await readGpus(host);
  assert.equal(gpus[0]?.name, "NVIDIA GeForce RTX 4090");
  assert(driverLibrary);
});

Deno.test("an nvidia-smi that never returns is told from one that fails, and asked once", async () => {
  let asked = 0;
  const commands = (command: string) => {
    if (command !== "nvidia-smi") return undefined;
    asked++;
    return "silent" as const;
  };
  const files = { ...pciCard("nvidia"), ...driverFiles("580.95.05") };
  const { nvidiaSmi, waitedSeconds, gpus, driver } = await readGpus(fakeHost({ files, commands }));
  assert.deepEqual([nvidiaSmi, waitedSeconds, gpus, driver], ["silent", 10, [], "580.95.05"]);
  assert.equal(asked, 1);
});

Deno.test("switches and network cards of NVIDIA's are no GPUs", async () => {
  const line = (place: string, device: string, driver: string) =>
    [place, device, "0", ...Array(14).fill("0"), driver].join("\t");
  const list = [
    line("0500", "10de22a3", "nvidia-nvswitch"),
    line("0600", "15b31021", "mlx5_core"),
    line("1800", "10de2330", "nvidia"),
  ];
  const files = { "/proc/bus/pci/devices": list.join("\n") };
  assert.equal((await readGpus(fakeHost({ files }))).pciDevices, 1);
});

// CUDA C++ Programming Guide, "CUDA Environment Variables".
for (
  const [variables, expected] of [
    [{}, ["NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 3070"]],
    [{ CUDA_DEVICE_ORDER: "PCI_BUS_ID" }, ["NVIDIA GeForce RTX 3070", "NVIDIA H100 80GB HBM3"]],
    [{ CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "1" }, ["NVIDIA H100 80GB HBM3"]],
    [{ CUDA_VISIBLE_DEVICES: "1,0" }, ["NVIDIA GeForce RTX 3070", "NVIDIA H100 80GB HBM3"]],
    [{ CUDA_VISIBLE_DEVICES: "0,7,1" }, ["NVIDIA H100 80GB HBM3"]],
    [{ CUDA_VISIBLE_DEVICES: "GPU-1" }, ["NVIDIA H100 80GB HBM3"]],
    [{ CUDA_VISIBLE_DEVICES: "MIG-5f" }, [undefined]],
    [{ CUDA_VISIBLE_DEVICES: "-1" }, []],
    [{ CUDA_VISIBLE_DEVICES: "" }, []],
  ] as const
) {
  Deno.test(`CUDA's GPUs with ${JSON.stringify(variables)}`, async () => {
    const commands = nvidiaSmi("580.95.05", "13.0", [GPU_8, H100]);
    const { visible } = await readGpus(fakeHost({ commands, env: variables }));
    assert.deepEqual(visible.map((gpu) => gpu?.name), expected);
  });
}
