/** The order of search is that of man 8 ld.so; the trees are as Ubuntu, CUDA and pip make them. */
import assert from "node:assert/strict";
import { findLibraries } from "../../src/machine/libraries.ts";
import { fakeHost, UBUNTU } from "./_fake_host.ts";

const NAME = "libcudart.so.13";

async function find(files: Record<string, string | Uint8Array>, env = {}) {
  const host = fakeHost({ files: { ...UBUNTU, ...files }, env });
  return (await findLibraries(host, [NAME])).found[0];
}

Deno.test("a library is found in each place where the loader looks", async () => {
  const folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib", "/lib64", "/usr/lib64"];
  for (const folder of folders) {
    const path = `${folder}/${NAME}`;
    assert.deepEqual(await find({ [path]: "" }), { name: NAME, state: "found", path });
  }
});

Deno.test("LD_LIBRARY_PATH goes before all else", async () => {
  const files = { [`/usr/lib/${NAME}`]: "", [`/data/cuda/${NAME}`]: "" };
  const found = await find(files, { LD_LIBRARY_PATH: "/nowhere::/data/cuda" });
  assert.equal(found?.path, `/data/cuda/${NAME}`);
});

Deno.test("folders of ld.so.conf.d count, and paths of ld.so.cache that still exist", async () => {
  const folder = "/usr/local/cuda-13.0/targets/x86_64-linux/lib";
  const path = `${folder}/${NAME}`;
  const configured = { "/etc/ld.so.conf.d/cuda.conf": `${folder}/\n`, [path]: "" };
  assert.deepEqual(await find(configured), { name: NAME, state: "found", path });

  const cache = `glibc-ld.so.cache1.1\x03\0\0\0${NAME}\0/gone/${NAME}\0/odd/place/${NAME}\0`;
  const cached = { "/etc/ld.so.cache": cache, [`/odd/place/${NAME}`]: "" };
  assert.deepEqual(await find(cached), { name: NAME, state: "found", path: `/odd/place/${NAME}` });
  assert.equal((await find({ "/etc/ld.so.cache": cache }))?.state, "missing");
});

Deno.test("CUDA's own folder and pip's are searched, and told apart from the loader's", async () => {
  for (
    const folder of [
      "/usr/local/cuda-13.0/lib64",
      "/usr/local/lib/python3.12/dist-packages/nvidia/cu13/lib",
      "/home/mei/.local/lib/python3.11/site-packages/nvidia/cuda_runtime/lib",
    ]
  ) {
    const path = `${folder}/${NAME}`;
    assert.deepEqual(await find({ [path]: "" }), { name: NAME, state: "elsewhere", path });
  }
});

Deno.test("linkers' stubs are no libraries", async () => {
  assert.equal((await find({ [`/usr/local/cuda/lib64/stubs/${NAME}`]: "" }))?.state, "missing");
});

Deno.test("what was searched is named, folders that do not exist are not", async () => {
  const host = fakeHost({ files: { ...UBUNTU, "/usr/local/cuda/lib64/x": "" } });
  const { loaderFolders, otherFolders } = await findLibraries(host, [NAME]);
  assert.deepEqual(loaderFolders, ["/usr/lib/x86_64-linux-gnu", "/usr/lib"]);
  assert.deepEqual(otherFolders, ["/usr/local/cuda/lib64"]);
});

Deno.test("a configuration that includes itself ends", async () => {
  const files = { "/etc/ld.so.conf": "include /etc/ld.so.conf\n/usr/lib\n" };
  const { loaderFolders } = await findLibraries(fakeHost({ files: { ...UBUNTU, ...files } }), []);
  assert(loaderFolders.includes("/usr/lib"));
});
