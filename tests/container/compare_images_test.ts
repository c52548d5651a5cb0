/** Where two images differ: each difference is put there by hand, and has to be named. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { compareImages, type ImageDifference } from "../../src/container/image/compare_images.ts";
import { openImage } from "../../src/container/bundle/open_image.ts";
import { writeCanonicalLayout } from "../../src/container/image/oci_layout.ts";
import { RequestError } from "../../src/errors.ts";
import { project } from "./_bundles.ts";
import {
  type Files,
  layer,
  legacyArchive,
  ociArchive,
  streamOf,
  temporaryFolder,
} from "./_images.ts";

const BASE: Files = [["etc/", ""], ["etc/issue", "base"]];
const OWN: Files = [["app/", ""], ["app/one", "the first file"], ["app/two", "the second"]];

/** Saved as an engine does it, and opened again. */
async function opened(folder: string, own: Files, config = {}, time?: Date) {
  const layers = [await layer(BASE), await layer(own, time)];
  const archive = await legacyArchive({ layers, config });
  const scratch = await Deno.makeTempDir({ dir: folder });
  const file = join(scratch, "saved.tar");
  await Deno.writeFile(file, archive);
  return await openImage(file, scratch);
}

/** What differs from the plain image in one that is made otherwise. */
async function differences(own: Files, config?: object, time?: Date): Promise<ImageDifference[]> {
  await using folder = await temporaryFolder();
  const plain = await opened(folder.path, OWN, { Env: ["A=1"] });
  const other = await opened(folder.path, own, config ?? { Env: ["A=1"] }, time);
  return await compareImages(plain, other);
}

const replaced = (path: string, content: Files[number][1]): Files =>
  OWN.map(([name, former]) => [name, name === path ? content : former]);

Deno.test("images that are the same have no differences", async () => {
  assert.deepEqual(await differences(OWN), []);
});

Deno.test("images with the same files that were built otherwise are not the same", async () => {
  await using folder = await temporaryFolder();
  const layers = [await layer(BASE), await layer(OWN)];
  const images = [];
  for (const step of ["COPY one", "COPY two"]) {
    const file = join(folder.path, `${step}.tar`);
    await Deno.writeFile(file, await legacyArchive({ layers, step }));
    const scratch = await Deno.makeTempDir({ dir: folder.path });
    images.push(await openImage(file, scratch));
  }
  assert.deepEqual(await compareImages(images[0]!, images[1]!), [
    { kind: "setting", path: "history[1].created_by", a: "COPY one", b: "COPY two" },
  ]);
});

Deno.test("the byte in the file in the layer is named", async () => {
  assert.deepEqual(await differences(replaced("app/two", "the sEcond")), [
    { kind: "file", layer: 2, path: "app/two", aspects: ["content"], firstByte: 5 },
  ]);
  // One that ends earlier differs where it ends.
  assert.deepEqual(await differences(replaced("app/two", "the")), [
    { kind: "file", layer: 2, path: "app/two", aspects: ["content"], firstByte: 3 },
  ]);
});

Deno.test("what else a file is differs by its name", async () => {
  const changed: Record<string, Files[number][1]> = {
    mode: { text: "the second", mode: 0o600 },
    owner: { text: "the second", uid: 7 },
    time: { text: "the second", mtime: new Date("2021-01-01") },
    attributes: { text: "the second", pax: { "SCHILY.xattr.user.x": "1" } },
  };
  for (const [aspect, content] of Object.entries(changed)) {
    const found = await differences(replaced("app/two", content));
    assert.deepEqual(found, [{ kind: "file", layer: 2, path: "app/two", aspects: [aspect] }]);
  }
  assert.deepEqual(await differences(replaced("app/two", { type: "symlink", linkname: "one" })), [
    {
      kind: "file",
      layer: 2,
      path: "app/two",
      aspects: ["content", "type", "target"],
      firstByte: 0,
    },
  ]);
});

Deno.test("what only one of them has is named, and so is what only one takes away", async () => {
  assert.deepEqual(await differences([...OWN.slice(0, 2), ["etc/.wh.issue", ""]]), [
    { kind: "file", layer: 2, path: "app/two", onlyIn: "a", aspects: [] },
    { kind: "file", layer: 2, path: "etc/issue (removed)", onlyIn: "b", aspects: [] },
  ]);
});

Deno.test("another order is told, where nothing else differs", async () => {
  assert.deepEqual(await differences(OWN.toReversed()), [{ kind: "order", layer: 2 }]);
});

Deno.test("settings differ by their path", async () => {
  assert.deepEqual(await differences(OWN, { Env: ["A=2"], User: "1" }), [
    { kind: "setting", path: "config.Env", a: ["A=1"], b: ["A=2"] },
    { kind: "setting", path: "config.User", a: undefined, b: "1" },
  ]);
});

Deno.test("an image is the same in a bundle, in a layout's folder and in an archive", async () => {
  await using here = await project();
  const { folder } = await here.bundle();
  const scratch = () => Deno.makeTempDir({ dir: here.path });
  const inBundle = await openImage(folder, await scratch());
  const layout = join(here.path, "layout");
  const archive = await ociArchive({
    layers: await Promise.all(inBundle.layers.map(({ file }) => Deno.readFile(file))),
    config: { User: "1" },
  }, { compress: "gzip" });
  const { folder: written } = await writeCanonicalLayout(streamOf(archive), layout, {
    sourceDateEpoch: 1_700_000_000,
    reference: "newbie:cpu",
    baseLayers: [here.base],
  });
  const inFolder = await openImage(written, await scratch());
  assert.deepEqual(await compareImages(inBundle, inFolder), []);
  await assert.rejects(openImage(join(here.path, "no"), await scratch()), RequestError);
});
