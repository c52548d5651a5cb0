/** Files against their list, and the list against the files; coreutils' sha256sum has its say. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { areFilesSound, coveredFiles, CUDA_PROVIDER } from "../../src/integrity/mod.ts";
import { sh } from "./_packages.ts";
import { CUDA_LIBRARIES, LIBRARY, OTHER_LIBRARY, project, WEIGHTS } from "./_project.ts";

Deno.test("models, patches, the lock and libraries are covered, and nothing else", async () => {
  await using it = await project();
  assert.deepEqual(await coveredFiles(it.path), it.files);
  const report = await it.check();
  assert(areFilesSound(report));
  assert.equal(report.checked, it.files.length);
  assert.deepEqual(report.notInstalled, CUDA_LIBRARIES.toSorted());
  const { code } = await sh("sha256sum", ["-c", "--ignore-missing", "checksums.txt"], it.path);
  assert.equal(code, 0);
});

Deno.test("any single flipped bit of any file is found, and its file named", async () => {
  await using it = await project();
  const listed = await it.list();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...it.files), fc.nat(), fc.nat(7), async (path, at, bit) => {
      const original = await Deno.readFile(it.at(path));
      const flipped = original.slice();
      flipped[at % flipped.length]! ^= 1 << bit;
      await it.write(path, flipped);
      const report = await it.check();
      await it.write(path, original);
      assert(!areFilesSound(report));
      assert.deepEqual(report.changed.map(({ path }) => path), [path]);
      assert.equal(report.changed[0]!.expected, listed.get(path));
      assert.deepEqual([...report.missing, ...report.unlisted, ...report.unreadable], []);
    }),
    { numRuns: 60 },
  );
  assert(areFilesSound(await it.check()));
});

Deno.test("missing, cut, unreadable and unlisted files are told apart", async () => {
  await using it = await project();
  await Deno.remove(it.at("models/demo/vae/config.json"));
  await Deno.truncate(it.at(WEIGHTS), 5);
  await Deno.remove(it.at("patches/one.patch"));
  await Deno.mkdir(it.at("patches/one.patch"));
  await it.write("models/vae/taesd/model.safetensors");
  const report = await it.check();
  assert(!areFilesSound(report));
  assert.deepEqual(report.missing, ["models/demo/vae/config.json"]);
  assert.deepEqual(report.changed.map(({ path }) => path), [WEIGHTS]);
  assert.deepEqual(report.unreadable.map(({ path }) => path), ["patches/one.patch"]);
  assert.deepEqual(report.unlisted, ["models/vae/taesd/model.safetensors"]);
});

Deno.test("a pipe in a file's place is not waited for", async () => {
  await using it = await project();
  await Deno.remove(it.at(WEIGHTS));
  assert.equal((await sh("mkfifo", [WEIGHTS], it.path)).code, 0);
  const [unreadable, ...others] = (await it.check()).unreadable;
  assert.deepEqual([unreadable?.path, others], [WEIGHTS, []]);
  assert.match(unreadable!.problem.en, /cannot be read: it is a pipe, a device or a socket, not/);
});

Deno.test("libraries of other platforms and of the CUDA provider may be absent, not differ", async () => {
  await using it = await project();
  await Deno.remove(it.at(OTHER_LIBRARY));
  const report = await it.check();
  assert(areFilesSound(report));
  assert(report.notInstalled.includes(OTHER_LIBRARY));
  await Deno.remove(it.at(LIBRARY));
  assert.deepEqual((await it.check()).missing, [LIBRARY]);
  await it.write(LIBRARY);
  for (const path of [OTHER_LIBRARY, ...CUDA_LIBRARIES]) {
    await it.write(path, "other bytes");
    assert.deepEqual((await it.check()).changed.map(({ path }) => path), [path]);
    await Deno.remove(it.at(path));
  }
});

Deno.test("weights behind links are covered, and a link to a folder above does not go round", async () => {
  await using it = await project();
  await using elsewhere = await project();
  await Deno.remove(it.at("models/next-dit-3.5b"), { recursive: true });
  await Deno.symlink(elsewhere.at("models/next-dit-3.5b"), it.at("models/next-dit-3.5b"));
  await Deno.symlink(it.at("models"), it.at("models/demo/round"));
  await Deno.symlink(it.path, it.at("models/demo/project"));
  await Deno.symlink("/", it.at("models/everything"));
  await Deno.symlink("nowhere", it.at("models/demo/broken.json"));
  const report = await it.check();
  assert.deepEqual(report.unlisted, ["models/demo/broken.json"]);
  assert.deepEqual([...report.missing, ...report.changed], []);
  await elsewhere.write("models/next-dit-3.5b/model.safetensors", "other bytes");
  const [changed] = (await it.check()).changed;
  assert.equal(changed!.path, "models/next-dit-3.5b/model.safetensors");
});

Deno.test("the list is made anew from what is there, with the pinned checksums of the provider", async () => {
  await using it = await project();
  const before = await it.list();
  const nothing = { added: [], changed: [], removed: [] };
  const difference = async () => {
    const { added, changed, removed } = await it.update();
    return { added, changed, removed };
  };
  assert.deepEqual(await difference(), nothing);
  await it.write(WEIGHTS, "other");
  await it.write("models/vae/taesd/model.safetensors");
  await Deno.remove(it.at("models/next-dit-3.5b"), { recursive: true });
  await Deno.remove(it.at(OTHER_LIBRARY));
  await it.write(CUDA_LIBRARIES[0]!, "other bytes than the pinned ones");
  assert.deepEqual(await difference(), {
    added: ["models/vae/taesd/model.safetensors"],
    changed: [WEIGHTS],
    removed: ["models/next-dit-3.5b/model.safetensors"],
  });
  const after = await it.list();
  assert.equal(after.get(OTHER_LIBRARY), before.get(OTHER_LIBRARY));
  for (const [index, path] of CUDA_LIBRARIES.entries()) {
    assert.equal(after.get(path), CUDA_PROVIDER.libraries[index]!.sha256);
  }
  assert.deepEqual((await it.check()).changed.map(({ path }) => path), [CUDA_LIBRARIES[0]]);
  const { out } = await sh("sha256sum", [WEIGHTS], it.path);
  assert.equal(out, `${after.get(WEIGHTS)}  ${WEIGHTS}\n`);
});

Deno.test("a list is not made of files that cannot be read", async () => {
  await using it = await project();
  await Deno.symlink("nowhere", it.at("models/broken.json"));
  await assert.rejects(it.update(), /broken\.json/);
});
