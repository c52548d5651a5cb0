/** Flags as Linux lists them for a Haswell, a Skylake-SP, a Nehalem and a Neoverse N1. */
import assert from "node:assert/strict";
import { sameArithmetic } from "../../src/machine/arithmetic.ts";
import { cpuArithmetic, fingerprint } from "../../src/machine/cpu_arithmetic.ts";
import { fakeHost } from "./_fake_host.ts";

Deno.test("the widest instructions are those that the processor says it has", async () => {
  const named = async (info: string, arch = "x86_64") =>
    (await cpuArithmetic(fakeHost({ files: { "/proc/cpuinfo": info }, arch }))).processor;
  const haswell = "fpu sse2 ssse3 fma avx f16c avx2 bmi2";
  assert.equal(await named(`processor\t: 0\nflags\t\t: ${haswell}\n`), "AVX2");
  const skylake = `${haswell} avx512f avx512dq avx512cd avx512bw avx512vl`;
  assert.equal(await named(`processor\t: 0\nflags\t\t: ${skylake}\n`), "AVX-512");
  assert.equal(await named("processor\t: 0\nflags\t\t: fpu sse2 ssse3\n"), "SSE");
  assert.equal(await named("processor\t: 0\nFeatures\t: fp asimd crc32\n", "aarch64"), "NEON");
  assert.equal(await named("", "aarch64"), "aarch64");
});

Deno.test("the fingerprint is the same each time, with any number of threads", async () => {
  const first = await fingerprint();
  assert.match(first, /^[0-9a-f]{16}$/);
  for (const threads of [1, 2, 5, 8]) assert.equal(await fingerprint(threads), first);
});

Deno.test("fingerprints decide where both have one, names and kernels where not", () => {
  const here = { processor: "AVX2", fingerprint: "0123456789abcdef" };
  assert(sameArithmetic(here, { ...here, processor: "x86_64" }));
  assert(!sameArithmetic(here, { ...here, fingerprint: "fedcba9876543210" }));
  const gpu = { processor: "NVIDIA H200", kernels: "toolkit" } as const;
  assert(sameArithmetic(gpu, { ...gpu }));
  assert(!sameArithmetic(gpu, { ...gpu, kernels: "onnxruntime" }));
  assert(!sameArithmetic(gpu, { ...gpu, processor: "NVIDIA H100" }));
});
