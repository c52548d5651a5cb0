import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { createTarPacker } from "modern-tar";
import { NewBieError } from "../../errors.ts";
import {
  CUDA_PROVIDER,
  DENO,
  isNeverRun,
  type PinnedFile,
  SOURCE_LIST,
  TINI,
} from "../../integrity/mod.ts";
import { importsOf } from "./image_content.ts";
import { isLicenseText, type LicensedPackage, LICENSES, licensesText } from "./licenses.ts";
import { folderOf, type LockedPackage, lockedPackages } from "./locked_packages.ts";
import { sourceList, type Sources } from "./sources.ts";
import { unpackTarball } from "../archive/tarball.ts";

/** With CUDA, or for machines without a GPU. */
export type Variant = "cuda" | "cpu";

/** Where what does not come from the repository lies, on this machine. */
export interface Ingredients {
  readonly deno: string;
  /** Debian's package. */
  readonly tini: string;
  /** The tarball of a package. */
  readonly tarball: (item: LockedPackage) => string;
  /** The folder of the CUDA provider's libraries; absent in the variant without them. */
  readonly cuda?: string | undefined;
}

/** An entry of the context. */
export interface ContextEntry {
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  readonly mode: number;
  /** What a link leads to. */
  readonly target?: string;
  readonly body?: Uint8Array | PinnedBody;
}

/** A file too large for memory. Who gathered it has proved its bytes. */
export interface PinnedBody {
  readonly source: string;
  readonly bytes: number;
}

const FILE_MODE = 0o644;
const EXECUTABLE_MODE = 0o755;
const FOLDER_MODE = 0o755;
const LINK_MODE = 0o777;
/** Whoever runs the image may write there, and nobody may remove another's picture. */
const OUTPUTS_MODE = 0o1777;

const ONNX_PACKAGE = "onnxruntime-node";
const ONNX_BINARIES = "bin/";
/** The binaries for the machine that the image is for. */
const ONNX_BINARIES_OF_IMAGE = "bin/napi-v6/linux/x64/";

/** The packages that the image's modules import, and what those lead to. */
export function packagesOf({ files }: Pick<Sources, "files">): {
  readonly all: readonly LockedPackage[];
  readonly named: readonly LockedPackage[];
} {
  const text = (path: string) => {
    const file = files.find((file) => file.path === path);
    if (file !== undefined) return new TextDecoder().decode(file.bytes);
    throw new NewBieError(`${path} is not in the repository.`, { zh: `仓库中没有 ${path}。` });
  };
  const { imports } = JSON.parse(text("deno.json")) as { imports: Record<string, string> };
  const modules = files.map(({ path }) => path).filter((path) => path.endsWith(".ts"));
  const used = [...new Set(modules.flatMap((path) => importsOf(text(path))))];
  // A module may import a file of a package, too.
  const isUsed = (name: string) => used.some((it) => it === name || it.startsWith(`${name}/`));
  const specifiers = Object.entries(imports).filter(([name]) => isUsed(name))
    .map(([, specifier]) => specifier).sort();
  return lockedPackages(text("deno.lock"), specifiers);
}

/** Everything that the Dockerfile needs, in the order of the paths. */
export async function contextEntries(
  { files }: Sources,
  ingredients: Ingredients,
): Promise<ContextEntry[]> {
  const { entries: packages, licensed } = await packageEntries(packagesOf({ files }), ingredients);
  const entries = [
    ...toolEntries(ingredients),
    ...packages,
    file(`app/${LICENSES}`, new TextEncoder().encode(licensesText(licensed, { tini: true }))),
    { path: "app/outputs", kind: "folder" as const, mode: OUTPUTS_MODE },
    file(`app/${SOURCE_LIST}`, sourceList(files)),
  ];
  for (const { path, isExecutable, bytes } of files) {
    if (path === "Dockerfile") entries.push(file(path, dockerfileFor(ingredients, bytes)));
    entries.push(file(`app/${path}`, bytes, isExecutable));
  }
  return inOrder(entries);
}

/** The Dockerfile with the base image of the variant where none is named. */
function dockerfileFor({ cuda }: Ingredients, bytes: Uint8Array): Uint8Array {
  if (cuda !== undefined) return bytes;
  const text = new TextDecoder().decode(bytes);
  return new TextEncoder().encode(text.replace(/^ARG BASE=.*$/m, "ARG BASE=${CPU_IMAGE}"));
}

/**
 * The context as a tar archive: the same entries and time give the same bytes.
 *
 * @param time Of every entry: seconds since 1970.
 */
export function packContext(entries: readonly ContextEntry[], time: number): Readable {
  const { readable, controller } = createTarPacker();
  const mtime = new Date(time * 1000);
  const pack = async () => {
    for (const { path, kind, mode, target, body } of entries) {
      const size = body === undefined ? 0 : body instanceof Uint8Array ? body.length : body.bytes;
      const sink = controller.add({
        name: kind === "folder" ? `${path}/` : path,
        type: kind === "folder" ? "directory" : kind === "link" ? "symlink" : "file",
        mode,
        mtime,
        size,
        uid: 0,
        gid: 0,
        uname: "",
        gname: "",
        ...(target === undefined ? {} : { linkname: target }),
      });
      const source = body === undefined || body instanceof Uint8Array
        ? new Blob(body === undefined ? [] : [body as Uint8Array<ArrayBuffer>]).stream()
        : Readable.toWeb(createReadStream(body.source)) as ReadableStream<Uint8Array>;
      await source.pipeTo(sink);
    }
    controller.finalize();
  };
  pack().catch((error) => controller.error(error));
  return Readable.fromWeb(readable as Parameters<typeof Readable.fromWeb>[0]);
}

