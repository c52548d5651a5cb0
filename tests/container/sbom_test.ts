/**
 * The SBOM of an image of which every part is known: it names each of them once, as SPDX 2.3 and the
 * package-url specification have it. (What it makes of a real image passes spdx-tools 0.8.5.)
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sbomOf } from "../../src/container/bundle/sbom.ts";
import { writeCanonicalLayout } from "../../src/container/image/oci_layout.ts";
import { layer, legacyArchive, sha256, streamOf, temporaryFolder } from "./_images.ts";

const DENO_FOLDER = "app/node_modules/.deno";
const STATUS = `Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: perl-base
Status: install ok installed
Architecture: amd64
Description: a language
 Version: not this line
Version: 5:1~rc2
`;

/** The checksum of an empty tarball. */
const LOCK = JSON.stringify({
  npm: {
    "@a/b@1.2.3": {
      integrity:
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    },
  },
});

interface Spdx {
  readonly packages: readonly {
    readonly SPDXID: string;
    readonly name: string;
    readonly versionInfo?: string;
    readonly packageFileName?: string;
    readonly licenseDeclared: string;
    readonly licenseComments?: string;
    readonly downloadLocation: string;
    readonly checksums?: readonly { readonly checksumValue: string }[];
    readonly externalRefs?: readonly { readonly referenceLocator: string }[];
  }[];
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
  readonly [key: string]: unknown;
}

async function documentOf(): Promise<{ text: string; spdx: Spdx; digest: string }> {
  await using folder = await temporaryFolder();
  const packageJson = (name: string, license?: unknown) =>
    JSON.stringify({ name, version: "1.2.3", license });
  const base = await layer([
    ["etc/os-release", { type: "symlink", linkname: "../usr/lib/os-release" }],
    ["usr/lib/os-release", 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n'],
    ["var/lib/dpkg/status", STATUS],
    ["usr/share/doc/libc6/copyright", "Files: *\nLicense: LGPL-2.1+\n\nLicense: GPL-2+\n text\n"],
  ]);
  const own = await layer([
    [`${DENO_FOLDER}/@a+b@1.2.3/node_modules/@a/b/package.json`, packageJson("@a/b", "MIT")],
    // A package in a package, which is its own affair, and a file of the same name.
    [`${DENO_FOLDER}/@a+b@1.2.3/node_modules/@a/b/test/package.json`, "no JSON"],
    [`${DENO_FOLDER}/c@1.2.3/node_modules/c/package.json`, packageJson("c", { type: "odd" })],
    ["app/deno.lock", LOCK],
    ["app/models/demo/vae/model.safetensors", "weights"],
    ["app/bin/libonnxruntime.so.1", "library"],
  ]);
  const archive = await legacyArchive({ layers: [base, own] });
  const layout = await writeCanonicalLayout(streamOf(archive), join(folder.path, "image"), {
    sourceDateEpoch: 1_700_000_000,
    reference: "newbie:cpu",
    baseLayers: [`sha256:${sha256(base)}`],
  });
  const text = await sbomOf(layout, {
    sourceDateEpoch: 1_700_000_000,
    version: "0.1.0",
    weights: [{ path: "models/vae/taesd/model.safetensors", sha256: sha256("real") }],
  });
  return { text, spdx: JSON.parse(text), digest: layout.digest };
}

Deno.test("everything in the image is named, with its version and where it comes from", async () => {
  const { spdx, digest } = await documentOf();
  const found = spdx.packages.map(({ name, versionInfo = "", externalRefs = [] }) =>
    [name, versionInfo, externalRefs[0]?.referenceLocator ?? ""].join(" ").trim()
  );
  assert.deepEqual(found.sort(), [
    "@a/b 1.2.3 pkg:npm/%40a/b@1.2.3",
    "NewBie toolkit 0.1.0",
    "c 1.2.3 pkg:npm/c@1.2.3",
    "debian 12",
    "libc6 2.36-9+deb12u10 pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
    `newbie cpu pkg:oci/newbie@${encodeURIComponent(digest)}`,
    "onnxruntime 1.29.0 pkg:github/microsoft/onnxruntime@v1.29.0",
    "perl-base 5:1~rc2 pkg:deb/debian/perl-base@5%3A1~rc2?arch=amd64&distro=debian-12",
    "taesd/model.safetensors",
    "vae/model.safetensors",
  ]);
  const licenses = Object.fromEntries(
    spdx.packages.map(({ name, licenseDeclared }) => [name, licenseDeclared]),
  );
  assert.equal(licenses["@a/b"], "MIT");
  assert.equal(licenses["c"], "NOASSERTION");
});

Deno.test("files have their checksums, and no path of the machine that made it", async () => {
  const { text, spdx } = await documentOf();
  const files = Object.fromEntries(
    spdx.packages.flatMap(({ packageFileName, checksums }) =>
      packageFileName === undefined ? [] : [[packageFileName, checksums![0]!.checksumValue]]
    ),
  );
  assert.deepEqual(files, {
    "app/bin/libonnxruntime.so.1": sha256("library"),
    "app/models/demo/vae/model.safetensors": sha256("weights"),
    "models/vae/taesd/model.safetensors": sha256("real"),
  });
  assert(!text.includes(Deno.cwd()), text);
});

Deno.test("each is said to be in the image, but the weights beside it", async () => {
  const { spdx } = await documentOf();
  const ids = spdx.packages.map(({ SPDXID }) => SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  const described = spdx.relationships.filter(({ relationshipType }) =>
    relationshipType === "DESCRIBES"
  ).map(({ relatedSpdxElement }) => relatedSpdxElement);
  assert.equal(described.length, 2);
  assert.equal(spdx.relationships.length, ids.length);
  for (const { spdxElementId, relationshipType, relatedSpdxElement } of spdx.relationships) {
    const isDescribed = described.includes(relatedSpdxElement);
    assert.equal(relationshipType, isDescribed ? "DESCRIBES" : "CONTAINS");
    assert.equal(spdxElementId, isDescribed ? "SPDXRef-DOCUMENT" : "SPDXRef-image");
    assert(ids.includes(relatedSpdxElement));
  }
});

Deno.test("the same image has the same SBOM, with the commit's time", async () => {
  const [first, second] = [await documentOf(), await documentOf()];
  assert.equal(first.text, second.text);
  assert.deepEqual(first.spdx["creationInfo"], {
    created: "2023-11-14T22:13:20Z",
    creators: ["Tool: newbie-toolkit-0.1.0"],
  });
});

Deno.test("packages have the checksums of what was published, and Debian's the names of their licences", async () => {
  const { spdx } = await documentOf();
  const find = (wanted: string) => spdx.packages.find(({ name }) => name === wanted)!;
  const { checksums, downloadLocation } = find("@a/b");
  // What sha512sum prints of nothing.
  assert.match(checksums![0]!.checksumValue, /^cf83e1357eefb8bd.*f927da3e$/);
  assert.equal(downloadLocation, "https://registry.npmjs.org/@a/b/-/b-1.2.3.tgz");
  assert.equal(find("c").checksums, undefined);
  assert.match(find("libc6").licenseComments!, /: GPL-2\+, LGPL-2\.1\+$/);
});
