/**
 * needs_cuda.so was linked by GNU ld; readelf says what it needs (tests/reference/elf.py). What the
 * provider itself needs was read with readelf off npm's com.github.asus4.onnxruntime.linux-x64-gpu
 * 0.4.9; that it opens cuDNN by name, off its strings.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { neededLibraries } from "../../src/machine/_elf.ts";
import { readBinding } from "../../src/machine/binding.ts";
import { fixture } from "../_fixtures.ts";
import { fakeHost } from "./_fake_host.ts";

const bytes = await Deno.readFile(fixture("runtime/needs_cuda.so"));
const needed = (file: Uint8Array) =>
  neededLibraries((offset, length) => Promise.resolve(file.subarray(offset, offset + length)));

Deno.test("a shared library's needs are those that readelf lists", async () => {
  assert.deepEqual(await needed(bytes), ["libcudart.so.13", "libcublas.so.13"]);
});

Deno.test("a file that is no library, or half of one, needs nothing that can be told", async () => {
  assert.equal(await needed(new Uint8Array()), undefined);
  assert.equal(
    await needed(new TextEncoder().encode("version https://git-lfs".repeat(9))),
    undefined,
  );
  assert.equal(await needed(bytes.subarray(0, 500)), undefined);
});

Deno.test("no damage to a library makes the reader fail or read without end", async () => {
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1 });
  await fc.assert(fc.asyncProperty(damage, async (changes) => {
    const copy = bytes.slice();
    for (const [place, value] of changes) copy[place] = value;
    const names = await needed(copy);
    assert(names === undefined || Array.isArray(names));
  }));
});

Deno.test("the provider's own list is used where it is there, ours where it is not", async () => {
  const works = () => Promise.resolve();
  const { folder, cuda } = await readBinding(fakeHost(), works);
  assert.equal(cuda.provider, false);
  assert.deepEqual(
    new Set(cuda.libraries.found.map(({ name }) => name)),
    new Set([
      "libcublasLt.so.13",
      "libcublas.so.13",
      "libcurand.so.10",
      "libcudart.so.13",
      "libcuda.so.1",
      "libcudnn.so.9",
    ]),
  );
  const with_ = await readBinding(
    fakeHost({
      files: {
        [`${folder}/libonnxruntime_providers_cuda.so`]: bytes,
        [`${folder}/libonnxruntime_providers_shared.so`]: "",
      },
    }),
    works,
  );
  assert.equal(with_.cuda.provider, true);
  assert.deepEqual(with_.cuda.libraries.found.map(({ name }) => name), [
    "libcudart.so.13",
    "libcublas.so.13",
    "libcudnn.so.9",
  ]);
});

Deno.test("half of the provider is no provider", async () => {
  const works = () => Promise.resolve();
  const { folder } = await readBinding(fakeHost(), works);
  const files = { [`${folder}/libonnxruntime_providers_cuda.so`]: bytes };
  assert.equal((await readBinding(fakeHost({ files }), works)).cuda.provider, false);
});

Deno.test("a binding that does not load is a fact, not an error", async () => {
  const reason = "libstdc++.so.6: cannot open shared object file: No such file or directory";
  const { failure } = await readBinding(fakeHost(), () => Promise.reject(new Error(reason)));
  assert.equal(failure, reason);
});
