import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  assemblyOf,
  KERNEL_MODULES,
  machineCodeOf,
  machinesOf,
} from "../../src/kernels/kernel_code.ts";
import { CudaKernels } from "../../src/kernels/cuda_kernels.ts";
import { kernelSource } from "../../tasks/checkout/kernel_source.ts";
import { fakeDriver } from "./_fake_driver.ts";

const ptx = assemblyOf("kernels");
const int8 = assemblyOf("int8");
const hopper_attention = assemblyOf("hopper_attention");
const hopper_gated = assemblyOf("hopper_gated");
const hopper_int8 = assemblyOf("hopper_int8");

Deno.test("each .ptx and .cubins was made from the .cu beside it as it is", async () => {
  for (const name of KERNEL_MODULES) {
    const source = await kernelSource(`src/kernels/${name}.cu`);
    const hash = createHash("sha256").update(source).digest("hex");
    for (const ending of ["ptx", "cubins"]) {
      const [first] = (await Deno.readTextFile(`src/kernels/${name}.${ending}`)).split("\n", 1);
      assert.equal(first, `// ${name}.cu, SHA-256 ${hash}`);
    }
  }
});

/** The kernels in a file, in the order of the alphabet. */
function entriesOf(assembly: string): readonly (string | undefined)[] {
  return [...assembly.matchAll(/\.entry (\w+)\(/g)].map(([, name]) => name).sort();
}

Deno.test("kernels.ptx has every kernel in both types, for GPUs from Ampere on", () => {
  const ofRanks = (name: string) => ["32", "64", "any"].map((ranks) => `${name}_${ranks}`);
  const kernels = [
    ...ofRanks("adapted_swiglu"),
    ...ofRanks("add_thin"),
    ...["norm_add_norm", "split_heads", "swiglu"],
  ];
  assert.deepEqual(entriesOf(ptx), kernels.flatMap((name) => [`${name}_bf16`, `${name}_f16`]));
  assert.match(ptx, /^\.target sm_80$/m);
});

Deno.test("int8.ptx has the kernels of products in 8 bits, for GPUs from Ampere on", () => {
  assert.deepEqual(entriesOf(int8), [
    // Products give bfloat16.
    ...["int8_gated_product_bf16", "int8_product_bf16"],
    ...["norm_add_norm_int8_bf16", "norm_add_norm_int8_f16"],
    // Weights are read in float32, too.
    ...["quantize_rows_bf16", "quantize_rows_f16", "quantize_rows_f32"],
    ...["restore_rows_bf16", "restore_rows_f16"],
  ]);
  assert.match(int8, /^\.target sm_80$/m);
});

Deno.test("what only Hopper has is for Hopper alone", () => {
  const products = ["gated_product_256", "product_160", "product_256"];
  assert.deepEqual(entriesOf(hopper_int8), products.map((name) => `int8_${name}_bf16`));
  assert.deepEqual(entriesOf(hopper_gated), ["gated_product_bf16"]);
  const attention = ["attend_32", "attend_96", "join_attended_32", "join_attended_96"];
  assert.deepEqual(
    entriesOf(hopper_attention),
    attention.flatMap((name) => [`${name}_bf16`, `${name}_f16`]),
  );
  for (const assembly of [hopper_attention, hopper_gated, hopper_int8]) {
    assert.match(assembly, /^\.target sm_90a$/m);
    assert.match(assembly, /wgmma\.mma_async\.sync\.aligned/);
  }
});

/** Of an ELF file: that it has 64 bits, and is for CUDA. */
const [CLASS, BITS_64, MACHINE, CUDA] = [4, 2, 18, 190];
/** Where it says for which GPU: 80 for 8.0. */
const ARCHITECTURE = 49;

Deno.test("machine code is for the GPU that it is named after, and has all kernels of its assembly", () => {
  for (const module of KERNEL_MODULES) {
    const machines = machinesOf(module);
    assert.deepEqual(
      machines,
      module.startsWith("hopper")
        ? ["sm_90a"]
        : ["sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"],
    );
    for (const machine of machines) {
      const architecture = Number.parseInt(machine.slice(3));
      const code = machineCodeOf(module, (architecture / 10).toFixed(1))!;
      assert.deepEqual([code[CLASS], code[MACHINE], code[ARCHITECTURE]], [
        ...[BITS_64, CUDA],
        architecture,
      ]);
      const names = new TextDecoder("latin1").decode(code)
        .matchAll(/\0\.text\.(\w+)(?=\0)/g).map(([, name]) => name!);
      assert.deepEqual([...new Set(names)].sort(), entriesOf(assemblyOf(module)));
    }
  }
  assert.equal(machineCodeOf("kernels", "8.7"), undefined);
  assert.equal(machineCodeOf("hopper_int8", "8.0"), undefined);
});

/** What a GPU's driver is given for a kernel of the first file. */
function loadedOn(gpu: Parameters<typeof fakeDriver>[0]) {
  const { driver, modules } = fakeDriver(gpu);
  CudaKernels.of(driver).kernel("swiglu", "bfloat16", []);
  return modules.map(({ module, form }) => `${module}: ${form}`);
}

Deno.test("machine code is loaded where there is some for the GPU and its driver takes it", () => {
  for (const capability of [[8, 0], [8, 6], [8, 9], [9, 0], [10, 0], [12, 0]] as const) {
    assert.deepEqual(loadedOn({ capability }), ["kernels: machine code"]);
    assert.deepEqual(loadedOn({ capability, refusesMachineCode: true }), ["kernels: assembly"]);
  }
  for (const capability of [[8, 7], [10, 3], [12, 1]] as const) {
    assert.deepEqual(loadedOn({ capability }), ["kernels: assembly"]);
  }
});
