/**
 * Images in their canonical form. What engines write is imitated in every form that they have; what
 * comes out is read by modern-tar. The rules are those of the OCI image specification, and of
 * `docker load` in Engine 20.10.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { unpackTar } from "modern-tar";
import { readSegments } from "../../src/container/archive/segments.ts";
import { ArchiveError } from "../../src/container/archive/archive_error.ts";
import {
  type ImageLayout,
  layoutArchive,
  writeCanonicalLayout,
} from "../../src/container/image/oci_layout.ts";
import {
  type Files,
  type ImageParts,
  layer,
  legacyArchive,
  list,
  namesIn,
  ociArchive,
  sha256,
  streamOf,
  temporaryFolder,
} from "./_images.ts";
import { withShortReads } from "../_short_reads.ts";

const EPOCH = 1_700_000_000;
const BASE: Files = [
  ["bin", { type: "symlink", linkname: "usr/bin" }],
  ["etc/", ""],
  ["etc/issue", "base"],
  ["proc/", ""],
  ["usr/", ""],
  ["usr/share/", ""],
  ["usr/share/doc/", ""],
  ["usr/share/doc/old", "old"],
];

const digestOf = (bytes: Uint8Array) => `sha256:${sha256(bytes)}`;

async function canonical(
  archive: Uint8Array,
  folder: string,
  baseLayers?: readonly string[],
): Promise<ImageLayout> {
  const options = { sourceDateEpoch: EPOCH, reference: "thing:1", baseLayers };
  return await writeCanonicalLayout(streamOf(archive), folder, options);
}

/** The lines of the one layer that stands in place of those given, on top of the base. */
async function merged(...layers: Files[]): Promise<string[]> {
  await using folder = await temporaryFolder();
  const base = await layer(BASE);
  const own = await Promise.all(layers.map((files) => layer(files)));
  const archive = await legacyArchive({ layers: [base, ...own] });
  const layout = await canonical(archive, join(folder.path, "image"), [digestOf(base)]);
  if (layout.layers.length === 1) return [];
  assert.equal(layout.layers.length, 2);
  return await list(await blob(layout, layout.layers[1]!.digest));
}

async function blob({ folder }: ImageLayout, digest: string): Promise<Uint8Array> {
  return await Deno.readFile(join(folder, "blobs", digest.replace(":", "/")));
}

Deno.test("entries are sorted, have one time and no chance in them", async () => {
  const lines = await merged([
    ["app/z", { text: "last", mode: 0o600, uid: 7, gid: 8, uname: "me", gname: "us" }],
    ["app/", { mode: 0o750 }],
    ["app/a.txt", { text: "first", pax: { "SCHILY.xattr.user.note": "x", atime: "1.5" } }],
    ["app/a/", ""],
    ["app/a/b", { type: "symlink", linkname: "../z", mode: 0o700 }],
  ]);
  assert.deepEqual(lines, [
    `directory 750 0:0 ${EPOCH} app/`,
    `directory 755 0:0 ${EPOCH} app/a/`,
    `file 644 0:0 ${EPOCH} app/a.txt first`,
    `symlink 777 0:0 ${EPOCH} app/a/b -> ../z`,
    `file 600 7:8 ${EPOCH} app/z last`,
  ]);
});

Deno.test("layers become one: what a later one takes away or replaces is not there", async () => {
  const lines = await merged(
    [["app/", ""], ["app/one", "1"], ["app/two", "2"], ["app/dir/", ""], ["app/dir/x", "x"]],
    [["app/.wh.one", ""], ["app/two", "II"], ["app/.wh.dir", ""]],
    [["app/three", "3"]],
  );
  assert.deepEqual(lines.map((line) => line.split(" ").slice(4).join(" ")), [
    "app/",
    "app/three 3",
    "app/two II",
  ]);
});

Deno.test("what the base has is taken away by a whiteout, and only that", async () => {
  assert.deepEqual(await merged([["etc/.wh.issue", ""], ["etc/.wh.nothing", ""]]), [
    `file 0 0:0 ${EPOCH} etc/.wh.issue`,
  ]);
  // Taken away and put back: the file alone says so.
  assert.deepEqual(await merged([["etc/.wh.issue", ""]], [["etc/issue", "new"]]), [
    `file 644 0:0 ${EPOCH} etc/issue new`,
  ]);
});

