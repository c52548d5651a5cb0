/** Pinned files. SHA-256 values of "abc" and of the empty message are FIPS 180-4's; GNU tar packs. */
import assert from "node:assert/strict";
import { basename, join } from "node:path";
import configuration from "../../deno.json" with { type: "json" };
import {
  BASE_IMAGES,
  CUDA_PROVIDER,
  installPinnedFiles,
  type NamedStream,
  PinError,
  type PinErrorCode,
  type PinnedFile,
  readTarball,
  standingOf,
} from "../../src/integrity/mod.ts";
import { readBinding } from "../../src/machine/binding.ts";
import { CUDA_PROVIDER_FILES } from "../../src/runtime/binding_folder.ts";
import { fakeHost } from "../machine/_fake_host.ts";
import { temporaryFolder } from "../_folders.ts";
import { sh } from "./_packages.ts";

const ABC: PinnedFile = {
  name: "abc.so",
  bytes: 3,
  sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
};
const EMPTY: PinnedFile = {
  name: "empty.so",
  bytes: 0,
  sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
};
const LARGE_BYTES = 300_000;

/** A tarball of the two, with others around them, and an empty folder to install into. */
async function archive(contents: Readonly<Record<string, string>> = { "abc.so": "abc" }) {
  const folder = await temporaryFolder();
  const at = (path: string) => join(folder.path, path);
  await Deno.mkdir(at("package/lib/x64"), { recursive: true });
  await Deno.mkdir(at("place"));
  const noise = crypto.getRandomValues(new Uint8Array(1 << 16));
  const others = new Uint8Array(LARGE_BYTES).map((_, index) => noise[index % noise.length]!);
  await Deno.writeFile(at("package/a.bin"), others);
  await Deno.writeTextFile(at("package/lib/x64/empty.so"), "");
  for (const [name, text] of Object.entries(contents)) {
    await Deno.writeTextFile(at(`package/lib/x64/${name}`), text);
  }
  await Deno.writeFile(at("package/lib/x64/abc.so.meta"), others);
  const { code, err } = await sh("tar", ["-czf", "it.tgz", "--sort=name", "package"], folder.path);
  assert.equal(code, 0, err);
  const tarball = at("it.tgz");
  return {
    ...folder,
    tarball,
    at,
    open: async () => readTarball((await Deno.open(tarball)).readable),
    place: at("place"),
    placed: () => [...Deno.readDirSync(at("place"))].map(({ name }) => name).sort(),
  };
}

async function assertPinError(code: PinErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => error instanceof PinError && error.code === code);
}

Deno.test("pinned files come out of a tarball, and nothing else does", async () => {
  await using it = await archive();
  assert.equal(await standingOf(ABC, it.place), "missing");
  await installPinnedFiles([ABC, EMPTY], await it.open(), it.place);
  assert.deepEqual(it.placed(), ["abc.so", "empty.so"]);
  assert.equal(await Deno.readTextFile(join(it.place, "abc.so")), "abc");
  for (const file of [ABC, EMPTY]) assert.equal(await standingOf(file, it.place), "in-place");
  assert.equal((await Deno.stat(join(it.place, "abc.so"))).mode! & 0o777, 0o755);
});

Deno.test("one file that is not the pinned one keeps all of them out", async () => {
  for (const text of ["abd", "abcd", "ab"]) {
    await using it = await archive({ "abc.so": text });
    await Deno.writeTextFile(join(it.place, "empty.so"), "old");
    await assertPinError(
      "other-bytes",
      installPinnedFiles([EMPTY, ABC], await it.open(), it.place),
    );
    assert.deepEqual(it.placed(), ["empty.so"]);
    assert.equal(await Deno.readTextFile(join(it.place, "empty.so")), "old");
    assert.equal(await standingOf(EMPTY, it.place), "other-bytes");
  }
});

Deno.test("a tarball without one of the files is refused, and the file named", async () => {
  await using it = await archive({});
  await assert.rejects(
    installPinnedFiles([EMPTY, ABC], await it.open(), it.place),
    (error) => error instanceof PinError && error.code === "absent" && error.subject === "abc.so",
  );
  assert.deepEqual(it.placed(), []);
});

Deno.test("a tarball that is cut off anywhere is damaged, and nothing is installed", async () => {
  await using it = await archive();
  const bytes = await Deno.readFile(it.tarball);
  // A file that comes last, so that all of the archive has to be read.
  const last: PinnedFile = { ...ABC, name: "never.so" };
  for (const part of [0.01, 0.3, 0.6, 0.99]) {
    await Deno.writeFile(it.tarball, bytes.subarray(0, Math.floor(bytes.length * part)));
    await assertPinError("damaged", installPinnedFiles([last], await it.open(), it.place));
    assert.deepEqual(it.placed(), []);
  }
  await Deno.writeTextFile(it.tarball, "this is no archive");
  await assertPinError("damaged", installPinnedFiles([ABC], await it.open(), it.place));
});

Deno.test("a changed byte of the same length is seen where the file lies", async () => {
  await using it = await archive();
  await Deno.writeTextFile(join(it.place, "abc.so"), "abd");
  assert.equal(await standingOf(ABC, it.place), "other-bytes");
});

Deno.test("a source that breaks leaves nothing, and its own error comes through", async () => {
  await using it = await archive();
  async function* broken(): AsyncGenerator<NamedStream> {
    yield { path: "empty.so", body: ReadableStream.from([]) };
    await Promise.resolve();
    throw new Error("the cable was pulled");
  }
  await assert.rejects(installPinnedFiles([EMPTY, ABC], broken(), it.place), /cable was pulled/);
  assert.deepEqual(it.placed(), []);
});

Deno.test("the pinned provider is the one that doctor looks for, of the pinned ONNX Runtime", () => {
  const names = CUDA_PROVIDER.libraries.map(({ name }) => basename(name));
  assert.deepEqual([...names].sort(), [...CUDA_PROVIDER_FILES].sort());
  assert.equal(
    configuration.imports["onnxruntime-node"],
    `npm:onnxruntime-node@${CUDA_PROVIDER.onnxruntime}`,
  );
  assert(!Object.values(configuration.imports).some((name) => name.includes("asus4")));
});

Deno.test("the image has the CUDA and the cuDNN that the provider asks for by name", async () => {
  const { cuda, cudnn } = CUDA_PROVIDER;
  assert.match(BASE_IMAGES.cuda.name, new RegExp(`^nvidia/cuda:${cuda}\\..*-cudnn-runtime-`));
  const binding = await readBinding(fakeHost(), () => Promise.resolve());
  const names = binding.cuda.libraries.found.map(({ name }) => name);
  for (const name of [`libcudart.so.${cuda}`, `libcublas.so.${cuda}`, `libcudnn.so.${cudnn}`]) {
    assert(names.includes(name), name);
  }
});