function toolEntries({ deno, tini }: Ingredients): ContextEntry[] {
  const sums = [
    `${DENO.binary.sha256}  bin/deno`,
    `${TINI.package.sha256}  tini.deb`,
    `${TINI.binary.sha256}  bin/tini`,
  ];
  return [
    file("tools/SHA256SUMS", new TextEncoder().encode(`${sums.join("\n")}\n`)),
    pinned("tools/deno", deno, DENO.binary),
    pinned("tools/tini.deb", tini, TINI.package),
  ];
}

/** node_modules as Deno lays it: a folder for each package, and links to what it imports. */
async function packageEntries(
  { all, named }: ReturnType<typeof packagesOf>,
  { tarball, cuda }: Ingredients,
): Promise<{ entries: ContextEntry[]; licensed: LicensedPackage[] }> {
  const entries: ContextEntry[] = [];
  const licensed: LicensedPackage[] = [];
  const placeOf = (item: LockedPackage) => `.deno/${folderOf(item)}/node_modules/${item.name}`;
  const link = (path: string, item: LockedPackage): ContextEntry => ({
    path: `packages/${path}`,
    kind: "link",
    mode: LINK_MODE,
    target: posix.relative(posix.dirname(path), placeOf(item)),
  });
  for (const item of named) entries.push(link(item.name, item));
  for (const item of all) {
    const { name, version, integrity, dependencies } = item;
    const place = `packages/${placeOf(item)}`;
    const bytes = await readFile(tarball(item));
    const unpacked = await unpackTarball(
      `${name}@${version}`,
      bytes,
      integrity,
      (path) =>
        !isNeverRun(name, path) &&
        (name !== ONNX_PACKAGE || !path.startsWith(ONNX_BINARIES) ||
          path.startsWith(ONNX_BINARIES_OF_IMAGE)),
    );
    licensed.push(licensedPackage(name, version, unpacked));
    for (const { path, bytes, isExecutable } of unpacked) {
      entries.push(file(`${place}/${path}`, bytes, isExecutable));
    }
    for (const dependency of dependencies) {
      entries.push(link(`.deno/${folderOf(item)}/node_modules/${dependency.name}`, dependency));
    }
    if (name !== ONNX_PACKAGE || cuda === undefined) continue;
    if (version !== CUDA_PROVIDER.onnxruntime) throw wrongProvider(version);
    for (const library of CUDA_PROVIDER.libraries) {
      const path = `${place}/${ONNX_BINARIES_OF_IMAGE}${library.name}`;
      entries.push(pinned(path, posix.join(cuda, library.name), library));
    }
  }
  return { entries, licensed };
}

function licensedPackage(
  name: string,
  version: string,
  files: readonly { readonly path: string; readonly bytes: Uint8Array }[],
): LicensedPackage {
  const text = ({ bytes }: { readonly bytes: Uint8Array }) => new TextDecoder().decode(bytes);
  const manifest = files.find(({ path }) => path === "package.json");
  const { license } = JSON.parse(manifest === undefined ? "{}" : text(manifest));
  const texts = files.filter(({ path }) => isLicenseText(path))
    .map((file): [string, string] => [file.path, text(file)])
    .sort(([a], [b]) => a < b ? -1 : 1);
  return { name, version, license: typeof license === "string" ? license : undefined, texts };
}

function file(path: string, body: Uint8Array, isExecutable = false): ContextEntry {
  return { path, kind: "file", mode: isExecutable ? EXECUTABLE_MODE : FILE_MODE, body };
}

function pinned(path: string, source: string, { bytes }: PinnedFile): ContextEntry {
  return { path, kind: "file", mode: EXECUTABLE_MODE, body: { source, bytes } };
}

/** With the folders that they are in, each before what is in it. */
function inOrder(entries: readonly ContextEntry[]): ContextEntry[] {
  const found = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries) {
    for (let folder = posix.dirname(path); folder !== "."; folder = posix.dirname(folder)) {
      if (found.has(folder)) continue;
      found.set(folder, { path: folder, kind: "folder", mode: FOLDER_MODE });
    }
  }
  const parts = ({ path }: ContextEntry) => path.split("/").join("\0");
  return [...found.values()].sort((a, b) => parts(a) < parts(b) ? -1 : 1);
}

function wrongProvider(version: string): NewBieError {
  const { onnxruntime } = CUDA_PROVIDER;
  return new NewBieError(
    `The CUDA provider is for ONNX Runtime ${onnxruntime}, and deno.lock has ${version}.`,
    {
      zh:
        `CUDA 执行提供程序是为 ONNX Runtime ${onnxruntime} 构建的，而 deno.lock 中是 ${version}。`,
    },
  );
}