Deno.test("a folder that was taken away and made anew hides what the base had in it", async () => {
  const expected = [
    `directory 755 0:0 ${EPOCH} usr/share/doc/`,
    `file 0 0:0 ${EPOCH} usr/share/doc/.wh..wh..opq`,
    `file 644 0:0 ${EPOCH} usr/share/doc/new new`,
  ];
  const anew: Files = [["usr/share/doc/", ""], ["usr/share/doc/new", "new"]];
  const opaque: Files = [...anew, ["usr/share/doc/.wh..wh..opq", ""]];
  const gone: Files = [["usr/share/.wh.doc", ""]];
  assert.deepEqual(await merged(gone, anew), expected);
  assert.deepEqual(await merged(opaque), expected);
  // By way of a file in the folder's place.
  assert.deepEqual(await merged([["usr/share/doc", "file"]], anew), expected);
  // Whiteouts in what is gone as a whole say nothing more.
  assert.deepEqual(await merged([["usr/share/doc/.wh.old", ""]], gone, anew), expected);
});

Deno.test("hard links stay links, to the path that comes first", async () => {
  const lines = await merged(
    [["app/b", "same"], ["app/c", { type: "link", linkname: "app/b" }]],
    [["app/a", { type: "link", linkname: "app/c" }]],
    [["app/d", { type: "link", linkname: "etc/issue" }]],
  );
  assert.deepEqual(lines, [
    `file 644 0:0 ${EPOCH} app/a same`,
    `link 644 0:0 ${EPOCH} app/b -> app/a`,
    `link 644 0:0 ${EPOCH} app/c -> app/a`,
    `file 644 0:0 ${EPOCH} app/d base`,
  ]);
});

Deno.test("a link whose first path is replaced later keeps its own file", async () => {
  const lines = await merged(
    [["app/a", "old"], ["app/b", { type: "link", linkname: "app/a" }]],
    [["app/a", "new"]],
  );
  assert.deepEqual(lines.map((line) => line.split(" ").slice(4).join(" ")), [
    "app/a new",
    "app/b old",
  ]);
});

Deno.test("what an engine left behind is dropped, and folders that are as they were", async () => {
  const droppings: Files = [
    ["./", ""],
    [".dockerenv", ""],
    ["dev/", ""],
    ["dev/console", ""],
    ["etc/", ""],
    ["etc/hostname", "builder"],
    ["etc/resolv.conf", ""],
    ["proc/", ""],
    ["usr/", ""],
  ];
  assert.deepEqual(await merged(droppings), [`directory 755 0:0 ${EPOCH} dev/`]);
  // A folder with other permissions is no dropping.
  assert.deepEqual(await merged([["usr/", { mode: 0o700 }]]), [
    `directory 700 0:0 ${EPOCH} usr/`,
  ]);
});

Deno.test("long paths, other scripts and file capabilities come through", async () => {
  const long = `app/${"långt_名前_".repeat(20)}/end`;
  const capability = "\x01\x00\x00\x02";
  const base = await layer(BASE);
  const own = await layer([
    [long, "here"],
    ["app/ping", { text: "p", pax: { "SCHILY.xattr.security.capability": capability } }],
    ["app/to", { type: "symlink", linkname: `/${long}` }],
  ]);
  await using folder = await temporaryFolder();
  const archive = await legacyArchive({ layers: [base, own] });
  const layout = await canonical(archive, join(folder.path, "image"), [digestOf(base)]);
  const entries = await unpackTar(await blob(layout, layout.layers[1]!.digest), { strict: true });
  const [deep, ping, to] = entries.sort((a, b) => a.header.name.length - b.header.name.length)
    .map(({ header }) => header).sort((a, b) => b.name.length - a.name.length);
  assert.equal(deep!.name, long);
  assert.equal(ping!.pax!["SCHILY.xattr.security.capability"], capability);
  assert.equal(to!.linkname, `/${long}`);
});

