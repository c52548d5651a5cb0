import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { CUDA_PROVIDER, DENO, ONNX_RUNTIME, type PinnedFile, TINI } from "../../integrity/mod.ts";
import { contentOf, type Inode, type LayerTree, piecesOf } from "../image/layer_tree.ts";
import type { ImageLayout } from "../image/oci_layout.ts";

/** What an SBOM speaks of besides the image. */
export interface SbomOptions {
  /** The time that the document states, in seconds since 1970. */
  readonly sourceDateEpoch: number;
  /** The toolkit's version. */
  readonly version: string;
  /** Weights that come with the image, outside of it. */
  readonly weights?: readonly {
    readonly path: string;
    readonly sha256: string;
  }[];
}

/** A package as SPDX 2.3 describes it. */
interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly packageFileName?: string;
  readonly primaryPackagePurpose?: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: false;
  readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly licenseComments?: string;
  readonly copyrightText: string;
  readonly externalRefs?: readonly {
    readonly referenceCategory: string;
    readonly referenceType: string;
    readonly referenceLocator: string;
  }[];
}

/** What is known of a package. */
interface Known {
  readonly id: string;
  readonly name: string;
  readonly version?: string | undefined;
  readonly file?: string;
  readonly purpose: "APPLICATION" | "CONTAINER" | "FILE" | "LIBRARY" | "OPERATING-SYSTEM";
  readonly license?: string | undefined;
  readonly sha256?: string;
  /** Of what was published, and where that is. */
  readonly published?: { readonly sha512: string; readonly location: string } | undefined;
  /** What is said of licences in words that are none of SPDX's. */
  readonly licenseComments?: string | undefined;
  /** https://github.com/package-url/purl-spec */
  readonly purl?: string;
}

