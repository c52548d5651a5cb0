/**
 * Bundles, made from an image as Engine 20.10 saves it. What is in them is said by tar, sha256sum
 * and cat, the programs that unpack them where there is nothing else.
 */
import assert from "node:assert/strict";
import { findModelFiles } from "../../src/container/bundle/_model_files.ts";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BundleOptions } from "../../src/container/bundle/bundle.ts";
import { BundleError } from "../../src/container/bundle/bundle_error.ts";
import { RequestError } from "../../src/errors.ts";
import { EPOCH, NAME, noise, project, sh } from "./_bundles.ts";
import { namesIn, sha256 } from "./_images.ts";

const MEBIBYTE = 1 << 20;
const ARCHIVE = `${NAME}.tar`;

Deno.test("a bundle holds the image, the weights, their checksums, and what installs them", async () => {
  await using here = await project();
  const bundle = await here.bundle();
  assert.deepEqual(namesIn(here.path), ["bundle", "project"]);
  const files = ["README.txt", "SHA256SUMS", "load.sh", ARCHIVE, "sbom.spdx.json"];
  assert.deepEqual(namesIn(bundle.folder), files.sort());
  assert.deepEqual(bundle.volumes.map(({ name }) => name), [ARCHIVE]);
  assert.equal(bundle.weights, 4);

  const sums = await sh("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: bundle.folder });
  assert.equal(sums.code, 0, sums.err);
  const text = await Deno.readFile(join(bundle.folder, "SHA256SUMS"));
  assert.equal(bundle.sha256, sha256(text));

  const unpacked = join(here.path, "unpacked");
  await Deno.mkdir(unpacked);
  const tar = await sh("tar", ["-xf", join(bundle.folder, ARCHIVE), "-C", unpacked]);
  assert.equal(tar.code, 0, tar.err);
  const inner = await sh("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: unpacked });
  assert.equal(inner.code, 0, inner.err);
  // The files of the real model, and neither the demo model nor what chance left there.
  assert.deepEqual(namesIn(join(unpacked, "models")), ["next-dit-3.5b", "vae"]);
  const weights = await Deno.readFile(join(unpacked, "models/next-dit-3.5b/model.safetensors"));
  assert.deepEqual(weights, noise(2_500_000, 0));
  const image = await sh("tar", ["-tf", join(unpacked, "image.tar")]);
  assert.match(
    image.out,
    /^oci-layout\nindex\.json\nmanifest\.json\nblobs\/sha256\/[0-9a-f]{64}\n/,
  );
  const description = JSON.parse(await Deno.readTextFile(join(unpacked, "bundle.json")));
  assert.equal(description.image.digest, bundle.image);
  const listing = await sh("tar", ["-tvf", join(bundle.folder, ARCHIVE), "--numeric-owner"], {
    env: { TZ: "UTC" },
  });
  for (const line of listing.out.trim().split("\n")) {
    assert.match(line, / 0\/0 .* 2023-11-14 22:13 /);
  }
});

Deno.test("the same image and weights make the same bundle, byte for byte", async () => {
  await using one = await project();
  await using other = await project();
  const [first, second] = [await one.bundle(), await other.bundle()];
  assert.equal(second.sha256, first.sha256);
  assert.equal(second.image, first.image);
});

Deno.test("volumes after each other are the archive", async () => {
  await using here = await project();
  const whole = await here.bundle();
  const split = await here.bundle({ folder: join(here.path, "split"), volumeBytes: MEBIBYTE });
  const count = Math.ceil(whole.bytes / MEBIBYTE);
  const names = Array.from({ length: count }, (_, index) => `${ARCHIVE}.00${index + 1}`);
  assert.deepEqual(split.volumes.map(({ name }) => name), names);
  assert(split.volumes.slice(0, -1).every(({ bytes }) => bytes === MEBIBYTE));
  const joined = await sh("sh", ["-c", 'cat "$@" | sha256sum', "-", ...names], {
    cwd: split.folder,
  });
  assert.equal(joined.out.slice(0, 64), whole.volumes[0]!.sha256);
});

/** Ends a bundle when so many volumes are whole. */
function endedAfter(volumes: number): Partial<BundleOptions> {
  const controller = new AbortController();
  return {
    volumeBytes: MEBIBYTE,
    signal: controller.signal,
    onProgress({ stage, done }) {
      if (stage === "volumes" && done > volumes * MEBIBYTE) controller.abort("ended");
    },
  };
}

Deno.test("what was interrupted keeps its whole volumes, and goes on from them", async () => {
  await using here = await project();
  const expected = await here.bundle({ folder: join(here.path, "all"), volumeBytes: MEBIBYTE });
  const work = join(here.path, "bundle.part");
  // In the image, in the largest file, and behind it.
  for (const volumes of [1, 2, 4]) {
    await assert.rejects(here.bundle(endedAfter(volumes)), (error) => error === "ended");
    const names = namesIn(join(work, "volumes"));
    assert.equal(names.length, volumes);
    for (const name of names) {
      assert.equal((await Deno.stat(join(work, "volumes", name))).size, MEBIBYTE);
    }
  }
  // Once for the whole bundle, once for all the parts of this one.
  assert.equal(here.saved, 2);
  const resumed: number[] = [];
  const bundle = await here.bundle({
    volumeBytes: MEBIBYTE,
    onProgress: ({ stage, done }) => stage === "resumed" && resumed.push(done),
  });
  assert.deepEqual(resumed, [4]);
  assert.equal(bundle.sha256, expected.sha256);
  assert.deepEqual(namesIn(here.path), ["all", "bundle", "project"]);
});

Deno.test("a volume that was damaged, or that a killed process began, is written again", async () => {
  await using here = await project();
  await assert.rejects(here.bundle(endedAfter(3)));
  const volume = join(here.path, "bundle.part/volumes", `${ARCHIVE}.002`);
  const bytes = await Deno.readFile(volume);
  bytes[1000]! ^= 1;
  await Deno.writeFile(volume, bytes);
  await Deno.writeTextFile(volume.replace(/2$/, "4"), "half a vol");
  const resumed: number[] = [];
  const { folder } = await here.bundle({
    volumeBytes: MEBIBYTE,
    onProgress: ({ stage, done }) => stage === "resumed" && resumed.push(done),
  });
  assert.deepEqual(resumed, [1]);
  const sums = await sh("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder });
  assert.equal(sums.code, 0, sums.err);
});

Deno.test("other weights, another image or other volumes begin anew", async () => {
  await using here = await project();
  await assert.rejects(here.bundle(endedAfter(2)));
  const { folder } = await here.bundle({ volumeBytes: 2 * MEBIBYTE });
  const sums = await sh("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder });
  assert.equal(sums.code, 0, sums.err);
});

Deno.test("what was interrupted before a volume was whole leaves nothing", async () => {
  for (const stage of ["image", "volumes"]) {
    await using here = await project();
    const controller = new AbortController();
    const ended = here.bundle({
      signal: controller.signal,
      onProgress: (progress) => progress.stage === stage && controller.abort("ended"),
    });
    await assert.rejects(ended, (error) => error === "ended");
    assert.deepEqual(namesIn(here.path), ["project"]);
  }
});

/** Expects a failure of one kind that leaves nothing. */
async function refused(
  here: Awaited<ReturnType<typeof project>>,
  options: Partial<BundleOptions>,
  code: string,
  message: RegExp,
): Promise<void> {
  await assert.rejects(here.bundle(options), (error) => {
    assert(error instanceof BundleError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.notEqual(error.explain("zh"), error.message);
    return true;
  });
  assert.deepEqual(namesIn(here.path), ["project"]);
}

Deno.test("one byte changed in a weight is found, and the file named", async () => {
  for (const volumeBytes of [undefined, MEBIBYTE]) {
    await using here = await project();
    const path = "models/next-dit-3.5b/model.safetensors";
    const file = join(here.path, "project", path);
    const bytes = await Deno.readFile(file);
    bytes[2_400_000]! ^= 0x10;
    await Deno.writeFile(file, bytes);
    await refused(
      here,
      { volumeBytes },
      "weights",
      /next-dit-3\.5b\/model\.safetensors is not what/,
    );
  }
});

Deno.test("weights that no list has are named", async () => {
  await using here = await project();
  await Deno.writeTextFile(join(here.path, "project/models/vae/taesd/other.json"), "{}");
  await refused(here, {}, "weights", /does not list models\/vae\/taesd\/other\.json\./);
  // Without weights they do not matter.
  const { weights } = await here.bundle({ withModels: false });
  assert.equal(weights, 0);
});

Deno.test("a project without weights makes a bundle with the demo model alone", async () => {
  await using here = await project({ withWeights: false });
  const { folder, weights } = await here.bundle();
  assert.equal(weights, 0);
  const { out } = await sh("tar", ["-tf", join(folder, ARCHIVE)]);
  assert(!out.includes("models/"), out);
});

Deno.test("a disk that is too small is known before anything is read", async () => {
  await using here = await project();
  const image = { id: "sha256:1", bytes: 2 ** 50, reference: "x:1", sourceDateEpoch: EPOCH };
  const save = () => assert.fail("the image was read");
  await refused(here, { image: { ...image, save } }, "no-room", /needs 2048\.0 TiB more/);
});

Deno.test("an archive of the engine that is cut off leaves nothing", async () => {
  await using here = await project();
  const image = { id: "sha256:1", bytes: 1, reference: "x:1", sourceDateEpoch: EPOCH };
  async function* nothing(): AsyncGenerator<Uint8Array> {}
  const save = () => Promise.resolve(nothing());
  await assert.rejects(here.bundle({ image: { ...image, save } }), /ends too early/);
  assert.deepEqual(namesIn(here.path), ["project"]);
});

Deno.test("two at once: one of them makes the bundle, and the other says so", async () => {
  await using here = await project();
  const results = await Promise.allSettled([here.bundle(), here.bundle()]);
  const failed = results.filter(({ status }) => status === "rejected");
  assert.equal(failed.length, 1);
  const { reason } = failed[0] as PromiseRejectedResult;
  assert.match(String(reason), /Another process is making the same bundle|is there already/);
  assert.deepEqual(namesIn(here.path), ["bundle", "project"]);
});

Deno.test("what is there already is never replaced, and volumes have a least size", async () => {
  await using here = await project();
  await here.bundle();
  await assert.rejects(here.bundle(), RequestError);
  const folder = join(here.path, "other");
  await assert.rejects(here.bundle({ folder, volumeBytes: 1000 }), RequestError);
  assert.deepEqual(namesIn(here.path), ["bundle", "project"]);
});

/** A program that makes a bundle of an image larger than the room there is, and says what happened. */
const PROGRAM = `
import { makeBundle } from ${
  JSON.stringify(new URL("../../src/container/bundle/bundle.ts", import.meta.url))
};
import { layer, legacyArchive, streamOf } from ${
  JSON.stringify(new URL("./_images.ts", import.meta.url))
};
const [folder, root] = Deno.args;
const archive = await legacyArchive({ layers: [await layer([["x", "y".repeat(6_000_000)]])] });
// The image is larger than it says, so that the disk is full in the middle.
const image = { id: "1", bytes: 1, reference: "x:1", sourceDateEpoch: 0 };
const save = () => Promise.resolve(streamOf(archive, 65_536));
try {
  await makeBundle({ image: { ...image, save }, name: "x", version: "1", root, withModels: false, folder });
} catch (error) {
  console.log(error.name, error.code, error.message, [...Deno.readDirSync(new URL(".", "file://" + folder))].length);
}
`;

/** How to make room scarce, in words of sh; `exec "$@"` goes on from there. */
const SCARCE = {
  "a full disk": 'mount -t tmpfs -o size=9m tmpfs "$DISK" && exec "$@"',
  "a limit on the size of files": "trap '' XFSZ && ulimit -f 9000 && exec \"$@\"",
};

for (const [name, script] of Object.entries(SCARCE)) {
  Deno.test(`${name} in the middle of a bundle is told in one message, and nothing is left`, async () => {
    await using here = await project({ withWeights: false });
    const disk = join(here.path, "disk");
    await Deno.mkdir(disk);
    const isDisk = name === "a full disk";
    const prefix = isDisk ? ["unshare", "--mount", "--map-root-user"] : [];
    const program = join(here.path, "program.ts");
    await Deno.writeTextFile(program, PROGRAM);
    const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
    const [command, ...args] = [
      ...prefix,
      ...["sh", "-c", script, "sh", Deno.execPath(), "run", "-A", "--config", config, program],
      ...[join(disk, "bundle"), join(here.path, "project")],
    ];
    const { code, out, err } = await sh(command!, args, { env: { DISK: disk } });
    if (isDisk && /unshare|mount:/.test(err)) {
      console.log(`skipped: no disk can be mounted here (${err.trim()})`);
      return;
    }
    assert.equal(code, 0, err);
    const expected = isDisk ? /is full\. Make room/ : /takes no file of this size.*--split 4G/;
    assert.match(out, /^BundleError no-room .* 0\n$/s);
    assert.match(out, expected);
  });
}

Deno.test("a folder of the parts' name that somebody else made is refused, and stays as it is", async () => {
  for (const names of [["thesis.txt"], ["image"], ["lock"], ["volumes", "mine"]]) {
    await using here = await project();
    await Deno.mkdir(join(here.path, "bundle.part"));
    for (const name of names) {
      await Deno.writeTextFile(join(here.path, "bundle.part", name), "mine");
    }
    await assert.rejects(here.bundle({ volumeBytes: MEBIBYTE }), RequestError);
    assert.deepEqual(namesIn(join(here.path, "bundle.part")), names.sort());
    assert.equal(here.saved, 0);
  }
});

Deno.test("links among the weights that lead to folders above them do not go round", async () => {
  await using there = await project();
  const models = join(there.path, "project/models");
  const files = async () =>
    (await findModelFiles(join(there.path, "project"))).map(({ path }) => path);
  const before = await files();
  assert(before.length > 1);
  // Each of them holds both: followed as long as the system lets it, they would be 2 ** 40 folders.
  for (const name of ["one", "two"]) await Deno.symlink(models, join(models, "vae/taesd", name));
  assert.deepEqual(await files(), before);
});