/** The same image, built by engines that agree in nothing but the files. */
async function variants(): Promise<{ base: string; archives: Record<string, Uint8Array> }> {
  const base = await layer(BASE);
  const config = {
    Env: ["PATH=/bin", "A=1"],
    Entrypoint: ["/tini"],
    User: "1000",
    Labels: { b: "2", a: "1" },
  };
  const first: ImageParts = {
    layers: [base, await layer([["app/", ""], ["app/x", "x"]]), await layer([["app/y", "y"]])],
    config: { ...config, Hostname: "", Image: "sha256:1", Cmd: null, OnBuild: null },
    created: "2026-01-01T00:00:00Z",
  };
  const later = new Date("2031-05-05");
  const second: ImageParts = {
    layers: [
      base,
      await layer([["app/y", "y"], ["app/x", "x"], [".dockerenv", ""], ["app/", ""]], later),
    ],
    config: { ...config, Labels: { a: "1", b: "2", "io.buildah.version": "1.28" } },
    created: "2031-05-05T00:00:00Z",
  };
  return {
    base: digestOf(base),
    archives: {
      "Engine 20.10": await legacyArchive(first),
      "Engine 20.10, another day": await legacyArchive({ ...first, created: "2027-07-07T00:00Z" }),
      "Engine 25": await ociArchive(first),
      "containerd's store": await ociArchive(first, { compress: "gzip" }),
      "BuildKit with zstd": await ociArchive(second, { compress: "zstd" }),
      "Podman": await ociArchive(second, { withManifestJson: false }),
    },
  };
}

Deno.test("the same files give the same digest, whatever engine built them, and when", async () => {
  const { base, archives } = await variants();
  await using folder = await temporaryFolder();
  const digests = new Set<string>();
  for (const [name, archive] of Object.entries(archives)) {
    const layout = await canonical(archive, join(folder.path, sha256(name)), [base]);
    assert.equal(layout.layers[0]!.digest, base);
    assert.equal(layout.platform, "linux/amd64");
    digests.add(layout.digest);
  }
  assert.equal(digests.size, 1);
});

Deno.test("what compresses a layer is seen when reads give less than was asked for", async () => {
  const { base, archives } = await variants();
  await using folder = await temporaryFolder();
  const archive = archives["BuildKit with zstd"]!;
  const whole = await canonical(archive, join(folder.path, "whole"), [base]);
  const short = await withShortReads(() => canonical(archive, join(folder.path, "short"), [base]));
  assert.equal(short.digest, whole.digest);
});

Deno.test("another byte, another time or another setting gives another digest", async () => {
  const build = async (text: string, time: number, config = {}) => {
    await using folder = await temporaryFolder();
    const archive = await legacyArchive({ layers: [await layer([["x", text]])], config });
    const path = join(folder.path, "image");
    const options = { sourceDateEpoch: time, reference: "x:1" };
    return (await writeCanonicalLayout(streamOf(archive), path, options)).digest;
  };
  const digests = [
    await build("a", 1),
    await build("b", 1),
    await build("a", 2),
    await build("a", 1, { User: "1" }),
  ];
  assert.equal(new Set(digests).size, digests.length);
});

Deno.test("the layout is one by the OCI specification, and Docker's own list is in it", async () => {
  const { base, archives } = await variants();
  await using folder = await temporaryFolder();
  const layout = await canonical(archives["Engine 20.10"]!, join(folder.path, "image"), [base]);
  const json = async (path: string) =>
    JSON.parse(await Deno.readTextFile(join(layout.folder, path)));
  assert.deepEqual(await json("oci-layout"), { imageLayoutVersion: "1.0.0" });
  const index = await json("index.json");
  assert.equal(index.manifests[0].digest, layout.digest);
  for (const name of namesIn(join(layout.folder, "blobs/sha256"))) {
    assert.equal(sha256(await blob(layout, `sha256:${name}`)), name);
  }
  const manifest = JSON.parse(new TextDecoder().decode(await blob(layout, layout.digest)));
  const config = JSON.parse(new TextDecoder().decode(await blob(layout, layout.configDigest)));
  assert.deepEqual(config, {
    created: "2023-11-14T22:13:20Z",
    architecture: "amd64",
    os: "linux",
    config: {
      Entrypoint: ["/tini"],
      Env: ["PATH=/bin", "A=1"],
      Labels: { a: "1", b: "2" },
      User: "1000",
    },
    rootfs: { type: "layers", diff_ids: layout.layers.map(({ digest }) => digest) },
    history: [
      { created: "2023-11-14T22:13:20Z", created_by: "step 0" },
      { created: "2023-11-14T22:13:20Z", created_by: "deno task bundle" },
    ],
  });
  for (const { digest, size } of [manifest.config, ...manifest.layers]) {
    assert.equal((await blob(layout, digest)).length, size);
  }
  const [image] = await json("manifest.json");
  assert.deepEqual(image.RepoTags, ["thing:1"]);
  const paths = manifest.layers.map(({ digest }: { digest: string }) =>
    `blobs/${digest.replace(":", "/")}`
  );
  assert.deepEqual(image.Layers, paths);
});