const UNKNOWN = "NOASSERTION";
const DPKG_STATUS = "var/lib/dpkg/status";
/** Where images without a package manager keep what it would know. */
const DPKG_STATUS_FOLDER = "var/lib/dpkg/status.d/";
const OS_RELEASE = ["etc/os-release", "usr/lib/os-release"];
/** `node_modules/.deno/<package>@<version>/node_modules/<package>/package.json` */
const INSTALLED = /node_modules\/\.deno\/[^/]+\/node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/;
const LOCK = "app/deno.lock";
const WEIGHTS = /\.(?:safetensors|gguf)$/;
const ONNX_RUNTIME_LIBRARY = /\/libonnxruntime\.so\.\d/;
/** An expression of SPDX's licence list. */
const LICENSE = /^\(?[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*\)?$/;

/** Binaries that are pinned byte by byte, wherever an image has them. */
const PINNED: readonly { readonly file: PinnedFile; readonly known: Omit<Known, "id"> }[] = [
  {
    file: DENO.binary,
    known: {
      name: "deno",
      version: DENO.version,
      purpose: "APPLICATION",
      license: "MIT",
      purl: `pkg:npm/${encodeURIComponent(DENO.package).replace("%2F", "/")}@${DENO.version}`,
    },
  },
  {
    file: TINI.binary,
    known: {
      name: "tini",
      version: TINI.version,
      purpose: "APPLICATION",
      license: "MIT",
      purl: `pkg:deb/debian/tini@${encodeURIComponent(TINI.version)}?arch=amd64`,
    },
  },
  ...CUDA_PROVIDER.libraries.map((file) => ({
    file,
    known: {
      name: file.name,
      version: CUDA_PROVIDER.onnxruntime,
      purpose: "LIBRARY" as const,
      license: "MIT",
      purl: `pkg:npm/${CUDA_PROVIDER.package}@${CUDA_PROVIDER.version}`,
    },
  })),
];

/**
 * Lists everything that is in an image, in SPDX 2.3's JSON: Debian's packages by what dpkg knows of
 * them, npm's by what lies in `node_modules`, pinned binaries by their bytes, and weights. The same
 * image always gives the same text.
 *
 * @throws {Error} What the file system reports.
 */
export async function sbomOf(
  layout: ImageLayout,
  { sourceDateEpoch, version, weights = [] }: SbomOptions,
): Promise<string> {
  const { tree, reference, digest } = layout;
  const name = reference.replace(/:[^:/]*$/, "");
  const image = spdxPackage({
    id: "image",
    name,
    version: reference.slice(name.length + 1),
    purpose: "CONTAINER",
    sha256: digest.slice("sha256:".length),
    purl: `pkg:oci/${name.split("/").at(-1)}@${encodeURIComponent(digest)}`,
  });
  const inside = [
    { id: "toolkit", name: "NewBie toolkit", version, purpose: "APPLICATION", license: "MIT" },
    ...await operatingSystem(tree),
    ...await debianPackages(tree),
    ...await npmPackages(tree),
    ...await binaries(tree),
    ...await weightsIn(tree),
  ] as Known[];
  const beside = weights.map(({ path, sha256 }): Known => ({ ...weightsFile(path), sha256 }));
  const packagesInside = unique(inside.map(spdxPackage));
  const packagesBeside = unique(beside.map(spdxPackage));
  const packages = [image, ...packagesInside, ...packagesBeside];
  const relation = (from: string, relationshipType: string, { SPDXID }: SpdxPackage) => ({
    spdxElementId: from,
    relationshipType,
    relatedSpdxElement: SPDXID,
  });
  const identity = createHash("sha256").update(JSON.stringify(packages)).digest("hex");
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: reference,
    documentNamespace: `https://spdx.org/spdxdocs/newbie-toolkit-${identity}`,
    creationInfo: {
      created: new Date(sourceDateEpoch * 1000).toISOString().replace(".000Z", "Z"),
      creators: [`Tool: newbie-toolkit-${version}`],
    },
    packages,
    relationships: [
      relation("SPDXRef-DOCUMENT", "DESCRIBES", image),
      ...packagesBeside.map((found) => relation("SPDXRef-DOCUMENT", "DESCRIBES", found)),
      ...packagesInside.map((found) => relation(image.SPDXID, "CONTAINS", found)),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function spdxPackage(
  { id, name, version, file, purpose, license, licenseComments, sha256, published, purl }: Known,
): SpdxPackage {
  const checksums = [
    ...(sha256 === undefined ? [] : [{ algorithm: "SHA256", checksumValue: sha256 }]),
    ...(published === undefined ? [] : [{ algorithm: "SHA512", checksumValue: published.sha512 }]),
  ];
  return {
    SPDXID: `SPDXRef-${id.replaceAll(/[^A-Za-z0-9.-]+/g, "-")}`,
    name,
    ...(version === undefined ? {} : { versionInfo: version }),
    ...(file === undefined ? {} : { packageFileName: file }),
    primaryPackagePurpose: purpose,
    downloadLocation: published?.location ?? UNKNOWN,
    filesAnalyzed: false,
    ...(checksums.length === 0 ? {} : { checksums }),
    licenseConcluded: UNKNOWN,
    licenseDeclared: license !== undefined && LICENSE.test(license) ? license : UNKNOWN,
    ...(licenseComments === undefined ? {} : { licenseComments }),
    copyrightText: UNKNOWN,
    ...(purl === undefined ? {} : {
      externalRefs: [{
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator: purl,
      }],
    }),
  };
}

/** In order, and each once, as a file may lie in two places; different ones get different IDs. */
function unique(packages: readonly SpdxPackage[]): SpdxPackage[] {
  const byText = new Map(packages.map((found) => [JSON.stringify(found), found]));
  const taken = new Map<string, number>();
  return [...byText].sort(([a], [b]) => a < b ? -1 : 1).map(([, found]) => {
    const count = (taken.get(found.SPDXID) ?? 0) + 1;
    taken.set(found.SPDXID, count);
    return count === 1 ? found : { ...found, SPDXID: `${found.SPDXID}-${count}` };
  });
}

async function operatingSystem(tree: LayerTree): Promise<Known[]> {
  const { ID, VERSION_ID } = await osRelease(tree);
  return ID === undefined
    ? []
    : [{ id: `os-${ID}`, name: ID, version: VERSION_ID, purpose: "OPERATING-SYSTEM" }];
}

async function osRelease(tree: LayerTree): Promise<{ ID?: string; VERSION_ID?: string }> {
  const path = OS_RELEASE.find((path) => tree.get(path)?.type === "file");
  const text = path === undefined ? "" : await textOf(tree.get(path)!);
  const lines = text.matchAll(/^(ID|VERSION_ID)="?([^"\n]*)"?$/gm);
  return Object.fromEntries([...lines].map(([, key, value]) => [key, value]));
}

async function debianPackages(tree: LayerTree): Promise<Known[]> {
  const { ID = "debian", VERSION_ID } = await osRelease(tree);
  const files = [...tree.entries()].filter(([path, { type }]) =>
    type === "file" && !path.endsWith(".md5sums") &&
    (path === DPKG_STATUS || path.startsWith(DPKG_STATUS_FOLDER))
  );
  const found: Known[] = [];
  for (const [, inode] of files) {
    for (const paragraph of (await textOf(inode)).split(/\n{2,}/)) {
      const field = (name: string) => new RegExp(`^${name}: *(.*)$`, "m").exec(paragraph)?.[1];
      const [name, version, architecture] = ["Package", "Version", "Architecture"].map(field);
      const status = field("Status") ?? "install ok installed";
      if (name === undefined || version === undefined || !status.endsWith(" installed")) continue;
      const distro = VERSION_ID === undefined ? "" : `&distro=${ID}-${VERSION_ID}`;
      found.push({
        id: `deb-${name}-${architecture}-${version}`,
        name,
        version,
        purpose: "LIBRARY",
        licenseComments: await debianLicenses(tree, name),
        purl: `pkg:deb/${ID}/${name}@${encodeURIComponent(version)}?arch=${architecture}${distro}`,
      });
    }
  }
  return found;
}

/** The short names in a package's copyright file, where that has the form that machines read. */
async function debianLicenses(tree: LayerTree, name: string): Promise<string | undefined> {
  const inode = tree.get(`usr/share/doc/${name}/copyright`);
  if (inode?.type !== "file") return undefined;
  const names = (await textOf(inode)).matchAll(/^License: *(\S.*)$/gm);
  const unique = [...new Set([...names].map(([, text]) => text!.trim()))].sort();
  return unique.length === 0 ? undefined : `Debian's copyright file names: ${unique.join(", ")}`;
}

/** What deno.lock says of a package as npm published it. */
type Published = (key: string) => Known["published"];

async function publishedPackages(tree: LayerTree): Promise<Published> {
  const inode = tree.get(LOCK);
  if (inode?.type !== "file") return () => undefined;
  const { npm } = JSON.parse(await textOf(inode)) as Record<
    string,
    Record<string, { readonly integrity?: string } | undefined> | undefined
  >;
  return (key) => {
    const integrity = npm?.[key]?.integrity;
    if (!integrity?.startsWith("sha512-")) return undefined;
    const place = key.lastIndexOf("@");
    const [name, version] = [key.slice(0, place), key.slice(place + 1)];
    return {
      sha512: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex"),
      location: `https://registry.npmjs.org/${name}/-/${name.split("/").at(-1)}-${version}.tgz`,
    };
  };
}

async function npmPackages(tree: LayerTree): Promise<Known[]> {
  const found: Known[] = [];
  const publishedAs = await publishedPackages(tree);
  for (const [path, inode] of tree.entries()) {
    // Deno links a package's dependencies beside it: those are no files of its own.
    if (inode.type !== "file" || !INSTALLED.test(path)) continue;
    const { name, version, license } = JSON.parse(await textOf(inode)) as Record<string, unknown>;
    if (typeof name !== "string" || typeof version !== "string") continue;
    const purlName = name.startsWith("@") ? `%40${name.slice(1)}` : name;
    found.push({
      id: `npm-${name}-${version}`,
      name,
      version,
      purpose: "LIBRARY",
      license: typeof license === "string" ? license : undefined,
      published: publishedAs(`${name}@${version}`),
      purl: `pkg:npm/${purlName}@${version}`,
    });
  }
  return found;
}

async function binaries(tree: LayerTree): Promise<Known[]> {
  const found: Known[] = [];
  for (const [path, inode] of tree.entries()) {
    if (inode.type !== "file") continue;
    for (const { file, known } of PINNED) {
      if (inode.content.size !== file.bytes || await sha256Of(inode) !== file.sha256) continue;
      found.push({ id: `binary-${file.name}`, file: path, sha256: file.sha256, ...known });
    }
    if (!ONNX_RUNTIME_LIBRARY.test(path)) continue;
    found.push({
      id: "binary-onnxruntime",
      name: "onnxruntime",
      version: ONNX_RUNTIME.version,
      file: path,
      purpose: "LIBRARY",
      license: "MIT",
      sha256: await sha256Of(inode),
      purl: `pkg:github/microsoft/onnxruntime@v${ONNX_RUNTIME.version}`,
    });
  }
  return found;
}

async function weightsIn(tree: LayerTree): Promise<Known[]> {
  const found: Known[] = [];
  for (const [path, inode] of tree.entries()) {
    if (inode.type !== "file" || !WEIGHTS.test(path)) continue;
    found.push({ ...weightsFile(path), sha256: await sha256Of(inode) });
  }
  return found;
}

function weightsFile(path: string): Known {
  return {
    id: `weights-${path}`,
    name: path.split("/").slice(-2).join("/"),
    file: path,
    purpose: "FILE",
  };
}

async function textOf(inode: Inode): Promise<string> {
  return new TextDecoder().decode(await contentOf(inode));
}

async function sha256Of(inode: Inode): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of piecesOf(inode)) hash.update(piece);
  return hash.digest("hex");
}