Deno.test("a layout as an archive is the same whenever it is made, and gives itself again", async () => {
  const { base, archives } = await variants();
  await using folder = await temporaryFolder();
  const layout = await canonical(archives["Engine 25"]!, join(folder.path, "one"), [base]);
  const pieces = [];
  for await (const piece of readSegments(await layoutArchive(layout, EPOCH))) pieces.push(piece);
  const bytes = new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
  const again = await canonical(bytes, join(folder.path, "two"), [base]);
  assert.equal(again.digest, layout.digest);
  for (const { header } of await unpackTar(bytes, { strict: true })) {
    assert.equal(header.mtime!.getTime(), EPOCH * 1000);
  }
});

/** Nothing is left in a folder after a failure. */
async function refused(archive: Uint8Array, code: string, message: RegExp, base?: string[]) {
  await using folder = await temporaryFolder();
  await assert.rejects(canonical(archive, join(folder.path, "image"), base), (error) => {
    assert(error instanceof ArchiveError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.notEqual(error.explain("zh"), error.message);
    return true;
  });
  assert.deepEqual(namesIn(folder.path), []);
}

Deno.test("an archive that is cut off anywhere is told from a whole one", async () => {
  const archive = await legacyArchive({ layers: [await layer(BASE)] });
  // Two empty blocks end an archive; without the first of them more might follow.
  const end = archive.length - 1024;
  for (const length of [0, 1, 512, 700, 5000, end - 512, end, end + 511]) {
    await refused(archive.subarray(0, length), "truncated", /ends too early/);
  }
});

Deno.test("one byte changed in a layer or a configuration is found, and the layer named", async () => {
  const image = { layers: [await layer(BASE), await layer([["app", "the program"]])] };
  const places = [
    ["the program", /layer 2\/2 does not have/],
    ["base", /layer 1\/2 does not have/],
    [
      '"os":"linux"',
      /json does not have the SHA-256/,
    ],
  ] as const;
  for (const make of [legacyArchive, ociArchive]) {
    for (const [text, message] of places) {
      const archive = await make(image);
      const at = new TextDecoder("latin1").decode(archive).indexOf(text);
      archive[at + 1]! ^= 1;
      const expected = make === ociArchive && text.startsWith('"')
        ? /does not have the SHA-256/
        : message;
      await refused(archive, "damaged", expected);
    }
  }
  const compressed = await ociArchive(image, { compress: "gzip" });
  const start = compressed.findIndex((byte, at) => byte === 0x1f && compressed[at + 1] === 0x8b);
  compressed[start + 40]! ^= 1;
  await refused(compressed, "damaged", /layer 1\/2 does not have/);
});

Deno.test("what is no image's archive is refused", async () => {
  await refused(await layer([["x", "y"]]), "not-an-image", /manifest\.json is missing/);
  await refused(new Uint8Array(4096).fill(65), "damaged", /no tar header/);
  const manifest = JSON.stringify([1, 2].map((id) => ({ Config: `${id}`, Layers: [] })));
  await refused(await layer([["manifest.json", manifest]]), "not-an-image", /holds 2 images/);
  await refused(await layer([["manifest.json", "{"]]), "not-an-image", /manifest\.json/);
});

Deno.test("another base than that which was given is refused", async () => {
  const [base, other] = [await layer(BASE), await layer([["else", ""]])];
  const archive = await legacyArchive({ layers: [base, await layer([["x", "y"]])] });
  await refused(archive, "not-an-image", /not built on the base/, [digestOf(other)]);
});

Deno.test("a path that leads out of the image, and a link to nothing, are refused", async () => {
  for (const files of [[["../x", "y"]], [["a", { type: "link", linkname: "b" }]]] as Files[]) {
    const archive = await legacyArchive({ layers: [await layer(files)] });
    await refused(archive, "damaged", /leads out of|which is not there/);
  }
});
